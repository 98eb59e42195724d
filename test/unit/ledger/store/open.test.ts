import { expect, test } from "vitest";
import { migrate } from "../../../../src/ledger/store/open.ts";
import { memoryLedger } from "../../../support/ledger-store.ts";

test("a fresh ledger has all tables, and bringing it up to date again changes nothing", async () => {
  const store = await memoryLedger();
  await migrate(store, { lookOnly: true });
  await store.db.insertInto("accounts").values({ chain: "rsk", kind: "operator", name: "" }).execute();
  const rows = await store.db.selectFrom("accounts").selectAll().execute();
  expect(rows).toEqual([{ id: 1, chain: "rsk", kind: "operator", name: "" }]);
});
