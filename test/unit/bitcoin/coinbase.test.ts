/** Coinbases: BIP34 heights and BIP141 commitments of real blocks, halves that join to real coinbases. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../src/bitcoin/block.ts";
import {
  CoinbaseHasher,
  coinbaseHalves,
  findWitnessCommitment,
  heightPush,
  readHeightPush,
  subsidy,
  withWitness,
  witnessCommitmentScript,
  witnessRoot,
} from "../../../src/bitcoin/coinbase.ts";
import { sha256d } from "../../../src/bitcoin/hash.ts";
import { isCoinbase, stripWitness, txid, wtxid } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toHex } from "../../../src/kernel/bytes.ts";
import vectors from "../../vectors/bitcoin-blocks.json" with { type: "json" };

const blocks = vectors.blocks.map((vector) => ({ ...vector, block: parseBlock(fromHex(vector.hex)) }));
const withCommitment = blocks.filter(
  ({ block }) => findWitnessCommitment(block.transactions[0]!.outputs) !== undefined,
);

describe("BIP34 height", () => {
  test.each([
    [0, "00"],
    [1, "51"],
    [16, "60"],
    [17, "0111"],
    [116, "0174"],
    [127, "017f"],
    [128, "028000"],
    // Mainnet block 227,931, the first that had to (BIP34), and 840,000.
    [227_931, "035b7a03"],
    [840_000, "0340d10c"],
    [8_388_608, "0400008000"],
  ])("%i", (height, hex) => {
    expect(toHex(heightPush(height))).toBe(hex);
    expect(readHeightPush(concat(fromHex(hex), fromHex("ffff")))).toBe(height);
  });

  test.each(["", "4f", "05", "06000000000000", "0181", "ac"])("%j begins with none", (hex) => {
    expect(readHeightPush(fromHex(hex))).toBeUndefined();
  });

  test.each(blocks.filter((vector) => vector.height !== undefined))("of $source", ({ block, height }) => {
    expect(readHeightPush(block.transactions[0]!.inputs[0]!.script)).toBe(height);
  });
});

describe("BIP141 commitment", () => {
  test("four real blocks have one", () => expect(withCommitment.length).toBe(4));

  test.each(withCommitment)("of $source", ({ block }) => {
    const coinbase = block.transactions[0]!;
    const nonce = coinbase.inputs[0]!.witness[0]!;
    const script = witnessCommitmentScript(witnessRoot(block.transactions.map(wtxid)), nonce);
    const found = findWitnessCommitment(coinbase.outputs)!;
    expect(toHex(coinbase.outputs[found.index]!.script).startsWith(toHex(script))).toBe(true);
    expect(toHex(found.commitment)).toBe(toHex(script.subarray(6)));
  });

  test("the last of several counts, a short one does not", () => {
    const output = (hex: string): { value: bigint; script: Uint8Array } => ({ value: 0n, script: fromHex(hex) });
    const first = output(`6a24aa21a9ed${"11".repeat(32)}`);
    const last = output(`6a24aa21a9ed${"22".repeat(32)}ff`);
    const short = output(`6a24aa21a9ed${"33".repeat(31)}`);
    const found = findWitnessCommitment([first, last, short]);
    expect(found?.index).toBe(1);
    expect(toHex(found!.commitment)).toBe("22".repeat(32));
    expect(findWitnessCommitment([short])).toBeUndefined();
  });
});

describe("subsidy", () => {
  test.each([
    [0, 5_000_000_000n],
    [209_999, 5_000_000_000n],
    [210_000, 2_500_000_000n],
    [840_000, 312_500_000n],
    [6_929_999, 1n],
    [6_930_000, 0n],
    [210_000 * 64, 0n],
  ])("at mainnet height %i", (height, value) => expect(subsidy(height, 210_000)).toBe(value));

  test("sums to Core's 2,099,999,997,690,000 sat", () => {
    let sum = 0n;
    for (let height = 0; height < 210_000 * 34; height += 210_000) sum += 210_000n * subsidy(height, 210_000);
    expect(sum).toBe(2_099_999_997_690_000n);
  });

  test("halves every 150 blocks in regtest", () => expect(subsidy(150, 150)).toBe(2_500_000_000n));
});

describe("halves around the extranonce", () => {
  test.each(blocks)("join to the coinbase of $source", ({ block }) => {
    const coinbase = block.transactions[0]!;
    const input = coinbase.inputs[0]!;
    expect(isCoinbase(coinbase)).toBe(true);
    const size = Math.min(4, input.script.length - 1);
    const at = 1;
    const { prefix, suffix } = coinbaseHalves({
      txVersion: coinbase.version,
      scriptSigPrefix: input.script.subarray(0, at),
      extranonceSize: size,
      scriptSigSuffix: input.script.subarray(at + size),
      sequence: input.sequence,
      outputs: coinbase.outputs,
      lockTime: coinbase.lockTime,
    });
    const extranonce = input.script.subarray(at, at + size);
    const stripped = concat(prefix, extranonce, suffix);
    expect(toHex(stripped)).toBe(toHex(stripWitness(block.rawTransactions[0]!)));
    expect(toHex(withWitness(stripped, input.witness))).toBe(toHex(block.rawTransactions[0]!));
    const out = new Uint8Array(32);
    const hasher = new CoinbaseHasher(prefix, size, suffix);
    hasher.txidInto(out, extranonce);
    expect(toHex(out)).toBe(toHex(txid(coinbase)));
    hasher.txidInto(out, extranonce.subarray(0, 1), extranonce.subarray(1));
    expect(toHex(out)).toBe(toHex(txid(coinbase)));
  });

  const parts = { txVersion: 2, sequence: 0xffffffff, outputs: [], lockTime: 0 };

  test.each([
    [1, 1, true],
    [80, 20, true],
    [81, 20, false],
    [1, 0, false],
  ])("a script of %i + %i bytes: allowed %s", (prefixSize, extranonceSize, allowed) => {
    const make = (): unknown =>
      coinbaseHalves({ ...parts, scriptSigPrefix: new Uint8Array(prefixSize), extranonceSize });
    if (allowed) expect(make).not.toThrow();
    else expect(make).toThrow(expect.objectContaining({ code: "coinbase-script-too-long" }));
  });

  test("the hasher agrees with a plain hash whatever the sizes, call after call", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ minLength: 1, maxLength: 32 }),
        fc.uint8Array({ minLength: 1, maxLength: 32 }),
        fc.uint8Array({ maxLength: 300 }),
        (prefix, first, second, suffix) => {
          const hasher = new CoinbaseHasher(prefix, first.length + second.length, suffix);
          const out = new Uint8Array(32);
          hasher.txidInto(out, first, second);
          expect(toHex(out)).toBe(toHex(sha256d(concat(prefix, first, second, suffix))));
          hasher.txidInto(out, second, first);
          expect(toHex(out)).toBe(toHex(sha256d(concat(prefix, second, first, suffix))));
          expect(() => hasher.txidInto(out, first)).toThrow(TypeError);
        },
      ),
    );
  });

  test("no witness leaves the bytes alone", () => {
    const raw = fromHex("01020304");
    expect(withWitness(raw, [])).toBe(raw);
  });
});
