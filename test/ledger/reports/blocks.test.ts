import { describe, expect, test } from "vitest";
import { blockHistories } from "../../../src/ledger/reports/block-history.ts";
import { type BlocksQuery, listBlocks } from "../../../src/ledger/reports/blocks.ts";
import type { LedgerDb } from "../../../src/ledger/store/schema.ts";
import { addBlock, addTransaction } from "../../support/ledger-rows.ts";
import { LEDGERS } from "../../support/ledger-store.ts";

async function heights(db: LedgerDb, query: BlocksQuery): Promise<string[]> {
  return (await listBlocks(db, query)).blocks.map(({ chain, height }) => `${chain} ${height}`);
}

describe.each(LEDGERS)("blocks on $name", ({ open }) => {
  test("an empty ledger has none", async () => {
    const { db } = await open();
    expect(await listBlocks(db, {})).toEqual({ blocks: [], next: undefined });
    await expect(blockHistories(db, "namecoin:x")).rejects.toMatchObject({ code: "report-block-unknown" });
  });

  test("they come newest first, in pages that miss none, though several were found in one millisecond", async () => {
    const { db } = await open();
    // Later rows of earlier finds: a journal that was read again after a crash.
    for (const [i, foundMs] of [5000, 5000, 7000, 1000, 5000, 9000, 5000].entries()) {
      await addBlock(db, { height: i + 1, foundMs });
    }
    const seen: string[] = [];
    let after: number | undefined;
    for (let page = 0; page < 10; page++) {
      const { blocks, next } = await listBlocks(db, { limit: 2, after });
      seen.push(...blocks.map(({ height }) => String(height)));
      if (next === undefined) break;
      after = next;
    }
    expect(seen).toEqual(["6", "3", "7", "5", "2", "1", "4"]);
    await expect(listBlocks(db, { after: 999 })).rejects.toMatchObject({ code: "report-query" });
    await expect(listBlocks(db, { limit: 1001 })).rejects.toMatchObject({ code: "report-query" });
  });

  test("they are chosen by chain, state, finder and time", async () => {
    const { db } = await open();
    await addBlock(db, { height: 1, state: "mature", finder: "a.1" });
    await addBlock(db, { height: 2, state: "orphaned", finder: "a.2" });
    await addBlock(db, { chain: "rsk", height: 3, state: "orphaned", finder: "a.1" });
    expect(await heights(db, { chain: "namecoin" })).toEqual(["namecoin 2", "namecoin 1"]);
    expect(await heights(db, { state: "orphaned" })).toEqual(["rsk 3", "namecoin 2"]);
    expect(await heights(db, { worker: "a.1" })).toEqual(["rsk 3", "namecoin 1"]);
    expect(await heights(db, { worker: "a" })).toEqual([]);
    expect(await heights(db, { sinceMs: 2000 })).toEqual(["rsk 3", "namecoin 2"]);
    expect(await heights(db, { sinceMs: 2001, state: "orphaned", worker: "a.1", chain: "rsk" })).toEqual(["rsk 3"]);
    await expect(listBlocks(db, { state: "lost" })).rejects.toMatchObject({ code: "report-query" });
  });

  test("one header that won several chains says so, and is found by any of its names", async () => {
    const { db } = await open();
    await addBlock(db, { chain: "bitcoin", height: 900_000, header: "h1", hash: "h1" });
    await addBlock(db, { chain: "rsk", height: 7, header: "h1", hash: "0xrsk" });
    await addBlock(db, { chain: "namecoin", height: 5, header: "h1", hash: "nmc" });
    await addBlock(db, { chain: "namecoin", height: 6, header: "h2", hash: "other" });
    const { blocks } = await listBlocks(db, { chain: "namecoin" });
    expect(blocks.map(({ height, alsoWon }) => [height, alsoWon])).toEqual([
      [6, []],
      [5, ["bitcoin", "rsk"]],
    ]);
    const chains = async (name: string) => (await blockHistories(db, name)).map(({ block }) => block.chain);
    expect(await chains("h1")).toEqual(["bitcoin", "rsk", "namecoin"]);
    expect(await chains("0xrsk")).toEqual(["rsk"]);
    expect(await chains("namecoin:nmc:h1")).toEqual(["namecoin"]);
    await expect(blockHistories(db, "0xrs_")).rejects.toMatchObject({ code: "report-block-unknown" });
  });

  test("they are chosen by height, by a hash of theirs or of the Bitcoin header that won them, and without Bitcoin's", async () => {
    const { db } = await open();
    await addBlock(db, { chain: "bitcoin", height: 7, header: "h1", hash: "h1" });
    await addBlock(db, { chain: "rsk", height: 7, header: "h1", hash: "0xrsk" });
    await addBlock(db, { chain: "namecoin", height: 8, header: "h1", hash: "nmc" });
    await addBlock(db, { chain: "namecoin", height: 7, header: "h2", hash: "other" });
    expect(await heights(db, { height: 7 })).toEqual(["namecoin 7", "rsk 7", "bitcoin 7"]);
    expect(await heights(db, { height: 7, aux: true })).toEqual(["namecoin 7", "rsk 7"]);
    expect(await heights(db, { hash: "h1", aux: true })).toEqual(["namecoin 8", "rsk 7"]);
    expect(await heights(db, { hash: "other" })).toEqual(["namecoin 7"]);
    expect(await heights(db, { hash: "0xrs" })).toEqual([]);
    expect((await listBlocks(db, { aux: true, limit: 2 })).next).toBeDefined();
  });

  test("what it pays includes what its coinbase paid to the finder, exact in wei", async () => {
    const { db } = await open();
    const [expected, actual] = [50n * 10n ** 18n + 1n, 30n * 10n ** 18n + 7n];
    await addBlock(db, { height: 1, expected, actual, finderPaid: 2n ** 64n });
    await addBlock(db, { height: 2 });
    const { blocks } = await listBlocks(db, {});
    expect(blocks).toMatchObject([
      { expected: undefined, actual: undefined, paidToFinder: 0n, finderAddress: undefined },
      { expected, actual: actual + 2n ** 64n, paidToFinder: 2n ** 64n, finderAddress: "address of the finder" },
    ]);
  });

  test("its history has its events in order and the largest parts of its distributions", async () => {
    const { db } = await open();
    const block_id = await addBlock(db, { hash: "nmc", state: "orphaned" });
    for (const [i, state] of (["found", "accepted", "orphaned"] as const).entries()) {
      await db
        .insertInto("block_events")
        .values({ block_id, at_ms: i, state, note: `note ${i}` })
        .execute();
    }
    // 40 workers, the last with most; one more with an amount of two columns.
    const parts = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`worker w${i}`, BigInt(i + 1)]));
    const whole = { ...parts, "worker whale": 3n * 10n ** 18n };
    const sum = Object.values(whole).reduce((all, amount) => all + amount, 0n);
    await addTransaction(db, { kind: "distribution", blockId: block_id, amounts: { reward: -sum, ...whole } });
    const back = Object.fromEntries(Object.entries({ reward: -sum, ...whole }).map(([of, amount]) => [of, -amount]));
    await addTransaction(db, { kind: "reversal", blockId: block_id, amounts: back });
    const [history] = await blockHistories(db, "nmc");
    expect(history?.events).toEqual([
      { atMs: 0, state: "found", note: "note 0" },
      { atMs: 1, state: "accepted", note: "note 1" },
      { atMs: 2, state: "orphaned", note: "note 2" },
    ]);
    expect(history?.splits.map(({ kind, parts: count }) => [kind, count])).toEqual([
      ["distribution", 42],
      ["reversal", 42],
    ]);
    const largest = history?.splits.map(({ largest: some }) => some) ?? [];
    expect(largest[0]?.slice(0, 3)).toEqual([
      { account: "reward", name: "", amount: -sum },
      { account: "worker", name: "whale", amount: 3n * 10n ** 18n },
      { account: "worker", name: "w39", amount: 40n },
    ]);
    expect(largest[0]).toHaveLength(20);
    expect(largest[1]?.slice(0, 2)).toMatchObject([{ amount: sum }, { amount: -3n * 10n ** 18n }]);
  });
});
