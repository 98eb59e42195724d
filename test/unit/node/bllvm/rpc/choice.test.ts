import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../../../src/bitcoin/block.ts";
import { OP, pushBytes } from "../../../../../src/bitcoin/script.ts";
import { serializeTransaction } from "../../../../../src/bitcoin/transaction.ts";
import type { TxData } from "../../../../../src/devnet/node/block-data.ts";
import { concat, fromHex, toDisplayHex, toHex } from "../../../../../src/kernel/bytes.ts";
import { readCandidate } from "../../../../../src/node/bllvm/rpc/candidate.ts";
import { chooseTransactions } from "../../../../../src/node/bllvm/rpc/choice.ts";
import { lastPush, mayLackWitness, mostSigopsCost } from "../../../../../src/node/bllvm/rpc/needs-witness.ts";
import mainnet from "../../../../vectors/bitcoin-blocks.json" with { type: "json" };
import { nodeEntryOf } from "./fakes.ts";
import { ALL_KINDS, type Coin, coinsOf, KINDS, type Kind, spend } from "./spends.ts";

const PLACE = { height: 200, medianTime: 1_700_000_000 };
let coins = 0;
const coin = (kind: Kind, value = 100_000n): Coin => ({
  txid: new Uint8Array(32).fill(++coins),
  index: coins,
  value,
  kind,
});
const entry = ({ tx }: TxData, fee = 1000): Record<string, unknown> => nodeEntryOf(tx, fee);
const choose = (entries: readonly unknown[]) => {
  const choice = chooseTransactions(entries, PLACE);
  return { ...choice, txids: choice.chosen.map(({ txid }) => txid) };
};

describe("a transaction without its witness", () => {
  test.each(ALL_KINDS)("that spends a %s output is chosen only if it surely had none", (kind) => {
    const tx = spend([coin(kind)], ["p2sh"]);
    const { txids, omitted } = choose([entry(tx)]);
    expect(txids).toEqual(KINDS[kind].legacy ? [tx.key] : []);
    expect(omitted).toEqual(KINDS[kind].legacy ? {} : { witness: 1 });
  });

  test("is left out for one input of many", () => {
    expect(choose([entry(spend([coin("p2sh"), coin("wrapped"), coin("bare")], ["p2sh"]))]).omitted).toEqual({
      witness: 1,
    });
  });

  const programs = [
    ["a key hash, as P2SH-P2WPKH", 0, 20],
    ["a script hash, as P2SH-P2WSH", 0, 32],
    ["taproot's version", 1, 32],
    ["the shortest of an unknown version", 16, 2],
    ["the longest", 2, 40],
  ] as const;
  test.each(programs)("whose only push is a witness program may lack it: %s", (_name, version, size) => {
    const opcode = version === 0 ? OP.OP_0 : OP.OP_1 + version - 1;
    const program = concat(Uint8Array.of(opcode), pushBytes(new Uint8Array(size)));
    const withScript = (script: Uint8Array) => {
      const { tx } = spend([coin("bare")], ["p2sh"]);
      return mayLackWitness({ ...tx, inputs: tx.inputs.map((input) => ({ ...input, script })) });
    };
    expect(withScript(pushBytes(program))).toBe(true);
    // Written longer than need be: a signature of nobody, but it is no business of ours to know.
    expect(withScript(concat(Uint8Array.of(OP.OP_PUSHDATA1, program.length), program))).toBe(true);
    expect(withScript(concat(pushBytes(Uint8Array.of(7)), pushBytes(program)))).toBe(true);
    // A program and one byte more is none.
    expect(withScript(pushBytes(concat(program, Uint8Array.of(0))))).toBe(false);
  });

  test("as real legacy spends have them, one signature or signature and key, need none", () => {
    const blocks = mainnet.blocks.map(({ hex }) => parseBlock(fromHex(hex)));
    const spends = blocks.flatMap(({ transactions }) => transactions.slice(1));
    const legacy = spends.filter((tx) =>
      tx.inputs.every(({ witness, script }) => witness.length === 0 && script.length > 70),
    );
    // Block 170's payment is among them.
    expect(legacy.length).toBeGreaterThan(0);
    for (const tx of legacy) expect(mayLackWitness(tx)).toBe(false);
  });

  test("is not called legacy by a push that goes past its end", () => {
    expect(lastPush(Uint8Array.of(0x05, 0x01))).toBeUndefined();
    expect(lastPush(Uint8Array.of(0x01, 0x07, OP.OP_DUP))).toBeUndefined();
    expect(lastPush(Uint8Array.of(0x01, 0x07, OP.OP_16))).toEqual(new Uint8Array(0));
  });
});

describe("a transaction with its witness, from a repaired node", () => {
  const whole = (data: TxData): Record<string, unknown> => ({
    data: toHex(data.raw),
    txid: data.key,
    hash: toDisplayHex(data.wtxid),
    fee: 1000,
  });

  test("is chosen, and hashed with it", () => {
    const tx = spend([coin("p2wsh"), coin("wrapped")], ["p2wsh"]);
    const [chosen] = choose([whole(tx)]).chosen;
    expect(chosen?.txid).toBe(tx.key);
    expect(chosen?.wtxid).toBe(toDisplayHex(tx.wtxid));
    expect(chosen?.weight).toBe(tx.weight);
    expect(chosen?.raw).toEqual(tx.raw);
  });

  test("is left out when one of its inputs has none and may need one", () => {
    expect(choose([whole(spend([coin("p2wsh"), coin("open")], ["p2wsh"]))]).omitted).toEqual({ witness: 1 });
  });
});

describe("what is odd about a transaction", () => {
  const good = spend([coin("p2sh")], ["p2sh"]);

  test.each([
    ["no hex", { data: "zz" }],
    ["half a byte", { data: String(entry(good).data).slice(1) }],
    ["cut off", { data: String(entry(good).data).slice(0, -2) }],
    ["a byte too many", { data: `${String(entry(good).data)}00` }],
    ["no data", { data: undefined }],
    ["another transaction's data", { data: String(entry(spend([coin("p2sh")], ["bare"])).data) }],
    ["a fee that is no whole number", { fee: 1.5 }],
    ["a fee below nothing", { fee: -1 }],
  ])("leaves it out, and nothing else: %s", (_name, change) => {
    const other = spend([coin("bare")], ["p2sh"]);
    const { txids, omitted, isBlind } = choose([{ ...entry(good), ...change }, entry(other)]);
    expect(txids).toEqual([other.key]);
    expect(omitted).toEqual({ unread: 1 });
    expect(isBlind).toBe(false);
  });

  test("leaves out what spends from it too, whichever way its id is written", () => {
    for (const txid of [toHex(good.txid), good.key]) {
      const child = spend(coinsOf(good, ["p2sh"]), ["p2sh"]);
      const { txids, omitted } = choose([entry(child), { ...entry(good), txid, data: "zz" }]);
      expect(txids).toEqual([]);
      expect(omitted).toEqual({ unread: 1, parent: 1 });
    }
  });

  test("leaves out everything when it cannot even be named", () => {
    for (const nameless of [null, 7, {}, { data: "zz" }, { ...entry(good), txid: "abc" }]) {
      const { txids, isBlind } = choose([nameless, entry(spend([coin("p2sh")], ["p2sh"]))]);
      expect(txids).toEqual([]);
      expect(isBlind).toBe(true);
    }
  });

  test.each([
    ["no fee", (data: TxData) => ({ ...entry(data), fee: undefined }), "fee"],
    ["more than all coins as fee", (data: TxData) => ({ ...entry(data), fee: 2_100_000_000_000_001 }), "fee"],
  ] as const)("names the reason: %s", (_name, change, reason) => {
    expect(choose([change(good)]).omitted).toEqual({ [reason]: 1 });
  });

  test.each([
    ["no output", { outputs: [] }],
    ["an amount beyond all coins", { outputs: [{ value: 2_100_000_000_000_001n, script: new Uint8Array(1) }] }],
    [
      "amounts beyond all coins together",
      { outputs: Array.from({ length: 2 }, () => ({ value: 2_000_000_000_000_000n, script: new Uint8Array(1) })) },
    ],
    ["an output spent twice", { inputs: [...good.tx.inputs, ...good.tx.inputs] }],
    [
      "an input that spends nothing",
      {
        inputs: [
          ...good.tx.inputs,
          {
            ...good.tx.inputs[0],
            prevHash: new Uint8Array(32),
            prevIndex: 0xffffffff,
            script: Uint8Array.of(1, 1),
            sequence: 0,
            witness: [],
          },
        ],
      },
    ],
    [
      "a coinbase's shape",
      {
        inputs: [
          {
            prevHash: new Uint8Array(32),
            prevIndex: 0xffffffff,
            script: Uint8Array.of(1, 1),
            sequence: 0,
            witness: [],
          },
        ],
      },
    ],
  ])("is against consensus by itself: %s", (_name, change) => {
    const tx = { ...good.tx, ...change };
    expect(choose([nodeEntryOf(tx, 1)]).omitted).toEqual({ malformed: 1 });
  });

  test("is an encoding that is longer than need be", () => {
    // The number of outputs in three bytes: it would hash otherwise in the block.
    const raw = serializeTransaction(good.tx, { witness: false });
    const at = raw.length - 4 - 8 - 1 - 23 - 1;
    expect(raw[at]).toBe(1);
    const longer = concat(raw.subarray(0, at), Uint8Array.of(0xfd, 1, 0), raw.subarray(at + 1));
    expect(choose([{ data: toHex(longer), txid: good.key, fee: 1 }]).omitted).toEqual({ unread: 1 });
  });

  test.each([
    ["a height that comes", { lockTime: 200 }, false],
    ["a height that was", { lockTime: 199 }, true],
    ["a time that comes", { lockTime: 1_700_000_000 }, false],
    ["a time that was", { lockTime: 1_699_999_999 }, true],
    ["a height that comes, with inputs that waive it", { lockTime: 9999, sequence: 0xffffffff }, true],
  ])("is a lock time: %s", (_name, options, isFinal) => {
    expect(choose([entry(spend([coin("p2sh")], ["p2sh"], options))]).omitted).toEqual(
      isFinal ? {} : { "not final": 1 },
    );
  });
});

describe("transactions together", () => {
  test("stand behind their parents, in however bad an order they come", () => {
    const a = spend([coin("p2sh")], ["p2sh", "bare"]);
    const [a0, a1] = coinsOf(a, ["p2sh", "bare"]) as [Coin, Coin];
    const b = spend([a0], ["bare"]);
    const c = spend([a1, ...coinsOf(b, ["bare"])], ["p2sh"]);
    const { txids, fees } = choose([entry(c, 3), entry(b, 20), entry(a, 100)]);
    expect(txids).toEqual([a.key, b.key, c.key]);
    expect(fees).toBe(123n);
  });

  test("go with a parent that goes, to the last of them", () => {
    const a = spend([coin("wrapped")], ["p2sh"]);
    const b = spend(coinsOf(a, ["p2sh"]), ["p2sh"]);
    const c = spend(coinsOf(b, ["p2sh"]), ["p2sh"]);
    const d = spend([coin("p2sh")], ["p2sh"]);
    expect(choose([entry(d), entry(c), entry(b), entry(a)])).toMatchObject({
      txids: [d.key],
      omitted: { witness: 1, parent: 2 },
    });
  });

  test("spend no output twice: the first one counts", () => {
    const rival = coin("p2sh");
    const a = spend([rival], ["p2sh"]);
    const b = spend([rival, coin("p2sh")], ["bare"]);
    const c = spend(coinsOf(b, ["bare"]), ["bare"]);
    expect(choose([entry(a), entry(b), entry(c)])).toMatchObject({
      txids: [a.key],
      omitted: { "double spend": 1, parent: 1 },
    });
  });

  test("spend no output that their parent does not have", () => {
    const a = spend([coin("p2sh")], ["p2sh"]);
    const [there] = coinsOf(a, ["p2sh"]) as [Coin];
    const b = spend([{ ...there, index: 1 }], ["p2sh"]);
    expect(choose([entry(a), entry(b)])).toMatchObject({ txids: [a.key], omitted: { parent: 1 } });
  });

  test("pay no more than their parents gave, and nothing that they do not have", () => {
    const a = spend([coin("p2sh")], ["p2sh"]);
    const [there] = coinsOf(a, ["p2sh"]) as [Coin];
    expect(choose([entry(a, 0), entry(spend([there], ["p2sh"], { fee: 500n }), 700)]).fees).toBe(500n);
    // A lower word than the truth is the node's own, which may be late.
    expect(choose([entry(a, 0), entry(spend([there], ["p2sh"], { fee: 500n }), 300)]).fees).toBe(300n);
    expect(choose([entry(a, 0), entry(spend([there], ["p2sh"], { fee: -500n }), 300)])).toMatchObject({
      txids: [a.key],
      omitted: { fee: 1 },
    });
  });

  test("may be a long chain", () => {
    let last = spend([coin("p2sh", 10_000_000_000n)], ["p2sh"]);
    const chain = [entry(last)];
    for (let i = 0; i < 5000; i++) {
      last = spend(coinsOf(last, ["p2sh"]), ["p2sh"]);
      chain.push(entry(last));
    }
    expect(choose(chain.reverse()).txids.length).toBe(5001);
  });

  test("fit the block: weight, with room for the coinbase", () => {
    const large = Array.from({ length: 12 }, () => {
      const { tx } = spend([coin("p2sh")], ["p2sh"]);
      return { ...tx, outputs: [{ value: 0n, script: new Uint8Array(99_000) }] };
    });
    const { chosen, omitted } = choose(large.map((tx) => nodeEntryOf(tx, 1)));
    expect(chosen.length).toBe(10);
    expect(omitted).toEqual({ "no room": 2 });
    expect(chosen.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(4_000_000 - 8_000);
  });

  test("fit the block: signature operations, whatever the node says of them", () => {
    // 1,000 OP_CHECKSIG in an output cost 4,000.
    const full = Array.from({ length: 25 }, () => {
      const { tx } = spend([coin("p2sh")], ["p2sh"]);
      return { ...tx, outputs: [{ value: 0n, script: new Uint8Array(1000).fill(OP.OP_CHECKSIG) }] };
    });
    const { chosen, omitted } = choose(full.map((tx) => nodeEntryOf(tx, 1)));
    expect(chosen.length).toBe(19);
    expect(omitted).toEqual({ "no room": 6 });
  });
});

describe("signature operations", () => {
  test("are those of scripts, and of what may be a redeem script or a witness script", () => {
    const twoOfThree = concat(
      Uint8Array.of(OP.OP_1 + 1),
      ...[1, 2, 3].map((n) => pushBytes(new Uint8Array(33).fill(n))),
      Uint8Array.of(OP.OP_1 + 2, OP.OP_CHECKMULTISIG),
    );
    const { tx } = spend([coin("bare")], ["p2sh"]);
    const spending = (script: Uint8Array, witness: readonly Uint8Array[] = []) => ({
      ...tx,
      inputs: tx.inputs.map((input) => ({ ...input, script, witness })),
    });
    expect(mostSigopsCost(spending(pushBytes(twoOfThree)))).toBe(12);
    expect(mostSigopsCost(spending(new Uint8Array(0), [new Uint8Array(0), twoOfThree]))).toBe(3);
    // A key hash.
    expect(mostSigopsCost(spending(new Uint8Array(0), [new Uint8Array(72), new Uint8Array(33).fill(2)]))).toBe(1);
    expect(mostSigopsCost({ ...tx, outputs: [{ value: 0n, script: twoOfThree }] })).toBe(80);
  });
});

test("a candidate's id is its own, not the node's", () => {
  const data = spend([coin("p2sh")], ["p2sh"]);
  const reading = readCandidate(entry(data), PLACE);
  expect("candidate" in reading && reading.candidate.txid).toBe(data.key);
});
