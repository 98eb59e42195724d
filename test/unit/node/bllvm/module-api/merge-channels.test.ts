/** Channels of other modules: the same judgement, credit and chains as a miner's. */
import { describe, expect, test } from "vitest";
import { hashToBigint, targetOfDifficulty } from "../../../../../src/bitcoin/target.ts";
import { fromHex, toDisplayHex, toHex } from "../../../../../src/kernel/bytes.ts";
import { auxWork } from "../../../../support/aux-work.ts";
import { EASY_BITS } from "../../../../support/fake-chain.ts";
import { findShare, ModuleApiStage } from "../../../../support/module-api-stage.ts";

const SUBMIT = "submit_merge_mining_share";
const REGISTER = "register_merge_mining_channel";

describe("a channel", () => {
  test("is opened for a chain, with a part of the extranonce space to itself", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const first = await stage.call(REGISTER, { chain_id: "namecoin" });
    const second = await stage.call(REGISTER, { chain_id: "namecoin", user_identity: "farm.module" });
    expect(first).toEqual({
      ok: true,
      channel_id: 1,
      chain_id: "namecoin",
      min_difficulty: null,
      difficulty: 2 ** -28,
      user_identity: "module.other",
      extranonce_prefix: "03000000",
      extranonce_size: 16,
      expires_in_s: 600,
    });
    expect(second).toMatchObject({ channel_id: 2, user_identity: "farm.module", extranonce_prefix: "03000001" });
    expect(stage.extranonces.inUse).toBe(2);
  });

  test("asked for again in the same words is the same; in others it takes its place", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const ids = [];
    for (const min_difficulty of [undefined, undefined, 2 ** -27, 2 ** -27]) {
      const { channel_id } = await stage.call(REGISTER, { chain: "namecoin", min_difficulty });
      ids.push(channel_id);
    }
    expect(ids).toEqual([1, 1, 2, 2]);
    expect(stage.channels.size).toBe(1);
    expect(stage.extranonces.inUse).toBe(1);
    expect((await stage.call(REGISTER, { chain: "namecoin" }, "third_1")).channel_id).toBe(3);
  });

  test("is its caller's alone", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const told = await stage.channel({ chain_id: "namecoin" }, "a_1");
    await expect(stage.template(told.mining.channel_id, "b_1")).rejects.toThrow(/no merge-mining channel/);
    await expect(stage.call(SUBMIT, findShare(told).params, "b_1")).rejects.toThrow(/no merge-mining channel/);
    expect((await stage.call(SUBMIT, findShare(told).params, "a_1")).ok).toBe(true);
  });

  test("keeps to the least difficulty that is asked for, and is refused where no share is so hard", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const told = await stage.channel({ chain: "namecoin", min_difficulty: 2 ** -27 });
    expect(BigInt(`0x${told.mining.share_target}`)).toBeLessThanOrEqual(targetOfDifficulty(2 ** -27));
    await expect(stage.call(REGISTER, { chain: "namecoin", min_difficulty: 1e30, user_identity: "x" })).rejects.toThrow(
      /channel was refused \(errorCode max-target-out-of-range\)/,
    );
    const again = stage.call(REGISTER, { chain: "namecoin", min_difficulty: 1e30 });
    await expect(again).rejects.toThrow(/max-target-out-of-range/);
    // The one that there was is still there.
    expect((await stage.template(told.mining.channel_id)).mining.share_target).toBe(told.mining.share_target);
    expect(stage.channels.size).toBe(1);
    expect(stage.extranonces.inUse).toBe(1);
  });

  test("is refused for an identity that may not mine", async () => {
    const authoriser = { authorise: () => ({ allowed: false, errorCode: "unknown-user" }) as const };
    const stage = await ModuleApiStage.started({ authoriser });
    stage.newJob();
    await expect(stage.call(REGISTER, { chain: "namecoin" })).rejects.toThrow(/unknown-user.*\[access\]/);
  });

  test("at the bound no further one is opened; one that nobody uses is closed after a while", async () => {
    const stage = await ModuleApiStage.started({ channels: { maxChannels: 3, idleMs: 60_000 } });
    stage.newJob();
    for (const caller of ["a", "b", "c"]) await stage.call(REGISTER, { chain: "namecoin" }, caller);
    await expect(stage.call(REGISTER, { chain: "namecoin" }, "d")).rejects.toThrow(/too many .*\(open 3\)/);
    stage.clock.advance(50_000);
    await stage.template(1, "a");
    stage.clock.advance(20_000);
    expect(stage.channels.size).toBe(1);
    expect(stage.extranonces.inUse).toBe(1);
    await expect(stage.template(2, "b")).rejects.toThrow(/no merge-mining channel/);
    await stage.call(REGISTER, { chain: "namecoin" }, "d");
    await stage.channels.stop();
    expect(stage.extranonces.inUse).toBe(0);
    expect(stage.clock.pending).toBe(0);
  });

  test("one caller cannot take them all, and those that it has stay its own", async () => {
    const stage = await ModuleApiStage.started();
    const open = (n: number, caller: string) =>
      stage.call<{ channel_id: number }>(REGISTER, { chain: "namecoin", user_identity: `u${n}` }, caller);
    for (let n = 0; n < 8; n++) await open(n, "greedy");
    stage.clock.advance(60_000);
    await expect(open(8, "greedy")).rejects.toThrow(/too many .*\(yours 8\)/);
    expect((await open(7, "greedy")).channel_id).toBe(8);
    // In other words it takes the place of one, which the bound allows.
    await stage.call(REGISTER, { chain: "namecoin", user_identity: "u7", hashrate: 5 }, "greedy");
    expect((await open(0, "other")).channel_id).toBe(10);
    expect(stage.channels.size).toBe(9);
  });

  test("a caller opens eight at once and then one in five seconds; the same again costs nothing", async () => {
    const stage = await ModuleApiStage.started();
    const open = (hashrate: number, caller = "a") => stage.call(REGISTER, { chain: "namecoin", hashrate }, caller);
    for (let n = 0; n < 8; n++) await open(n);
    await expect(open(8)).rejects.toThrow(/cannot be answered just now .*opened too fast, waitMs 5000/);
    // What is refused takes nobody's place.
    for (let n = 0; n < 20; n++) expect(await open(7)).toMatchObject({ channel_id: 8 });
    expect(await open(0, "b")).toMatchObject({ channel_id: 9 });
    stage.clock.advance(5000);
    expect(await open(8)).toMatchObject({ channel_id: 10 });
    await expect(open(9)).rejects.toThrow(/too fast/);
    // No module fills the log of people.
    expect(stage.log.lines.filter(({ level }) => level !== "debug" && level !== "trace")).toEqual([]);
  });

  test("refused ones count too, and callers beyond the bound are forgotten, the quietest first", async () => {
    const openings = { burst: 1, perSecond: 0.2, maxCallers: 2 };
    const stage = await ModuleApiStage.started({ channels: { openings } });
    const refused = (caller: string) => stage.call(REGISTER, { chain: "namecoin", min_difficulty: 1e20 }, caller);
    await expect(refused("a")).rejects.toThrow(/max-target/);
    await expect(refused("b")).rejects.toThrow(/max-target/);
    await expect(refused("a")).rejects.toThrow(/too fast/);
    await expect(refused("c")).rejects.toThrow(/max-target/);
    await expect(refused("a")).rejects.toThrow(/too fast/);
    await expect(refused("b")).rejects.toThrow(/max-target/);
  });

  test("an identity is made of a caller's name, whatever that holds", async () => {
    const stage = await ModuleApiStage.started();
    const names = [];
    for (const caller of ["blvm-merge-mining_0a1b", "\u0000\u001b_", "a b/ü"]) {
      names.push((await stage.call(REGISTER, { chain: "namecoin" }, caller)).user_identity);
    }
    expect(names).toEqual(["module.blvm-merge-mining", "module.unnamed", "module.ab"]);
  });
});

describe("what registering throws", () => {
  const registration = { chain: "namecoin", userIdentity: "a", minDifficulty: undefined, hashrate: 0 };

  test.each([
    ["bllvm-api-channels", { maxChannels: 0 }, registration],
    ["bllvm-api-refused", { maxChannels: 1 }, { ...registration, minDifficulty: 1e20 }],
    ["bllvm-api-refused", { maxChannels: 1 }, { ...registration, userIdentity: "a\u0007" }],
  ] as const)("%s", async (code, channels, wish) => {
    const stage = await ModuleApiStage.started({ channels });
    stage.newJob();
    expect(() => stage.channels.register("caller", wish)).toThrow(expect.objectContaining({ code }));
    expect(stage.channels.size).toBe(0);
    expect(stage.extranonces.inUse).toBe(0);
  });
});

describe("a share", () => {
  test("found from the answer alone is accepted, credited and looked at for aux blocks", async () => {
    const stage = await ModuleApiStage.started();
    const job = stage.newJob([auxWork({ id: "w1", target: 2n ** 248n })]);
    const told = await stage.channel();
    const chainTarget = BigInt(`0x${told.target}`);
    const plain = findShare(told, { above: chainTarget });
    expect(await stage.call(SUBMIT, plain.params)).toEqual({
      ok: true,
      error_code: null,
      difficulty: 2 ** -28,
      share_hash: toDisplayHex(plain.hash),
      bitcoin_block: false,
      solved: [],
    });
    const winning = findShare(told, { atMost: chainTarget });
    expect(await stage.call(SUBMIT, winning.params)).toMatchObject({ ok: true, solved: ["namecoin"] });
    expect(stage.credits).toMatchObject([
      { userIdentity: "module.other", jobId: job.jobId, chains: ["namecoin"] },
      { userIdentity: "module.other", jobId: job.jobId, chains: ["namecoin"] },
    ]);
    expect(stage.hashed.map(({ header }) => toHex(header))).toEqual([toHex(plain.header), toHex(winning.header)]);
    expect(stage.announced).toMatchObject([
      { connectionId: 0, errorCode: undefined, hash: plain.hash },
      { connectionId: 0, errorCode: undefined, hash: winning.hash },
    ]);
  });

  test("that solves a Bitcoin block is submitted as one", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob(undefined, { nBits: EASY_BITS });
    const told = await stage.channel();
    expect(await stage.call(SUBMIT, findShare(told).params)).toMatchObject({ ok: true, bitcoin_block: true });
    expect(stage.blocks).toMatchObject([{ userIdentity: "module.other", height: stage.job?.template.height }]);
  });

  test.each([
    ["sent twice", "duplicate-share", {}, false],
    ["of a job that the channel never got", "invalid-job-id", { job_id: 999 }, true],
    ["too easy", "difficulty-too-low", { nonce: 1 }, true],
    ["with another version", "invalid-non-rollable-version-bit", { version: 1 }, true],
  ])("%s is refused as a miner's: %s", async (_what, error_code, change, isFirst) => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const told = await stage.channel();
    const { params } = findShare(told, { from: 2 });
    if (!isFirst) await stage.call(SUBMIT, params);
    const before = stage.credits.length;
    expect(await stage.call(SUBMIT, { ...params, ...change })).toMatchObject({ ok: false, error_code, difficulty: 0 });
    expect(stage.credits).toHaveLength(before);
  });

  test("for the block before is stale, and may still solve a chain", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const told = await stage.channel();
    const { params } = findShare(told);
    stage.newJob();
    expect(await stage.call(SUBMIT, params)).toMatchObject({
      ok: false,
      error_code: "stale-share",
      solved: ["namecoin"],
    });
    expect(stage.hashed).toMatchObject([{ accepted: false }]);
    const next = await stage.template(told.mining.channel_id);
    expect(next.job_id).toBe(stage.job?.jobId);
    expect((await stage.call(SUBMIT, findShare(next).params)).ok).toBe(true);
  });

  test("where channels roll fewer bytes, as in pool mode, a share is made of just these", async () => {
    const stage = await ModuleApiStage.started({ rollableBytes: 8 });
    stage.newJob();
    const told = await stage.channel();
    expect(told.mining.extranonce_size).toBe(8);
    expect(fromHex(told.mining.extranonce_prefix)).toHaveLength(12);
    const { params } = findShare(told);
    const short = await stage.call(SUBMIT, { ...params, extranonce: "00000000" });
    expect(short.ok).toBe(false);
    expect((await stage.call(SUBMIT, params)).ok).toBe(true);
  });

  test("all of a job's channels search different space", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const [a, b] = [await stage.channel(undefined, "a"), await stage.channel(undefined, "b")];
    expect(a.mining.extranonce_prefix).not.toBe(b.mining.extranonce_prefix);
    expect(fromHex(a.mining.extranonce_prefix)).toHaveLength(4);
    const share = findShare(a);
    expect(hashToBigint(share.hash)).toBeLessThanOrEqual(BigInt(`0x${a.mining.share_target}`));
    // The same bytes on the other channel are another header, too easy with all but one in sixteen.
    const other = await stage.call(SUBMIT, { ...share.params, channel_id: b.mining.channel_id }, "b");
    expect(other.share_hash).not.toBe(toDisplayHex(share.hash));
  });
});

describe("jobs", () => {
  test("a channel that was opened before the first job gets it", async () => {
    const stage = await ModuleApiStage.started();
    const { channel_id } = await stage.call<{ channel_id: number }>(REGISTER, { chain: "namecoin" });
    expect(await stage.call("get_merge_mining_template", { channel_id })).toEqual({
      template: null,
      reason: "there is no Bitcoin job yet",
    });
    stage.newJob();
    expect((await stage.template(channel_id)).mining.job_id).toBe(stage.job?.jobId);
  });

  test("a conversation that fails costs its channel, and the server's jobs go on", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const told = await stage.channel(undefined, "a");
    await stage.channel(undefined, "b");
    const channel = stage.channels.find("a", told.mining.channel_id);
    channel.newJob = () => {
      throw new Error("a mistake");
    };
    stage.newJob();
    expect(stage.channels.size).toBe(1);
    expect((await stage.template(2, "b")).mining.job_id).toBe(stage.job?.jobId);
    expect(stage.log.lines.some(({ level, message }) => level === "error" && message.includes("a mistake"))).toBe(true);
  });
});

describe("after the stop", () => {
  test("nothing is opened, found or credited, and no timer is left", async () => {
    const stage = await ModuleApiStage.started();
    stage.newJob();
    const share = findShare(await stage.channel());
    await stage.channels.stop();
    const registration = { chain: "namecoin", userIdentity: "a", minDifficulty: undefined, hashrate: 0 };
    const busy = expect.objectContaining({ code: "bllvm-api-busy" });
    expect(() => stage.channels.register("other_0a", registration)).toThrow(busy);
    expect(() => stage.channels.find("other_0a", 1)).toThrow(busy);
    await expect(stage.call(SUBMIT, share.params)).rejects.toThrow(/cannot be answered just now .*server stops/);
    expect(stage.credits).toEqual([]);
    expect(stage.channels.size).toBe(0);
    expect(stage.extranonces.inUse).toBe(0);
    expect(stage.clock.pending).toBe(0);
  });
});
