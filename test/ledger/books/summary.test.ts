import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOOKS_CHECK_DEFAULTS, checkBooks } from "../../../src/ledger/books/balance-check.ts";
import { SUMMARY_DEFAULTS, summariseBooks } from "../../../src/ledger/books/summary.ts";
import { MAX_REWARD } from "../../../src/ledger/store/amount.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

const DAY_MS = 86_400_000;
const never = new AbortController().signal;

describe.each(LEDGERS)("books that grow old, on $name", ({ name, open }) => {
  async function world(): Promise<BooksWorld> {
    const w = new BooksWorld(await open());
    await w.slice([0, 10_000], { "anna.1": 60n, ben: 40n });
    return w;
  }
  const summarise = (w: BooksWorld, blocksAtOnce = 2, signal = never): Promise<number> =>
    summariseBooks(directAccess(w.store), w.clock.nowMs(), { ...SUMMARY_DEFAULTS, blocksAtOnce }, signal);
  const isSound = async (w: BooksWorld): Promise<void> => {
    const { problems } = await checkBooks(directAccess(w.store).run, BOOKS_CHECK_DEFAULTS);
    expect(problems).toEqual([]);
  };
  const blocks = (w: BooksWorld) => w.store.db.selectFrom("blocks").selectAll().orderBy("id").execute();

  test("are merged by chain and month; balances and blocks stay", async () => {
    const w = await world();
    // 2023-11-14, where the clock begins, and three weeks later.
    for (let n = 0; n < 3; n++) await w.block();
    await w.block({ chain: "bitcoin", finder: "solo.1", actual: 20n, finderPaid: 980n });
    await w.distribution().pass();
    w.clock.advance(21 * DAY_MS);
    for (let n = 0; n < 2; n++) await w.block({ actual: 10n ** 20n + 1n });
    await w.distribution().pass();
    w.clock.advance(80 * DAY_MS);
    await w.block();
    await w.distribution().pass();
    const before = [await w.balances(), await w.balances("bitcoin"), await blocks(w)];
    expect(await summarise(w)).toBe(4);
    expect((await w.keys()).sort()).toEqual(
      [5, 6, 7]
        .map((id) => `distribution:${id}:1`)
        .concat("summary:bitcoin:2023-11:1", "summary:namecoin:2023-11:2")
        .sort(),
    );
    expect([await w.balances(), await w.balances("bitcoin"), await blocks(w)]).toEqual(before);
    await isSound(w);
    expect(await summarise(w)).toBe(0);
    w.clock.advance(20 * DAY_MS);
    expect(await summarise(w)).toBe(2);
    expect(await w.keys()).toContain("summary:namecoin:2023-12:1");
    expect([await w.balances(), await w.balances("bitcoin"), await blocks(w)]).toEqual(before);
    // Nothing is divided again for want of its transaction.
    expect(await w.distribution().pass()).toBe(0);
    await isSound(w);
  });

  test("of the largest rewards that are believed are merged too", async () => {
    const w = await world();
    for (let n = 0; n < 12; n++) await w.block({ actual: MAX_REWARD });
    await w.distribution().pass();
    w.clock.advance(100 * DAY_MS);
    expect(await summarise(w, 12)).toBe(12);
    expect(await w.balances()).toMatchObject({ reward: -12n * MAX_REWARD });
    await isSound(w);
  });

  test("what is late joins its month's summary", async () => {
    const w = await world();
    await w.block();
    const followed = await w.block({ nextCheckMs: 5 });
    await w.distribution().pass();
    w.clock.advance(91 * DAY_MS);
    expect(await summarise(w)).toBe(1);
    await w.store.db.updateTable("blocks").set({ next_check_ms: null }).where("id", "=", followed).execute();
    expect(await summarise(w)).toBe(1);
    expect(await w.keys()).toEqual(["summary:namecoin:2023-11:2"]);
    expect(await w.balances()).toEqual({ reward: -2000n, "worker anna.1": 1200n, "worker ben": 800n });
  });

  test("blocks whose books do not agree with them, or whose last transaction is young, stay as they are", async () => {
    const w = await world();
    const [orphan, corrected, young] = [await w.block(), await w.block(), await w.block()];
    await w.distribution().pass();
    w.clock.advance(91 * DAY_MS);
    await w.chainSays(young, "orphaned");
    await w.distribution().pass();
    await w.chainSays(orphan, "orphaned");
    await w.chainSays(corrected, "distributed", 1n);
    const keys = await w.keys();
    expect(await summarise(w, 1)).toBe(0);
    expect(await w.keys()).toEqual(keys);
  });

  test("an orphan and its reversal vanish, and if it should come back it is divided like any other", async () => {
    const w = await world();
    const id = await w.block();
    await w.distribution().pass();
    w.clock.advance(20 * DAY_MS);
    await w.chainSays(id, "orphaned");
    await w.distribution().pass();
    w.clock.advance(91 * DAY_MS);
    expect(await summarise(w)).toBe(1);
    expect(await w.keys()).toEqual(["summary:namecoin:2023-11:1", "summary:namecoin:2023-12:1"]);
    expect(await w.balances()).toEqual({});
    await isSound(w);
    await w.chainSays(id, "mature");
    await w.distribution().pass();
    expect(await w.balances()).toEqual({ reward: -1000n, "worker anna.1": 600n, "worker ben": 400n });
    await isSound(w);
  });

  test("end where they are told to, and two processes at once merge each block once", async () => {
    const w = await world();
    for (let n = 0; n < 6; n++) await w.block();
    await w.distribution().pass();
    w.clock.advance(91 * DAY_MS);
    expect(await summarise(w, 2, AbortSignal.abort())).toBe(0);
    const merged = await Promise.all([summarise(w, 2), summarise(w, 2), summarise(w, 2)]);
    expect(merged.reduce((sum, count) => sum + count, 0)).toBe(6);
    expect((await w.balances()).reward).toBe(-6000n);
    expect(await w.keys()).toHaveLength(1);
    await isSound(w);
  });

  test("keep every balance to the unit, for any history", { timeout: 120_000 }, async () => {
    const turn = fc.record({
      days: fc.nat(40),
      actual: fc.oneof(fc.nat(5).map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 100n })),
      fate: fc.constantFrom("stays", "orphaned", "corrected"),
      chain: fc.constantFrom("namecoin", "rsk"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 2, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        async (turns, atOnce) => {
          const w = await world();
          for (const { days, actual, fate, chain } of turns) {
            const id = await w.block({ chain, actual });
            await w.distribution().pass();
            w.clock.advance(days * DAY_MS);
            if (fate === "orphaned") await w.chainSays(id, "orphaned");
            if (fate === "corrected") await w.chainSays(id, "distributed", actual / 2n + 1n);
            await w.distribution().pass();
            const before = [await w.balances(), await w.balances("rsk"), await blocks(w)];
            await summarise(w, atOnce);
            expect([await w.balances(), await w.balances("rsk"), await blocks(w)]).toEqual(before);
          }
          w.clock.advance(100 * DAY_MS);
          const before = [await w.balances(), await w.balances("rsk")];
          await summarise(w, atOnce);
          expect([await w.balances(), await w.balances("rsk")]).toEqual(before);
          expect((await w.keys()).every((key) => key.startsWith("summary:"))).toBe(true);
          await isSound(w);
        },
      ),
      { numRuns: name === "sqlite" ? 25 : 3 },
    );
  });
});
