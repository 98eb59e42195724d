/** docs/rewards.md's worked example, recomputed from its own tables: by the program on both databases, and by hand with fractions. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configSchema } from "../../src/app/config/schema.ts";
import { rewardRulesOf } from "../../src/app/reward-rules.ts";
import { checkBooks } from "../../src/ledger/books/balance-check.ts";
import { balancesOf } from "../../src/ledger/books/balances.ts";
import { LEDGERS } from "../support/ledger-store.ts";
import { ROOT } from "../support/sources.ts";
import { BooksWorld } from "./books/books-world.ts";

const page = readFileSync(join(ROOT, "docs/rewards.md"), "utf8");
const example = page.slice(page.indexOf("## A worked example"), page.indexOf("## The books"));
const cells = (head: string): string[][] => {
  const lines = example.split("\n");
  const at = lines.findIndex((line) => line.startsWith(head));
  const rows: string[][] = [];
  for (const line of lines.slice(at + 2)) {
    if (!line.startsWith("|")) break;
    rows.push(
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
};
const WORKERS = ["alice.rig1", "bob", "carol"];
const slices = cells("| slice |");
const accounts = cells("| account |");
const REWARD = 625_123_456n;
const DIFFICULTY = 2n ** 32n;
const minutes = (time: string): number => {
  const [hours = 0, more = 0] = time.split(":").map(Number);
  return (hours * 60 + more) * 60_000;
};

test("the page's rules are those of the configuration that it names", () => {
  expect(example).toContain("pays 6.25123456 NMC. Its difficulty is 100, so with `window = 2`");
  expect(example).toContain("`fee_percent = 1`");
  expect(slices).toHaveLength(3);
  expect(accounts).toHaveLength(9);
  for (const [account = "", , coins = "", satoshi = ""] of accounts) {
    expect(`${account} ${(Number(satoshi) / 1e8).toFixed(8)}`).toBe(`${account} ${coins}`);
  }
});

test("the page's numbers are right by hand", () => {
  let left = 200;
  const counted = new Map(WORKERS.map((name) => [name, 0]));
  for (const [, ...numbers] of slices) {
    const [all, counts] = numbers.slice(3).map(Number) as [number, number];
    const work = numbers.slice(0, 3).map(Number);
    expect(work.reduce((sum, each) => sum + each, 0)).toBe(all);
    expect(counts).toBe(Math.min(all, left));
    left -= counts;
    for (const [i, each] of work.entries()) {
      const name = WORKERS[i] as string;
      counted.set(name, (counted.get(name) ?? 0) + (each * counts) / all);
    }
  }
  expect([...counted.values()]).toEqual([100, 70, 30]);
  const amounts = accounts.map(([, , , satoshi]) => BigInt(satoshi as string));
  expect(amounts.reduce((sum, each) => sum + each, 0n)).toBe(0n);
  const fee = REWARD / 100n;
  expect(amounts.slice(0, 4).reduce((sum, each) => sum + each, 0n)).toBe(fee);
  expect(amounts[4]).toBe(fee);
  for (const [i, part] of [100n, 70n, 30n].entries()) {
    const exact = (REWARD - 2n * fee) * part;
    const got = amounts[5 + i] as bigint;
    expect(got * 200n - exact < 200n && exact - got * 200n < 200n).toBe(true);
  }
});

describe.each(LEDGERS)("on $name", ({ open }) => {
  test("the program comes to the page's numbers, and running it again changes nothing", async () => {
    const config = configSchema.parse({
      ledger: { fee_percent: 1 },
      revenue_split: { enabled: true },
      stratum_v2: { merge_mining_fee: { enabled: true } },
    });
    const world = new BooksWorld(await open());
    world.rules = rewardRulesOf(config, "namecoin");
    for (const [times = "", ...numbers] of slices.toReversed()) {
      const [from = "", to = ""] = times.match(/\d\d:\d\d/g) ?? [];
      const work = WORKERS.map((name, i) => [name, BigInt(numbers[i] as string) * DIFFICULTY] as const);
      await world.slice([minutes(from), minutes(to)], Object.fromEntries(work.filter(([, each]) => each > 0n)));
    }
    await world.block({ foundMs: minutes("12:24"), difficulty: 100n * DIFFICULTY, actual: REWARD, finder: "carol" });
    for (let i = 0; i < 2; i++) {
      await world.distribution().pass();
      const rows = await balancesOf(world.store.db, {
        chain: "namecoin",
        kinds: ["reward", "worker", "operator", "beneficiary"],
        after: 0,
        limit: 100,
      });
      const told = rows.map(({ kind, name, amount }) => [`${kind} ${name}`.trim(), String(amount)]).sort();
      expect(told).toEqual(accounts.map(([account, , , satoshi]) => [account, satoshi]).sort());
    }
    expect((await checkBooks((work) => work(world.store.db))).problems).toEqual([]);
  });
});
