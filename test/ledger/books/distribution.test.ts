import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import { commonsFee, REVENUE_SPLIT, REWARD_RULES_DEFAULTS } from "../../../src/ledger/books/reward-rules.ts";
import { post } from "../../../src/ledger/books/transactions.ts";
import type { LedgerAccess } from "../../../src/ledger/store/access.ts";
import type { BlockState } from "../../../src/ledger/store/schema.ts";
import { directAccess, LEDGERS } from "../../support/ledger-store.ts";
import { BooksWorld } from "./books-world.ts";

describe.each(LEDGERS)("the distribution of rewards, on $name", ({ open }) => {
  /** Anna did 60 and Ben 40 of the hundred hashes that count for a block of difficulty 50. */
  async function world(): Promise<BooksWorld> {
    const w = new BooksWorld(await open());
    await w.slice([0, 4000], { ben: 1000n });
    await w.slice([4000, 7000], { "anna.1": 30n, ben: 20n });
    await w.slice([7000, 10_000], { "anna.1": 30n, ben: 20n });
    await w.slice([10_000, 11_000], { late: 99n });
    return w;
  }

  test("divides a mature block among those whose work counts, once", async () => {
    const w = await world();
    const id = await w.block();
    expect(await w.distribution().pass()).toBe(1);
    expect(await w.balances()).toEqual({ reward: -1000n, "worker anna.1": 600n, "worker ben": 400n });
    expect(await w.state(id)).toBe("distributed");
    expect(w.steps).toMatchObject([{ step: "distribute", chain: "namecoin", blockId: id, amount: 1000n, accounts: 2 }]);
    expect(await w.distribution().pass()).toBe(0);
    expect(await w.keys()).toEqual([`distribution:${id}:1`]);
    const events = await w.store.db.selectFrom("block_events").select(["block_id", "state", "note"]).execute();
    expect(events).toEqual([{ block_id: id, state: "distributed", note: `distribution:${id}:1` }]);
  });

  test("waits for the chain to say what a block pays, and passes over blocks that came to nothing", async () => {
    const w = await world();
    await w.block({ actual: undefined });
    for (const state of [
      "found",
      "accepted",
      "confirmed",
      "uncle",
      "rejected",
      "stale",
      "failed",
      "orphaned",
    ] as const) {
      await w.block({ state });
    }
    expect(await w.distribution().pass()).toBe(0);
    expect(await w.keys()).toEqual([]);
  });

  test("fees go to the operator and to those whom the rules name", async () => {
    const w = await world();
    w.rules = {
      ...REWARD_RULES_DEFAULTS,
      feeMillionths: 20_000,
      beneficiaries: [...REVENUE_SPLIT.slice(0, 2), commonsFee(10_000)],
    };
    await w.block({ actual: 10n ** 21n + 1n });
    await w.distribution().pass();
    const unit = 10n ** 18n;
    expect(await w.balances()).toEqual({
      reward: -1000n * unit - 1n,
      operator: 3n * unit,
      "beneficiary core": 12n * unit,
      "beneficiary grants": 5n * unit,
      "beneficiary commons": 10n * unit,
      "worker anna.1": 582n * unit + 1n,
      "worker ben": 388n * unit,
    });
  });

  test("proportional counts work since the chain's block before, orphans and other chains' blocks aside", async () => {
    const w = await world();
    w.rules = { ...REWARD_RULES_DEFAULTS, scheme: "proportional" };
    await w.block({ foundMs: 4000, state: "accepted" });
    await w.block({ foundMs: 7000, state: "orphaned" });
    await w.block({ foundMs: 7000, state: "stale" });
    await w.block({ foundMs: 7000, chain: "rsk", state: "accepted" });
    await w.block({ difficulty: 1n });
    await w.distribution().pass();
    expect(await w.balances()).toEqual({ reward: -1000n, "worker anna.1": 600n, "worker ben": 400n });
  });

  test("solo gives all to the finder, and so does a block for which no work counts", async () => {
    const w = await world();
    w.rules = { ...REWARD_RULES_DEFAULTS, scheme: "solo" };
    await w.block({ finder: "ben" });
    await w.distribution().pass();
    w.rules = REWARD_RULES_DEFAULTS;
    await w.block({ chain: "rsk", finder: "carl", actual: 7n });
    await w.distribution().pass();
    expect(await w.balances()).toEqual({ reward: -1000n, "worker ben": 1000n });
    expect(await w.balances("rsk")).toEqual({ reward: -7n, "worker carl": 7n });
  });

  test("what a coinbase paid its finder is earned and paid, and what it left the pool is the operator's", async () => {
    const w = await world();
    const id = await w.block({ chain: "bitcoin", finder: "bc1anna.1", actual: 30n, finderPaid: 970n });
    await w.distribution().pass();
    expect(await w.balances("bitcoin")).toEqual({ reward: -1000n, operator: 30n, coinbase: 970n });
    expect(await w.keys()).toEqual([`distribution:${id}:1`, `coinbase:${id}:1`]);
    const earned = await w.store.db
      .selectFrom("postings")
      .innerJoin("accounts", "accounts.id", "postings.account_id")
      .innerJoin("transactions", "transactions.id", "postings.transaction_id")
      .select(["transactions.kind", "amount_lo"])
      .where("accounts.name", "=", "bc1anna.1")
      .orderBy("transactions.id")
      .execute();
    expect(earned).toEqual([
      { kind: "distribution", amount_lo: 970n },
      { kind: "payout", amount_lo: -970n },
    ]);
    await w.chainSays(id, "orphaned");
    await w.distribution().pass();
    expect(await w.balances("bitcoin")).toEqual({});
    await w.chainSays(id, "mature");
    await w.distribution().pass();
    expect(await w.balances("bitcoin")).toEqual({ reward: -1000n, operator: 30n, coinbase: 970n });
    expect((await w.keys()).slice(2)).toEqual([
      `reversal:${id}:1`,
      `coinbase_reversal:${id}:1`,
      `distribution:${id}:2`,
      `coinbase:${id}:2`,
    ]);
  });

  test("a block that its finder mined for the pool is the operator's, and others are not, however coinbases pay by now", async () => {
    const w = await world();
    w.rules = { ...REWARD_RULES_DEFAULTS, feeMillionths: 100_000, beneficiaries: REVENUE_SPLIT.slice(0, 1) };
    await w.block({ chain: "bitcoin", finder: "anna.1", gift: 1 });
    await w.distribution().pass();
    expect(await w.balances("bitcoin")).toEqual({ reward: -1000n, operator: 400n, "beneficiary core": 600n });
    await w.block({ gift: 0 });
    await w.distribution().pass();
    expect(await w.balances()).toMatchObject({ "worker anna.1": 540n, "worker ben": 360n, operator: 40n });
  });

  test("an orphan is taken back to the unit; when it is back in the chain it is divided as before", async () => {
    const w = await world();
    const id = await w.block({ actual: 1001n });
    await w.distribution().pass();
    const divided = await w.balances();
    await w.chainSays(id, "orphaned");
    expect(await w.distribution().pass()).toBe(1);
    expect(await w.balances()).toEqual({});
    expect(await w.distribution().pass()).toBe(0);
    // By now the work is gone and the rules are others.
    await w.store.db.deleteFrom("credits").execute();
    w.rules = { ...REWARD_RULES_DEFAULTS, feeMillionths: 500_000 };
    await w.chainSays(id, "mature");
    expect(await w.distribution().pass()).toBe(1);
    expect(await w.balances()).toEqual(divided);
    expect(await w.keys()).toEqual([`distribution:${id}:1`, `reversal:${id}:1`, `distribution:${id}:2`]);
    expect(w.steps.map(({ step }) => step)).toEqual(["distribute", "reverse", "distribute"]);
  });

  test("an orphan that was paid out leaves the worker owing, and the next reward makes up for it", async () => {
    const w = await world();
    const id = await w.block({ finder: "anna.1", chain: "rsk" });
    await w.distribution().pass();
    const [worker] = await w.store.db.selectFrom("accounts").select("id").where("kind", "=", "worker").execute();
    const payout = await w.store.db
      .insertInto("accounts")
      .values({ chain: "rsk", kind: "payout", name: "" })
      .returning("id")
      .executeTakeFirstOrThrow();
    await post(w.store.db, {
      key: "payout:1",
      chain: "rsk",
      kind: "payout",
      blockId: undefined,
      payoutId: undefined,
      atMs: 1,
      postings: [
        { accountId: worker?.id ?? 0, amount: -1000n },
        { accountId: payout.id, amount: 1000n },
      ],
    });
    await w.chainSays(id, "orphaned");
    await w.distribution().pass();
    expect(await w.balances("rsk")).toEqual({ "worker anna.1": -1000n, payout: 1000n });
    await w.block({ chain: "rsk", actual: 1500n });
    await w.distribution().pass();
    expect(await w.balances("rsk")).toEqual({ reward: -1500n, "worker anna.1": 500n, payout: 1000n });
  });

  test("another amount from the chain replaces the division by a new one, also after the work is gone", async () => {
    const w = await world();
    const id = await w.block({ actual: 1000n });
    await w.distribution().pass();
    await w.chainSays(id, "distributed", 500n);
    expect(await w.distribution().pass()).toBe(1);
    expect(await w.balances()).toEqual({ reward: -500n, "worker anna.1": 300n, "worker ben": 200n });
    expect(await w.state(id)).toBe("distributed");
    await w.store.db.deleteFrom("credits").execute();
    await w.chainSays(id, "distributed", 50n);
    await w.distribution().pass();
    expect(await w.balances()).toEqual({ reward: -50n, "worker anna.1": 30n, "worker ben": 20n });
    expect(await w.keys()).toEqual(
      [1, 2].flatMap((n) => [`distribution:${id}:${n}`, `reversal:${id}:${n}`]).concat(`distribution:${id}:3`),
    );
    expect(w.steps.map(({ step, amount }) => [step, amount])).toEqual([
      ["distribute", 1000n],
      ["correct", 500n],
      ["correct", 50n],
    ]);
  });

  test("corrections are found page by page, however many blocks were divided", async () => {
    const w = await world();
    const ids: number[] = [];
    for (let n = 0; n < 5; n++) ids.push(await w.block());
    const distribution = w.distribution({}, 2);
    expect(await distribution.pass()).toBe(5);
    await w.chainSays(ids[4] ?? 0, "distributed", 10n);
    let passes = 0;
    while ((await distribution.pass()) === 0) passes += 1;
    expect(passes).toBeLessThanOrEqual(3);
    expect((await w.balances()).reward).toBe(-4010n);
  });

  test("a block that is divided when it is confirmed is followed on, and not divided again when it matures", async () => {
    const w = await world();
    w.rules = { ...REWARD_RULES_DEFAULTS, distributeAt: "confirmed" };
    const id = await w.block({ state: "confirmed" });
    const uncle = await w.block({ state: "uncle", actual: 100n });
    const distribution = w.distribution();
    expect(await distribution.pass()).toBe(2);
    const divided = { reward: -1100n, "worker anna.1": 660n, "worker ben": 440n };
    expect(await w.balances()).toEqual(divided);
    expect([await w.state(id), await w.state(uncle)]).toEqual(["confirmed", "uncle"]);
    expect(await distribution.pass()).toBe(0);
    // A reorg in between, and a corrected amount while it is confirmed.
    await w.chainSays(id, "orphaned");
    await distribution.pass();
    await w.chainSays(id, "confirmed", 2000n);
    await w.chainSays(uncle, "uncle", 50n);
    expect(await distribution.pass()).toBe(2);
    expect((await w.balances()).reward).toBe(-2050n);
    await w.chainSays(id, "mature");
    await w.chainSays(uncle, "mature");
    expect(await distribution.pass()).toBe(2);
    expect([await w.state(id), await w.state(uncle)]).toEqual(["distributed", "distributed"]);
    expect((await w.balances()).reward).toBe(-2050n);
    expect(w.steps.slice(-2).map(({ step }) => step)).toEqual(["finish", "finish"]);
  });

  test("a reward of nothing is divided too: its transaction says so", async () => {
    const w = await world();
    const id = await w.block({ actual: 0n });
    await w.distribution().pass();
    expect([await w.state(id), await w.keys()]).toEqual(["distributed", [`distribution:${id}:1`]]);
    expect(await w.distribution().pass()).toBe(0);
  });

  test("credit that is still in memory is written down before the work is read, and not when there is nothing to divide", async () => {
    const w = await world();
    let flushed = 0;
    const beforeRead = async (): Promise<void> => {
      flushed += 1;
      await w.slice([9000, 10_000], { carl: 100n });
    };
    const distribution = w.distribution({ beforeRead });
    await distribution.pass();
    expect(flushed).toBe(0);
    await w.block();
    await w.block({ chain: "rsk" });
    await distribution.pass();
    expect(flushed).toBe(1);
    expect(await w.balances()).toEqual({ reward: -1000n, "worker carl": 1000n });
  });

  test("a block that is found while a pass is under way is divided with its own work too", async () => {
    const w = await world();
    let inMemory: Record<string, bigint> = {};
    const beforeRead = async (): Promise<void> => {
      const work = inMemory;
      inMemory = {};
      await w.slice([11_000, 12_000], work, { chains: ",rsk," });
    };
    let isFirst = true;
    const { run, transaction } = directAccess(w.store);
    const ledger: LedgerAccess = {
      run,
      async transaction(work) {
        if (isFirst) {
          inMemory = { dora: 500n };
          await w.block({ foundMs: 12_000, chain: "rsk" });
        }
        isFirst = false;
        return await transaction(work);
      },
    };
    await w.slice([10_000, 11_000], { "anna.1": 1n }, { chains: ",rsk," });
    await w.block();
    w.rules = { ...REWARD_RULES_DEFAULTS, windowMillionths: 1_000_000 };
    await w.distribution({ beforeRead, ledger }, 1).pass();
    expect(await w.balances("rsk")).toEqual({ reward: -1000n, "worker dora": 1000n });
  });

  test("who hears of a block that matured while it was being divided hears that it is done", async () => {
    const w = await world();
    w.rules = { ...REWARD_RULES_DEFAULTS, distributeAt: "confirmed" };
    const id = await w.block({ state: "confirmed" });
    const during = (state: BlockState) => {
      const { run, transaction } = directAccess(w.store);
      let isFirst = true;
      const ledger: LedgerAccess = {
        run,
        async transaction(work) {
          if (isFirst) await w.chainSays(id, state);
          isFirst = false;
          return await transaction(work);
        },
      };
      return w.distribution({ ledger }).pass();
    };
    expect(await during("mature")).toBe(1);
    expect(await w.state(id)).toBe("distributed");
    expect(w.steps).toMatchObject([{ step: "distribute", isDone: true }]);
    await w.chainSays(id, "orphaned");
    await w.distribution().pass();
    await w.chainSays(id, "mature");
    // A reorg and back again before its step is written: it is divided, and goes on being followed.
    expect(await during("confirmed")).toBe(1);
    expect(await w.state(id)).toBe("confirmed");
    expect(w.steps.at(-1)).toMatchObject({ step: "distribute", isDone: false });
  });

  test("a block whose books cannot be written holds up no other, and is tried again", async () => {
    const w = await world();
    const lines: string[] = [];
    const log = { ...silentLog, error: (line: string) => void lines.push(line) };
    let fee = 2_000_000;
    const rules = (chain: string) => ({ ...REWARD_RULES_DEFAULTS, feeMillionths: chain === "rsk" ? fee : 0 });
    await w.block({ chain: "rsk" });
    await w.block();
    const distribution = w.distribution({ log, rules });
    expect(await distribution.pass()).toBe(1);
    const said = "the reward of a block could not be divided: a split of a negative amount";
    expect(lines).toEqual([said]);
    await distribution.pass();
    // Once, however many passes it takes.
    expect(lines).toEqual([said]);
    expect(await w.balances()).toEqual({ reward: -1000n, "worker anna.1": 600n, "worker ben": 400n });
    fee = 0;
    expect(await distribution.pass()).toBe(1);
    expect(await w.balances("rsk")).toEqual({ reward: -1000n, "worker anna.1": 1000n });
    // What went well in between and fails anew is news.
    fee = 2_000_000;
    await w.block({ chain: "rsk" });
    await distribution.pass();
    expect(lines).toEqual([said, said]);
  });

  test("a ledger that stays away is said once, and again when it was there in between", async () => {
    const w = await world();
    await w.block();
    const lines: string[] = [];
    const log = { ...silentLog, warn: (line: string) => void lines.push(line) };
    let isAway = true;
    let runs = 0;
    const access = directAccess(w.store);
    const run: typeof access.run = async (work) => {
      runs += 1;
      if (isAway) throw new Fault("ledger-not-open");
      return await access.run(work);
    };
    const distribution = w.distribution({ log, ledger: { ...access, run } });
    const look = async (): Promise<void> => {
      w.clock.advance(1000);
      await distribution.pass().catch(() => undefined);
    };
    await distribution.start();
    // Blocks that change meanwhile do not ask again while it is being asked.
    for (let i = 0; i < 20; i++) distribution.wake();
    await look();
    await look();
    expect(runs).toBe(2);
    expect(lines).toHaveLength(1);
    isAway = false;
    await look();
    expect(w.steps).toHaveLength(1);
    isAway = true;
    await look();
    await look();
    expect(lines).toHaveLength(2);
    await distribution.stop();
  });

  test("a ledger that is away ends the pass, and a line says so", async () => {
    const w = await world();
    await w.block();
    const away = new Fault("ledger-schema-older", {});
    const lines: string[] = [];
    const log = { ...silentLog, warn: (line: string) => void lines.push(line) };
    const { run } = directAccess(w.store);
    const distribution = w.distribution({ log, ledger: { run, transaction: () => Promise.reject(away) } });
    await expect(distribution.pass()).rejects.toBe(away);
    await distribution.start();
    await expect.poll(() => lines).toEqual([`rewards wait to be divided: ${away.message}`]);
    await distribution.stop();
    expect(await w.keys()).toEqual([]);
  });

  test("begins with its start, looks again with the clock, and ends with its stop", async () => {
    const w = await world();
    await w.block();
    const distribution = w.distribution();
    await distribution.start();
    await expect.poll(() => w.steps.length).toBe(1);
    await w.block({ chain: "rsk" });
    await distribution.pass();
    await w.block({ chain: "elastos" });
    w.clock.advance(1000);
    await expect.poll(() => w.steps.length).toBe(3);
    await distribution.stop();
    expect(w.clock.pending).toBe(0);
  });
});
