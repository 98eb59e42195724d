/** Synthetic transactions: varied, valid, bounded, and back after a reorg. */
import { describe, expect, test } from "vitest";
import { hasWitness } from "../../../../src/bitcoin/transaction.ts";
import { decodeBlock } from "../../../../src/devnet/node/block-data.ts";
import { draft, finish } from "../../../support/block-draft.ts";
import { devnet } from "../../../support/devnet.ts";

describe("synthetic transactions", () => {
  test("keep the mempool at its floor after every block, and every block is valid", async () => {
    const net = devnet({ transactions: { atLeast: 12 } });
    const kinds = { segwit: 0, legacy: 0, chained: 0, sigops: 0 };
    for (let i = 0; i < 80; i++) {
      expect(net.mempool.size).toBeGreaterThanOrEqual(12);
      for (const entry of net.mempool.entries()) {
        if (hasWitness(entry.tx)) kinds.segwit++;
        else kinds.legacy++;
        if (entry.parents.size > 0) kinds.chained++;
        if (entry.sigopsCost > 0) kinds.sigops++;
        expect(entry.fee).toBeGreaterThan(0n);
      }
      expect(await net.node.generate(1)).toHaveLength(1);
    }
    for (const [kind, count] of Object.entries(kinds)) expect(count, kind).toBeGreaterThan(50);
  });

  test("come one by one at a rate, up to a limit", async () => {
    const net = devnet({ transactions: { atLeast: 0, perSecond: 2, atMost: 30 } });
    net.clock.advance(10_000);
    expect(net.mempool.size).toBe(20);
    net.clock.advance(60_000);
    expect(net.mempool.size).toBe(30);
    await net.node.stop();
    expect(net.clock.pending).toBe(0);
  });

  test("do not multiply outputs without end", async () => {
    const net = devnet({ transactions: { atLeast: 20 } });
    for (let i = 0; i < 60; i++) await net.node.generate(1);
    const before = net.chain.coins.size;
    for (let i = 0; i < 60; i++) await net.node.generate(1);
    expect(net.chain.coins.size).toBeLessThan(before + 700);
    expect(net.chain.coins.size).toBeLessThan(1500);
  });

  test("go on after a reorg took away what they stood on", async () => {
    const net = devnet({ transactions: { atLeast: 10 } });
    await net.node.generate(10);
    net.chain.invalidate(net.chain.at(111)!);
    expect(net.mempool.size).toBeGreaterThanOrEqual(10);
    for (let i = 0; i < 12; i++) net.chain.submit(decodeBlock(finish(draft(net.node, net.now()))));
    expect(net.chain.tip.height).toBe(122);
    expect(net.mempool.size).toBeGreaterThanOrEqual(10);
    expect(await net.node.generate(3)).toHaveLength(3);
  });
});
