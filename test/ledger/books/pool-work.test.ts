/**
 * Work on another pool's jobs is that pool's to pay: rewards of our own blocks are divided as if it had never been done. On jobs of ours that were declared to a
 * pool it counts for the chains that they committed to as any work does, and not for Bitcoin.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import { BOOKS_CHECK_DEFAULTS, checkBooks } from "../../../src/ledger/books/balance-check.ts";
import { REWARD_RULES_DEFAULTS, type RewardRules, type SchemeName } from "../../../src/ledger/books/reward-rules.ts";
import { readWindow } from "../../../src/ledger/books/window.ts";
import { Compaction } from "../../../src/ledger/credit/compaction.ts";
import { CreditLedger } from "../../../src/ledger/credit/credit-ledger.ts";
import { NO_CHAINS } from "../../../src/mining/aux.ts";
import type { ShareCredit } from "../../../src/mining/ports.ts";
import { readWork } from "../../support/ledger-access.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { BooksWorld } from "./books-world.ts";

const DAY_MS = 86_400_000;
const HASHES = 2n ** 32n;
const CHAINS = ["bitcoin", "namecoin", "rsk"] as const;
const [NAMECOIN, BOTH] = [Object.freeze(["namecoin"]), Object.freeze(["namecoin", "rsk"])];

type Step =
  | {
      readonly kind: "share";
      readonly user: string;
      readonly chains: readonly string[];
      readonly pool: string | undefined;
      readonly difficulty: number;
    }
  | { readonly kind: "pass"; readonly ms: number }
  | {
      readonly kind: "find";
      readonly chain: (typeof CHAINS)[number];
      readonly user: string;
      readonly difficulty: number;
    }
  | { readonly kind: "flush" };

const user = fc.constantFrom("anna.1", "anna.2", "ben", "carl");
const own = fc.record({
  kind: fc.constant("share" as const),
  user,
  chains: fc.constantFrom(NO_CHAINS, NAMECOIN, BOTH),
  pool: fc.constant(undefined),
  difficulty: fc.integer({ min: 1, max: 9 }),
});
// Names that a careless query would take for chains; a job with chains is one of ours that was declared to the pool.
const pool = fc.record({
  kind: fc.constant("share" as const),
  user,
  chains: fc.constantFrom(NO_CHAINS, BOTH),
  pool: fc.constantFrom("main", ",namecoin,", ",", "bitcoin", "pool:main", "rsk,"),
  difficulty: fc.integer({ min: 1, max: 99 }),
});
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: own },
    { weight: 5, arbitrary: pool },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 900_000 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("find" as const),
        chain: fc.constantFrom(...CHAINS),
        user,
        difficulty: fc.integer({ min: 1, max: 12 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "flush" as const }) },
  ),
  { minLength: 10, maxLength: 60 },
);

const shareOf = (
  { user: userIdentity, difficulty, chains, pool }: Step & { kind: "share" },
  atMs: number,
): ShareCredit => {
  const share = { userIdentity, difficulty, chains, height: 1, jobId: 1, atMs };
  return pool === undefined ? share : { ...share, pool };
};

/** What of a share for a pool is mined: all as it is, declared jobs as own ones, or nothing. */
type Variant = "as it is" | "declared as own" | "without";

/** Mines by the script. */
async function mine(w: BooksWorld, script: readonly Step[], variant: Variant): Promise<void> {
  const { clock } = w;
  const ledger = directAccess(w.store);
  const deps = { clock, log: silentLog, meter: silentMeter, ledger, random: seededRandom(1) };
  const credit = new CreditLedger(deps, { server: 0, batchSize: 4 });
  for (const step of script) {
    if (step.kind === "pass") clock.advance(step.ms);
    else if (step.kind === "flush") await credit.flush();
    else if (step.kind === "share") {
      const share = shareOf(step, clock.nowMs());
      if (variant === "as it is" || step.pool === undefined) credit.credit(share);
      else if (variant === "declared as own" && step.chains.length > 0) {
        const { pool: _, ...own } = share;
        credit.credit(own);
      }
    } else {
      credit.cut(clock.nowMs());
      const difficulty = BigInt(step.difficulty) * HASHES;
      await w.block({ chain: step.chain, finder: step.user, foundMs: clock.nowMs(), difficulty, actual: 1_000_003n });
      // The next share is of another moment.
      clock.advance(1);
    }
  }
  await credit.flush();
}

/** Who got what of each block, in the order in which they were found. */
async function splits({ store: { db } }: BooksWorld): Promise<(readonly [string, bigint])[][]> {
  const blocks = await db.selectFrom("blocks").select("id").orderBy("id").execute();
  const rows = await db
    .selectFrom("postings")
    .innerJoin("transactions", "transactions.id", "postings.transaction_id")
    .innerJoin("accounts", "accounts.id", "postings.account_id")
    .select(["block_id", "accounts.chain", "accounts.kind", "accounts.name", "amount_lo"])
    .execute();
  return blocks.map(({ id }) =>
    rows
      .filter(({ block_id }) => block_id === id)
      .map(({ chain, kind, name, amount_lo }) => [`${chain} ${kind} ${name}`, amount_lo] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

describe.each(LEDGERS)("work for other pools, on $name", ({ name, open }) => {
  test("changes no split: any mixture of it with our own gives each block's reward to the same workers, to the unit", {
    timeout: 240_000,
  }, async () => {
    const worlds = {
      "as it is": new BooksWorld(await open()),
      "declared as own": new BooksWorld(await open()),
      without: new BooksWorld(await open()),
    } as const satisfies Record<Variant, BooksWorld>;
    const tables = ["postings", "transactions", "accounts", "block_events", "blocks"] as const;
    let divided = 0;
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.constantFrom<SchemeName>("pplns", "proportional"),
        fc.boolean(),
        async (script, scheme, isOld) => {
          const rules: RewardRules = { ...REWARD_RULES_DEFAULTS, scheme };
          const split = new Map<string, Awaited<ReturnType<typeof splits>>>();
          const beganMs = Math.max(...Object.values(worlds).map(({ clock }) => clock.nowMs())) + DAY_MS;
          for (const variant of ["as it is", "declared as own", "without"] as const) {
            const w = worlds[variant];
            const { db } = w.store;
            for (const table of [...tables, "credits", "slices", "credit_batches"] as const) {
              await db.deleteFrom(table).execute();
            }
            w.rules = rules;
            w.clock.advance(beganMs - w.clock.nowMs());
            await mine(w, script, variant);
            if (isOld) {
              w.clock.advance(20 * DAY_MS);
              const deps = { clock: w.clock, log: silentLog, meter: silentMeter, ledger: directAccess(w.store) };
              await new Compaction(deps, { pauseMs: 0 }).compact();
            }
            divided += await w.distribution().pass();
            split.set(variant, await splits(w));
          }
          const of = (variant: Variant, isBitcoin: boolean): unknown =>
            split.get(variant)?.map((rows) => rows.filter(([name]) => name.startsWith("bitcoin ") === isBitcoin));
          expect(of("as it is", true)).toEqual(of("without", true));
          expect(of("as it is", false)).toEqual(of("declared as own", false));
          const { problems } = await checkBooks(directAccess(worlds["as it is"].store).run, BOOKS_CHECK_DEFAULTS);
          expect(problems).toEqual([]);
        },
      ),
      { numRuns: name === "sqlite" ? 60 : 10 },
    );
    expect(divided).toBeGreaterThan(20);
  });

  test("fills no window: the last work of our own counts, however much was done for a pool since", async () => {
    const w = new BooksWorld(await open());
    await w.slice([0, 1000], { anna: 30n, ben: 10n });
    await w.slice([1000, 2000], { ben: 70n }, { chains: "," });
    for (let n = 2; n < 9; n++) {
      await w.slice([n * 1000, n * 1000 + 1000], { anna: 1000n, carl: 5000n }, { chains: "pool:,namecoin," });
    }
    const read = (chain: string, work: bigint | undefined) =>
      readWindow(
        directAccess(w.store).run,
        { chain, finder: "anna", fromMs: 0, toMs: 10_000, work },
        { slicesAtOnce: 2 },
      );
    expect(await read("bitcoin", 90n)).toEqual({
      finder: "anna",
      full: new Map([["ben", 70n]]),
      oldest: {
        work: new Map([
          ["anna", 30n],
          ["ben", 10n],
        ]),
        counts: 20n,
      },
    });
    expect((await read("namecoin", undefined)).full).toEqual(
      new Map([
        ["anna", 30n],
        ["ben", 10n],
      ]),
    );
  });

  test("goes through memory and compaction to the hash, pool by pool", async () => {
    const w = new BooksWorld(await open());
    const script: Step[] = ["main", undefined, "spare", "main"].flatMap((each): Step[] => [
      { kind: "share", user: "anna.1", chains: NO_CHAINS, pool: each, difficulty: 3 },
      { kind: "pass", ms: 700_000 },
    ]);
    await mine(w, script, "as it is");
    const expected = {
      "anna.1/bitcoin": 3n * HASHES,
      "anna.1/pool:main": 6n * HASHES,
      "anna.1/pool:spare": 3n * HASHES,
    };
    expect(await readWork(w.store)).toEqual(expected);
    w.clock.advance(30 * DAY_MS);
    const deps = { clock: w.clock, log: silentLog, meter: silentMeter, ledger: directAccess(w.store) };
    await new Compaction(deps, { pauseMs: 0 }).compact();
    const slices = await w.store.db.selectFrom("slices").selectAll().execute();
    expect(slices).toHaveLength(1);
    expect(await readWork(w.store)).toEqual(expected);
  });
});
