/** The promise behind all distribution: killed at any instant, run twice, run in two processes, the books come out the same. */
import fc from "fast-check";
import type { KyselyPlugin } from "kysely";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { REWARD_RULES_DEFAULTS } from "../../../src/ledger/books/reward-rules.ts";
import type { LedgerAccess } from "../../../src/ledger/store/access.ts";
import type { BlockState } from "../../../src/ledger/store/schema.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

/** Access that is gone after `statements` of them; a commit counts as one, after which its answer is lost. */
function dyingAccess({ store }: BooksWorld, statements: number): LedgerAccess & { readonly isDead: () => boolean } {
  let left = statements;
  const spend = (): void => {
    left -= 1;
    if (left < 0) throw new Fault("ledger-process-ended");
  };
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      spend();
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const access = directAccess({ ...store, db: store.db.withPlugin(plugin) });
  return {
    isDead: () => left < 0,
    run: (work) => access.run(work),
    async transaction(work) {
      const result = await access.transaction(work);
      spend();
      return result;
    },
  };
}

describe.each(LEDGERS)("distribution on $name", ({ name, open }) => {
  // A database of its own for each run takes PostgreSQL a second.
  const [stride, numRuns] = name === "sqlite" ? [2, 25] : [13, 4];

  /** Blocks in all the situations in which something is to be written. */
  async function world(): Promise<BooksWorld> {
    const w = new BooksWorld(await open());
    w.rules = { ...REWARD_RULES_DEFAULTS, feeMillionths: 30_000, distributeAt: "confirmed" };
    await w.slice([0, 5000], { "anna.1": 30n, ben: 20n });
    await w.slice([5000, 10_000], { "anna.1": 30n, carl: 21n });
    const orphan = await w.block();
    const corrected = await w.block();
    const finished = await w.block({ state: "confirmed" });
    await w.distribution().pass();
    await w.chainSays(orphan, "orphaned");
    await w.chainSays(corrected, "distributed", 777n);
    await w.chainSays(finished, "mature");
    await w.block({ chain: "bitcoin", finder: "solo.1", actual: 20n, finderPaid: 980n });
    await w.block({ state: "uncle", actual: 11n });
    return w;
  }
  const outcome = async (w: BooksWorld): Promise<unknown> => [
    await w.balances(),
    await w.balances("bitcoin"),
    (await w.keys()).sort(),
    await w.store.db.selectFrom("blocks").select(["id", "state"]).orderBy("id").execute(),
    await w.store.db.selectFrom("block_events").select(["block_id", "state"]).orderBy("block_id").execute(),
  ];

  test("killed after any statement and run again, the books come out as without it", { timeout: 240_000 }, async () => {
    const straight = await world();
    expect(await straight.distribution().pass()).toBe(5);
    const expected = await outcome(straight);
    const w = await world();
    let deaths = 0;
    // One ledger, killed again and again a statement later: each time what was done before stays as it is.
    for (let statements = 1; ; statements++) {
      const ledger = dyingAccess(w, statements);
      await w
        .distribution({ ledger })
        .pass()
        .catch((error: unknown) => expect(error).toMatchObject({ code: "ledger-process-ended" }));
      const sums = Object.values(await w.balances()).reduce((sum, amount) => sum + amount, 0n);
      expect(sums).toBe(0n);
      if (!ledger.isDead()) break;
      deaths += 1;
    }
    expect(deaths).toBeGreaterThan(5);
    expect(await outcome(w)).toEqual(expected);
  });

  test("killed after a statement of one pass, whichever it is, the books come out as without it", {
    timeout: 240_000,
  }, async () => {
    const straight = await world();
    await straight.distribution().pass();
    const expected = await outcome(straight);
    for (let statements = 3; statements < 80; statements += stride) {
      const w = await world();
      await w
        .distribution({ ledger: dyingAccess(w, statements) })
        .pass()
        .catch(() => 0);
      await w.distribution().pass();
      expect(await outcome(w), `killed after ${statements}`).toEqual(expected);
    }
  });

  test("two processes at once write each step once", async () => {
    const straight = await world();
    await straight.distribution().pass();
    const w = await world();
    const before = w.steps.length;
    const both = [w.distribution(), w.distribution(), w.distribution()];
    const steps = await Promise.all(both.map((distribution) => distribution.pass()));
    expect(steps.reduce((sum, some) => sum + some, 0)).toBe(5);
    expect(w.steps.length - before).toBe(5);
    expect(await outcome(w)).toEqual(await outcome(straight));
  });

  test("whatever the chain says of blocks, after a pass the books say the same", { timeout: 240_000 }, async () => {
    const states = ["confirmed", "uncle", "mature", "orphaned"] as const;
    const turn = fc.record({
      block: fc.nat(2),
      state: fc.constantFrom(...states),
      amount: fc.constantFrom(0n, 1n, 1000n, 999n, 10n ** 21n),
      pass: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 3, maxLength: 12 }),
        fc.constantFrom("mature" as const, "confirmed" as const),
        async (turns, distributeAt) => {
          const w = new BooksWorld(await open());
          w.rules = { ...REWARD_RULES_DEFAULTS, distributeAt, feeMillionths: 10_000 };
          await w.slice([0, 10_000], { "anna.1": 61n, ben: 39n });
          const says = new Map<number, { state: BlockState; amount: bigint }>();
          for (let n = 0; n < 3; n++) says.set(await w.block({ state: "accepted" }), { state: "accepted", amount: 0n });
          const divided = new Set<number>();
          const passed = async (): Promise<void> => {
            await w.distribution().pass();
            let total = 0n;
            for (const [id, { state, amount }] of says) {
              if (state === "orphaned" || state === "accepted") divided.delete(id);
              else if (state === "mature" || distributeAt === "confirmed") divided.add(id);
              if (divided.has(id)) total += amount;
              if (state === "mature") expect(await w.state(id)).toBe("distributed");
            }
            const balances = await w.balances();
            expect(-(balances.reward ?? 0n)).toBe(total);
            expect(Object.values(balances).reduce((sum, amount) => sum + amount, 0n)).toBe(0n);
          };
          for (const { block, state, amount, pass } of turns) {
            const id = [...says.keys()][block] ?? 0;
            says.set(id, { state, amount });
            await w.chainSays(id, state, amount);
            if (pass) await passed();
          }
          await passed();
          const keys = await w.keys();
          await w.distribution().pass();
          expect(await w.keys()).toEqual(keys);
        },
      ),
      { numRuns },
    );
  });
});
