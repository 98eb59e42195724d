import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, inject, test } from "vitest";
import { systemClock } from "../../../src/app/system.ts";
import { randomU32 } from "../../../src/kernel/random.ts";
import { type LedgerAddress, openLedger } from "../../../src/ledger/store/address.ts";
import { type LedgerStore, migrate } from "../../../src/ledger/store/open.ts";
import { SQLITE_CHILD, scratchFolder } from "../../support/ledger-files.ts";
import { freshDatabase } from "../../support/ledger-store.ts";
import { run } from "../../support/program.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { pause } from "../../support/until.ts";

/** Times that the writer is killed. */
const KILLS = 50;

/** A program that commits numbered pairs of rows, one transaction after the other, and prints each number after its commit. */
function writer(address: LedgerAddress): string {
  const path = join(scratchFolder(), "writer.mjs");
  const built = (name: string): string => JSON.stringify(new URL(`./${name}.js`, SQLITE_CHILD).href);
  writeFileSync(
    path,
    `import { openLedger } from ${built("address")};
    import { migrate } from ${built("open")};
    import { storeAccess } from ${built("transaction")};
    import { systemClock as clock } from ${JSON.stringify(new URL("../../app/system.js", SQLITE_CHILD).href)};
    const script = new URL(${JSON.stringify(SQLITE_CHILD.href)});
    const opening = { access: "own", create: true, script, clock, onLost() {} };
    const store = openLedger(${JSON.stringify(address)}, opening);
    await migrate(store, { lookOnly: false });
    const ledger = storeAccess(store);
    const { next } = await ledger.run((db) =>
      db.selectFrom("workers").select(({ fn }) => fn.max("first_share_ms").as("next")).executeTakeFirstOrThrow());
    for (let n = (next ?? 0) + 1; ; n++) {
      await ledger.transaction(async (db) => {
        for (const half of ["left", "right"]) {
          await db.insertInto("workers").values({ identity: half + n, first_share_ms: n, last_share_ms: n }).execute();
        }
      });
      process.stdout.write(n + "\\n");
    }`,
  );
  return path;
}

const postgresUrl = inject("postgresUrl");

const LEDGERS: readonly { readonly name: string; addressOf(): Promise<LedgerAddress> }[] = [
  { name: "SQLite", addressOf: async () => ({ kind: "sqlite", path: join(scratchFolder(), "ledger.sqlite") }) },
  ...(postgresUrl === undefined
    ? []
    : [
        {
          name: "PostgreSQL",
          addressOf: async () => ({ kind: "postgres" as const, url: await freshDatabase(postgresUrl) }),
        },
      ]),
];

describe.each(LEDGERS)("a server on $name", ({ addressOf }) => {
  test(`that is killed ${KILLS} times at any instant has every number that it said was in, and no half`, {
    timeout: 240_000,
  }, async () => {
    const address = await addressOf();
    const script = writer(address);
    const random = seededRandom(4);
    const answered: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const program = run(process.execPath, [script]);
      if (kill % 5 === 4) {
        // Also while it opens, migrates or waits for the lock of the one before.
        await pause(randomU32(random) % 300);
      } else {
        await program.line(() => true);
        await pause(randomU32(random) % 40);
      }
      program.kill("SIGKILL");
      await program.ended;
      expect(program.err).toEqual([]);
      answered.push(...program.out.map(Number));
    }
    expect(answered.length).toBeGreaterThan(KILLS);
    expect(new Set(answered).size).toBe(answered.length);
    const store = openLedger(address, {
      access: "own",
      create: false,
      script: SQLITE_CHILD,
      clock: systemClock,
      onLost() {},
    });
    try {
      await migrate(store, { lookOnly: true });
      expect(await numbersIn(store)).toEqual(expect.arrayContaining(answered));
    } finally {
      await store.close();
    }
  });
});

/** Numbers that are there whole; fails when one is half. */
async function numbersIn({ db, kind }: LedgerStore): Promise<number[]> {
  if (kind === "sqlite") {
    expect((await sql`pragma integrity_check`.execute(db)).rows).toEqual([{ integrity_check: "ok" }]);
  }
  const rows = await db
    .selectFrom("workers")
    .select(({ fn }) => ["first_share_ms as n", fn.countAll<number>().as("halves")])
    .groupBy("first_share_ms")
    .execute();
  expect(rows.filter(({ halves }) => halves !== 2)).toEqual([]);
  return rows.map(({ n }) => n);
}
