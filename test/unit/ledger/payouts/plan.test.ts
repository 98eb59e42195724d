import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Destination, destinationOf, type PayoutAddress } from "../../../../src/ledger/payouts/addresses.ts";
import type { Balance } from "../../../../src/ledger/payouts/balances.ts";
import { accountOf, addressIn } from "../../../../src/ledger/payouts/identity-address.ts";
import { makePlan, type PlanOptions, type PlanParts } from "../../../../src/ledger/payouts/plan.ts";

const OPTIONS: PlanOptions = {
  chain: "nmc",
  coin: { symbol: "NMC", decimals: 8 },
  createdMs: 1,
  least: 100n,
  dust: 10n,
  maxPayments: 500,
  commons: { isKept: true, address: undefined, contributor: undefined },
};

function worker(accountId: number, name: string, amount: bigint): Balance {
  return { accountId, kind: "worker", name, amount };
}

function plan(
  balances: readonly Balance[],
  destinations: Readonly<Record<string, string | Destination>>,
  options: Partial<PlanOptions> = {},
  verdictOf: PlanParts["verdictOf"] = () => undefined,
) {
  const destinationOf = ({ name }: { readonly name: string }): Destination | undefined => {
    const found = destinations[name];
    return typeof found === "string" ? { address: found, least: undefined } : found;
  };
  return makePlan({ balances, destinationOf, verdictOf }, { ...OPTIONS, ...options });
}

const reasons = ({ leftOut }: ReturnType<typeof plan>) => leftOut.map(({ account, reason }) => [account.name, reason]);

describe("a payout plan", () => {
  test("pays accounts of one address together, the largest first", () => {
    const made = plan([worker(1, "a.1", 60n), worker(2, "b", 500n), worker(3, "a.2", 40n), worker(4, "c", 500n)], {
      "a.1": "A",
      "a.2": "A",
      b: "Y",
      c: "X",
    });
    expect(made.payments.map(({ address, amount }) => [address, amount])).toEqual([
      ["X", 500n],
      ["Y", 500n],
      ["A", 100n],
    ]);
    expect(made.total).toBe(1100n);
    expect(made.leftOut).toEqual([]);
  });

  test("says who is left out and why", () => {
    const made = plan(
      [
        worker(1, "nowhere", 900n),
        worker(2, "small", 99n),
        worker(3, "owes", -5n),
        worker(4, "bad", 900n),
        worker(5, "none", 0n),
      ],
      { small: "S", owes: "O", bad: "B", none: "N" },
      {},
      (address) => (address === "B" ? { refused: "it has no checksum" } : undefined),
    );
    expect(made.payments).toEqual([]);
    expect(reasons(made)).toEqual([
      ["nowhere", "no address"],
      ["small", "below the minimum"],
      ["owes", "negative balance"],
      ["bad", "address refused"],
    ]);
    expect(made.leftOut.at(-1)).toMatchObject({ address: "B", detail: "it has no checksum" });
  });

  test("takes nothing from one account for what another of the same address owes", () => {
    const made = plan([worker(1, "a.1", 200n), worker(2, "a.2", -150n)], { "a.1": "A", "a.2": "A" });
    expect(made.payments).toMatchObject([{ amount: 200n, accounts: [{ name: "a.1" }] }]);
    expect(reasons(made)).toEqual([["a.2", "negative balance"]]);
  });

  test("keeps a payee's own minimum, the strictest of those that share an address, and never goes below dust", () => {
    const at = (address: string, least: bigint): Destination => ({ address, least });
    const own = plan([worker(1, "a", 50n), worker(2, "b", 5000n), worker(3, "c", 9n)], {
      a: at("A", 50n),
      b: at("B", 5001n),
      c: at("C", 0n),
    });
    expect(own.payments.map(({ address }) => address)).toEqual(["A"]);
    expect(reasons(own)).toEqual([
      ["b", "below the minimum"],
      ["c", "below the minimum"],
    ]);
    const shared = plan([worker(1, "a", 150n), worker(2, "b", 40n)], { a: at("A", 1n), b: at("A", 191n) });
    expect(shared.payments).toEqual([]);
    expect(shared.leftOut[0]?.detail).toBe("190 of 191 base units");
  });

  test("pays so many at a time, and the others with the next payout", () => {
    const made = plan(
      [worker(1, "a", 100n), worker(2, "b", 300n), worker(3, "c", 200n)],
      { a: "A", b: "B", c: "C" },
      { maxPayments: 2 },
    );
    expect(made.payments.map(({ address }) => address)).toEqual(["B", "C"]);
    expect(reasons(made)).toEqual([["a", "next payout"]]);
    expect(made.total).toBe(500n);
  });

  test("keeps the commons' part back unless it is named or paid like a worker, and no other beneficiary's", () => {
    const balances = [
      worker(1, "alice", 200n),
      { accountId: 2, kind: "beneficiary", name: "commons", amount: 300n },
      { accountId: 3, kind: "beneficiary", name: "core", amount: 400n },
      worker(4, "commons", 500n),
    ] as const;
    const destinations = { alice: "A", commons: "C", core: "D" };
    const paid = (options: Partial<PlanOptions>) => {
      const made = plan(balances, destinations, options);
      return { of: made.payments.flatMap(({ accounts }) => accounts.map(({ accountId }) => accountId)), made };
    };
    const kept = paid({});
    expect(kept.of).toEqual([4, 3, 1]);
    expect(kept.made.leftOut).toEqual([
      { account: balances[1], address: "C", reason: "kept", detail: "until the operator pays it himself" },
    ]);
    expect(paid({ commons: { ...OPTIONS.commons, isKept: false } }).of).toEqual([2, 4, 3, 1]);
    const named = paid({ only: "beneficiary:commons" });
    expect(named.of).toEqual([2]);
    expect(named.made).toMatchObject({ total: 300n, leftOut: [] });
    // The worker of that name is somebody else.
    expect(paid({ only: "commons" }).of).toEqual([4]);
  });

  test.each([
    ["farm", [1, 2]],
    ["farm.2", [2]],
    ["operator", [3]],
    ["beneficiary:core", [4]],
    ["beneficiary:cor", []],
    ["nobody", []],
  ] as const)("for %s alone has nobody else", (only, ids) => {
    const balances: Balance[] = [
      worker(1, "farm.1", 200n),
      worker(2, "farm.2", 100n),
      { accountId: 3, kind: "operator", name: "", amount: 300n },
      { accountId: 4, kind: "beneficiary", name: "core", amount: 300n },
      // Identities are the miners' own words.
      worker(5, "operator.x", 900n),
      worker(6, "beneficiary:core", 900n),
    ];
    const everywhere = Object.fromEntries(balances.map(({ accountId, name }) => [name, `A${accountId}`]));
    const made = plan(balances, everywhere, { only });
    const accounts = made.payments.flatMap((payment) => payment.accounts.map(({ accountId }) => accountId));
    expect(accounts).toEqual(ids);
    expect(made.leftOut).toEqual([]);
  });

  test("is the same whatever order the balances come in, and holds every account once with all that it is owed", () => {
    const accounts = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.bigInt(-1000n, 10n ** 30n)), {
      selector: ([id]) => id,
      maxLength: 40,
    });
    fc.assert(
      fc.property(accounts, fc.integer({ min: 1, max: 5 }), fc.infiniteStream(fc.nat()), (list, maxPayments, order) => {
        const balances = list.map(([id, amount]) => worker(id, `w${id}`, amount));
        const destinations = Object.fromEntries(
          list.filter(([id]) => id % 7 !== 0).map(([id]) => [`w${id}`, `A${id % 5}`]),
        );
        const made = plan(balances, destinations, { maxPayments });
        const shuffled = balances.map((each) => [order.next().value, each] as const).sort(([a], [b]) => a - b);
        const again = plan(
          shuffled.map(([, each]) => each),
          destinations,
          { maxPayments },
        );
        const shape = (one: typeof made) => ({
          total: one.total,
          payments: one.payments.map(({ address, amount }) => [address, amount]),
          leftOut: one.leftOut.map(({ account, reason }) => [account.accountId, reason]),
        });
        expect(shape(again)).toEqual(shape(made));
        const paid = made.payments.flatMap(({ accounts: of }) => of);
        expect(made.total).toBe(paid.reduce((sum, { amount }) => sum + amount, 0n));
        const named = [...paid, ...made.leftOut.map(({ account }) => account)].map(({ accountId }) => accountId);
        expect(named.sort((a, b) => a - b)).toEqual(
          balances
            .filter(({ amount }) => amount !== 0n)
            .map(({ accountId }) => accountId)
            .sort((a, b) => a - b),
        );
        for (const { amount } of made.payments) expect(amount >= 100n).toBe(true);
      }),
    );
  });
});

describe("where an account is paid", () => {
  const registered = new Map<string, PayoutAddress>(
    Object.entries({ farm: "F", "farm.7": "F7", operator: "OP", "beneficiary:core": "CORE" }).map(
      ([payee, address]) => [payee, { chain: "nmc", payee, address, least: undefined, atMs: 1 }],
    ),
  );
  const of = (kind: "worker" | "operator" | "beneficiary", name: string) =>
    destinationOf({ kind, name }, registered, (text) => text.startsWith("addr"))?.address;

  test.each([
    ["worker", "farm.7", "F7"],
    ["worker", "farm.8", "F"],
    ["worker", "farm", "F"],
    ["worker", "farmer", undefined],
    ["worker", "addr1", "addr1"],
    ["worker", "addr1.rig", "addr1"],
    ["worker", "sri/solo/addr2/rig", "addr2"],
    ["worker", "sri/donate/5/addr3/rig.1", "addr3"],
    ["worker", "sri/donate/rig", undefined],
    ["worker", "operator", undefined],
    ["worker", "operator.rig", undefined],
    ["worker", "beneficiary:core", undefined],
    ["operator", "", "OP"],
    ["beneficiary", "core", "CORE"],
    ["beneficiary", "grants", undefined],
  ] as const)("%s %s: %s", (kind, name, address) => {
    expect(of(kind, name)).toBe(address);
  });

  test("of identities as miners write them", () => {
    expect(accountOf("farm.rig.7")).toBe("farm");
    expect(accountOf("")).toBe("");
    expect(addressIn("sri/solo/bc1q/")).toBe("bc1q");
    expect(addressIn(".rig")).toBe("");
    expect(addressIn("sri/solo/addr")).toBe("addr");
    // A worker that a share names on such a channel (extension 0x0002).
    expect(addressIn("sri/solo/addr.rig")).toBe("addr");
    expect(addressIn("sri/donate/5/addr.rig")).toBe("addr");
    expect(addressIn("sri/donate/5/addr/farm.rig")).toBe("addr");
  });
});
