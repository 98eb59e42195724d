import { describe, expect, test } from "vitest";
import { targetToBytes } from "../../../src/bitcoin/target.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import type { Timer } from "../../../src/kernel/clock.ts";
import type { PreparedJob } from "../../../src/mining/prepared-job.ts";
import type { PoolChannel } from "../../../src/mining/upstream-ports.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedServer } from "../../support/scripted-server.ts";
import {
  playPool,
  poolJobMessage,
  prevHashMessage,
  settle,
  shareOf,
  type UpstreamStageOptions,
  u256,
  upstreamStage,
} from "../../support/upstream-stage.ts";

/** A stage with a channel of its own for each miner. */
function stageOfMiners(options: UpstreamStageOptions = {}) {
  const stage = upstreamStage({ channels: "per_miner", ...options });
  const open = (userIdentity: string, nominalHashrate = 1e9) => {
    const works: PreparedJob[] = [];
    const maxTarget = 2n ** 240n;
    const channel: PoolChannel = stage.connection.open({ userIdentity, nominalHashrate, maxTarget }, (work) =>
      works.push(work),
    );
    return { channel, works };
  };
  return { ...stage, open, opened: () => stage.server.got("OpenExtendedMiningChannel") };
}

/** Tells of every turn that is asked for with a delay of 0. */
class SteppedClock extends FakeClock {
  onTurn: () => void = () => undefined;

  override after(delayMs: number, run: () => void): Timer {
    if (delayMs > 0) return super.after(delayMs, run);
    return super.after(delayMs, () => {
      this.onTurn();
      run();
    });
  }
}

const jobsOf = (works: readonly PreparedJob[]): string[] =>
  works.map(({ job }) => `${job.pool?.channelId}/${job.pool?.jobId}`);

describe("a channel for each miner", () => {
  test("is opened once the connection is set up, for whom and how fast the miner is", async () => {
    const { run, open, opened, told, clock, connection } = stageOfMiners();
    const early = open("account.rig1", 5e9);
    await run();
    expect(told).toEqual(["ready"]);
    const late = open("rig2");
    expect(
      opened().map(({ userIdentity, nominalHashRate, minExtranonceSize }) => [
        userIdentity,
        nominalHashRate,
        minExtranonceSize,
      ]),
    ).toEqual([
      ["account.farm.rig1", 5e9, 12],
      ["account.farm.rig2", 1e9, 12],
    ]);
    expect(opened()[0]?.maxTarget).toEqual(targetToBytes(2n ** 240n));
    // Never from inside the call.
    expect(late.works).toEqual([]);
    clock.advance(1);
    expect([jobsOf(early.works), jobsOf(late.works)]).toEqual([["2/1"], ["3/1"]]);
    expect(early.channel.current()).toBe(early.works[0]);
    expect(early.works[0]?.job.jobId).not.toBe(late.works[0]?.job.jobId);
    expect(toHex(early.works[0]?.job.coinbasePrefix.slice(-4) ?? u256(0))).toBe("09080706");
    expect(toHex(late.works[0]?.job.coinbasePrefix.slice(-4) ?? u256(0))).toBe("09080707");
    expect(connection.state()).toMatchObject({ stage: "ready", channels: 2, extranonceSize: undefined });
    expect(connection.currentJob()).toBeUndefined();
  });

  test("gets the jobs of its group, each with its own prefix and target, and its own shares' answers", async () => {
    const { run, open, clock, server, connection } = stageOfMiners();
    await run();
    const [one, two] = [open("a.one"), open("a.two")];
    server.send("SetTarget", { channelId: 3, maximumTarget: u256(0x0f) });
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 2, prevHash: u256(10) }));
    clock.advance(1);
    expect(jobsOf(one.works).at(-1)).toBe("2/2");
    expect(jobsOf(two.works).at(-1)).toBe("3/2");
    expect(one.works.at(-1)?.job.pool?.target).toEqual(u256(0x7f));
    expect(two.works.at(-1)?.job.pool?.target).toEqual(u256(0x0f));
    // Each miner is kept below what the pool wants of itself, whoever else has the same job.
    for (const { works } of [one, two]) {
      expect(works.at(-1)?.ceilingDifficulty).toBe(works.at(-1)?.job.pool?.difficulty);
    }
    // What the two share is derived once, and is the same.
    const root = (work: PreparedJob | undefined): string => {
      const out = new Uint8Array(32);
      work?.merkleRootInto(out, new Uint8Array(16));
      return toHex(out);
    };
    expect(root(one.works.at(-1))).not.toBe(root(two.works.at(-1)));
    const said: unknown[] = [];
    for (const { works } of [one, two, two]) {
      const work = works.at(-1);
      if (work !== undefined) connection.submit(shareOf(work.job), (answer) => void said.push(answer));
    }
    const sent = server.got("SubmitSharesExtended");
    expect(sent.map(({ channelId, sequenceNumber }) => [channelId, sequenceNumber])).toEqual([
      [2, 0],
      [3, 0],
      [3, 1],
    ]);
    const batch = { newSubmitsAcceptedCount: 2, newSharesSum: 2n };
    server.send("SubmitSharesSuccess", { channelId: 3, lastSequenceNumber: 1, ...batch });
    server.send("SubmitSharesError", { channelId: 2, sequenceNumber: 0, errorCode: "stale-share" });
    expect(said).toEqual([undefined, undefined, "stale-share"]);
    // The channel names the miner already; somebody else on it is named.
    const tlvs = (): (Uint8Array | undefined)[] =>
      server.received.filter(({ name }) => name === "SubmitSharesExtended").map(({ tlv }) => tlv);
    const job = one.works.at(-1)?.job;
    if (job === undefined) throw new Error("there is no job");
    for (const userIdentity of ["a.one", "a.other"]) connection.submit(shareOf(job, { userIdentity }), () => undefined);
    expect(tlvs().slice(-2)).toEqual([undefined, expect.any(Uint8Array)]);
  });

  test("that joined between a group's future job and its block has the job all the same", async () => {
    const { run, open, clock, server } = stageOfMiners();
    await run();
    open("a.one");
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2 }));
    const late = open("a.late");
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 2, prevHash: u256(10) }));
    clock.advance(1);
    expect(jobsOf(late.works).at(-1)).toBe("3/2");
  });

  test("passes a changed hash rate on, the newest one every five seconds", async () => {
    const { run, open, clock, server } = stageOfMiners();
    await run();
    const { channel } = open("a.one");
    channel.update({ nominalHashrate: 2e9, maxTarget: 2n ** 250n });
    channel.update({ nominalHashrate: 3e9, maxTarget: 2n ** 251n });
    expect(server.got("UpdateChannel")).toEqual([]);
    clock.advance(5_000);
    expect(server.got("UpdateChannel")).toEqual([
      { channelId: 2, nominalHashRate: 3e9, maximumTarget: targetToBytes(2n ** 251n) },
    ]);
    clock.advance(5_000);
    channel.update({ nominalHashrate: 4e9, maxTarget: 2n ** 251n });
    expect(server.got("UpdateChannel")).toHaveLength(2);
  });

  test("of a miner that does not say how fast it is begins where one small ASIC would: SRI's pool takes every hash of who claims 0", async () => {
    const { run, open, opened, clock, server } = stageOfMiners();
    await run();
    const { channel } = open("a.one", 0);
    open("a.slow", 0.5);
    expect(opened().map(({ nominalHashRate }) => nominalHashRate)).toEqual([Math.fround(1e12), 1]);
    clock.advance(10_000);
    channel.update({ nominalHashrate: 0, maxTarget: 2n ** 250n });
    expect(server.got("UpdateChannel").at(-1)?.nominalHashRate).toBe(Math.fround(1e12));
  });

  test("says what changed while it was being opened", async () => {
    const server: ScriptedServer = new ScriptedServer({
      onMessage: playPool(({ name }) => name === "OpenExtendedMiningChannel"),
    });
    const { run, open, clock } = stageOfMiners({ server });
    await run();
    const { channel } = open("a.one");
    channel.update({ nominalHashrate: 2e9, maxTarget: 2n ** 250n });
    server.send("OpenExtendedMiningChannelSuccess", {
      requestId: 1,
      channelId: 2,
      groupChannelId: 1,
      target: u256(1),
      extranonceSize: 16,
      extranoncePrefix: new Uint8Array(4),
    });
    clock.advance(5_000);
    expect(server.got("UpdateChannel")[0]).toMatchObject({ channelId: 2, nominalHashRate: 2e9 });
  });

  test("is closed at the pool with the miner's, in whatever state it is", async () => {
    let answers = true;
    const { run, open, clock, server, opened, connection } = stageOfMiners({
      onMessage: playPool(({ name }) => name === "OpenExtendedMiningChannel" && !answers),
    });
    const early = open("a.early");
    early.channel.close();
    await run();
    expect(opened()).toEqual([]);
    const one = open("a.one");
    clock.advance(1);
    one.channel.close();
    one.channel.close();
    expect(server.got("CloseChannel")).toEqual([{ channelId: 2, reasonCode: "the miner is gone" }]);
    answers = false;
    const asked = open("a.asked");
    asked.channel.close();
    // The pool's answer crosses it.
    server.send("OpenExtendedMiningChannelSuccess", {
      requestId: 2,
      channelId: 3,
      groupChannelId: 1,
      target: u256(1),
      extranonceSize: 16,
      extranoncePrefix: new Uint8Array(4),
    });
    expect(server.got("CloseChannel").at(-1)?.channelId).toBe(3);
    expect(connection.state().channels).toBe(0);
    clock.advance(400_000);
    expect(opened()).toHaveLength(2);
    expect(asked.works).toEqual([]);
  });

  test("has no work any more when the miner closed it before its turn", async () => {
    const { run, open, clock } = stageOfMiners();
    await run();
    const { channel, works } = open("a.one");
    channel.close();
    channel.update({ nominalHashrate: 1, maxTarget: 1n });
    clock.advance(10_000);
    expect(works).toEqual([]);
  });
});

describe("a miner's channel that the pool refuses, closes or forgets", () => {
  test("is asked for again, after pauses that grow; the connection and the others go on", async () => {
    const { run, open, clock, opened, log, goesOn } = stageOfMiners({
      idleTimeoutMs: 10_000_000,
      onMessage: playPool((message, server) => {
        if (message.name !== "OpenExtendedMiningChannel" || message.value.userIdentity !== "account.farm.bad")
          return false;
        server.send("OpenMiningChannelError", { requestId: message.value.requestId, errorCode: "unknown-user" });
        return true;
      }),
    });
    await run();
    const bad = open("bad");
    const good = open("good");
    const asked = (): number => opened().filter(({ userIdentity }) => userIdentity.endsWith("bad")).length;
    expect(asked()).toBe(1);
    clock.advance(740);
    expect(asked()).toBe(1);
    clock.advance(520);
    expect(asked()).toBe(2);
    clock.advance(1_000_000);
    // 1, 2, 4 … 300 s: some twelve attempts in a quarter of an hour.
    expect(asked()).toBeGreaterThan(8);
    expect(asked()).toBeLessThan(16);
    expect(jobsOf(good.works)).toEqual(["2/1"]);
    expect(bad.works).toEqual([]);
    expect(await goesOn()).toBe(true);
    const warnings = log.lines.filter(({ level }) => level === "warn");
    expect(warnings[0]?.message).toMatch(/the pool does not take our user/);
    expect(warnings[0]?.fields).toMatchObject({ reason: "unknown-user", userIdentity: "account.farm.bad" });
    bad.channel.close();
    const before = asked();
    clock.advance(1_000_000);
    expect(asked()).toBe(before);
  });

  test("comes back with the pool's CloseChannel, also of the whole group", async () => {
    const { run, open, clock, server } = stageOfMiners();
    await run();
    const miners = ["a", "b", "c"].map((name) => open(name));
    clock.advance(1);
    server.send("CloseChannel", { channelId: 1, reasonCode: "restart" });
    clock.advance(2_000);
    expect(miners.map(({ works }) => jobsOf(works).at(-1)?.endsWith("/1"))).toEqual([true, true, true]);
    expect(miners.map(({ works }) => works.length)).toEqual([2, 2, 2]);
    expect(new Set(miners.map(({ works }) => works.at(-1)?.job.pool?.channelId))).toEqual(new Set([5, 6, 7]));
  });

  test("is asked for again when no answer comes within half a minute", async () => {
    const { run, open, clock, opened } = stageOfMiners({
      onMessage: playPool(({ name }) => name === "OpenExtendedMiningChannel"),
    });
    await run();
    open("a.one");
    clock.advance(29_000);
    expect(opened()).toHaveLength(1);
    clock.advance(10_000);
    expect(opened()).toHaveLength(2);
  });
});

describe("very many miners", () => {
  test("are asked for 64 at a time", async () => {
    const held: number[] = [];
    const { run, open, opened, server } = stageOfMiners({
      onMessage: playPool((message) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        held.push(message.value.requestId);
        return true;
      }),
    });
    for (let i = 0; i < 200; i++) open(`a.${i}`);
    await run();
    expect(opened()).toHaveLength(64);
    const [requestId = 0] = held;
    server.send("OpenMiningChannelError", { requestId, errorCode: "unknown-user" });
    expect(opened()).toHaveLength(65);
  });

  test("that come and go faster than the pool answers do not flood it with questions", async () => {
    const held: number[] = [];
    const { run, open, opened, server, clock, connection } = stageOfMiners({
      onMessage: playPool((message) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        held.push(message.value.requestId);
        return true;
      }),
    });
    await run();
    for (let i = 0; i < 1_000; i++) open(`a.${i}`).channel.close();
    expect(opened()).toHaveLength(64);
    expect(server.got("CloseChannel")).toEqual([]);
    // Whoever stays has its turn as soon as the pool has answered, or has not for half a minute.
    open("a.stays");
    expect(opened()).toHaveLength(64);
    const [requestId = 0, refusedId = 0] = held;
    const opening = { channelId: 2, groupChannelId: 1, target: u256(1), extranonceSize: 16 };
    server.send("OpenExtendedMiningChannelSuccess", { requestId, ...opening, extranoncePrefix: new Uint8Array(4) });
    expect(server.got("CloseChannel")).toEqual([{ channelId: 2, reasonCode: "the miner is gone" }]);
    expect(opened().at(-1)?.userIdentity).toBe("account.farm.stays");
    server.send("OpenMiningChannelError", { requestId: refusedId, errorCode: "unknown-user" });
    clock.advance(31_000);
    open("a.later");
    expect(
      opened()
        .slice(64)
        .map(({ userIdentity }) => userIdentity),
    ).toContain("account.farm.later");
    expect(opened().length).toBeLessThan(68);
    expect(connection.state().channels).toBe(0);
  });

  test("get a group's job some at a time, and only the newest", async () => {
    const clock = new SteppedClock();
    const { run, open, server } = stageOfMiners({ clock });
    await run();
    const miners = Array.from({ length: 1_000 }, (_, i) => open(`a.${i}`));
    clock.advance(10);
    expect(miners.every(({ works }) => works.length === 1)).toBe(true);
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 2, prevHash: u256(10) }));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 3, minNtime: 1_700_000_050 }));
    const served = (): number => miners.filter(({ works }) => works.length === 2).length;
    const slices: number[] = [];
    clock.onTurn = () => slices.push(served());
    expect(served()).toBe(0);
    clock.advance(0);
    // What a turn of the event loop found done.
    expect(slices).toEqual([0, 256, 512, 768]);
    expect(served()).toBe(1_000);
    expect(miners.every(({ works }) => jobsOf(works).at(-1)?.endsWith("/3"))).toBe(true);
    expect(miners[0]?.works.at(-1)?.job.prevHash).toEqual(u256(10));
  });

  test("do not fill memory with shares of which the pool says nothing", async () => {
    const remembered = async (channels: number): Promise<unknown> => {
      const { run, open, clock, server, connection, meter } = stageOfMiners({ idleTimeoutMs: 10_000_000 });
      await run();
      const [{ works }] = [open("a.one"), ...Array.from({ length: channels - 1 }, (_, i) => open(`a.${i}`))];
      clock.advance(10);
      const job = works[0]?.job;
      if (job === undefined) throw new Error("there is no job");
      for (let i = 0; i < 40; i++) connection.submit(shareOf(job), () => undefined);
      clock.advance(12_000);
      expect(connection.state().shares).toMatchObject({ waiting: 0, unanswered: 40 });
      for (let sequenceNumber = 0; sequenceNumber < 40; sequenceNumber++)
        server.send("SubmitSharesError", { channelId: 2, sequenceNumber, errorCode: "stale-share" });
      return { late: connection.state().shares.refused, odd: meter.sum("upstream_acknowledgements_odd_total") };
    };
    expect(await remembered(10)).toEqual({ late: 40, odd: 0 });
    // More than the ten of a batch.
    expect(await remembered(10_000)).toEqual({ late: 16, odd: 24 });
  });

  test("beyond the bound get no work, which is told", async () => {
    const { open, log } = stageOfMiners();
    for (let i = 0; i < 65_536; i++) open("a.x");
    expect(log.lines).toEqual([]);
    const { channel } = open("a.one-more");
    expect(channel.current()).toBeUndefined();
    expect(log.lines.map(({ level }) => level)).toEqual(["warn"]);
    channel.close();
  });
});

describe("the end", () => {
  test("closes all channels, and no job comes any more", async () => {
    const { run, open, clock, server, stop, connection } = stageOfMiners();
    await run();
    const miners = ["a", "b"].map((name) => open(name));
    clock.advance(1);
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 3, minNtime: 1_700_000_050 }));
    await stop();
    clock.advance(100_000);
    expect(server.got("CloseChannel").map(({ channelId }) => channelId)).toEqual([2, 3]);
    expect(miners.map(({ works }) => works.length)).toEqual([1, 1]);
    expect(clock.pending).toBe(0);
    for (const { channel } of miners) channel.close();
    expect(server.got("CloseChannel")).toHaveLength(2);
    expect(open("c").channel.current()).toBeUndefined();
    expect(connection.state().channels).toBe(0);
  });

  test("comes of a job that no block can be made of", async () => {
    const { run, open, clock, server, end } = stageOfMiners();
    await run();
    open("a");
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, minNtime: 1, coinbaseTxPrefix: u256(0) }));
    clock.advance(1);
    await settle();
    expect((await end()).fault?.code).toBe("pool-job-invalid");
  });
});

test("an aggregated connection has no channels to open", () => {
  const { connection } = upstreamStage();
  const wish = { userIdentity: "a", nominalHashrate: 1, maxTarget: 1n };
  expect(() => connection.open(wish, () => undefined)).toThrow(TypeError);
});
