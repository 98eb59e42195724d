import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readWindow, type Window } from "../../../src/ledger/books/window.ts";
import type { LedgerAccess } from "../../../src/ledger/store/access.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

const WINDOW: Window = { chain: "namecoin", finder: "anna.1", fromMs: 0, toMs: 10_000, work: undefined };

describe.each(LEDGERS)("the work that counts, on $name", ({ open }) => {
  async function world(): Promise<BooksWorld> {
    return new BooksWorld(await open());
  }
  const read = ({ store }: BooksWorld, some: Partial<Window>, slicesAtOnce = 2) =>
    readWindow(directAccess(store).run, { ...WINDOW, ...some }, { slicesAtOnce });
  const full = (work: Record<string, bigint>) => new Map(Object.entries(work));

  test("is that of jobs which committed to the chain, and every share's for Bitcoin", async () => {
    const w = await world();
    await w.slice([0, 1000], { anna: 5n }, { chains: ",namecoin,rsk," });
    await w.slice([1000, 2000], { anna: 7n, ben: 1n }, { chains: ",namecoin," });
    await w.slice([2000, 3000], { ben: 11n }, { chains: "," });
    // Names that `like` would take for `namecoin`.
    await w.slice([3000, 4000], { carl: 13n }, { chains: ",NAMECOIN,namecoin2,n_mecoin," });
    expect((await read(w, {})).full).toEqual(full({ anna: 12n, ben: 1n }));
    expect((await read(w, { chain: "rsk" })).full).toEqual(full({ anna: 5n }));
    expect((await read(w, { chain: "n_mecoin" })).full).toEqual(full({ carl: 13n }));
    expect((await read(w, { chain: "bitcoin" })).full).toEqual(full({ anna: 12n, ben: 12n, carl: 13n }));
  });

  test("walks back over pages until the window is full; the oldest slice counts in part", async () => {
    const w = await world();
    for (let n = 0; n < 9; n++) await w.slice([n * 1000, n * 1000 + 1000], { anna: 6n, ben: 4n });
    expect(await read(w, { toMs: 9000, work: 43n })).toEqual({
      finder: "anna.1",
      full: full({ anna: 24n, ben: 16n }),
      oldest: { work: full({ anna: 6n, ben: 4n }), counts: 3n },
    });
    expect(await read(w, { toMs: 9000, work: 40n })).toEqual({
      finder: "anna.1",
      full: full({ anna: 24n, ben: 16n }),
      oldest: undefined,
    });
    expect((await read(w, { toMs: 9000, work: 1_000_000n })).full).toEqual(full({ anna: 54n, ben: 36n }));
  });

  test("a slice over an edge counts in proportion to its time inside, in whole hashes", async () => {
    const w = await world();
    await w.slice([0, 4000], { anna: 10n });
    await w.slice([4000, 9000], { anna: 1n });
    // Another server's slice, cut elsewhere: 1000 of its 3000 ms were before the find, 33.3 of 100 hashes.
    await w.slice([9000, 12_000], { ben: 100n }, { server: 1 });
    await w.slice([10_000, 11_000], { late: 1n });
    expect((await read(w, { fromMs: 3000 })).full).toEqual(full({ anna: 3n, ben: 33n }));
    expect(await read(w, { work: 3n })).toEqual({
      finder: "anna.1",
      full: full({}),
      oldest: { work: full({ ben: 33n }), counts: 3n },
    });
  });

  test("is read again when slices are joined meanwhile, and given up when that does not end", async () => {
    const w = await world();
    for (let n = 0; n < 6; n++) await w.slice([n * 1000, n * 1000 + 1000], { anna: 6n, ben: 4n });
    const { db } = w.store;
    const slices = await db.selectFrom("slices").selectAll().orderBy("end_ms").execute();
    /** Joins the two slices before the newest, as compaction does. */
    const join = async (): Promise<void> => {
      const [older, newer] = slices.slice(3, 5);
      if (older === undefined || newer === undefined) return;
      await db.deleteFrom("credits").where("slice_id", "=", older.id).execute();
      await db.deleteFrom("slices").where("id", "=", older.id).execute();
      await db.updateTable("slices").set({ start_ms: older.start_ms }).where("id", "=", newer.id).execute();
      await db
        .updateTable("credits")
        .set((set) => ({ work_lo: set("work_lo", "*", 2n) }))
        .where("slice_id", "=", newer.id)
        .execute();
    };
    const { run } = directAccess(w.store);
    let statements = 0;
    const joining: LedgerAccess["run"] = async (work) => {
      statements += 1;
      if (statements === 3) await join();
      return await run(work);
    };
    const work = await readWindow(joining, { ...WINDOW, toMs: 6000 }, { slicesAtOnce: 2 });
    expect(work.full).toEqual(full({ anna: 36n, ben: 24n }));
    let start = 1;
    const restless: LedgerAccess["run"] = async (read) => {
      await db.updateTable("slices").set({ start_ms: start++ }).where("end_ms", "=", 6000).execute();
      return await run(read);
    };
    await expect(readWindow(restless, WINDOW, { slicesAtOnce: 2 })).rejects.toThrow(/joined faster/);
  });

  test("sums of lower columns may exceed 64 bits", async () => {
    const w = await world();
    const most = 10n ** 18n - 1n;
    const workers = Array.from({ length: 40 }, (_, n) => `worker.${n}`);
    for (let n = 0; n < 3; n++) {
      await w.slice([n * 1000, n * 1000 + 1000], Object.fromEntries(workers.map((name) => [name, most])));
    }
    await w.slice([3000, 4000], { "worker.0": 123n * 10n ** 30n + 7n });
    const work = await read(w, { work: 124n * 10n ** 30n }, 8);
    expect(work.full.get("worker.0")).toBe(123n * 10n ** 30n + 7n + 3n * most);
    expect(work.full.get("worker.39")).toBe(3n * most);
    // The cut is looked for by slice, whose sum here is 40 times the largest lower column.
    expect((await read(w, { toMs: 3000, work: 60n * most }, 8)).oldest?.counts).toBe(20n * most);
  });

  test("comes out as by hand for any slices, windows and pages", { timeout: 120_000 }, async () => {
    const slices = fc.array(
      fc.record({
        start: fc.nat(20),
        length: fc.nat(6),
        work: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.bigInt({ min: 1n, max: 9n }), { maxKeys: 3 }),
      }),
      { maxLength: 8 },
    );
    const limits = fc.record({
      from: fc.nat(10),
      to: fc.integer({ min: 11, max: 24 }),
      work: fc.option(fc.bigInt({ min: 1n, max: 60n }), { nil: undefined }),
      slicesAtOnce: fc.integer({ min: 1, max: 4 }),
    });
    const w = await world();
    await fc.assert(
      fc.asyncProperty(slices, limits, async (list, { from, to, work, slicesAtOnce }) => {
        for (const table of ["credits", "slices"] as const) await w.store.db.deleteFrom(table).execute();
        for (const { start, length, work: done } of list) await w.slice([start, start + length], done);
        const counted = await read(w, { fromMs: from, toMs: to, work }, slicesAtOnce);
        // Newest first; of those that end together the one that was written last.
        const newest = list
          .map((slice, at) => ({ ...slice, at, end: slice.start + slice.length }))
          .sort((a, b) => b.end - a.end || b.at - a.at);
        let rest = work ?? 10n ** 9n;
        const expected: Record<string, bigint> = {};
        let oldest: { work: Map<string, bigint>; counts: bigint } | undefined;
        for (const { start, end, work: done } of newest) {
          if (end <= from || start >= to || rest === 0n) continue;
          const inside = Math.min(end, to) - Math.max(start, from);
          const part = (hashes: bigint): bigint =>
            start === end ? hashes : (hashes * BigInt(inside)) / BigInt(end - start);
          const parts = Object.entries(done).map(([name, hashes]) => [name, part(hashes)] as const);
          const total = parts.reduce((sum, [, hashes]) => sum + hashes, 0n);
          if (total > rest) {
            oldest = { work: new Map(parts), counts: rest };
            rest = 0n;
          } else {
            for (const [name, hashes] of parts) expected[name] = (expected[name] ?? 0n) + hashes;
            rest -= total;
          }
        }
        const some = (map: ReadonlyMap<string, bigint>) => new Map([...map].filter(([, hashes]) => hashes > 0n));
        expect(some(counted.full)).toEqual(some(full(expected)));
        expect(counted.oldest).toEqual(oldest);
      }),
      { numRuns: 60 },
    );
  });
});
