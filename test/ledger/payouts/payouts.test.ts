import { describe, expect, test } from "vitest";
import { BOOKS_CHECK_DEFAULTS, checkBooks } from "../../../src/ledger/books/balance-check.ts";
import { insertPayout, movePayout } from "../../../src/ledger/payouts/records.ts";
import type { LedgerAccess } from "../../../src/ledger/store/access.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { booksOf, FakeNetwork, Killed, type Mishap, owe, payer, payRun, register } from "../../support/payout-world.ts";

const OWED = { alice: 5_000_000n, bob: 3_000_000n };

async function world(open: (typeof LEDGERS)[number]["open"]) {
  const ledger = directAccess(await open());
  await owe(ledger, "nmc", OWED);
  await register(ledger, "nmc", { alice: "alice1", bob: "bob1" });
  const network = new FakeNetwork();
  const books = () => booksOf(ledger, "nmc");
  return {
    ledger,
    network,
    books,
    run: (mishap?: Mishap) => payRun(ledger, network, { chain: "nmc", ...(mishap === undefined ? {} : { mishap }) }),
    at: payer(ledger, network, { chain: "nmc" }),
  };
}

/** Kills a run when it calls `name`. */
const killIn =
  (name: string, when: "before" | "after" = "before"): Mishap =>
  (call, at) => {
    if (call === name && at === when) throw new Killed();
  };

/** The bytes of the payout under way. */
async function rawOf(ledger: LedgerAccess): Promise<string> {
  return (await booksOf(ledger, "nmc")).all.at(-1)?.rawTransaction ?? "";
}

describe.each(LEDGERS)("payouts on $name", ({ open }) => {
  test("one that is signed keeps every other one of its chain waiting, and other chains not", async () => {
    const { ledger, network, run } = await world(open);
    await expect(run(killIn("broadcast"))).rejects.toBeInstanceOf(Killed);
    const { planner, payouts } = payer(ledger, network, { chain: "nmc" });
    await owe(ledger, "nmc", { alice: 9_000_000n }, "2");
    await expect(payouts.execute(await planner.plan())).rejects.toMatchObject({ code: "payout-under-way" });
    await owe(ledger, "other", OWED);
    network.bad.add("bob");
    await register(ledger, "other", { alice: "alice2" });
    await payRun(ledger, network, { chain: "other" });
    expect(Object.fromEntries(network.received())).toEqual({ alice2: 5_000_000n });
    await run();
    expect(Object.fromEntries(network.received())).toEqual({
      alice1: 14_000_000n,
      alice2: 5_000_000n,
      bob1: 3_000_000n,
    });
  });

  test("a plan whose balance fell, whose address is another one, or whose payee is gone is not paid", async () => {
    const { ledger, network, at, books } = await world(open);
    const plan = await at.planner.plan();
    await owe(ledger, "nmc", { alice: -1n }, "orphaned");
    await expect(at.payouts.execute(plan)).rejects.toMatchObject({ code: "payout-plan-changed" });
    const again = await at.planner.plan();
    await register(ledger, "nmc", { bob: "bob2" });
    await expect(at.payouts.execute(again)).rejects.toMatchObject({ code: "payout-plan-changed" });
    expect(await books()).toMatchObject({ all: [], sum: 0n });
    // More than the plan says is no reason: the rest is paid next time.
    const third = await at.planner.plan();
    await owe(ledger, "nmc", { alice: 7n }, "more");
    await at.payouts.execute(third);
    expect((await books()).balances).toEqual({ alice: 7n, operator: -1000n });
    expect(network.received().get("bob2")).toBe(3_000_000n);
  });

  test("a wallet that cannot make the transaction leaves nothing under way", async () => {
    const { network, run, books } = await world(open);
    await expect(run((call) => (call === "make" ? Promise.reject(new Error("no coins")) : undefined))).rejects.toThrow(
      "no coins",
    );
    expect(await books()).toMatchObject({ underWay: [], all: [{ state: "cancelled" }], balances: OWED });
    await run();
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 5_000_000n, bob1: 3_000_000n });
  });

  test("one that is refused stays signed, is sent again as it is, and never made anew", async () => {
    const { ledger, network, run, books } = await world(open);
    network.refuses = "mempool full";
    await expect(run()).rejects.toMatchObject({ code: "payout-refused", data: { reason: "mempool full" } });
    const raw = await rawOf(ledger);
    await expect(run()).rejects.toMatchObject({ code: "payout-refused" });
    network.refuses = "";
    await run();
    expect(await rawOf(ledger)).toBe(raw);
    expect(await books()).toMatchObject({ all: [{ state: "sent" }], balances: { operator: -1000n } });
  });

  test("one that the daemon forgot is sent again until it is deep enough", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await run();
    network.forget();
    expect(network.taken.size).toBe(0);
    expect(await at.payouts.resume()).toEqual([]);
    expect(at.lines).toEqual(["payout 1: the daemon had lost it, sent again"]);
    network.mine(5);
    await at.payouts.resume();
    expect((await books()).all).toMatchObject([{ state: "sent" }]);
    network.mine();
    await at.payouts.resume();
    expect((await books()).all).toMatchObject([{ state: "confirmed" }]);
    expect(ledger).toBeDefined();
  });

  test("one whose coins were spent by something else tells the operator, and is cancelled when that is deep enough", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await expect(run(killIn("broadcast"))).rejects.toBeInstanceOf(Killed);
    await expect(at.payouts.cancel(1, { force: false })).rejects.toMatchObject({ code: "payout-not-proven" });
    const other = network.spend(await rawOf(ledger), [{ address: "somebody", amount: 1n }]);
    await expect(run()).rejects.toMatchObject({ code: "payout-inputs-spent", data: { spentBy: other } });
    await expect(at.payouts.cancel(1, { force: false })).rejects.toMatchObject({
      code: "payout-not-proven",
      data: { confirmations: 1, enough: 6 },
    });
    network.mine(5);
    expect(await at.payouts.cancel(1, { force: false })).toMatchObject({
      state: "cancelled",
      note: `cancelled: ${other} spent its coins`,
    });
    expect(await books()).toMatchObject({ balances: OWED, sum: 0n, byKind: { payout: 0n, network_fee: 0n } });
    expect([...network.locked]).toEqual([]);
    await expect(at.payouts.cancel(1, { force: true })).rejects.toMatchObject({ code: "payout-state" });
    await run();
    expect(network.received().get("alice1")).toBe(5_000_000n);
  });

  test("one whose coins paid only some of its payees is not cancelled without force", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await expect(run(killIn("broadcast"))).rejects.toBeInstanceOf(Killed);
    network.spend(await rawOf(ledger), [{ address: "alice1", amount: 5_000_000n }]);
    network.mine(10);
    await expect(at.payouts.cancel(1, { force: false })).rejects.toMatchObject({ code: "payout-not-proven" });
    await at.payouts.cancel(1, { force: true });
    expect((await books()).balances).toEqual(OWED);
  });

  test("one that was replaced by another that pays each payee a little less is not cancelled without force", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await expect(run(killIn("broadcast"))).rejects.toBeInstanceOf(Killed);
    const bumped = network.spend(await rawOf(ledger), [
      { address: "alice1", amount: 4_999_500n },
      { address: "bob1", amount: 2_999_500n },
    ]);
    network.mine(10);
    await expect(at.payouts.cancel(1, { force: false })).rejects.toMatchObject({
      code: "payout-not-proven",
      data: { spentBy: bumped, why: "it paid some of the payees" },
    });
    expect((await books()).all).toMatchObject([{ state: "signed" }]);
  });

  test("one that the wallet sent with another fee is that payout: the operator bears the difference, and nothing is paid again", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await run();
    const outputs = [
      { address: "alice1", amount: 5_000_000n },
      { address: "bob1", amount: 3_000_000n },
    ];
    const bumped = network.spend(await rawOf(ledger), outputs, 2500n);
    await expect(at.payouts.cancel(1, { force: true })).rejects.toMatchObject({ code: "payout-not-proven" });
    await run();
    expect(await books()).toMatchObject({
      all: [{ state: "sent", txid: bumped, fee: 2500n }],
      balances: { operator: -2500n },
      byKind: { network_fee: 2500n, payout: 8_000_000n },
      sum: 0n,
    });
    network.mine(6);
    await run();
    expect((await books()).all).toMatchObject([{ state: "confirmed" }]);
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 5_000_000n, bob1: 3_000_000n });
  });

  test("where the payees bear the fee, they pay what the coins did not leave for it, and the operator the rest", async () => {
    const { ledger, network, at, books } = await world(open);
    network.surplus = 301n;
    await payRun(ledger, network, { chain: "nmc", feeFrom: "workers" });
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 4_999_650n, bob1: 2_999_651n });
    expect(await books()).toMatchObject({
      balances: { operator: -301n },
      byKind: { network_fee: 1000n, payout: 7_999_301n },
      sum: 0n,
    });
    expect((await checkBooks(ledger.run, BOOKS_CHECK_DEFAULTS)).problems).toEqual([]);
    const [{ rawTransaction = "" } = {}] = (await books()).all;
    network.spend(rawTransaction, []);
    network.mine(6);
    await at.payouts.cancel(1, { force: false });
    expect(await books()).toMatchObject({ balances: OWED, sum: 0n, byKind: { payout: 0n, network_fee: 0n } });
  });

  test("a later payout of the same amounts, with coins that the wallet took back from a lost one, is no replacement of it", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await run();
    const outputs = [
      { address: "alice1", amount: 5_000_000n },
      { address: "bob1", amount: 3_000_000n },
    ];
    const later = network.spend(await rawOf(ledger), outputs);
    await owe(ledger, "nmc", OWED, "2");
    await ledger.transaction(async (db) => {
      const id = await insertPayout(db, "nmc", 8_000_000n, 1);
      await movePayout(db, id, ["prepared"], "sent", 1, { txid: later, rawTransaction: "00", fee: 1000n });
    });
    expect(await at.payouts.resume()).toEqual([expect.stringContaining(`${later} spent its coins`)]);
    expect((await books()).all[0]).toMatchObject({ id: 1, state: "sent" });
    network.mine(5);
    expect(await at.payouts.cancel(1, { force: false })).toMatchObject({ state: "cancelled" });
  });

  test("a payout that was sent with another fee and is cancelled by force gives back everything that it posted", async () => {
    const { ledger, network, run, at, books } = await world(open);
    await run();
    const raw = await rawOf(ledger);
    const outputs = [
      { address: "alice1", amount: 5_000_000n },
      { address: "bob1", amount: 3_000_000n },
    ];
    network.spend(raw, outputs, 2500n);
    await run();
    network.spend(await rawOf(ledger), [], 2500n);
    expect(await at.payouts.resume()).toEqual([
      expect.stringMatching(/^payout 1 .* is not in the chain .* spent its coins$/),
    ]);
    network.mine(6);
    await at.payouts.cancel(1, { force: false });
    expect(await books()).toMatchObject({ balances: OWED, sum: 0n, byKind: { payout: 0n, network_fee: 0n } });
  });

  test("one that is in the pool or the chain is never cancelled, nor one of another chain or none", async () => {
    const { run, network, at } = await world(open);
    await run();
    await expect(at.payouts.cancel(1, { force: true })).rejects.toMatchObject({
      code: "payout-not-proven",
      data: { why: "it is waiting for a block" },
    });
    network.mine(2);
    await expect(at.payouts.cancel(1, { force: true })).rejects.toMatchObject({ code: "payout-not-proven" });
    await expect(at.payouts.cancel(2, { force: true })).rejects.toMatchObject({ code: "payout-unknown" });
  });

  test("a run that gives up what another prepared does not give up what that one signed meanwhile", async () => {
    const { ledger, network, books } = await world(open);
    let signed = () => {};
    const other = new Promise<void>((resolve) => {
      signed = resolve;
    });
    let listed = () => {};
    const sawPrepared = new Promise<void>((resolve) => {
      listed = resolve;
    });
    // The first stands before it writes down what it signed until the second saw it prepared; the second until that is written.
    let transactions = 0;
    const first = payRun(ledger, network, {
      chain: "nmc",
      mishap: async (call, when) => {
        if (call === "make" && when === "after") await sawPrepared;
        if (call === "transaction" && when === "after" && ++transactions === 2) signed();
      },
    });
    while ((await books()).underWay.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = payRun(ledger, network, {
      chain: "nmc",
      mishap: async (call, when) => {
        if (call === "run" && when === "after") listed();
        if (call === "transaction" && when === "before") await other;
      },
    });
    await Promise.allSettled([first, second]);
    expect((await books()).all).toMatchObject([{ state: "sent" }]);
    expect((await books()).balances).toEqual({ operator: -1000n });
    expect(network.taken.size).toBe(1);
  });

  test("addresses that the wallet writes in one way are one payment, those that it refuses are left out", async () => {
    const { ledger, network, at, run } = await world(open);
    await owe(ledger, "nmc", { carol: 4_000_000n, eve: 1_000_000n, "mine.1": 2_000_000n }, "2");
    await register(ledger, "nmc", { carol: "ALICE1", eve: "bad1" });
    network.bad.add("bad1");
    network.bad.add("mine");
    const plan = await at.planner.plan();
    expect(
      plan.payments.map(({ address, amount, accounts }) => [address, amount, accounts.map(({ name }) => name)]),
    ).toEqual([
      ["alice1", 9_000_000n, ["alice", "carol"]],
      ["bob1", 3_000_000n, ["bob"]],
    ]);
    expect(plan.leftOut.map(({ account, reason }) => [account.name, reason])).toEqual([
      ["eve", "address refused"],
      ["mine.1", "no address"],
    ]);
    await run();
    expect(network.received().get("alice1")).toBe(9_000_000n);
  });
});
