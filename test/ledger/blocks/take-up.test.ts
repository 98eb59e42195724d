/** What the journals have and the database has not, after a kill at any point between the two. */
import { describe, expect, test } from "vitest";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";
import { auxAnswer, bitcoinBlock, blockRecords, journals } from "../../support/ledger-blocks.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { MemoryFiles, pass } from "../../unit/node/bitcoind/fakes.ts";

const never = new AbortController().signal;
const accepted = { node: "core", verdict: "accepted", reason: "", atMs: 1_700_000_000_500 } as const;

async function restart(store: LedgerStore, files: MemoryFiles, clock = new FakeClock()) {
  const made = blockRecords({ store, clock, files });
  await made.records.start(never);
  await made.records.settled(AbortSignal.timeout(5000));
  await made.records.stop();
  return made;
}
const states = async ({ db }: LedgerStore) =>
  (await db.selectFrom("blocks").select(["chain", "height", "state"]).orderBy("key").execute()).map(
    ({ chain, height, state }) => `${chain} ${height} ${state}`,
  );

describe.each(LEDGERS)("taking up from the journals on $name", ({ open }) => {
  test("blocks that wait, and blocks that are answered, come into an empty database, with all that was known", async () => {
    const store = await open();
    const files = new MemoryFiles();
    const { bitcoin, aux } = journals(files);
    await bitcoin.write({ block: bitcoinBlock(1), answers: [] });
    await bitcoin.finish({
      block: bitcoinBlock(2),
      answers: [{ ...accepted, node: "old", verdict: "rejected", reason: "bad-version" }, accepted],
    });
    const waiting = foundAux({ work: auxWork({ id: "w1", height: 1 }) });
    const answered = foundAux({ chain: "rsk", work: auxWork({ id: "w2", height: 2, details: { node: "n" } }) });
    await aux.add(waiting);
    await aux.settle(answered, auxAnswer("accepted", answered, { blockHash: "0xb", height: 3 }));
    const { changes, log, finds } = await restart(store, files, new FakeClock(1_700_000_100_000));
    expect(await states(store)).toEqual([
      "bitcoin 800001 submitting",
      "bitcoin 800002 accepted",
      "namecoin 1 submitting",
      "rsk 3 accepted",
    ]);
    expect(changes.find(({ chain, to }) => chain === "rsk" && to === "accepted")).toMatchObject({
      blockHash: "0xb",
      atMs: answered.foundMs + 100,
    });
    // Times are those of the journal, in order.
    const times = changes.filter(({ chain }) => chain === "rsk").map(({ atMs }) => atMs - answered.foundMs);
    expect(times).toEqual([0, 100, 100]);
    // They were found in another time, whose credit is cut already.
    expect(finds).toEqual([]);
    expect(log.lines.at(-1)?.message).toBe(
      "2 Bitcoin and 2 aux blocks were taken up from the journals into the ledger",
    );
    const row = await store.db.selectFrom("blocks").selectAll().where("chain", "=", "rsk").executeTakeFirst();
    expect(JSON.parse(row?.aux_work ?? "")).toMatchObject({ id: "w2", details: { node: "n" } });
  });

  test("an answer that is only in the journal comes to a block that is in the database", async () => {
    const store = await open();
    const files = new MemoryFiles();
    const { aux } = journals(files);
    const found = foundAux({});
    await aux.add(found);
    await restart(store, files);
    await aux.settle(found, auxAnswer("stale", found));
    const { changes } = await restart(store, files);
    expect(changes.map(({ from, to }) => [from, to])).toEqual([["submitting", "stale"]]);
  });

  test.each(["mature", "distributed", "stale", "failed"] as const)(
    "a second start reads no file of a block that is %s, and changes nothing",
    async (state) => {
      const store = await open();
      const files = new MemoryFiles();
      const { bitcoin, aux } = journals(files);
      await bitcoin.finish({ block: bitcoinBlock(2), answers: [accepted] });
      const found = foundAux({ chain: "a chain/with: signs" });
      await aux.settle(found, auxAnswer("accepted", found));
      await restart(store, files);
      await store.db.updateTable("blocks").set({ state }).execute();
      const before = files.steps.length;
      const { changes } = await restart(store, files);
      expect(changes).toEqual([]);
      expect(files.steps.slice(before)).toEqual(["list b", "list a"]);
    },
  );

  test("a file that cannot be read or recorded is passed over, a folder that cannot be listed is told", async () => {
    const store = await open();
    const files = new MemoryFiles();
    const { bitcoin } = journals(files);
    await bitcoin.finish({ block: bitcoinBlock(2), answers: [accepted] });
    const broken = bitcoinBlock(3);
    const endless = new Uint8Array(80);
    // A compact target beyond 256 bits.
    new DataView(endless.buffer).setUint32(72, 0xff7fffff, true);
    await bitcoin.finish({ block: { ...broken, header: endless }, answers: [accepted] });
    files.texts.set(`b/0000000009-${"9".repeat(64)}.done.json`, "{");
    files.before = (step) => {
      if (step === "list a") throw new Error("EIO");
    };
    const { log } = await restart(store, files);
    expect(await states(store)).toEqual(["bitcoin 800002 accepted"]);
    expect(log.lines.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
      expect.stringContaining("its block cannot be recorded"),
      expect.stringContaining("cannot be compared with the ledger: EIO"),
    ]);
  });

  test("more than a batch of files comes in while the database goes and comes", async () => {
    const store = await open();
    const files = new MemoryFiles();
    const clock = new FakeClock();
    const { aux } = journals(files);
    for (let i = 0; i < 250; i += 1) {
      const found = foundAux({ work: auxWork({ id: `w${i}` }), foundMs: 1_700_000_000_000 + i });
      await aux.settle(found, auxAnswer("accepted", found));
    }
    const { records, access } = blockRecords({ store, clock, files });
    access.mood = "away";
    await records.start(never);
    for (let i = 0; i < 20; i += 1) {
      access.mood = i % 2 === 0 ? "away" : "well";
      await pass(clock, 5000, 500);
    }
    access.mood = "well";
    const settled = records.settled(AbortSignal.timeout(20_000));
    await pass(clock, 60_000, 5000);
    await settled;
    expect((await states(store)).filter((line) => line.endsWith("accepted"))).toHaveLength(250);
  });

  test("a kill at any step of a block's way loses neither the block nor its answer", async () => {
    // Written, taken in, written into the database, answered, its answer written, taken in: each may be the last.
    for (let steps = 0; steps <= 5; steps += 1) {
      const store = await open();
      const files = new MemoryFiles();
      const { aux } = journals(files);
      const found = foundAux({});
      const answer = auxAnswer("accepted", found);
      const clock = new FakeClock();
      const { records } = blockRecords({ store, clock, files });
      await records.start(never);
      await records.settled(never);
      const way = [
        () => aux.add(found),
        async () => records.auxFound(found),
        () => records.settled(never),
        () => aux.settle(found, answer),
        async () => records.auxAnswered({ found, answer }),
      ];
      for (const step of way.slice(0, steps)) await step();
      // Killed: nothing of that run goes on, and another one takes over what is durable.
      await restart(store, files, clock);
      expect(await states(store), `after ${steps} steps`).toEqual(
        steps === 0 ? [] : [steps <= 3 ? "namecoin 21 submitting" : "namecoin 21 accepted"],
      );
    }
  });

  test("finished files stay in the journal until the database has them, and then go", async () => {
    const store = await open();
    const files = new MemoryFiles();
    const clock = new FakeClock();
    const made = blockRecords({ store, clock, files });
    const recorded = made.records.recorded.bind(made.records);
    const { aux, bitcoin } = journals(files, { keep: 2, recorded });
    const found = [1, 2, 3, 4].map((i) => foundAux({ work: auxWork({ id: `w${i}` }), foundMs: 1_700_000_000_000 + i }));
    for (const each of found) await aux.settle(each, auxAnswer("accepted", each));
    for (const n of [1, 2, 3, 4]) await bitcoin.finish({ block: bitcoinBlock(n), answers: [accepted] });
    const count = async () => [(await aux.files()).length, (await bitcoin.files()).length];
    expect(await count()).toEqual([4, 4]);
    await made.records.start(never);
    await made.records.settled(never);
    const [last] = found;
    if (last !== undefined) await aux.settle(last, auxAnswer("accepted", last));
    await bitcoin.finish({ block: bitcoinBlock(4), answers: [accepted] });
    expect(await count()).toEqual([2, 2]);
    made.access.mood = "away";
    expect(await recorded(await aux.files())).toEqual([]);
  });
});
