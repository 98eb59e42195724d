import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LedgerAccess } from "../../../src/ledger/store/access.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import {
  booksOf,
  FakeNetwork,
  Killed,
  killAt,
  LUCK,
  type Mishap,
  owe,
  payRun,
  register,
} from "../../support/payout-world.ts";

const OWED = { "farm.1": 5_000_000n, "farm.2": 7_000_001n, alice: 123_456_789n, operator: 10_000_000n };
const ADDRESSES = { farm: "farmaddress", alice: "aliceaddress" };
/** Farm's two rigs share an address; the operator has none. */
const RECEIVED = { farmaddress: 12_000_001n, aliceaddress: 123_456_789n };

/** All that must hold when a clean run has ended, whatever happened before it. */
async function expectPaidOnce(ledger: LedgerAccess, chain: string, network: FakeNetwork, received: object = RECEIVED) {
  const { balances, sum, underWay, byKind, all } = await booksOf(ledger, chain);
  expect(Object.fromEntries(network.received())).toEqual(received);
  expect(sum).toBe(0n);
  expect(underWay).toEqual([]);
  // Every transaction that the network took is in the books, with its fee, and nothing else is.
  const live = all.filter(({ state }) => state === "sent" || state === "confirmed");
  expect(live.map(({ txid }) => txid).sort()).toEqual([...network.taken.keys()].sort());
  expect(byKind.network_fee).toBe(1000n * BigInt(live.length));
  expect(balances.operator).toBe(OWED.operator - 1000n * BigInt(live.length));
  expect(Object.keys(balances).filter((name) => name !== "operator")).toEqual([]);
  // No coin stays locked for a payment that was never made.
  expect([...network.locked]).toEqual([]);
}

describe.each(LEDGERS)("a payout on $name", ({ open }) => {
  test("killed at any point and run again, it pays each worker exactly once", async () => {
    const ledger = directAccess(await open());
    let points = Number.POSITIVE_INFINITY;
    for (let at = 1; at <= points + 1; at++) {
      const chain = `chain${at}`;
      await owe(ledger, chain, OWED);
      await register(ledger, chain, ADDRESSES);
      const network = new FakeNetwork();
      const mishap = killAt(at);
      const killed = await payRun(ledger, network, { chain, mishap }).catch((error: unknown) => error);
      if (Array.isArray(killed)) points = mishap.points;
      else expect(killed).toBeInstanceOf(Killed);
      await payRun(ledger, network, { chain });
      await expectPaidOnce(ledger, chain, network);
      // And again: nothing is owed, nothing is paid.
      network.mine(6);
      expect(await payRun(ledger, network, { chain })).toEqual([]);
      await expectPaidOnce(ledger, chain, network);
      expect((await booksOf(ledger, chain)).all.at(-1)?.state).toBe("confirmed");
    }
    // The flow has this many points at least: a shorter one would not have been stopped between its steps.
    expect(points).toBeGreaterThan(25);
  });

  test("killed while it finishes what was left, it still pays once", async () => {
    const ledger = directAccess(await open());
    for (const [first, second] of [15, 19, 23, 25, 27, 29].flatMap((a) =>
      [3, 5, 7, 9, 11, 13].map((b) => [a, b] as const),
    )) {
      const chain = `chain${first}x${second}`;
      await owe(ledger, chain, OWED);
      await register(ledger, chain, ADDRESSES);
      const network = new FakeNetwork();
      for (const at of [first, second])
        await payRun(ledger, network, { chain, mishap: killAt(at) }).catch(() => undefined);
      await payRun(ledger, network, { chain });
      await expectPaidOnce(ledger, chain, network);
    }
  });

  test("two runs at once pay once", async () => {
    const ledger = directAccess(await open());
    for (let seed = 1; seed <= 30; seed++) {
      const chain = `chain${seed}`;
      await owe(ledger, chain, OWED);
      await register(ledger, chain, ADDRESSES);
      const network = new FakeNetwork();
      // Each of them stands still at some point, long enough for the other to do all that it does.
      const standing = (at: number): Mishap => {
        let points = 0;
        return async () => {
          if (++points === at) await new Promise((resolve) => setTimeout(resolve, 60));
        };
      };
      const runs = [seed, (seed * 7) % 30].map((at) => payRun(ledger, network, { chain, mishap: standing(at) }));
      const ends = await Promise.allSettled(runs);
      for (const end of ends) {
        if (end.status === "rejected") expect(end.reason.code).toMatch(/^payout-(under-way|state|plan-changed)$/);
      }
      await payRun(ledger, network, { chain });
      await expectPaidOnce(ledger, chain, network);
    }
  });

  test("a database that is lost after the books were posted, and an answer lost after effect, pay once", async () => {
    const ledger = directAccess(await open());
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom("", "", "", "", "before", "after"), { maxLength: 40 }), { maxLength: 4 }),
        fc.array(fc.constantFrom("mine", "forget", ""), { maxLength: 4 }),
        fc.array(fc.bigInt(1n, 10n ** 12n), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (runs, between, amounts, workersPay) => {
          const chain = `chain${++n}`;
          const feeFrom = workersPay ? "workers" : "operator";
          const owed = Object.fromEntries(amounts.map((amount, i) => [`w${i}`, amount + 100_000n]));
          await owe(ledger, chain, owed);
          await register(ledger, chain, Object.fromEntries(amounts.map((_, i) => [`w${i}`, `address${i % 4}`])));
          const network = new FakeNetwork();
          for (const [i, failures] of runs.entries()) {
            let calls = 0;
            // What fails here fails alone: unlike a killed run, this one goes on as its own handlers say.
            const mishap: Mishap = (_, when) => {
              if (when === "before") calls += 1;
              if (failures[calls] === when) throw new Error("no answer");
            };
            await payRun(ledger, network, { chain, mishap, feeFrom }).catch(() => undefined);
            if (between[i] === "mine") network.mine(3);
            if (between[i] === "forget") network.forget();
          }
          await payRun(ledger, network, { chain, mishap: LUCK, feeFrom });
          const { balances, sum, underWay, byKind, all } = await booksOf(ledger, chain);
          const live = all.filter(({ state }) => state === "sent" || state === "confirmed");
          const fees = 1000n * BigInt(live.length);
          const total = Object.values(owed).reduce((whole, amount) => whole + amount, 0n);
          expect(sum).toBe(0n);
          expect(underWay).toEqual([]);
          expect(live.map(({ txid }) => txid).sort()).toEqual([...network.taken.keys()].sort());
          const arrived = [...network.received().values()].reduce((whole, amount) => whole + amount, 0n);
          expect(arrived).toBe(workersPay ? total - fees : total);
          expect(byKind.payout).toBe(arrived);
          expect(byKind.network_fee).toBe(fees);
          expect(balances).toEqual(workersPay ? {} : { operator: -fees });
        },
      ),
      { numRuns: 60 },
    );
  });
});
