/** From what is found and answered to rows and events, whatever comes twice, late or while the database is away. */
import { describe, expect, test } from "vitest";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import type { BlockState } from "../../../src/ledger/store/schema.ts";
import type { BlockAnswer } from "../../../src/mining/ports.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";
import { auxAnswer, bitcoinBlock, blockRecords } from "../../support/ledger-blocks.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { pass } from "../../unit/node/bitcoind/fakes.ts";

const never = new AbortController().signal;
const answer = (verdict: BlockAnswer["verdict"], node = "core-1", reason = ""): BlockAnswer => ({
  verdict,
  node,
  reason,
});

describe.each(LEDGERS)("block records on $name", ({ open }) => {
  async function running() {
    const store = await open();
    const clock = new FakeClock();
    const made = blockRecords({ store, clock });
    await made.records.start(never);
    await made.records.settled(never);
    const settled = () => made.records.settled(AbortSignal.timeout(5000));
    return { ...made, store, clock, settled };
  }
  const rows = (store: LedgerStore) => store.db.selectFrom("blocks").selectAll().orderBy("id").execute();
  const states = async (store: LedgerStore) => (await rows(store)).map(({ state }) => state);
  const events = async (store: LedgerStore) =>
    (await store.db.selectFrom("block_events").select(["block_id", "state"]).orderBy("id").execute()).map(
      ({ block_id, state }) => `${block_id} ${state}`,
    );

  test("a Bitcoin block is a row with its work, and each step an event and a word on the bus", async () => {
    const { records, store, changes, finds, clock, settled } = await running();
    await store.db
      .insertInto("workers")
      .values({ identity: "farm.rig7", first_share_ms: 1, last_share_ms: 2 })
      .execute();
    const block = bitcoinBlock(5);
    records.bitcoinFound(block);
    expect(finds).toEqual([block.foundMs]);
    await settled();
    clock.advance(1234);
    records.bitcoinAnswered(block, answer("accepted"));
    await settled();
    const hash = "05".repeat(32);
    const [row] = await rows(store);
    expect(row).toMatchObject({
      chain: "bitcoin",
      key: `bitcoin:${hash}`,
      block_hash: hash,
      header_hash: hash,
      height: 800_005,
      worker_id: 1,
      finder: "farm.rig7",
      state: "accepted",
      state_ms: block.foundMs + 1234,
      note: "core-1: accepted",
      // A target of 2^223 is met by one hash in 2^33.
      difficulty_hi: 0n,
      difficulty_lo: 2n ** 33n - 1n,
      expected_lo: 312_500_000n,
      actual_lo: null,
      finder_paid_lo: 0n,
      aux_work: null,
      next_check_ms: block.foundMs + 1234 + 15_000,
    });
    expect(await events(store)).toEqual(["1 found", "1 submitting", "1 accepted"]);
    expect(changes.map(({ from, to }) => [from, to])).toEqual([
      [undefined, "found"],
      ["found", "submitting"],
      ["submitting", "accepted"],
    ]);
    expect(changes[2]).toEqual({
      chain: "bitcoin",
      key: `bitcoin:${hash}`,
      blockHash: hash,
      height: 800_005,
      finder: "farm.rig7",
      from: "submitting",
      to: "accepted",
      atMs: block.foundMs + 1234,
      note: "core-1: accepted",
      reward: 312_500_000n,
    });
  });

  test("what a solo coinbase paid to the finder is kept with the block", async () => {
    const { records, store, settled } = await running();
    const paid = { isGift: true, finderReward: 300_000_000n, finderAddress: "bc1qfinder" };
    records.bitcoinFound({ ...bitcoinBlock(5), ...paid });
    await settled();
    const [row] = await rows(store);
    expect([row?.finder_paid_lo, row?.finder_address, row?.gift]).toEqual([300_000_000n, "bc1qfinder", 1]);
  });

  test("an aux block is a row with its work, and gets the name and height that its daemon gives it", async () => {
    const { records, store, settled } = await running();
    const work = auxWork({ id: "0xwork", target: 1n << 236n, value: 7n * 10n ** 18n + 5n, details: { node: "a" } });
    const found = foundAux({ chain: "rsk", work, auxPow: false });
    records.auxFound(found);
    records.auxAnswered({ found, answer: auxAnswer("accepted", found, { blockHash: "0xblock", height: 22 }) });
    await settled();
    const [row] = await rows(store);
    expect(row).toMatchObject({
      key: found.key,
      block_hash: "0xblock",
      height: 22,
      state: "accepted",
      difficulty_lo: 2n ** 20n - 1n,
      expected_hi: 7n,
      expected_lo: 5n,
    });
    expect(JSON.parse(row?.aux_work ?? "")).toMatchObject({ id: "0xwork", details: { node: "a" } });
  });

  describe("several nodes of Bitcoin", () => {
    const all = ["accepted", "stale", "rejected"] as const;
    const orders = all.flatMap((a) => all.flatMap((b) => all.map((c) => [a, b, c] as const)));
    test("accepted wins over stale and stale over rejected, in whatever order they answer", async () => {
      const { records, store, settled } = await running();
      orders.forEach((order, n) => {
        records.bitcoinFound(bitcoinBlock(n + 1));
        for (const [i, verdict] of order.entries())
          records.bitcoinAnswered(bitcoinBlock(n + 1), answer(verdict, `core-${i}`));
      });
      await settled();
      const best = orders.map((order) => all.find((verdict) => order.includes(verdict)));
      expect(await states(store)).toEqual(best);
    });

    test("one that knew the block got it from another of ours", async () => {
      const { records, store, settled } = await running();
      records.bitcoinAnswered(bitcoinBlock(1), answer("duplicate"));
      await settled();
      expect(await states(store)).toEqual(["accepted"]);
    });
  });

  test("the same block twice, the same answer twice, and an answer that is late change nothing", async () => {
    const { records, store, changes, settled } = await running();
    const found = foundAux({});
    for (let i = 0; i < 3; i += 1) records.auxFound(found);
    for (let i = 0; i < 3; i += 1) records.auxAnswered({ found, answer: auxAnswer("accepted", found) });
    records.auxAnswered({ found, answer: auxAnswer("stale", found) });
    records.auxAnswered({ found, answer: auxAnswer("failed", found) });
    await settled();
    expect(await events(store)).toEqual(["1 found", "1 submitting", "1 accepted"]);
    expect(changes).toHaveLength(3);
    await store.db.updateTable("blocks").set({ state: "mature" }).execute();
    records.auxAnswered({ found, answer: auxAnswer("accepted", found) });
    await settled();
    expect(await states(store)).toEqual(["mature"]);
  });

  test.each([
    ["accepted", "accepted"],
    ["duplicate", "accepted"],
    ["stale", "stale"],
    ["rejected", "rejected"],
    ["failed", "failed"],
  ] as const)("a daemon that says %s makes it %s, also when its find was never told", async (verdict, state) => {
    const { records, store, settled } = await running();
    const found = foundAux({});
    records.auxAnswered({ found, answer: auxAnswer(verdict, found, { reason: "words" }) });
    await settled();
    expect(await rows(store)).toMatchObject([{ state, note: expect.stringContaining("words") }]);
    const [row] = await rows(store);
    expect(row?.next_check_ms === null).toBe(verdict === "rejected");
  });

  test("words that a database does not take are replaced", async () => {
    const { records, store, settled } = await running();
    const found = { ...foundAux({}), userIdentity: "a\0b" };
    records.auxAnswered({ found, answer: auxAnswer("stale", found, { reason: `\0${"x".repeat(600)}` }) });
    await settled();
    expect(await rows(store)).toMatchObject([{ finder: "a\ufffdb", note: `\ufffd${"x".repeat(499)}` }]);
  });

  describe("two solutions of one work", () => {
    const work = auxWork({ id: "w" });
    async function both(chain: string, names: readonly [string, string]): Promise<readonly BlockState[]> {
      const { records, store, settled } = await running();
      const solutions = [foundAux({ chain, work }), foundAux({ chain, work })].map((found, i) => ({
        ...found,
        key: `${chain}:w:${String(i).repeat(64)}`,
      }));
      for (const found of solutions) records.auxFound(found);
      solutions.forEach((found, i) => {
        records.auxAnswered({ found, answer: auxAnswer("accepted", found, { blockHash: names[i] ?? "" }) });
      });
      await settled();
      return await states(store);
    }

    test("are one block of an AuxPoW chain: the second is a duplicate and is not asked for", async () => {
      expect(await both("namecoin", ["w", "w"])).toEqual(["accepted", "stale"]);
    });

    test("are two blocks of RSK", async () => {
      expect(await both("rsk", ["0x1", "0x2"])).toEqual(["accepted", "accepted"]);
    });

    test("of works whose names begin alike are not two solutions of one", async () => {
      const { records, store, settled } = await running();
      for (const id of ["w1", "w10", "w1:x", "w1%", "\u{1f40c}w1", "\u{1f40c}w1:"]) {
        const found = foundAux({ work: auxWork({ id }) });
        records.auxAnswered({ found, answer: auxAnswer("accepted", found) });
      }
      await settled();
      expect(new Set(await states(store))).toEqual(new Set(["accepted"]));
    });

    test("count as one while the name of one is not known", async () => {
      expect(await both("rsk", ["0x1", "w"])).toEqual(["accepted", "stale"]);
      expect(await both("rsk", ["w", "0x2"])).toEqual(["accepted", "stale"]);
    });
  });

  test("a listener for finds that throws costs no block", async () => {
    const store = await open();
    const { records, finds } = blockRecords({ store, clock: new FakeClock() });
    finds.push = () => {
      throw new Error("no slice");
    };
    await records.start(never);
    records.auxFound(foundAux({}));
    await records.settled(never);
    expect(await states(store)).toEqual(["submitting"]);
  });

  describe("while the database is away", () => {
    test("all is taken in, and written in order when it is back", async () => {
      const { records, store, changes, access, log, clock, settled } = await running();
      access.mood = "away";
      const blocks = [1, 2, 3].map((n) => bitcoinBlock(n));
      for (const block of blocks) records.bitcoinFound(block);
      for (const block of blocks) records.bitcoinAnswered(block, answer("stale"));
      records.bitcoinAnswered(blocks[1] ?? bitcoinBlock(2), answer("accepted", "core-2"));
      await pass(clock, 60_000, 1000);
      expect(changes).toEqual([]);
      expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
      access.mood = "well";
      await pass(clock, 40_000, 1000);
      await settled();
      expect(await states(store)).toEqual(["stale", "accepted", "stale"]);
      expect(changes.map(({ height, to }) => `${height - 800_000} ${to}`)).toEqual(
        "1 found,1 submitting,2 found,2 submitting,3 found,3 submitting,1 stale,2 stale,3 stale,2 accepted".split(","),
      );
      expect(log.lines.at(-1)?.message).toContain("is back");
    });

    test("a commit whose answer is lost is written and told once", async () => {
      const { records, store, changes, access, clock, settled } = await running();
      access.mood = "loses answers";
      const found = foundAux({});
      records.auxAnswered({ found, answer: auxAnswer("accepted", found) });
      await pass(clock, 100);
      expect(changes).toEqual([]);
      access.mood = "well";
      await pass(clock, 5000);
      await settled();
      expect(await events(store)).toEqual(["1 found", "1 submitting", "1 accepted"]);
      expect(changes.map(({ to }) => to)).toEqual(["found", "submitting", "accepted"]);
    });

    test("news have a bound: the oldest are left to the journals and taken up from them", async () => {
      const store = await open();
      const clock = new FakeClock();
      const { records, access, histories, changes, log } = blockRecords({ store, clock, options: { maxWaiting: 3 } });
      await records.start(never);
      await records.settled(never);
      access.mood = "away";
      const found = Array.from({ length: 20 }, () => foundAux({}));
      for (const each of found) {
        await histories.aux.settle(each, auxAnswer("accepted", each));
        records.auxAnswered({ found: each, answer: auxAnswer("accepted", each) });
      }
      expect(log.lines.filter(({ message }) => message.includes("left to the journals"))).toHaveLength(1);
      access.mood = "well";
      const settled = records.settled(AbortSignal.timeout(20_000));
      for (let i = 0; i < 50; i += 1) await pass(clock, 1000, 500);
      await settled;
      // One work, so all but one are duplicates; each is there.
      expect(await rows(store)).toHaveLength(20);
      expect(changes.filter(({ to }) => to === "accepted")).toHaveLength(1);
    });

    test("a record that the database does not take holds up no other", async () => {
      const { records, store, log, clock } = await running();
      records.bitcoinFound(bitcoinBlock(1, { height: Number.NaN }));
      records.bitcoinFound(bitcoinBlock(2));
      for (let i = 0; i < 200 && (await rows(store)).length === 0; i += 1) await pass(clock, 10_000, 1000);
      expect(await rows(store)).toMatchObject([{ height: 800_002 }]);
      expect(log.lines.some(({ message }) => message.includes("does not take the record of block"))).toBe(true);
    });

    test("a stop waits for it a little, and a stop with a database writes all", async () => {
      const { records, store, access, clock, log } = await running();
      access.mood = "away";
      records.bitcoinFound(bitcoinBlock(1));
      let isStopped = false;
      const stopped = records.stop().then(() => {
        isStopped = true;
      });
      await pass(clock, 2900, 100);
      expect(isStopped).toBe(false);
      await pass(clock, 200, 100);
      await stopped;
      expect(log.lines.at(-1)?.message).toContain("taken up at the next start");
      const again = blockRecords({ store, clock });
      await again.records.start(never);
      for (let n = 1; n <= 20; n += 1) again.records.bitcoinFound(bitcoinBlock(n));
      await again.records.stop();
      expect(await states(store)).toEqual(Array.from({ length: 20 }, () => "submitting"));
    });
  });
});
