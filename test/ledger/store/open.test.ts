import { describe, expect, test } from "vitest";
import { migrate } from "../../../src/ledger/store/open.ts";
import { LEDGERS } from "../../support/ledger-store.ts";

describe.each(LEDGERS)("a ledger on $name", ({ open }) => {
  test("has all tables when it is fresh, and bringing it up to date again changes nothing", async () => {
    const store = await open();
    await migrate(store, { lookOnly: true });
    await store.db.insertInto("accounts").values({ chain: "rsk", kind: "operator", name: "" }).execute();
    await migrate(store, { lookOnly: false });
    const rows = await store.db.selectFrom("accounts").selectAll().execute();
    expect(rows).toEqual([{ id: 1, chain: "rsk", kind: "operator", name: "" }]);
  });
});
