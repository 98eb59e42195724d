import { describe, expect, test } from "vitest";
import type { AddressCheck } from "../../../src/ledger/payouts/addresses.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { booksOf, FakeNetwork, owe, payer, payRun, register } from "../../support/payout-world.ts";

const OWED = {
  alice: 1_000_000n,
  operator: 300_000n,
  "beneficiary:commons": 200_000n,
  "beneficiary:core": 60_000n,
  "beneficiary:operations": 5_000n,
};

async function world(open: (typeof LEDGERS)[number]["open"]) {
  const ledger = directAccess(await open());
  await owe(ledger, "nmc", OWED);
  await register(ledger, "nmc", { alice: "alice1" });
  return { ledger, network: new FakeNetwork() };
}

describe.each(LEDGERS)("beneficiaries in payouts on $name", ({ open }) => {
  test("the commons is paid at the address of the configuration, everybody else only where an address is registered", async () => {
    const { ledger, network } = await world(open);
    const commons = { isKept: false, address: "Gift1", contributor: undefined };
    await payRun(ledger, network, { chain: "nmc", commons });
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 1_000_000n, gift1: 200_000n });
    await register(ledger, "nmc", { operator: "op1", "beneficiary:core": "core1" });
    await payRun(ledger, network, { chain: "nmc", commons });
    // The operator bore the first fee.
    expect(Object.fromEntries(network.received())).toEqual({
      alice1: 1_000_000n,
      gift1: 200_000n,
      op1: 299_000n,
      core1: 60_000n,
    });
    expect((await booksOf(ledger, "nmc")).balances).toEqual({ operator: -1000n, "beneficiary:operations": 5_000n });
  });

  test("a registered address wins, also one that the wallet refuses", async () => {
    const { ledger, network } = await world(open);
    await register(ledger, "nmc", { "beneficiary:commons": "own1" });
    const options = { chain: "nmc", commons: { isKept: false, address: "gift1", contributor: undefined } };
    network.bad.add("own1");
    const refused = await payer(ledger, network, options).planner.plan();
    expect(refused.payments.map(({ address }) => address)).toEqual(["alice1"]);
    expect(refused.leftOut.find(({ account }) => account.name === "commons")).toMatchObject({
      address: "own1",
      reason: "address refused",
    });
    network.bad.clear();
    await payRun(ledger, network, options);
    expect(network.received().get("own1")).toBe(200_000n);
    expect(network.received().has("gift1")).toBe(false);
  });

  test("an address of the configuration that is none on this chain is nobody's", async () => {
    const { ledger, network } = await world(open);
    const commons = { isKept: false, address: "gift1", contributor: undefined };
    network.bad.add("gift1");
    const left = async (check?: AddressCheck) => {
      const options = { chain: "nmc", commons, ...(check === undefined ? {} : { check }) };
      const plan = await payer(ledger, network, options).planner.plan();
      expect(plan.payments.map(({ address }) => address)).toEqual(["alice1"]);
      return plan.leftOut.find(({ account }) => account.name === "commons")?.reason;
    };
    // In the wallet's word, and in ours.
    expect(await left()).toBe("no address");
    network.bad.clear();
    expect(await left((_chain, text) => (text === "gift1" ? "invalid" : "unknown"))).toBe("no address");
  });

  test("what is kept stays on its account, whoever pays out, until it is named", async () => {
    const { ledger, network } = await world(open);
    const options = { chain: "nmc", commons: { isKept: true, address: "gift1", contributor: undefined } };
    await payRun(ledger, network, options);
    await payRun(ledger, network, options);
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 1_000_000n });
    expect((await booksOf(ledger, "nmc")).balances["beneficiary:commons"]).toBe(200_000n);
    await owe(ledger, "nmc", { alice: 500_000n }, "2");
    await payRun(ledger, network, { ...options, only: "beneficiary:commons" });
    expect(Object.fromEntries(network.received())).toEqual({ alice1: 1_000_000n, gift1: 200_000n });
    const { balances, sum } = await booksOf(ledger, "nmc");
    expect(balances).toMatchObject({ alice: 500_000n });
    expect(balances).not.toHaveProperty(["beneficiary:commons"]);
    expect(sum).toBe(0n);
  });
});
