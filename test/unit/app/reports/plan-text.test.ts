import { describe, expect, test } from "vitest";
import { planCsv, planTable } from "../../../../src/app/reports/plan-text.ts";
import type { PayoutPlan } from "../../../../src/ledger/payouts/plan.ts";

const worker = (name: string, amount: bigint) => ({ accountId: 4, kind: "worker", name, amount }) as const;

const PLAN: PayoutPlan = {
  chain: "rsk",
  coin: { symbol: "RBTC", decimals: 18 },
  createdMs: Date.UTC(2026, 0, 2),
  payments: [
    {
      address: "0xA",
      amount: 12_000_000_000_000_000_001n,
      accounts: [worker('a,"b"', 12_000_000_000_000_000_000n), worker("=cmd()", 1n)],
    },
  ],
  leftOut: [
    {
      account: { accountId: 5, kind: "beneficiary", name: "core", amount: -7n },
      address: "",
      reason: "negative balance",
      detail: "",
    },
  ],
  total: 12_000_000_000_000_000_001n,
  contributor: undefined,
};

/** What the commons gets, and a worker of its name. */
const GIFT: PayoutPlan = {
  ...PLAN,
  contributor: "=my pool",
  payments: [
    {
      address: "0xC",
      amount: 5n,
      accounts: [{ accountId: 6, kind: "beneficiary", name: "commons", amount: 3n }, worker("commons", 2n)],
    },
  ],
  leftOut: [],
  total: 5n,
};

const paying = (...names: readonly string[]): PayoutPlan => ({
  ...PLAN,
  payments: [{ address: "0xA", amount: 1n, accounts: names.map((name) => worker(name, 1n)) }],
});

describe("a plan as CSV", () => {
  test("has exact amounts, and no name becomes a formula or another cell", () => {
    expect(planCsv(PLAN).split("\r\n")).toEqual([
      "chain,result,kind,name,address,coins,coin,units,detail,contributor",
      'rsk,pay,worker,"a,""b""",0xA,12.000000000000000000,RBTC,12000000000000000000,,',
      "rsk,pay,worker,'=cmd(),0xA,0.000000000000000001,RBTC,1,,",
      "rsk,negative balance,beneficiary,core,,-0.000000000000000007,RBTC,-7,,",
      "",
    ]);
  });

  test("takes what spreadsheets run all the same for a formula: blanks before it, and its full-width forms", () => {
    const names = planCsv(paying(" =1+1", "\uff1d1+1"))
      .split("\r\n")
      .map((line) => line.split(",")[3]);
    expect(names.slice(1, 3)).toEqual(["' =1+1", "'\uff1d1+1"]);
  });

  test("names who the commons' payment comes from", () => {
    expect(planCsv(GIFT).split("\r\n").slice(1)).toEqual([
      "rsk,pay,beneficiary,commons,0xC,0.000000000000000003,RBTC,3,,'=my pool",
      "rsk,pay,worker,commons,0xC,0.000000000000000002,RBTC,2,,",
      "",
    ]);
  });
});

describe("a plan as a table", () => {
  test("has a row for each account and a sum", () => {
    const lines = planTable(PLAN).trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^result +account +amount +address$/);
    expect(lines[3]).toMatch(/^negative balance {2}beneficiary:core +-0\.000000000000000007 RBTC$/);
    expect(lines[4]).toBe(
      "rsk: 1 payment of 12.000000000000000001 RBTC (12000000000000000001 base units), 1 account left out",
    );
  });

  test("of nothing is its sum alone", () => {
    expect(planTable({ ...PLAN, payments: [], leftOut: [], total: 0n })).toBe(
      "rsk: 0 payments of 0.000000000000000000 RBTC (0 base units), 0 accounts left out\n",
    );
  });

  test("names who the commons' payment comes from, also beside what is kept", () => {
    const [titles, gift, other] = planTable(GIFT).split("\n");
    expect(titles).toMatch(/contributor$/);
    expect(gift).toMatch(/^pay {5}beneficiary:commons +0\.000000000000000003 RBTC {2}0xC +=my pool$/);
    expect(other).toMatch(/0xC$/);
    const account = { accountId: 6, kind: "beneficiary", name: "commons", amount: 3n } as const;
    const kept = { account, address: "0xC", reason: "kept", detail: "until the operator pays it himself" } as const;
    expect(planTable({ ...GIFT, payments: [], leftOut: [kept] })).toMatch(
      /until the operator pays it himself {2}=my pool$/m,
    );
  });

  test("shows what nobody sees, and every name and address whole: somebody says yes to them", () => {
    const long = `${"a".repeat(100)}.rig`;
    const [, first, second] = planTable(paying("alice\u202e.gir", long)).split("\n");
    expect(first).toContain("alice\\u{202e}.gir");
    expect(second).toContain(long);
  });
});
