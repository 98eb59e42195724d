import { describe, expect, test } from "vitest";
import type { LedgerDb } from "../../../src/ledger/store/schema.ts";
import { storeAccess } from "../../../src/ledger/store/transaction.ts";
import { LEDGERS, memoryLedger } from "../../support/ledger-store.ts";
import { pause } from "../../support/until.ts";

const worker = (identity: string) => ({ identity, first_share_ms: 1, last_share_ms: 1 });
const identities = async (db: LedgerDb): Promise<string[]> =>
  (await db.selectFrom("workers").select("identity").orderBy("id").execute()).map(({ identity }) => identity);

describe.each(LEDGERS)("a transaction on $name", ({ open }) => {
  test("is taken back whole when its work throws, and the error is the work's own", async () => {
    const store = await open();
    const ledger = storeAccess(store);
    const mistake = new TypeError("a mistake of ours");
    const work = ledger.transaction(async (db) => {
      await db.insertInto("workers").values(worker("a")).execute();
      throw mistake;
    });
    await expect(work).rejects.toBe(mistake);
    expect(await identities(store.db)).toEqual([]);
  });

  test("is over with its first failure, also when its work catches that", async () => {
    const store = await open();
    const ledger = storeAccess(store);
    await ledger.run((db) => db.insertInto("workers").values(worker("a")).execute());
    const work = ledger.transaction(async (db) => {
      await db.insertInto("workers").values(worker("b")).execute();
      await db
        .insertInto("workers")
        .values(worker("a"))
        .execute()
        .catch(() => {});
      await db
        .insertInto("workers")
        .values(worker("c"))
        .execute()
        .catch(() => {});
    });
    await expect(work).rejects.toMatchObject({ code: "ledger-failed" });
    expect(await identities(store.db)).toEqual(["a"]);
    await ledger.transaction((db) => db.insertInto("workers").values(worker("d")).execute());
    expect(await identities(store.db)).toEqual(["a", "d"]);
  });

  test("sees nothing of another and loses nothing to it: eight that count up at once, thirty times each, all get their turn", async () => {
    const store = await open({ connections: 8 });
    const ledger = storeAccess(store);
    await store.db.insertInto("workers").values(worker("counter")).execute();
    const countUp = async (): Promise<void> => {
      for (let n = 0; n < 30; n++) {
        let tries = 0;
        await ledger.transaction(async (db) => {
          tries += 1;
          const { last_share_ms } = await db.selectFrom("workers").selectAll().executeTakeFirstOrThrow();
          await pause(1);
          await db
            .updateTable("workers")
            .set({ last_share_ms: last_share_ms + 1 })
            .execute();
        });
        // One that lost runs alone the next time.
        expect(tries).toBeLessThanOrEqual(2);
      }
    };
    await Promise.all(Array.from({ length: 8 }, countUp));
    const { last_share_ms } = await store.db.selectFrom("workers").selectAll().executeTakeFirstOrThrow();
    expect(last_share_ms).toBe(1 + 8 * 30);
  });
});

test("a value that no column of SQLite can hold is refused as the mistake that it is, and nothing ends over it", async () => {
  const store = await memoryLedger();
  for (const value of [true, 2n ** 63n, -(2n ** 63n) - 1n, Number.NaN, { a: 1 }, 1e300]) {
    const row = { ...worker("x"), first_share_ms: value as number };
    const work = storeAccess(store).run((db) => db.insertInto("workers").values(row).execute());
    await expect(work).rejects.toBeInstanceOf(TypeError);
  }
  expect(await identities(store.db)).toEqual([]);
});
