import { describe, expect, test } from "vitest";
import { chainRewards } from "../../../src/ledger/reports/chain-rewards.ts";
import { workerRewards } from "../../../src/ledger/reports/worker-rewards.ts";
import { addBlock, addTransaction } from "../../support/ledger-rows.ts";
import { LEDGERS } from "../../support/ledger-store.ts";

/** 18 decimals: a coin has more than 2^59 units, and a few of them pass 2^64. */
const RBTC = 10n ** 18n;

describe.each(LEDGERS)("rewards on $name", ({ open }) => {
  test("an empty ledger has none", async () => {
    const { db } = await open();
    expect(await chainRewards(db, {})).toEqual([]);
    expect(await workerRewards(db, {})).toEqual({ workers: [], next: undefined });
  });

  test("every block is counted in its state, and its worth in one stage", async () => {
    const { db } = await open();
    const states = ["found", "accepted", "confirmed", "uncle", "mature", "distributed", "orphaned", "stale"] as const;
    // Worth 1, 2, 4 ...: each sum tells which blocks are in it. The actual reward counts where it is known.
    for (const [i, state] of states.entries()) {
      const actual = ["confirmed", "mature", "distributed"].includes(state) ? 1n << BigInt(i) : null;
      const expected = actual === null ? 1n << BigInt(i) : 1000n;
      await addBlock(db, { height: i + 1, state, uncle: state === "uncle", expected, actual });
    }
    await addBlock(db, { chain: "bitcoin", height: 1, state: "mature", expected: 50n, actual: 30n, finderPaid: 20n });
    const [bitcoin, namecoin] = await chainRewards(db, {});
    expect(namecoin).toMatchObject({
      chain: "namecoin",
      found: 8,
      states: { found: 1, submitting: 0, accepted: 1, confirmed: 1, uncle: 1, mature: 1, distributed: 1, rejected: 0 },
      uncles: 1,
      expected: 1n + 2n + 8n + 64n + 128n + 3000n,
      rewards: { waiting: 1n + 2n, immature: 4n + 8n, mature: 16n, distributed: 32n, lost: 64n + 128n },
    });
    // What the coinbase paid to the finder is part of what the block is worth.
    expect(bitcoin).toMatchObject({ chain: "bitcoin", found: 1, rewards: { mature: 50n, waiting: 0n } });
  });

  test("sums far beyond 64 bits are exact", async () => {
    const { db } = await open();
    const amount = 9n * RBTC + 999_999_999_999_999_999n;
    for (let i = 1; i <= 40; i++) {
      const blockId = await addBlock(db, { chain: "rsk", height: i, state: "distributed", actual: amount + BigInt(i) });
      await addTransaction(db, {
        chain: "rsk",
        kind: "distribution",
        blockId,
        amounts: { reward: -amount - BigInt(i), "worker a": amount, operator: BigInt(i) },
      });
    }
    const [rsk] = await chainRewards(db, {});
    const whole = 40n * amount + 820n;
    expect(whole > 2n ** 64n).toBe(true);
    expect(rsk).toMatchObject({
      rewards: { distributed: whole },
      split: whole,
      workersEarned: 40n * amount,
      workersOwed: 40n * amount,
      operatorEarned: 820n,
      operatorOwed: 820n,
    });
    expect((await workerRewards(db, {})).workers).toMatchObject([
      { worker: "a", earned: 40n * amount, owed: 40n * amount },
    ]);
  });

  test("the books are told by what they are for, since a time, and balances as they are", async () => {
    const { db } = await open();
    const blockId = await addBlock(db, { state: "distributed", actual: 1000n });
    const split = { reward: -1000n, "worker a": 600n, "worker b": 300n, operator: 40n, "beneficiary grants": 60n };
    await addTransaction(db, { kind: "distribution", blockId, atMs: 1000, amounts: split });
    await addTransaction(db, { kind: "distribution", blockId, atMs: 2000, amounts: split });
    const back = Object.fromEntries(Object.entries(split).map(([account, amount]) => [account, -amount]));
    await addTransaction(db, { kind: "reversal", blockId, atMs: 3000, amounts: back });
    await addTransaction(db, {
      kind: "payout",
      atMs: 4000,
      amounts: { "worker a": -500n, "beneficiary grants": -50n, payout: 543n, network_fee: 7n },
    });
    // What a coinbase paid to b: earned and paid at once.
    await addTransaction(db, { kind: "distribution", blockId, atMs: 5000, amounts: { reward: -90n, "worker b": 90n } });
    await addTransaction(db, { kind: "payout", blockId, atMs: 5000, amounts: { "worker b": -90n, coinbase: 90n } });
    // A month put together: b earned 5 by a coinbase, which paid it.
    await addTransaction(db, { kind: "summary", atMs: 500, amounts: { reward: -16n, "worker a": 11n, coinbase: 5n } });
    const [all] = await chainRewards(db, {});
    expect(all).toMatchObject({
      split: 1000n + 90n + 16n,
      workersEarned: 900n + 90n + 16n,
      operatorEarned: 40n,
      beneficiaries: [{ name: "grants", earned: 60n, owed: 10n }],
      paid: 543n,
      networkFees: 7n,
      paidByCoinbase: 95n,
      workersOwed: 111n + 300n,
      operatorOwed: 40n,
    });
    const [late] = await chainRewards(db, { sinceMs: 2500 });
    expect(late).toMatchObject({ found: 0, split: -910n, workersEarned: -810n, paid: 543n, workersOwed: 411n });
    const { workers } = await workerRewards(db, {});
    expect(workers).toEqual([
      {
        chain: "namecoin",
        worker: "a",
        earned: 1200n,
        reversed: 600n,
        carried: 11n,
        paid: 500n,
        paidByCoinbase: 0n,
        owed: 111n,
      },
      {
        chain: "namecoin",
        worker: "b",
        earned: 690n,
        reversed: 300n,
        carried: 0n,
        paid: 0n,
        paidByCoinbase: 90n,
        owed: 300n,
      },
    ]);
    for (const { earned, reversed, carried, paid, paidByCoinbase, owed } of workers)
      expect(earned - reversed + carried - paid - paidByCoinbase).toBe(owed);
    const since = await workerRewards(db, { sinceMs: 2500, worker: "a" });
    expect(since.workers).toMatchObject([{ earned: 0n, reversed: 600n, paid: 500n, owed: 111n }]);
  });

  test("workers come page by page, each once, on every chain that they have an account on", async () => {
    const { db } = await open();
    for (const chain of ["namecoin", "rsk"]) {
      const workers = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`worker w${i}`, BigInt(i + 1)]));
      await addTransaction(db, { chain, kind: "distribution", amounts: { reward: -15n, ...workers } });
    }
    const seen: string[] = [];
    let after: number | undefined;
    for (let page = 0; page < 10; page++) {
      const { workers, next } = await workerRewards(db, { limit: 3, after });
      seen.push(...workers.map(({ chain, worker }) => `${chain} ${worker}`));
      if (next === undefined) break;
      expect(workers).toHaveLength(3);
      after = next;
    }
    const expected = ["namecoin", "rsk"].flatMap((chain) => ["w0", "w1", "w2", "w3", "w4"].map((w) => `${chain} ${w}`));
    expect(seen).toEqual(expected);
    expect((await workerRewards(db, { chain: "rsk", worker: "w2" })).workers).toMatchObject([
      { chain: "rsk", owed: 3n },
    ]);
    expect((await workerRewards(db, { worker: "w" })).workers).toEqual([]);
  });

  test.each([0, -1, 1.5, 1001])("a limit of %s is refused", async (limit) => {
    const { db } = await open();
    await expect(workerRewards(db, { limit })).rejects.toMatchObject({ code: "report-query" });
  });
});
