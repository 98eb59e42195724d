import { describe, expect, test } from "vitest";
import { coinsText, unitsOf } from "../../../../src/ledger/payouts/coins.ts";
import { readPlanFile } from "../../../../src/ledger/payouts/hand-paid.ts";
import type { PayoutPlan } from "../../../../src/ledger/payouts/plan.ts";
import { planJson } from "../../../../src/ledger/payouts/plan-json.ts";

const PLAN: PayoutPlan = {
  chain: "rsk",
  coin: { symbol: "RBTC", decimals: 18 },
  createdMs: Date.UTC(2026, 0, 2),
  payments: [
    {
      address: "0xA",
      amount: 12_000_000_000_000_000_001n,
      accounts: [
        { accountId: 4, kind: "worker", name: 'a,"b"', amount: 12_000_000_000_000_000_000n },
        { accountId: 9, kind: "worker", name: "=cmd()", amount: 1n },
      ],
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
      accounts: [
        { accountId: 6, kind: "beneficiary", name: "commons", amount: 3n },
        { accountId: 7, kind: "worker", name: "commons", amount: 2n },
      ],
    },
  ],
  leftOut: [],
  total: 5n,
};

const textOf = (plan: PayoutPlan): string => JSON.stringify(planJson(plan));

describe("a plan as JSON", () => {
  test("is read back as it was", () => {
    const text = textOf(PLAN);
    expect(readPlanFile(text, "rsk")).toMatchObject({
      chain: "rsk",
      total: PLAN.total,
      items: [
        { accountId: 4, name: 'a,"b"', address: "0xA", amount: 12_000_000_000_000_000_000n },
        { accountId: 9, amount: 1n },
      ],
    });
    const later = textOf({ ...PLAN, createdMs: PLAN.createdMs + 1 });
    expect(readPlanFile(later, "rsk").digest).not.toBe(readPlanFile(text, "rsk").digest);
    expect(JSON.parse(text)).toMatchObject({
      created: "2026-01-02T00:00:00.000Z",
      total: { coins: "12.000000000000000001", units: "12000000000000000001" },
      leftOut: [{ name: "core", reason: "negative balance", coins: "-0.000000000000000007" }],
    });
  });
});

describe("who the commons' payment comes from", () => {
  test("stands beside that payment, also beside what is kept", () => {
    const { payments } = JSON.parse(textOf(GIFT));
    expect(payments[0].accounts).toMatchObject([{ kind: "beneficiary", contributor: "=my pool" }, { kind: "worker" }]);
    expect(payments[0].accounts[1]).not.toHaveProperty("contributor");
    expect(readPlanFile(textOf(GIFT), "rsk").items).toHaveLength(2);
    const kept: PayoutPlan = {
      ...GIFT,
      payments: [],
      leftOut: [
        {
          account: { accountId: 6, kind: "beneficiary", name: "commons", amount: 3n },
          address: "0xC",
          reason: "kept",
          detail: "until the operator pays it himself",
        },
      ],
    };
    expect(JSON.parse(textOf(kept)).leftOut).toMatchObject([{ contributor: "=my pool" }]);
  });
});

describe("amounts in coins", () => {
  test.each([
    [0n, 8, "0.00000000"],
    [1n, 8, "0.00000001"],
    [-150_000_000n, 8, "-1.50000000"],
    [2_100_000_000_000_000n, 8, "21000000.00000000"],
    [42n, 0, "42"],
    [12_345n, 2, "123.45"],
  ])("%s with %i decimals is %s", (units, decimals, text) => {
    expect(coinsText(units, { decimals })).toBe(text);
    if (units >= 0n) expect(unitsOf(text, { symbol: "X", decimals })).toBe(units);
  });

  test.each(["", "1.", ".5", "-1", "1e3", "0.000000001", "1,5", " 1", "9".repeat(19), "0x10"])("%j is none", (text) => {
    expect(() => unitsOf(text, { symbol: "BTC", decimals: 8 })).toThrow(
      /no amount of that coin .*coin BTC, decimals 8/,
    );
  });

  test("what a floating-point number would get wrong is exact", () => {
    expect(unitsOf("90071992.54740993", { symbol: "X", decimals: 8 })).toBe(9_007_199_254_740_993n);
    expect(unitsOf("0.1", { symbol: "X", decimals: 18 }) + unitsOf("0.2", { symbol: "X", decimals: 18 })).toBe(
      3n * 10n ** 17n,
    );
  });
});
