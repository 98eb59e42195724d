import { describe, expect, test } from "vitest";
import { accountIds } from "../../../src/ledger/books/accounts.ts";
import { BOOKS_CHECK_DEFAULTS, type BooksReport, checkBooks } from "../../../src/ledger/books/balance-check.ts";
import { balancesOf, OWED } from "../../../src/ledger/books/balances.ts";
import { post } from "../../../src/ledger/books/transactions.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

describe.each(LEDGERS)("the check of the books, on $name", ({ open }) => {
  async function world(): Promise<BooksWorld> {
    const w = new BooksWorld(await open());
    await w.slice([0, 10_000], { "anna.1": 60n, ben: 40n });
    await w.block({ actual: 10n ** 21n + 7n });
    await w.block({ chain: "bitcoin", finder: "solo.1", actual: 20n, finderPaid: 980n });
    const orphan = await w.block();
    await w.distribution().pass();
    await w.chainSays(orphan, "orphaned");
    await w.distribution().pass();
    return w;
  }
  const check = ({ store }: BooksWorld, page = 2): Promise<BooksReport> =>
    checkBooks(directAccess(store).run, { ...BOOKS_CHECK_DEFAULTS, page });

  test("finds nothing in books that balance, whatever the size of its pages", async () => {
    const w = await world();
    expect(await check(w)).toEqual({ problems: [], owing: [], transactions: 5, blocks: 3 });
    expect(await check(w, 100)).toEqual({ problems: [], owing: [], transactions: 5, blocks: 3 });
    expect(await check(new BooksWorld(await open()))).toMatchObject({ problems: [], transactions: 0, blocks: 0 });
  });

  test("finds a posting that was changed, in its transaction, its chain and its block", async () => {
    const w = await world();
    const reward = await w.store.db
      .selectFrom("accounts")
      .select("id")
      .where("chain", "=", "bitcoin")
      .where("kind", "=", "reward")
      .executeTakeFirstOrThrow();
    await w.store.db.updateTable("postings").set({ amount_lo: -999n }).where("account_id", "=", reward.id).execute();
    expect((await check(w)).problems).toEqual([
      "the postings of distribution:2:1 (bitcoin) sum up to 1, not to 0",
      "block 2 of bitcoin (hash 2) pays 1000, and 999 of it was divided",
      "the accounts of bitcoin sum up to 1, not to 0",
    ]);
  });

  test("finds an amount that the chain changed, an orphan that stands, and a block that its books do not know", async () => {
    const w = await world();
    await w.chainSays(1, "distributed", 5n);
    await w.chainSays(2, "orphaned");
    await w.block({ state: "distributed" });
    expect((await check(w)).problems).toEqual([
      "block 1 of namecoin (hash 1) pays 5, and 1000000000000000000007 of it was divided",
      "block 2 of bitcoin (hash 2) is an orphan, and 1000 of it is not taken back yet",
      "block 4 of namecoin (hash 4) is distributed, and its books say nothing of it",
    ]);
    await w.distribution().pass();
    expect((await check(w)).problems).toEqual([
      "block 4 of namecoin (hash 4) is distributed, and its books say nothing of it",
    ]);
  });

  test("finds postings to another chain's account, and an account of the wrong sign", async () => {
    const w = await world();
    const { db } = w.store;
    await db.updateTable("accounts").set({ chain: "rsk" }).where("kind", "=", "coinbase").execute();
    const { problems } = await check(w);
    expect(problems).toContain("coinbase:2:1 (bitcoin) has postings to accounts of another chain");
    expect(problems).toContain("the accounts of bitcoin sum up to -980, not to 0");
    await db.updateTable("accounts").set({ kind: "payout" }).where("kind", "=", "reward").execute();
    expect((await check(w)).problems).toContain("the account payout of bitcoin has -1000, which has the wrong sign");
  });

  test("lists no more problems than are read, and says so", async () => {
    const w = new BooksWorld(await open());
    for (let n = 0; n < 5; n++) await w.block({ state: "distributed" });
    const { problems } = await checkBooks(directAccess(w.store).run, { page: 2, most: 2 });
    expect(problems).toHaveLength(3);
    expect(problems.at(-1)).toBe("and more");
  });

  test("names who owes, which is no mistake", async () => {
    const w = await world();
    const { db } = w.store;
    const id = await accountIds(db, "bitcoin", [
      { kind: "operator", name: "" },
      { kind: "payout", name: "" },
    ]);
    await post(db, {
      key: "payout:1",
      chain: "bitcoin",
      kind: "payout",
      blockId: undefined,
      payoutId: undefined,
      atMs: 1,
      postings: [
        { accountId: id({ kind: "operator", name: "" }), amount: -20n },
        { accountId: id({ kind: "payout", name: "" }), amount: 20n },
      ],
    });
    await w.chainSays(2, "orphaned");
    await w.distribution().pass();
    expect(await check(w)).toMatchObject({
      problems: [],
      owing: [{ chain: "bitcoin", kind: "operator", name: "", amount: -20n }],
    });
  });

  test("balances come in pages, of one chain or all", async () => {
    const w = await world();
    const all = await balancesOf(w.store.db, { chain: undefined, kinds: OWED, after: 0, limit: 100 });
    expect(all.map(({ chain, kind, name, amount }) => [chain, kind, name, amount])).toEqual(
      expect.arrayContaining([
        ["namecoin", "worker", "anna.1", 600n * 10n ** 18n + 4n],
        ["namecoin", "worker", "ben", 400n * 10n ** 18n + 3n],
        ["bitcoin", "operator", "", 20n],
        ["bitcoin", "worker", "solo.1", 0n],
      ]),
    );
    expect(all).toHaveLength(4);
    const paged: typeof all = [];
    for (let after = 0; ; after = paged.at(-1)?.accountId ?? 0) {
      const page = await balancesOf(w.store.db, { chain: "namecoin", kinds: OWED, after, limit: 1 });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(all.filter(({ chain }) => chain === "namecoin"));
  });
});
