import { type Kysely, sql } from "kysely";
import { describe, expect, inject, test } from "vitest";
import { fromColumns, toColumns } from "../../../src/ledger/store/amount.ts";
import { type LedgerStore, migrate, postgresStore } from "../../../src/ledger/store/open.ts";
import { fileLedger, scratchFolder } from "../../support/ledger-files.ts";
import { freshDatabase, LEDGERS } from "../../support/ledger-store.ts";

async function columnsOf({ db }: LedgerStore): Promise<string[]> {
  const tables = await db.introspection.getTables();
  return tables
    .flatMap(({ name, columns }) =>
      columns.map((column) => `${name}.${column.name}${column.isNullable ? "" : " not null"}`),
    )
    .sort();
}

/** Writes down a step as a version that is not ours would. */
async function writeStep({ db }: LedgerStore, name: string): Promise<void> {
  await sql`insert into ledger_migration (name, timestamp) values (${name}, 'x')`.execute(db);
}

describe.each(LEDGERS)("a ledger on $name", ({ open }) => {
  test("has all tables when it is fresh, and bringing it up to date again changes nothing", async () => {
    const store = await open();
    await migrate(store, { lookOnly: true });
    await store.db.insertInto("accounts").values({ chain: "rsk", kind: "operator", name: "" }).execute();
    await migrate(store, { lookOnly: false });
    const rows = await store.db.selectFrom("accounts").selectAll().execute();
    expect(rows).toEqual([{ id: 1, chain: "rsk", kind: "operator", name: "" }]);
  });

  test("of a newer version is refused, and is as it was after that", async () => {
    const store = await open();
    await writeStep(store, "9999-from-the-future");
    const before = await columnsOf(store);
    for (const lookOnly of [true, false]) {
      await expect(migrate(store, { lookOnly })).rejects.toMatchObject({
        code: "ledger-schema-newer",
        data: { steps: "9999-from-the-future" },
      });
    }
    expect(await columnsOf(store)).toEqual(before);
  });

  test("of an older version is refused by who only looks, and not changed by it", async () => {
    const store = await open();
    await sql`delete from ledger_migration`.execute(store.db);
    await expect(migrate(store, { lookOnly: true })).rejects.toMatchObject({ code: "ledger-schema-older" });
    expect((await sql`select * from ledger_migration`.execute(store.db)).rows).toEqual([]);
  });

  test("keeps amounts of any coin to the last unit, of either sign, and their sums", async () => {
    const { db } = await open();
    await db.insertInto("accounts").values({ chain: "rsk", kind: "operator", name: "" }).execute();
    const amounts = [
      0n,
      1n,
      -1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      2n ** 64n + 1n,
      21_000_000n * 10n ** 18n + 1n,
      -(21_000_000n * 10n ** 18n + 999_999_999_999_999_999n),
      (2n ** 63n - 1n) * 10n ** 18n + (10n ** 18n - 1n),
    ];
    for (const [index, amount] of amounts.entries()) {
      const transaction = {
        key: `t${index}`,
        chain: "rsk",
        kind: "summary",
        block_id: null,
        payout_id: null,
        at_ms: 1,
      };
      await db
        .insertInto("transactions")
        .values(transaction as never)
        .execute();
      const { hi, lo } = toColumns(amount);
      const posting = { transaction_id: index + 1, account_id: 1, amount_hi: hi, amount_lo: lo };
      await db.insertInto("postings").values(posting).execute();
    }
    const rows = await db.selectFrom("postings").selectAll().orderBy("transaction_id").execute();
    expect(rows.map(({ amount_hi, amount_lo }) => fromColumns(amount_hi, amount_lo))).toEqual(amounts);
    const sum = await db
      .selectFrom("postings")
      .select([sql<bigint>`sum(amount_hi)`.as("sum_hi"), sql<bigint>`sum(amount_lo)`.as("sum_lo")])
      .where("transaction_id", "<", amounts.length)
      .executeTakeFirstOrThrow();
    const whole = amounts.slice(0, -1).reduce((a, b) => a + b, 0n);
    expect(fromColumns(sum.sum_hi, sum.sum_lo)).toBe(whole);
  });

  test("gives integers as numbers, also counts, and those of large columns as bigint", async () => {
    const { db } = await open();
    const at = Date.UTC(2286, 10, 20);
    await db
      .insertInto("workers")
      .values({ identity: "a", first_share_ms: at, last_share_ms: Number.MAX_SAFE_INTEGER })
      .execute();
    const row = await db.selectFrom("workers").selectAll().executeTakeFirstOrThrow();
    expect(row).toEqual({ id: 1, identity: "a", first_share_ms: at, last_share_ms: Number.MAX_SAFE_INTEGER });
    const counted = await db
      .selectFrom("workers")
      .select(({ fn }) => [fn.countAll().as("count"), sql<bigint>`9223372036854775807`.as("some_hi")])
      .executeTakeFirstOrThrow();
    expect(counted).toEqual({ count: 1, some_hi: 2n ** 63n - 1n });
    const tooLarge = db.selectFrom("workers").select(sql<bigint>`9007199254740993`.as("unnamed")).execute();
    await expect(tooLarge).rejects.toThrow("too large for a number");
    const { numUpdatedRows } = await db.updateTable("workers").set({ identity: "b" }).executeTakeFirst();
    expect(numUpdatedRows).toBe(1n);
  });

  test("gives no wrong sum: what exceeds 64 bits is exact or refused", async () => {
    const { db, kind } = await open();
    const nines = sql.join(
      Array.from({ length: 10 }, () => sql`select 999999999999999999 as n`),
      sql` union all `,
    );
    const sum = sql<{ sum_lo: bigint }>`select sum(n) as sum_lo from (${nines}) as nines`.execute(db);
    if (kind === "sqlite") await expect(sum).rejects.toThrow("integer overflow");
    else expect((await sum).rows).toEqual([{ sum_lo: 10n * 999_999_999_999_999_999n }]);
  });

  test("refuses a row whose worker does not exist", async () => {
    const { db } = await open();
    const credit = { slice_id: 7, worker_id: 7, chain_set_id: 7, work_hi: 0n, work_lo: 1n, shares: 1 };
    await expect(db.insertInto("credits").values(credit).execute()).rejects.toThrow(/foreign key/i);
  });
});

test("both databases have the same tables and columns", async () => {
  const [first, ...others] = await Promise.all(
    LEDGERS.map(async ({ open }) => (await columnsOf(await open())).filter((column) => !column.startsWith("ledger_"))),
  );
  expect(first?.length).toBeGreaterThan(80);
  for (const other of others) expect(other).toEqual(first);
});

describe("two processes that bring a database up to date at once", () => {
  test("both succeed on SQLite", async () => {
    const path = `${scratchFolder()}/ledger.sqlite`;
    const stores = [1, 2, 3].map(() => fileLedger(path, { access: "share" }));
    await Promise.all(stores.map((store) => migrate(store, { lookOnly: false })));
    for (const store of stores) await migrate(store, { lookOnly: true });
  });

  test.runIf(inject("postgresUrl") !== undefined)("both succeed on PostgreSQL", async () => {
    const url = await freshDatabase(inject("postgresUrl") ?? "");
    const stores = [1, 2, 3].map(() => connectTo(url));
    await Promise.all(stores.map((store) => migrate(store, { lookOnly: false })));
    for (const store of stores) await migrate(store, { lookOnly: true });
    await Promise.all(stores.map((store) => store.close()));
  });
});

describe.runIf(inject("postgresUrl") !== undefined)("a PostgreSQL database", () => {
  test("may have the tables of other programs, and of another ledger in another schema", async () => {
    const url = await freshDatabase(inject("postgresUrl") ?? "");
    const store = connectTo(url);
    const db = store.db as unknown as Kysely<unknown>;
    await db.schema.createTable("kysely_migration").addColumn("name", "text").execute();
    await sql`create schema other`.execute(db);
    await sql`create table other.ledger_migration (name text)`.execute(db);
    await sql`insert into other.ledger_migration values ('9999-of-the-other')`.execute(db);
    await migrate(store, { lookOnly: false });
    await migrate(store, { lookOnly: true });
    await store.close();
  });

  test("answers commits once they are on the disk, also where the server was set to answer before", async () => {
    const url = await freshDatabase(inject("postgresUrl") ?? "");
    const first = connectTo(url);
    await sql`select set_config('x.y', 'z', false)`.execute(first.db);
    await sql
      .raw(
        `alter role ledger in database ${new URL(url.replace("@/", "@x/")).pathname.slice(1)} set synchronous_commit = off`,
      )
      .execute(first.db);
    await first.close();
    const second = connectTo(url);
    expect((await sql`show synchronous_commit`.execute(second.db)).rows).toEqual([{ synchronous_commit: "on" }]);
    await second.close();
  });

  test("is not written by a command that only looks", async () => {
    const url = await freshDatabase(inject("postgresUrl") ?? "");
    const server = connectTo(url);
    await migrate(server, { lookOnly: false });
    const report = connectTo(url, true);
    await migrate(report, { lookOnly: true });
    await expect(report.db.deleteFrom("workers").execute()).rejects.toMatchObject({ code: "25006" });
    await Promise.all([server.close(), report.close()]);
  });
});

function connectTo(url: string, readOnly = false): LedgerStore {
  return postgresStore({ url, connections: 2, connectMs: 5000, statementMs: 30_000, readOnly, onError() {} });
}
