import { describe, expect, test } from "vitest";
import {
  listPayoutAddresses,
  payoutAddressesOf,
  removePayoutAddress,
  setPayoutAddress,
} from "../../../src/ledger/payouts/addresses.ts";
import { payableBalances } from "../../../src/ledger/payouts/balances.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { owe } from "../../support/payout-world.ts";

const known = (_: string, text: string) => (text.startsWith("good") ? "valid" : "invalid") as "valid" | "invalid";
const entry = { chain: "nmc", payee: "farm", address: "good1", least: undefined, atMs: 5 };

describe.each(LEDGERS)("payout addresses on $name", ({ open }) => {
  test("are set, replaced, listed in pages and removed, each chain by itself", async () => {
    const { db } = await open();
    await setPayoutAddress(db, entry, known);
    // More than 64 bits: a least payment in wei.
    await setPayoutAddress(db, { ...entry, address: "good2", least: 123_456_789n * 10n ** 18n + 1n, atMs: 6 }, known);
    await setPayoutAddress(db, { ...entry, chain: "rsk" }, known);
    for (const payee of ["a", "z", "operator", "beneficiary:grants"]) {
      await setPayoutAddress(db, { ...entry, payee, address: `good-${payee.slice(0, 4)}`.replace("-", "x") }, known);
    }
    const all = await payoutAddressesOf(db, "nmc");
    expect(all.get("farm")).toEqual({
      ...entry,
      address: "good2",
      least: 123_456_789_000_000_000_000_000_001n,
      atMs: 6,
    });
    const first = await listPayoutAddresses(db, { chain: "nmc", after: "", limit: 3 });
    const rest = await listPayoutAddresses(db, { chain: "nmc", after: first.at(-1)?.payee ?? "", limit: 3 });
    expect([...first, ...rest].map(({ payee }) => payee).sort()).toEqual([
      "a",
      "beneficiary:grants",
      "farm",
      "operator",
      "z",
    ]);
    expect(await removePayoutAddress(db, "nmc", "farm")).toBe(true);
    expect(await removePayoutAddress(db, "nmc", "farm")).toBe(false);
    expect((await payoutAddressesOf(db, "rsk")).size).toBe(1);
  });

  test.each([
    ["payout-payee", { payee: "" }],
    ["payout-payee", { payee: "x".repeat(256) }],
    ["payout-payee", { payee: "a\nb" }],
    ["payout-address", { address: "bad1" }],
    ["payout-address", { address: "" }],
    ["payout-address", { address: "good 1" }],
    ["payout-address", { address: `good${"x".repeat(125)}` }],
    ["payout-address", { address: "=good" }],
    ["payout-amount", { least: -1n }],
  ])("%s, case %#, and nothing is written", async (code, change) => {
    const { db } = await open();
    await expect(setPayoutAddress(db, { ...entry, ...change }, known)).rejects.toMatchObject({ code });
    expect((await payoutAddressesOf(db, "nmc")).size).toBe(0);
    await setPayoutAddress(db, { ...entry, payee: "x".repeat(255), address: `good${"x".repeat(124)}` }, known);
  });

  test("balances are exact beyond 64 bits, and only of whoever can be paid", async () => {
    const ledger = directAccess(await open());
    const wei = 10n ** 18n;
    // Lower columns of almost 10^18 each: eleven of them exceed 64 bits.
    for (let i = 0; i < 30; i++) {
      await owe(
        ledger,
        "rsk",
        { a: 7n * wei - 1n, b: i % 2 === 0 ? 5n : -5n, operator: -(wei - 1n), "beneficiary:core": 3n },
        String(i),
      );
    }
    const balances = await ledger.run((db) => payableBalances(db, "rsk"));
    expect(Object.fromEntries(balances.map(({ kind, name, amount }) => [`${kind} ${name}`, amount]))).toEqual({
      "worker a": 210n * wei - 30n,
      "operator ": -30n * wei + 30n,
      "beneficiary core": 90n,
    });
    expect(await ledger.run((db) => payableBalances(db, "nmc"))).toEqual([]);
  });

  test("balances of more accounts than are read at a time are all there", async () => {
    const ledger = directAccess(await open());
    const owed = Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`w${i}`, BigInt(i + 1)]));
    await owe(ledger, "nmc", owed);
    const balances = await ledger.run((db) => payableBalances(db, "nmc"));
    expect(Object.fromEntries(balances.map(({ name, amount }) => [name, amount]))).toEqual(owed);
  });
});
