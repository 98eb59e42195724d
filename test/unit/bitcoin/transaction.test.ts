/** Transactions: those of Bitcoin Core's tests and templates, byte for byte (BIP144). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hasWitness,
  isCoinbase,
  legacySigops,
  outputSize,
  parseOutputSequence,
  parseOutputs,
  parseTransaction,
  serializeOutputs,
  serializeTransaction,
  stripWitness,
  type Transaction,
  txid,
  txidOfBytes,
  weight,
  wtxid,
} from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { Reader } from "../../../src/kernel/reader.ts";
import vectors from "../../vectors/bitcoin-transactions.json" with { type: "json" };

// BIP143, "P2SH-P2WPKH": https://github.com/bitcoin/bips/blob/master/bip-0143.mediawiki
const BIP143 = {
  unsigned:
    "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000",
  signed:
    "01000000000101db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477010000001716001479091972186c449eb1ded22b78e40d009bdf0089feffffff02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac02473044022047ac8e878352d3ebbde1c94ce3a10d057c24175747116f8288e5d794d12d482f0220217f36a485cae903c713331d877c1f64677e3622ad4010726870540656fe9dcb012103ad1d8e89212f0b92c74d23bb710c00662ad1470198ac48c43f7d6f93a2a2687392040000",
};

describe("Bitcoin Core's tx_valid.json", () => {
  test.each(vectors.txValid.vectors)("reads and writes back transaction %#", ({ hex, spends }) => {
    const tx = parseTransaction(fromHex(hex));
    expect(toHex(serializeTransaction(tx, { witness: true }))).toBe(hex.toLowerCase());
    const listed = spends.map(([hash, index]) => `${hash}:${index}`).sort();
    const found = tx.inputs.map((input) => `${toDisplayHex(input.prevHash)}:${input.prevIndex}`);
    expect([...new Set(found)].sort()).toEqual([...new Set(listed)]);
  });
});

describe("transactions of Core's templates", () => {
  test.each(vectors.core.vectors)("$txid: ids, weight, bytes", (vector) => {
    const raw = fromHex(vector.hex);
    const tx = parseTransaction(raw);
    expect(toDisplayHex(txid(tx))).toBe(vector.txid);
    expect(toDisplayHex(wtxid(tx))).toBe(vector.wtxid);
    expect(toDisplayHex(txidOfBytes(raw))).toBe(vector.txid);
    expect(weight(tx)).toBe(vector.weight);
    expect(hasWitness(tx)).toBe(vector.txid !== vector.wtxid);
    expect(toHex(serializeTransaction(tx, { witness: true }))).toBe(vector.hex);
  });
});

describe("BIP143's signed P2SH-P2WPKH", () => {
  const tx = parseTransaction(fromHex(BIP143.signed));

  test("field by field", () => {
    expect(tx).toMatchObject({ version: 1, lockTime: 1170 });
    expect(tx.inputs).toHaveLength(1);
    expect(tx.inputs[0]).toMatchObject({ prevIndex: 1, sequence: 0xfffffffe });
    expect(toHex(tx.inputs[0]!.script)).toBe("16001479091972186c449eb1ded22b78e40d009bdf0089");
    expect(tx.inputs[0]!.witness.map((item) => item.length)).toEqual([71, 33]);
    expect(tx.outputs.map((output) => output.value)).toEqual([199_996_600n, 800_000_000n]);
    expect(legacySigops(tx)).toBe(2);
    expect(isCoinbase(tx)).toBe(false);
  });

  test("without witness and script it is the unsigned one", () => {
    const unsigned: Transaction = {
      ...tx,
      inputs: tx.inputs.map((input) => ({ ...input, script: new Uint8Array(), witness: [] })),
    };
    expect(toHex(serializeTransaction(unsigned, { witness: true }))).toBe(BIP143.unsigned);
    expect(toHex(stripWitness(fromHex(BIP143.unsigned)))).toBe(BIP143.unsigned);
  });

  test("stripping drops marker, flag and stacks only", () => {
    expect(toHex(stripWitness(fromHex(BIP143.signed)))).toBe(toHex(serializeTransaction(tx, { witness: false })));
  });
});

describe("what is no transaction", () => {
  const good = fromHex(BIP143.signed);

  test("every cut is a fault, never a crash", () => {
    for (let size = 0; size < good.length; size++) {
      expect(() => parseTransaction(good.subarray(0, size))).toThrow(Fault);
    }
  });

  test("a byte more is a fault, unless it is read from a longer stream", () => {
    const longer = concat(good, Uint8Array.of(0));
    expect(() => parseTransaction(longer)).toThrow(expect.objectContaining({ code: "bytes-trailing" }));
    const reader = new Reader(longer);
    parseTransaction(reader);
    expect(reader.remaining).toBe(1);
  });

  test("flipped bits give a transaction or a fault", () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = bytes[at]! ^ mask;
        try {
          parseTransaction(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("arbitrary bytes give a transaction or a fault, and huge counts reserve nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        try {
          parseTransaction(concat(fromHex("01000000feffffff01"), tail));
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
    );
  });

  test("an unknown flag, and witnesses that are all empty", () => {
    const input = `01${"11".repeat(32)}0000000000ffffffff`;
    const output = "01000000000000000000";
    const flag2 = fromHex(`010000000002${input}${output}00000000`);
    const empty = fromHex(`010000000001${input}${output}0000000000`);
    for (const bytes of [flag2, empty]) {
      expect(() => parseTransaction(bytes)).toThrow(expect.objectContaining({ code: "transaction-malformed" }));
    }
  });

  test("a transaction without inputs is read as Core reads it", () => {
    const tx = parseTransaction(fromHex("01000000000000000000"));
    expect(tx).toMatchObject({ inputs: [], outputs: [], lockTime: 0 });
  });
});

describe("outputs apart", () => {
  const outputs = parseTransaction(fromHex(BIP143.signed)).outputs;
  const bytes =
    "b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac";

  test("without a count", () => {
    expect(toHex(serializeOutputs(outputs))).toBe(bytes);
    expect(parseOutputSequence(fromHex(bytes))).toEqual(outputs);
    expect(outputs.map(outputSize)).toEqual([34, 34]);
    expect(() => parseOutputSequence(fromHex(bytes).subarray(1))).toThrow(Fault);
  });

  test("with a count", () => {
    expect(parseOutputs(fromHex(`02${bytes}`))).toEqual(outputs);
    expect(() => parseOutputs(fromHex(`01${bytes}`))).toThrow(expect.objectContaining({ code: "bytes-trailing" }));
    expect(() => parseOutputs(fromHex(`03${bytes}`))).toThrow(expect.objectContaining({ code: "bytes-truncated" }));
  });
});

describe("any transaction", () => {
  const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
  const u32 = fc.nat(0xffffffff);
  const anyTx: fc.Arbitrary<Transaction> = fc.record({
    version: u32,
    inputs: fc.array(
      fc.record({
        prevHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        prevIndex: u32,
        script: bytes(300),
        sequence: u32,
        witness: fc.array(bytes(300), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    outputs: fc.array(fc.record({ value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), script: bytes(300) }), {
      maxLength: 4,
    }),
    lockTime: u32,
  });

  test("comes back from its bytes; its id ignores the witness", () => {
    fc.assert(
      fc.property(anyTx, (tx) => {
        const raw = serializeTransaction(tx, { witness: true });
        expect(parseTransaction(raw)).toEqual(tx);
        const stripped = serializeTransaction(tx, { witness: false });
        expect(toHex(stripWitness(raw))).toBe(toHex(stripped));
        expect(toHex(txidOfBytes(stripped))).toBe(toHex(txid(tx)));
        expect(weight(tx)).toBe(3 * stripped.length + raw.length);
      }),
    );
  });
});
