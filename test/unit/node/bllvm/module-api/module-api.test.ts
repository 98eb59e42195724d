/** What other modules are answered. */
import { describe, expect, test } from "vitest";
import { fromDisplayHex, toDisplayHex, toHex, utf8 } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { METHODS } from "../../../../../src/node/bllvm/module-api/module-api.ts";
import type { BlockReward } from "../../../../../src/node/bllvm/module-api/ports.ts";
import { auxWork } from "../../../../support/aux-work.ts";
import { poolJobOf } from "../../../../support/fake-pool-peer.ts";
import { ModuleApiStage } from "../../../../support/module-api-stage.ts";

const REWARD: BlockReward = {
  chain: "rsk",
  blockHash: `0x${"ab".repeat(32)}`,
  headerHash: "cd".repeat(32),
  height: 9,
  state: "mature",
  confirmations: 12,
  isUncle: true,
  reward: 10n ** 18n,
  expected: undefined,
  coin: { symbol: "RBTC", decimals: 18 },
  finder: "alice",
  foundMs: 5,
  alsoWon: ["bitcoin"],
};

describe("the methods", () => {
  test("are those of upstream's module", () => {
    expect([...METHODS].sort()).toEqual([
      "get_block_merge_mining_rewards",
      "get_connected_miners",
      "get_merge_mining_template",
      "get_pool_stats",
      "get_template",
      "register_merge_mining_channel",
      "submit_merge_mining_share",
    ]);
  });

  test("get_template: of a pool's job what the pool tells, and no value that nobody knows", async () => {
    const stage = await ModuleApiStage.started();
    stage.job = poolJobOf("main", 1, 5, 840_000);
    const { template } = await stage.call<{ template: Record<string, unknown> }>("get_template");
    expect(template).toMatchObject({ pool: "main", height: 840_000, coinbasevalue: null, tx_count: null, chains: [] });
    stage.newJob();
    const own = await stage.call<{ template: Record<string, unknown> }>("get_template");
    expect(own.template.pool).toBeNull();
  });

  test("get_template: the Bitcoin work, hashes in both orders", async () => {
    const stage = await ModuleApiStage.started();
    expect(await stage.call("get_template")).toEqual({ template: null });
    const job = stage.newJob();
    const { template } = await stage.call<{ template: Record<string, unknown> }>("get_template", new Uint8Array(0));
    expect(template).toMatchObject({
      prev_hash: toHex(job.prevHash),
      previousblockhash: toDisplayHex(job.prevHash),
      height: job.template.height,
      bits: 0x1d00ffff,
      target: `00000000ffff${"0".repeat(52)}`,
      timestamp: job.minTime,
      coinbasevalue: job.template.coinbaseValue.toString(),
      tx_count: 4,
      merkle_root: null,
      job_id: job.jobId,
      chains: ["namecoin"],
    });
    expect(template.merkle_path).toEqual(job.merklePath.map(toHex));
  });

  test("get_connected_miners: page by page, names and channels", async () => {
    const stage = await ModuleApiStage.started();
    for (let i = 0; i < 5; i++) {
      stage.miners.push({
        connectionId: i,
        channelId: 2,
        kind: "extended",
        userIdentity: i < 2 ? "alice" : `m${i}`,
        difficulty: 8,
        hashrate: 1e12,
        accepted: 3,
        acceptedDifficulty: 24,
        rejected: { "stale-share": 2, "duplicate-share": 1 },
        blocks: 0,
      });
    }
    expect(await stage.call("get_connected_miners", { limit: 3 })).toMatchObject({
      miners: ["alice", "m2"],
      total: 5,
      next_offset: 3,
    });
    const rest = await stage.call<{ channels: unknown[] }>("get_connected_miners", { limit: 3, offset: 3 });
    expect(rest).toMatchObject({ miners: ["m3", "m4"], next_offset: null });
    expect(rest.channels[1]).toEqual({
      connection_id: 4,
      channel_id: 2,
      kind: "extended",
      user_identity: "m4",
      difficulty: 8,
      hashrate: 1e12,
      accepted_shares: 3,
      rejected_shares: 3,
      blocks: 0,
    });
    await expect(stage.call("get_connected_miners", { limit: 1001 })).rejects.toThrow(/limit/);
  });

  test("get_pool_stats: upstream's counts and the whole status", async () => {
    const stage = await ModuleApiStage.started();
    expect(await stage.call("get_pool_stats")).toEqual({
      miner_count: 0,
      total_shares: 9,
      accepted_shares: 7,
      rejected_shares: 2,
      status: { uptimeMs: 5, value: (2n ** 70n).toString() },
    });
  });

  test("get_merge_mining_template without a channel: the chain's work and where the job commits to it", async () => {
    const stage = await ModuleApiStage.started();
    stage.chains = [...stage.chains, { name: "rsk", state: "running", trouble: undefined }];
    const [namecoin, rsk] = [
      auxWork({ id: "w1", target: 2n ** 200n }),
      auxWork({ id: "w2", target: 2n ** 210n, value: undefined }),
    ];
    const job = stage.newJob([namecoin, rsk]);
    const byName = await stage.call("get_merge_mining_template", { chain_id: "namecoin" });
    expect(byName).toEqual({
      reason: null,
      template: {
        chain_id: "namecoin",
        aux_chain_id: 1,
        work_id: "w1",
        aux_hash: toHex(namecoin.hash),
        parent: "p1",
        height: 21,
        target: (2n ** 200n).toString(16).padStart(64, "0"),
        value: "5000000000",
        commitment: {
          kind: "auxpow",
          index: 0,
          branch: [toHex(fromDisplayHex("11".repeat(32)))],
          strict_chain_id: true,
        },
        job_id: job.jobId,
        parent_height: job.template.height,
        mining: null,
      },
    });
    expect(await stage.call("get_merge_mining_template", { chain_id: 1 })).toEqual(byName);
    expect(await stage.call("get_merge_mining_template", { chain: "rsk" })).toMatchObject({
      template: {
        chain_id: "rsk",
        aux_chain_id: null,
        value: null,
        commitment: { kind: "output", scripts: ["6a0101"] },
      },
    });
  });

  test("a chain without work now: no template, and why", async () => {
    const stage = await ModuleApiStage.started();
    expect(await stage.call("get_merge_mining_template", { chain: "namecoin" })).toEqual({
      template: null,
      reason: "there is no Bitcoin job yet",
    });
    stage.newJob([]);
    stage.chains = [{ name: "namecoin", state: "isolated", trouble: "its daemon is away" }];
    expect(await stage.call("get_merge_mining_template", { chain: "namecoin" })).toEqual({
      template: null,
      reason: "its daemon is away",
    });
  });

  test("get_block_merge_mining_rewards: what the ledger is asked, and its answer", async () => {
    const stage = await ModuleApiStage.started();
    stage.rewards = async () => ({ rewards: [REWARD], next: 77 });
    const hash = `0x${"AB".repeat(32)}`;
    expect(await stage.call("get_block_merge_mining_rewards", { block_hash: hash, chain: "gone", limit: 5 })).toEqual({
      next: 77,
      rewards: [
        {
          chain_id: "rsk",
          block_hash: `0x${"ab".repeat(32)}`,
          header_hash: "cd".repeat(32),
          height: 9,
          state: "mature",
          confirmations: 12,
          uncle: true,
          reward: "1000000000000000000",
          expected: null,
          symbol: "RBTC",
          decimals: 18,
          finder: "alice",
          found_ms: 5,
          also_won: ["bitcoin"],
        },
      ],
    });
    await stage.call("get_block_merge_mining_rewards", { height: 9, after: 77 });
    const all = { chain: undefined, blockHash: undefined, height: undefined, limit: 100, after: undefined };
    expect(stage.asked).toEqual([
      { ...all, chain: "gone", blockHash: hash.toLowerCase(), limit: 5 },
      { ...all, height: 9, after: 77 },
    ]);
  });
});

describe("what cannot be answered", () => {
  test.each([
    ["a method that is none", "get_money", {}, /no method of that name .*get_template/],
    ["a method's name of an object", "constructor", {}, /no method of that name/],
    ["parameters that are no JSON", "get_template", utf8("{"), /not what the method takes .*no JSON/],
    ["parameters that are no object", "get_template", [1], /not what the method takes/],
    ["unknown keys", "get_template", { x: 1 }, /Unrecognized key/],
    ["nested ones", "get_connected_miners", { limit: { a: [[[]]] } }, /limit/],
    ["too many bytes", "get_template", new Uint8Array(65_537).fill(32), /bytes 65537/],
    [
      "a chain that nobody knows",
      "register_merge_mining_channel",
      { chain: "doge" },
      /chain-?unknown|no chain of that name.*namecoin/,
    ],
    ["no chain", "register_merge_mining_channel", {}, /chain_id is missing/],
    ["an ID that no chain has", "get_merge_mining_template", { chain_id: 999 }, /AuxPoW ID 999/],
    ["nothing to go by", "get_merge_mining_template", {}, /neither channel_id nor chain_id/],
    ["a channel of nobody", "get_merge_mining_template", { channel_id: 5 }, /no merge-mining channel with that id/],
    [
      "half an extranonce",
      "submit_merge_mining_share",
      { channel_id: 1, job_id: 1, nonce: 1, ntime: 1, version: 1, extranonce: "00" },
      /two hex digits/,
    ],
  ])("%s", async (_what, method, params, words) => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    await expect(stage.call(method, params)).rejects.toThrow(words);
    // Whoever asked is told what to do, too.
    await expect(stage.call(method, params)).rejects.toThrow(/\. [A-Z`_a-z].*[.?!)]$/s);
    expect(stage.meter.total("bllvm_api_calls_total")).toBe(2);
  });

  test("parameters nested to the bound of bytes cost nothing but an error", async () => {
    const stage = await ModuleApiStage.started();
    const deep = utf8(`${"[".repeat(32_768)}${"]".repeat(32_768)}`);
    await expect(stage.call("get_template", deep)).rejects.toThrow(/not what the method takes/);
  });

  test("the ledger's own words", async () => {
    const stage = await ModuleApiStage.started();
    stage.rewards = () => Promise.reject(new Fault("report-no-ledger", { file: "ledger.sqlite" }));
    await expect(stage.call("get_block_merge_mining_rewards")).rejects.toThrow(/no ledger yet .*first start/);
  });

  test("a mistake of ours: nothing of it for the caller, all of it in our log", async () => {
    const stage = await ModuleApiStage.started();
    stage.rewards = () => Promise.reject(new TypeError("cannot read properties"));
    await expect(stage.call("get_block_merge_mining_rewards")).rejects.toThrow(
      /^an internal error; this module's log has it$/,
    );
    expect(stage.log.lines.filter(({ level }) => level === "error")).toMatchObject([
      { message: "get_block_merge_mining_rewards failed: cannot read properties", fields: { error: {} } },
    ]);
  });

  test.each(METHODS)("%s once the server stops", async (method) => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    await stage.channels.stop();
    await expect(stage.call(method)).rejects.toThrow(/cannot be answered just now \(why the server stops\)\. /);
    expect(stage.asked).toEqual([]);
  });

  test("more calls than may be under way, until one ends", async () => {
    const stage = await ModuleApiStage.started({ api: { maxCalls: 2 } });
    const release: (() => void)[] = [];
    stage.rewards = () => new Promise((resolve) => release.push(() => resolve({ rewards: [], next: undefined })));
    const calls = [1, 2].map(() => stage.call("get_block_merge_mining_rewards"));
    await expect(stage.call("get_pool_stats")).rejects.toThrow(/cannot be answered just now \(underWay 2\)/);
    release[0]?.();
    await calls[0];
    await stage.call("get_pool_stats");
    release[1]?.();
    await calls[1];
  });

  test("a call that takes too long: the caller is told, and it counts until it ends", async () => {
    const stage = await ModuleApiStage.started({ api: { maxCalls: 1 } });
    let release = (): void => undefined;
    stage.rewards = () => new Promise((resolve) => (release = () => resolve({ rewards: [], next: undefined })));
    const call = expect(stage.call("get_block_merge_mining_rewards")).rejects.toThrow(/waitedMs 25000/);
    stage.clock.advance(25_000);
    await call;
    await expect(stage.call("get_pool_stats")).rejects.toThrow(/underWay 1/);
    release();
    for (let i = 0; i < 10; i++) await Promise.resolve();
    await stage.call("get_pool_stats");
    expect(stage.clock.pending).toBe(0);
  });
});
