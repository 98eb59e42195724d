import { describe, expect, test } from "vitest";
import { accountIds } from "../../../src/ledger/books/accounts.ts";
import { isPosted, type NewTransaction, post, postCopy } from "../../../src/ledger/books/transactions.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

const HEAD: Omit<NewTransaction, "postings"> = {
  key: "distribution:1:1",
  chain: "namecoin",
  kind: "distribution",
  blockId: undefined,
  payoutId: undefined,
  atMs: 1000.4,
};

describe.each(LEDGERS)("transactions of the books, on $name", ({ open }) => {
  test("sum up to 0, or are refused before anything is written", async () => {
    const w = new BooksWorld(await open());
    const id = await accountIds(w.store.db, "namecoin", [{ kind: "reward", name: "" }]);
    const postings = [{ accountId: id({ kind: "reward", name: "" }), amount: 1n }];
    await expect(post(w.store.db, { ...HEAD, postings })).rejects.toThrow(
      new TypeError("the postings of distribution:1:1 sum up to 1"),
    );
    expect(await w.keys()).toEqual([]);
  });

  test("are written once; postings of one account count as one, and those of nothing are left out", async () => {
    const w = new BooksWorld(await open());
    const { db } = w.store;
    const accounts = ["anna", "ben", "carl"].map((name) => ({ kind: "worker" as const, name }));
    const id = await accountIds(db, "namecoin", accounts);
    const [anna, ben, carl] = accounts.map(id) as [number, number, number];
    const postings = [
      { accountId: anna, amount: 3n * 10n ** 18n },
      { accountId: anna, amount: -1n },
      { accountId: carl, amount: 0n },
      { accountId: ben, amount: 1n - 3n * 10n ** 18n },
    ];
    expect(await post(db, { ...HEAD, postings })).toBe(true);
    expect(await post(db, { ...HEAD, postings })).toBe(false);
    expect(await w.balances()).toEqual({ "worker anna": 3n * 10n ** 18n - 1n, "worker ben": 1n - 3n * 10n ** 18n });
    const rows = await db.selectFrom("postings").select(["amount_hi", "amount_lo"]).orderBy("account_id").execute();
    expect(rows).toEqual([
      { amount_hi: 2n, amount_lo: 10n ** 18n - 1n },
      { amount_hi: -2n, amount_lo: 1n - 10n ** 18n },
    ]);
    expect(await db.selectFrom("transactions").select("at_ms").execute()).toEqual([{ at_ms: 1000 }]);
  });

  test("are copied and negated to the unit", async () => {
    const w = new BooksWorld(await open());
    const { db } = w.store;
    const id = await accountIds(db, "namecoin", [
      { kind: "reward", name: "" },
      { kind: "worker", name: "anna" },
    ]);
    const [reward, anna] = [id({ kind: "reward", name: "" }), id({ kind: "worker", name: "anna" })];
    const amount = 7n * 10n ** 18n + 5n;
    const postings = [
      { accountId: reward, amount: -amount },
      { accountId: anna, amount },
    ];
    await post(db, { ...HEAD, postings });
    const of = HEAD.key;
    expect(await postCopy(db, { ...HEAD, key: "reversal:1:1", kind: "reversal" }, { of, negated: true })).toBe(true);
    expect(await postCopy(db, { ...HEAD, key: "reversal:1:1", kind: "reversal" }, { of, negated: true })).toBe(false);
    expect(await w.balances()).toEqual({});
    expect(await postCopy(db, { ...HEAD, key: "distribution:1:2" }, { of, negated: false })).toBe(true);
    expect(await w.balances()).toEqual({ reward: -amount, "worker anna": amount });
    await expect(postCopy(db, { ...HEAD, key: "x" }, { of: "nothing", negated: true })).rejects.toThrow(TypeError);
    expect([await isPosted(db, "reversal:1:1"), await isPosted(db, "x")]).toEqual([true, false]);
  });

  test("have ten thousand postings if need be", async () => {
    const w = new BooksWorld(await open());
    const { db } = w.store;
    const accounts = Array.from({ length: 10_000 }, (_, n) => ({ kind: "worker" as const, name: `farm.${n}` }));
    const reward = { kind: "reward" as const, name: "" };
    const id = await accountIds(db, "namecoin", [reward, ...accounts]);
    const postings = [
      { accountId: id(reward), amount: -50_005_000n },
      ...accounts.map((account, n) => ({ accountId: id(account), amount: BigInt(n + 1) })),
    ];
    await db.transaction().execute((transaction) => post(transaction, { ...HEAD, postings }));
    const balances = await w.balances();
    expect(Object.keys(balances)).toHaveLength(10_001);
    expect(balances["worker farm.9999"]).toBe(10_000n);
  });
});

describe.each(LEDGERS)("accounts, on $name", ({ open }) => {
  test("are made once, each chain its own, also by two at a time", async () => {
    const { db } = await open();
    const names = ["b", "a", "c'; drop table accounts; --"];
    const wanted = names.map((name) => ({ kind: "worker" as const, name }));
    const ids = await Promise.all([accountIds(db, "rsk", wanted), accountIds(db, "rsk", [...wanted].reverse())]);
    for (const account of wanted) expect(ids[0]?.(account)).toBe(ids[1]?.(account));
    await accountIds(db, "namecoin", [...wanted, { kind: "operator", name: "" }]);
    const { made } = await db
      .selectFrom("accounts")
      .select((of) => of.fn.countAll<number>().as("made"))
      .executeTakeFirstOrThrow();
    expect(made).toBe(7);
    expect(() => ids[0]?.({ kind: "operator", name: "" })).toThrow(TypeError);
  });
});
