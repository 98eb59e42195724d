/** What chains say of blocks, scripted: states, rewards, and that one chain's trouble is nobody else's. */
import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import { CHECK_PACE } from "../../../src/ledger/blocks/check-pace.ts";
import {
  BLOCK_FOLLOWER_DEFAULTS,
  BlockFollower,
  type BlockFollowerOptions,
} from "../../../src/ledger/blocks/follower.ts";
import { changeState } from "../../../src/ledger/blocks/state.ts";
import { MAX_REWARD } from "../../../src/ledger/store/amount.ts";
import type { LedgerStore } from "../../../src/ledger/store/open.ts";
import type { FoundAux } from "../../../src/merge/found-aux.ts";
import type { BlockStatus, SubmittedBlock } from "../../../src/merge/plugin.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";
import { auxAnswer, bitcoinBlock, blockRecords } from "../../support/ledger-blocks.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { pass } from "../../unit/node/bitcoind/fakes.ts";

const never = new AbortController().signal;
const HOUR = 3_600_000;
const says = (state: BlockStatus["state"], confirmations = 0, reward?: bigint): BlockStatus => ({
  state,
  confirmations,
  reward,
});
let made = 0;

async function setting(store: LedgerStore, options: Partial<BlockFollowerOptions> = {}) {
  const clock = new FakeClock();
  const recording = blockRecords({ store, clock });
  const { records, access, log, lines, writes, changes, rewards } = recording;
  await records.start(never);
  /** What each block's chain says; what is not here rejects. */
  const words = new Map<string, BlockStatus | Error | Promise<BlockStatus>>();
  const asked: string[] = [];
  const say = async (hash: string): Promise<BlockStatus> => {
    asked.push(hash);
    const word = await words.get(hash);
    if (word === undefined || word instanceof Error) throw word ?? new Error("connection refused");
    return word;
  };
  const blocks: SubmittedBlock[] = [];
  const follower = (): BlockFollower =>
    new BlockFollower(
      {
        clock,
        log,
        meter: silentMeter,
        ledger: access,
        writes,
        statusOf: (_chain, block) => {
          blocks.push(block);
          return say(block.blockHash);
        },
        bitcoinStatus: say,
      },
      { ...BLOCK_FOLLOWER_DEFAULTS, ...options },
    );
  let current = follower();
  const accept = async (found: FoundAux, verdict: "accepted" | "stale" | "failed" = "accepted"): Promise<void> => {
    records.auxAnswered({ found, answer: auxAnswer(verdict, found) });
    await records.settled(never);
  };
  /** An accepted block with a name of its own. */
  const won = async (chain = "namecoin", verdict?: "stale" | "failed"): Promise<string> => {
    made += 1;
    const found = foundAux({ chain, work: auxWork({ id: `b${made}` }), foundMs: clock.nowMs() });
    await accept(found, verdict);
    return found.work.id;
  };
  /** A round after `ms`. */
  const round = async (ms = 15_000): Promise<void> => {
    clock.advance(ms);
    await current.round();
  };
  const row = async (hash: string) =>
    await store.db.selectFrom("blocks").selectAll().where("block_hash", "=", hash).executeTakeFirstOrThrow();
  const events = async (hash: string) => {
    const { id } = await row(hash);
    const rows = await store.db
      .selectFrom("block_events")
      .selectAll()
      .where("block_id", "=", id)
      .orderBy("id")
      .execute();
    return rows.map(({ state }) => state).slice(2);
  };
  const restart = (): void => {
    current = follower();
  };
  return {
    ...{
      clock,
      records,
      access,
      log,
      lines,
      changes,
      rewards,
      words,
      asked,
      blocks,
      store,
      accept,
      won,
      round,
      row,
      events,
    },
    restart,
    get follower() {
      return current;
    },
  };
}

describe.each(LEDGERS)("the follower on $name", ({ open }) => {
  test("asks with the work as it was offered, and follows to maturity and no further", async () => {
    const { won, round, words, row, events, blocks, asked, store } = await setting(await open());
    const hash = await won();
    await round(14_000);
    expect(asked).toEqual([]);
    words.set(hash, says("confirmed", 1, 600n));
    await round(1000);
    expect(blocks[0]).toMatchObject({ work: { id: hash, target: 1n << 200n }, blockHash: hash, height: 21 });
    expect(await row(hash)).toMatchObject({ state: "confirmed", confirmations: 1, actual_lo: 600n, uncle: 0 });
    words.set(hash, says("confirmed", 2, 600n));
    await round();
    expect(await row(hash)).toMatchObject({ state: "confirmed", confirmations: 2 });
    words.set(hash, says("mature", 100, 600n));
    await round(HOUR);
    expect(await row(hash)).toMatchObject({ state: "mature", confirmations: 100 });
    const { length } = asked;
    await round(HOUR);
    expect(asked).toHaveLength(length);
    for (let i = 0; i < 10; i += 1) await round(6 * HOUR);
    expect(asked.length - length).toBe(4);
    expect(await row(hash)).toMatchObject({ state: "mature", next_check_ms: null });
    expect(await events(hash)).toEqual(["accepted", "confirmed", "mature"]);
    expect(await store.db.selectFrom("block_events").select("id").execute()).toHaveLength(5);
  });

  describe("what a block pays", () => {
    test("is announced when the chain first tells it, once, also over reorgs and restarts", async () => {
      const { won, round, words, rewards, restart, clock } = await setting(await open());
      const hash = await won();
      words.set(hash, says("confirmed", 1, 600n));
      await round();
      const reward = {
        secondaryChain: "namecoin",
        blockHash: hash,
        height: 21,
        rewardAmount: 600n,
        confirmations: 1,
        atMs: clock.nowMs(),
      };
      expect(rewards).toEqual([reward]);
      for (const word of [says("orphaned"), says("confirmed", 1, 601n), says("mature", 100, 601n)]) {
        words.set(hash, word);
        restart();
        await round(HOUR);
      }
      expect(rewards).toEqual([reward]);
    });

    test("is announced at maturity where it is known only then, and the expected amount stands until that", async () => {
      const { won, round, words, rewards, row, changes } = await setting(await open());
      const hash = await won("rsk");
      words.set(hash, says("confirmed", 1));
      await round();
      expect(rewards).toEqual([]);
      expect(await row(hash)).toMatchObject({ expected_lo: 5_000_000_000n, actual_lo: null });
      expect(changes.at(-1)).toMatchObject({ to: "confirmed", reward: 5_000_000_000n });
      words.set(hash, says("mature", 4001, 3_960_000_000n));
      await round();
      expect(rewards).toMatchObject([{ secondaryChain: "rsk", rewardAmount: 3_960_000_000n, confirmations: 4001 }]);
      expect(changes.at(-1)).toMatchObject({ to: "mature", reward: 3_960_000_000n });
    });

    test("of an uncle is less, and the block stays marked as one when it matures", async () => {
      const { won, round, words, rewards, row, events } = await setting(await open());
      const hash = await won("rsk");
      words.set(hash, says("orphaned"));
      await round();
      words.set(hash, says("uncle"));
      await round();
      expect(await row(hash)).toMatchObject({ state: "uncle", uncle: 1 });
      words.set(hash, says("mature", 0, 7n));
      await round();
      expect(await row(hash)).toMatchObject({ state: "mature", uncle: 1, actual_lo: 7n });
      expect(await events(hash)).toEqual(["accepted", "orphaned", "uncle", "mature"]);
      expect(rewards).toMatchObject([{ rewardAmount: 7n, confirmations: 0 }]);
    });

    test("that the chain never tells is announced at maturity as it was expected, and no amount at all is too", async () => {
      const { won, round, words, rewards, accept } = await setting(await open());
      const hash = await won();
      words.set(hash, says("mature", 100));
      await accept(foundAux({ work: auxWork({ id: "nothing", value: undefined }) }));
      words.set("nothing", says("mature", 100));
      await round();
      expect(rewards).toMatchObject([{ blockHash: hash, rewardAmount: 5_000_000_000n }]);
      words.set("nothing", says("mature", 101, 9n));
      await round(6 * HOUR);
      expect(rewards).toHaveLength(1);
    });

    test("of Bitcoin is what its own bytes say, and is no aux reward", async () => {
      const { records, round, words, rewards, store } = await setting(await open());
      records.bitcoinAnswered(bitcoinBlock(5), { node: "core", verdict: "accepted", reason: "" });
      await records.settled(never);
      words.set("05".repeat(32), says("confirmed", 1));
      await round();
      const [row] = await store.db.selectFrom("blocks").selectAll().execute();
      expect(row).toMatchObject({ state: "confirmed", actual_lo: 312_500_000n });
      expect(rewards).toEqual([]);
    });

    test("an amount that no coin has is not believed", async () => {
      const { won, round, words, row } = await setting(await open());
      const hash = await won();
      for (const reward of [10n ** 40n, MAX_REWARD + 1n]) {
        words.set(hash, says("confirmed", 1, reward));
        await round();
        expect(await row(hash)).toMatchObject({ state: "confirmed", actual_hi: null });
      }
      words.set(hash, says("confirmed", 1, MAX_REWARD));
      await round();
      expect(await row(hash)).toMatchObject({ actual_hi: MAX_REWARD / 10n ** 18n });
    });
  });

  test("a reorg takes a block out, back in, and out again, each step once", async () => {
    const { won, round, words, events, changes, row, clock, lines } = await setting(await open());
    const hash = await won();
    for (const state of ["confirmed", "orphaned", "orphaned", "confirmed", "orphaned"] as const) {
      words.set(hash, says(state, state === "confirmed" ? 3 : 0, state === "confirmed" ? 600n : undefined));
      await round();
    }
    expect(await events(hash)).toEqual(["accepted", "confirmed", "orphaned", "confirmed", "orphaned"]);
    expect(changes.slice(3).map(({ note }) => note)).toEqual([
      "in the best chain",
      "not in the best chain",
      "in the best chain again",
      "not in the best chain",
    ]);
    expect(await row(hash)).toMatchObject({ state: "orphaned", confirmations: 0, actual_lo: 600n });
    const told = lines.filter(({ level }) => level !== "debug").map(({ level, message }) => `${level} ${message}`);
    expect(told.slice(0, 2)).toEqual([
      `info namecoin block ${hash} at height 21 is confirmed: in the best chain`,
      `warn namecoin block ${hash} at height 21 is orphaned: not in the best chain`,
    ]);
    // It is watched for two days.
    clock.advance(CHECK_PACE.orphanWatchMs);
    await round();
    expect(await row(hash)).toMatchObject({ state: "orphaned", next_check_ms: null });
  });

  test("a chain whose daemons stand on different branches cannot fill the ledger with one block's turns", async () => {
    const { won, round, words, events, row } = await setting(await open());
    const hash = await won();
    const states = ["confirmed", "orphaned"] as const;
    let turns = 0;
    const day = async (): Promise<void> => {
      for (let i = 0; i < 144; i += 1) {
        words.set(hash, says(states[turns % 2] ?? "confirmed", 1, 600n));
        const { length } = await events(hash);
        await round(600_000);
        turns += (await events(hash)).length - length;
      }
    };
    await day();
    // A few reorgs are followed as fast as any; from then on it takes longer and longer.
    expect((await events(hash)).length).toBeGreaterThan(14);
    expect((await events(hash)).length).toBeLessThan(24);
    await day();
    await day();
    const { length } = await events(hash);
    for (let i = 0; i < 4; i += 1) await day();
    expect((await events(hash)).length - length).toBeLessThanOrEqual(4);
    // It is not given up while its chain goes on speaking of it.
    expect((await row(hash)).next_check_ms).not.toBeNull();
  });

  test("another amount for a block is a line of its history, and ever more amounts are asked for ever more seldom", async () => {
    const { won, round, words, row, store, asked } = await setting(await open());
    const hash = await won();
    words.set(hash, says("confirmed", 1, 600n));
    await round();
    words.set(hash, says("confirmed", 2, 601n));
    await round();
    await round();
    const { id } = await row(hash);
    const lines = await store.db
      .selectFrom("block_events")
      .selectAll()
      .where("block_id", "=", id)
      .orderBy("id")
      .execute();
    expect(lines.slice(3).map(({ state, note }) => [state, note])).toEqual([
      ["confirmed", "in the best chain"],
      ["confirmed", "it pays 601 now, and not 600"],
    ]);
    for (let i = 0; i < 144; i += 1) {
      words.set(hash, says("confirmed", 3, BigInt(asked.length)));
      await round(600_000);
    }
    expect(asked.length).toBeLessThan(30);
  });

  test("a block that came too late may still win, and so may one that nobody answered on", async () => {
    const { won, round, words, events, row } = await setting(await open());
    const [late, unheard, lost] = [await won("a", "stale"), await won("a", "failed"), await won("a", "stale")];
    for (const hash of [late, unheard]) words.set(hash, says("confirmed", 1, 6n));
    words.set(lost, says("orphaned"));
    await round();
    expect(await events(late)).toEqual(["stale", "confirmed"]);
    expect(await events(unheard)).toEqual(["failed", "confirmed"]);
    await round(CHECK_PACE.staleWatchMs);
    expect(await row(lost)).toMatchObject({ state: "stale", next_check_ms: null });
  });

  test("a second solution of a block that counts never counts as well", async () => {
    const { accept, round, words, store, rewards } = await setting(await open());
    const work = auxWork({ id: "twice" });
    const [first, second] = [foundAux({ work }), foundAux({ work })];
    await accept(second, "failed");
    await accept(first);
    words.set("twice", says("confirmed", 1, 6n));
    await round();
    await round();
    const rows = await store.db.selectFrom("blocks").select(["state", "next_check_ms"]).orderBy("id").execute();
    expect(rows).toMatchObject([{ state: "failed", next_check_ms: null }, { state: "confirmed" }]);
    expect(rewards).toHaveLength(1);
  });

  test("a block that no daemon knows is orphaned only after hours, counted anew after a restart", async () => {
    const { won, round, words, row, restart } = await setting(await open());
    const hash = await won();
    words.set(hash, says("unknown"));
    for (let i = 0; i < 5; i += 1) await round(HOUR);
    restart();
    for (let i = 0; i < 6; i += 1) await round(HOUR);
    expect(await row(hash)).toMatchObject({ state: "accepted" });
    words.set(hash, says("confirmed", 3, 6n));
    await round(HOUR);
    words.set(hash, says("unknown"));
    for (let i = 0; i < 7; i += 1) await round(HOUR);
    expect(await row(hash)).toMatchObject({ state: "orphaned", note: "no daemon has known it for 6 h" });
  });

  describe("a block that was distributed", () => {
    async function distributed(store: LedgerStore, at: BlockStatus) {
      const its = await setting(store);
      const hash = await its.won();
      its.words.set(hash, at);
      await its.round();
      const { id, state } = await its.row(hash);
      const change = { blockId: id, from: state, to: "distributed", atMs: its.clock.nowMs(), note: "" } as const;
      expect(await store.db.transaction().execute((db) => changeState(db, change))).toBe(true);
      return { ...its, hash };
    }

    test("before it is mature is followed until it is, with a line that it is so", async () => {
      const { hash, words, round, row, events, asked } = await distributed(await open(), says("confirmed", 1, 6n));
      for (let i = 0; i < 30; i += 1) await round(HOUR);
      expect(asked).toHaveLength(31);
      words.set(hash, says("mature", 100, 7n));
      await round(HOUR);
      expect(await row(hash)).toMatchObject({ state: "distributed", confirmations: 100, actual_lo: 7n });
      for (let i = 0; i < 6; i += 1) await round(6 * HOUR);
      expect(await row(hash)).toMatchObject({ state: "distributed", next_check_ms: null });
      expect(await events(hash)).toEqual(["accepted", "confirmed", "distributed", "mature"]);
    });

    test("is left to orphaned when its chain says so, before maturity and for a day behind it", async () => {
      const { hash, words, round, events } = await distributed(await open(), says("mature", 100, 6n));
      words.set(hash, says("confirmed", 99, 6n));
      await round(6 * HOUR);
      words.set(hash, says("orphaned"));
      await round(6 * HOUR);
      words.set(hash, says("confirmed", 1, 6n));
      await round(HOUR);
      expect(await events(hash)).toEqual(["accepted", "mature", "distributed", "orphaned", "confirmed"]);
    });
  });

  describe("trouble", () => {
    test("of a daemon changes nothing, is told once, and its chain rests", async () => {
      const { won, round, words, row, asked, log } = await setting(await open(), { perChain: 1 });
      const hashes = [await won("a"), await won("a"), await won("a"), await won("a")];
      const fine = await won("b");
      words.set(fine, says("confirmed", 1));
      await round();
      expect(asked.filter((hash) => hashes.includes(hash))).toHaveLength(3);
      expect(await row(fine)).toMatchObject({ state: "confirmed" });
      for (let i = 0; i < 10; i += 1) await round(60_000);
      expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
      expect(asked.filter((hash) => hashes.includes(hash)).length).toBeLessThan(12);
      for (const hash of hashes) expect(await row(hash)).toMatchObject({ state: "accepted" });
      for (const hash of hashes) words.set(hash, says("confirmed", 1));
      await round(HOUR);
      for (const hash of hashes) expect(await row(hash)).toMatchObject({ state: "confirmed" });
      expect(log.lines.at(-1)?.message).toContain("answers again");
    });

    test("of one block holds up no other of its chain", async () => {
      const { won, round, words, row } = await setting(await open(), { perChain: 1 });
      const poison = await won();
      const others = [await won(), await won(), await won()];
      for (const hash of others) words.set(hash, says("confirmed", 1));
      await round();
      for (const hash of others) expect(await row(hash)).toMatchObject({ state: "confirmed" });
      expect(await row(poison)).toMatchObject({ state: "accepted" });
    });

    test("of a chain that hangs is no other chain's; its open questions have a bound", async () => {
      const its = await setting(await open(), { perChain: 2 });
      const { won, words, row, asked, clock, follower } = its;
      const hung = [await won("a"), await won("a"), await won("a")];
      const fine = await won("b");
      for (const hash of hung) words.set(hash, new Promise<BlockStatus>(() => undefined));
      words.set(fine, says("confirmed", 1));
      await follower.start(never);
      for (let i = 0; i < 40; i += 1) await pass(clock, 15_000, 5000);
      await expect.poll(async () => (await row(fine)).state).toBe("confirmed");
      expect(asked.filter((hash) => hung.includes(hash))).toHaveLength(2);
      await follower.stop();
      expect(clock.pending).toBe(0);
    });

    test("a chain that does not run is passed over without a word", async () => {
      const { won, round, words, log, row, asked } = await setting(await open());
      const hash = await won();
      words.set(hash, new Fault("chain-not-running", { chain: "namecoin" }));
      for (let i = 0; i < 20; i += 1) await round(60_000);
      expect(log.lines).toEqual([]);
      expect(asked.length).toBeLessThan(10);
      words.set(hash, says("confirmed", 1));
      await round(HOUR);
      expect(await row(hash)).toMatchObject({ state: "confirmed" });
    });

    test("of the database is told once, loses nothing, and a lost answer is told when it is back", async () => {
      const { won, round, words, row, access, log, changes, rewards } = await setting(await open());
      const hash = await won();
      words.set(hash, says("confirmed", 1, 6n));
      access.mood = "loses answers";
      await round();
      expect(changes.at(-1)?.to).toBe("accepted");
      access.mood = "away";
      for (let i = 0; i < 5; i += 1) await round(HOUR);
      expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
      access.mood = "well";
      await round(HOUR);
      expect(await row(hash)).toMatchObject({ state: "confirmed" });
      expect(changes.slice(3).map(({ to }) => to)).toEqual(["confirmed"]);
      expect(rewards).toMatchObject([{ rewardAmount: 6n }]);
      expect(log.lines.at(-1)?.message).toContain("is back");
    });

    test("a submission whose answer was lost with the disk is found in the chain, or given up", async () => {
      const { records, round, words, store, clock } = await setting(await open());
      const [there, gone] = ["there", "gone"].map((id) => foundAux({ work: auxWork({ id }), foundMs: clock.nowMs() }));
      for (const found of [there, gone]) if (found !== undefined) records.auxFound(found);
      await records.settled(never);
      words.set("there", says("confirmed", 50, 6n));
      words.set("gone", says("unknown"));
      await round(CHECK_PACE.unansweredMs);
      const rows = await store.db.selectFrom("blocks").select(["block_hash", "state"]).orderBy("id").execute();
      expect(rows).toEqual([
        { block_hash: "there", state: "confirmed" },
        { block_hash: "gone", state: "failed" },
      ]);
    });
  });

  test("more blocks than are read at a time are all asked for, a few at a time", async () => {
    const { won, round, words, store } = await setting(await open(), { perChain: 4 });
    let waiting = 0;
    let most = 0;
    for (let i = 0; i < 150; i += 1) {
      const hash = await won();
      words.set(hash, {
        // biome-ignore lint/suspicious/noThenProperty: it counts who waits for it.
        then: (yes: (word: BlockStatus) => void) => {
          waiting += 1;
          most = Math.max(most, waiting);
          setImmediate(() => {
            waiting -= 1;
            yes(says("confirmed", 1));
          });
        },
      } as unknown as Promise<BlockStatus>);
    }
    await round();
    await round(0);
    const left = await store.db.selectFrom("blocks").select("id").where("state", "!=", "confirmed").execute();
    expect(left).toEqual([]);
    expect(most).toBe(4);
  });
});
