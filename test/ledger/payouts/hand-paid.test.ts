import { describe, expect, test } from "vitest";
import { markPaid, readPlanFile } from "../../../src/ledger/payouts/hand-paid.ts";
import { planJson } from "../../../src/ledger/payouts/plan-json.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { booksOf, FakeNetwork, Killed, killAt, owe, payer, payRun, register } from "../../support/payout-world.ts";

const OWED = { alice: 5_000_000n, "farm.1": 2n, "farm.2": 3_000_000n };
const PAID = { txid: "0xab 0xcd", atMs: 7, force: false };

describe.each(LEDGERS)("a plan that is paid by hand, on $name", ({ open }) => {
  async function exported(chain = "rsk") {
    const ledger = directAccess(await open());
    const network = new FakeNetwork();
    await owe(ledger, chain, OWED);
    await register(ledger, chain, { alice: "alice1", farm: "farm1" });
    const { planner } = payer(ledger, network, { chain });
    const text = async () => JSON.stringify(planJson(await planner.plan()), undefined, 1);
    return { ledger, network, text, first: await text() };
  }

  test("is posted once, whoever hands it in and however often", async () => {
    const { ledger, first } = await exported();
    const plan = readPlanFile(first, "rsk");
    const ends = await Promise.allSettled([1, 2, 3].map(() => markPaid(ledger, plan, PAID)));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(markPaid(ledger, plan, PAID)).rejects.toMatchObject({ code: "payout-plan-paid" });
    await expect(markPaid(ledger, plan, { ...PAID, force: true })).rejects.toMatchObject({ code: "payout-plan-paid" });
    const { balances, sum, all, byKind } = await booksOf(ledger, "rsk");
    expect({ balances, sum, payout: byKind.payout }).toEqual({ balances: {}, sum: 0n, payout: 8_000_002n });
    expect(all).toMatchObject([{ state: "confirmed", txid: "0xab 0xcd", total: 8_000_002n }]);
  });

  test("two plans of the same balances are not both posted, unless both were really paid", async () => {
    const { ledger, text, first } = await exported();
    const second = (await text()).replace(/"created": "[^"]*"/, '"created": "later"');
    await markPaid(ledger, readPlanFile(first, "rsk"), PAID);
    const plan = readPlanFile(second, "rsk");
    await expect(markPaid(ledger, plan, PAID)).rejects.toMatchObject({ code: "payout-plan-stale", data: { owed: 0n } });
    expect((await booksOf(ledger, "rsk")).all).toHaveLength(1);
    await markPaid(ledger, plan, { ...PAID, force: true });
    expect((await booksOf(ledger, "rsk")).balances).toEqual({
      alice: -5_000_000n,
      "farm.1": -2n,
      "farm.2": -3_000_000n,
    });
  });

  test("is not posted while a payout through the wallet is under way", async () => {
    const { ledger, network, first } = await exported();
    await expect(payRun(ledger, network, { chain: "rsk", mishap: killAt(24) })).rejects.toBeInstanceOf(Killed);
    expect((await booksOf(ledger, "rsk")).underWay).toHaveLength(1);
    await expect(markPaid(ledger, readPlanFile(first, "rsk"), PAID)).rejects.toMatchObject({
      code: "payout-under-way",
    });
  });

  test("of another ledger, whose accounts have other names, is refused", async () => {
    const { ledger, first } = await exported();
    for (const wrong of [
      first.replace('"name": "alice"', '"name": "mallory"'),
      first.replace(/"account": \d+/, '"account": 999'),
    ]) {
      for (const force of [false, true]) {
        await expect(markPaid(ledger, readPlanFile(wrong, "rsk"), { ...PAID, force })).rejects.toMatchObject({
          code: "payout-plan-file",
        });
      }
    }
    expect((await booksOf(ledger, "rsk")).all).toEqual([]);
  });

  test("a file that is no plan of the chain is refused with its reason", async () => {
    const { first } = await exported();
    const why = (text: string, chain = "rsk") => {
      try {
        readPlanFile(text, chain);
      } catch (error) {
        return (error as { data: { why: string } }).data.why;
      }
      return undefined;
    };
    expect(why(first)).toBeUndefined();
    expect(why(first, "nmc")).toBe("it is a plan of rsk");
    expect(why("{")).toBe("it is no JSON");
    expect(why("{}")).toMatch(/no plan's form/);
    expect(why(first.replace('"units": "8000002"', '"units": "8000003"'))).toBe("its amounts do not add up");
    expect(why(first.replace('"units": "3000000"', '"units": "3000001"'))).toBe("its amounts do not add up");
    const file = JSON.parse(first);
    expect(why(JSON.stringify({ ...file, payments: [] }))).toMatch(/pays nobody/);
    const twice = [...file.payments, file.payments[0]];
    const total = { units: String(8_000_002n + BigInt(file.payments[0].units)) };
    expect(why(JSON.stringify({ ...file, payments: twice, total }))).toBe("it pays an account twice");
  });
});
