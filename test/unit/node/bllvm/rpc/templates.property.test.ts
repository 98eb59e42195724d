/**
 * The promise that money hangs on: whatever the bllvm node's JSON-RPC offers, a block made of our template is valid. The embedded
 * node judges proof of work, height, amounts, coins, order, locks and witness commitment; that no transaction lacks its witness,
 * which it does not look at, is checked against the transactions as they were made.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TxData } from "../../../../../src/devnet/node/block-data.ts";
import { equal, toHex } from "../../../../../src/kernel/bytes.ts";
import { type NodeTemplateJson, nodeEntryOf } from "./fakes.ts";
import { ALL_KINDS, type Coin, coinsOf, fund, KINDS, type Kind, spend } from "./spends.ts";
import { world } from "./world.ts";

/** How one transaction is made: which coins of those there are it spends, and what it makes. */
const plan = fc.record({
  // Counted from the newest, so that chains come about; some outputs twice, so that not every chain has a witness in it.
  coins: fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 2 }),
  kinds: fc.array(fc.constantFrom(...ALL_KINDS, "p2sh", "bare", "p2sh", "bare"), { minLength: 1, maxLength: 3 }),
  fee: fc.integer({ min: 0, max: 5000 }),
});

/** What the node does to its template besides its known defects. */
const mischief = fc.record({
  isReversed: fc.boolean(),
  order: fc.array(fc.nat(), { maxLength: 40 }),
  doubled: fc.array(fc.nat(), { maxLength: 2 }),
  spoiled: fc.array(fc.nat(), { maxLength: 2 }),
  whole: fc.array(fc.nat(), { maxLength: 3 }),
  rivals: fc.boolean(),
  offset: fc.constantFrom(0 as const, -1 as const),
  late: fc.constantFrom(0, -1),
});

/** Whether `data` and all of the pool that it comes from can be mined without a witness, told from how they were made. */
function isLegacy(data: TxData, pool: ReadonlyMap<string, { data: TxData; coins: readonly Coin[] }>): boolean {
  const made = pool.get(data.key);
  if (made === undefined) return true;
  return made.coins.every(({ kind, txid }) => {
    const parent = [...pool.values()].find(({ data: other }) => equal(other.txid, txid));
    return KINDS[kind].legacy && (parent === undefined || isLegacy(parent.data, pool));
  });
}

describe("a block of any template", () => {
  test("is valid, and holds all that can be mined without a witness", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 14 }), mischief, async (plans, how) => {
        const { devnet, node, jsonRpc, template, mine } = world();
        node.offset = how.offset;
        const coins = await fund(devnet, 4);
        const pool = new Map<string, { data: TxData; coins: readonly Coin[] }>();
        for (const { coins: picks, kinds, fee } of plans) {
          const spent = [...new Set(picks.map((pick) => coins.length - 1 - (pick % coins.length)))].sort(
            (a, b) => b - a,
          );
          const inputs = spent.map((at) => coins[at] as Coin);
          const data = spend(inputs, kinds, { fee: BigInt(fee) });
          if (devnet.mempool.accept(data) !== undefined) continue;
          pool.set(data.key, { data, coins: inputs });
          for (const at of spent) coins.splice(at, 1);
          coins.push(...coinsOf(data, kinds));
        }
        const free = coins.find(({ kind, value }) => kind === "p2sh" && value > 10_000n);
        const rivals =
          how.rivals && free !== undefined
            ? [spend([free], ["p2sh"], { fee: 1n }), spend([free], ["bare"], { fee: 2n })]
            : [];
        jsonRpc.twist = (made: NodeTemplateJson): NodeTemplateJson => {
          let { transactions } = made;
          const count = transactions.length;
          const pick = (at: number): Record<string, unknown> | undefined => transactions[at % Math.max(1, count)];
          for (const at of how.whole) {
            const entry = pick(at);
            const known = [...pool.values()].find(({ data }) => toHex(data.txid) === entry?.txid);
            if (entry !== undefined && known !== undefined) entry.data = toHex(known.data.raw);
          }
          for (const at of how.spoiled) {
            const entry = pick(at);
            if (entry === undefined) continue;
            entry.data = String(entry.data).slice(0, 40);
          }
          for (const at of how.doubled) {
            const entry = pick(at);
            if (entry === undefined) continue;
            transactions = [...transactions, { ...entry }];
          }
          transactions = [...transactions, ...rivals.map(({ tx }, i) => nodeEntryOf(tx, i + 1))];
          if (how.isReversed) transactions = [...transactions].reverse();
          how.order.forEach((to, from) => {
            const [moved] = transactions.splice(from % Math.max(1, transactions.length), 1);
            if (moved !== undefined) transactions.splice(to % (transactions.length + 1), 0, moved);
          });
          return { ...made, transactions, height: made.height + 1 + how.late };
        };
        const made = await template();
        const included = new Set((made.transactions ?? []).map(toHex));
        // Each as it was made: with its witness, or without having had one.
        const real = new Set([...[...pool.values()].map(({ data }) => data), ...rivals].map(({ raw }) => toHex(raw)));
        expect([...included].filter((raw) => !real.has(raw))).toEqual([]);
        if (how.spoiled.length === 0) {
          const wanted = [...pool.values()]
            .filter(({ data }) => isLegacy(data, pool))
            .map(({ data }) => toHex(data.raw));
          expect(wanted.filter((raw) => !included.has(raw))).toEqual([]);
        }
        expect(mine(made)).toBe(null);
        expect(devnet.chain.tip.height).toBe(made.height);
      }),
      { numRuns: 150 },
    );
  });

  test("takes the fees of exactly what it holds", async () => {
    const { devnet, template, mine } = world();
    const coins = await fund(devnet, 2);
    const of = (kind: Kind): Coin => coins.find((coin) => coin.kind === kind) as Coin;
    for (const [kind, fee] of [
      ["p2sh", 700n],
      ["p2wsh", 10_000n],
      ["bare", 30n],
    ] as const) {
      expect(devnet.mempool.accept(spend([of(kind)], ["p2sh"], { fee }))).toBeUndefined();
    }
    const made = await template();
    expect(made.coinbaseValue).toBe(5_000_000_000n + 730n);
    expect(mine(made, 1n)).toBe("bad-cb-amount");
    expect(mine(made)).toBe(null);
  });

  test("with a repaired node commits to the witnesses, and holds everything", async () => {
    const { devnet, jsonRpc, template, mine, warnings } = world();
    const coins = await fund(devnet, 2);
    const all = coins
      .filter(({ kind }) => kind !== "open" && kind !== "anchor")
      .map((coin) => spend([coin], ["p2wsh"]));
    for (const data of all) expect(devnet.mempool.accept(data)).toBeUndefined();
    jsonRpc.twist = (made) => ({
      ...made,
      height: made.height + 1,
      transactions: made.transactions.map((entry) => {
        const known = all.find(({ txid }) => toHex(txid) === entry.txid);
        return known === undefined ? entry : { ...entry, data: toHex(known.raw), txid: known.key };
      }),
    });
    const made = await template();
    expect(made.transactionCount).toBe(1 + all.length);
    expect(made.coinbase.outputs.length).toBe(1);
    expect(mine(made)).toBe(null);
    expect(warnings()).toEqual([]);
  });
});
