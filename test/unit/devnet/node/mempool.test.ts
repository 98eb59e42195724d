/** The mempool: what it takes, what blocks and reorgs do to it, and its bounds. */
import { describe, expect, test } from "vitest";
import { serializeTransaction, type Transaction, txid } from "../../../../src/bitcoin/transaction.ts";
import { decodeBlock, txData } from "../../../../src/devnet/node/block-data.ts";
import { ANYONE_SCRIPT } from "../../../../src/devnet/node/synthetic.ts";
import { toDisplayHex } from "../../../../src/kernel/bytes.ts";
import { ANYONE_WITNESS, draft, finish, spendCoinbase } from "../../../support/block-draft.ts";
import { devnet } from "../../../support/devnet.ts";

const data = (tx: Transaction) => txData(tx, serializeTransaction(tx, { witness: true }));
const key = (tx: Transaction): string => toDisplayHex(txid(tx));

/** Spends the first output of `parent` and pays `fee`. */
function child(parent: Transaction, fee = 1000n): Transaction {
  const [output] = parent.outputs;
  return {
    version: 2,
    inputs: [
      { prevHash: txid(parent), prevIndex: 0, script: new Uint8Array(), sequence: 0xffffffff, witness: ANYONE_WITNESS },
    ],
    outputs: [{ value: output!.value - fee, script: ANYONE_SCRIPT }],
    lockTime: 0,
  };
}

/** The coinbase of block `height` with a fee. */
function spend(net: ReturnType<typeof devnet>, height: number, fee = 1000n): Transaction {
  const tx = spendCoinbase(net.node, height);
  return { ...tx, outputs: tx.outputs.map((output) => ({ ...output, value: output.value - fee })) };
}

/** Mines `transactions` on the tip, or on `parent`. */
function mineWith(
  net: ReturnType<typeof devnet>,
  transactions: readonly Transaction[],
  parent = net.chain.tip,
): string | null {
  return net.chain.submit(decodeBlock(finish({ ...draft(net.node, net.now(), parent), transactions })));
}

describe("taking transactions", () => {
  test("with fee, cost of signature operations and parents", () => {
    const net = devnet();
    const parent = spend(net, 1);
    const younger = child(parent, 5000n);
    expect(net.mempool.accept(data(parent))).toBeUndefined();
    expect(net.mempool.accept(data(younger))).toBeUndefined();
    const entry = net.mempool.get(key(younger))!;
    expect(entry).toMatchObject({ fee: 5000n, sigopsCost: 1, weight: data(younger).weight });
    expect([...entry.parents]).toEqual([key(parent)]);
    expect(net.mempool.size).toBe(2);
    expect(net.mempool.updates).toBe(2);
  });

  test("and refusing others, in Core's words", () => {
    const net = devnet();
    const good = spend(net, 1);
    net.mempool.accept(data(good));
    const [input] = good.inputs;
    const cases: [Transaction, string][] = [
      [good, "txn-already-in-mempool"],
      [spend(net, 1, 2000n), "txn-mempool-conflict"],
      [{ ...good, inputs: [{ ...input!, prevIndex: 7 }] }, "bad-txns-inputs-missingorspent"],
      [spend(net, 12), "bad-txns-premature-spend-of-coinbase"],
      [{ ...good, outputs: [] }, "bad-txns-vout-empty"],
      [{ ...good, inputs: [input!, input!] }, "bad-txns-inputs-duplicate"],
      [spend(net, 2, -1n), "bad-txns-in-belowout"],
      [
        { ...spend(net, 2), lockTime: 111, inputs: spend(net, 2).inputs.map((each) => ({ ...each, sequence: 0 })) },
        "non-final",
      ],
      [
        { ...spend(net, 2), inputs: spend(net, 2).inputs.map((each) => ({ ...each, sequence: 0xffff })) },
        "non-BIP68-final",
      ],
      [net.chain.at(5)!.data!.txs[0]!.tx, "coinbase"],
      [{ ...good, outputs: [{ value: 0n, script: new Uint8Array(101_000) }] }, "tx-size"],
      [
        { ...spend(net, 2), outputs: [{ value: 0n, script: new Uint8Array(300).fill(0xae) }] },
        "bad-txns-too-many-sigops",
      ],
    ];
    for (const [tx, reason] of cases) expect(net.mempool.accept(data(tx))?.reason).toBe(reason);
    expect(net.mempool.size).toBe(1);
  });

  test("no more than it has room for", () => {
    const net = devnet({ transactions: { atLeast: 0, atMost: 0.2 } });
    const txs = [1, 2, 3].map((height) => data(spend(net, height)));
    expect(txs.map((tx) => net.mempool.accept(tx)?.reason)).toEqual([undefined, undefined, "mempool full"]);
  });
});

describe("blocks", () => {
  test("take their transactions out, and what spends the same", () => {
    const net = devnet();
    const taken = spend(net, 1);
    const rival = spend(net, 2);
    const onRival = child(rival);
    const bystander = spend(net, 3);
    for (const tx of [taken, rival, onRival, bystander]) net.mempool.accept(data(tx));
    expect(mineWith(net, [taken, spend(net, 2, 7n)])).toBeNull();
    expect([...net.mempool.entries()].map((each) => each.key)).toEqual([key(bystander)]);
    expect(net.mempool.weight).toBe(data(bystander).weight);
  });

  test("that are disconnected give their transactions back, parents first", () => {
    const net = devnet();
    const fork = net.chain.tip;
    const parent = spend(net, 1);
    const younger = child(parent);
    const youngest = child(younger);
    expect(mineWith(net, [parent])).toBeNull();
    expect(mineWith(net, [younger])).toBeNull();
    net.mempool.accept(data(youngest));
    expect(net.mempool.size).toBe(1);
    net.chain.invalidate(net.chain.at(111)!);
    expect(net.chain.tip).toBe(fork);
    expect([...net.mempool.entries()].map((each) => each.key)).toEqual([parent, younger, youngest].map(key));
    expect([...net.mempool.get(key(youngest))!.parents]).toEqual([key(younger)]);
  });

  test("of the new branch keep what they have; what they made impossible goes", () => {
    const net = devnet();
    const fork = net.chain.tip;
    const both = spend(net, 1);
    const onlyOld = spend(net, 2);
    const mature = spendCoinbase(net.node, 12);
    expect(mineWith(net, [both, onlyOld])).toBeNull();
    // At height 112 the coinbase of block 12 can be spent, at 111 it cannot.
    expect(net.mempool.accept(data(mature))).toBeUndefined();
    const rival = spend(net, 2, 3n);
    expect(mineWith(net, [both], fork)).toBe("inconclusive");
    net.chain.invalidate(net.chain.tip);
    expect(net.mempool.get(key(both))).toBeUndefined();
    expect(net.mempool.get(key(onlyOld))).toBeDefined();
    expect(net.mempool.get(key(mature))).toBeDefined();
    net.chain.invalidate(net.chain.tip);
    expect(net.mempool.get(key(both))).toBeDefined();
    expect(net.mempool.get(key(mature))).toBeUndefined();
    expect(net.mempool.accept(data(rival))?.reason).toBe("txn-mempool-conflict");
  });
});
