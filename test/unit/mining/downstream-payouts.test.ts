/** Channels that the coinbase pays, as conversations: which group they are told, whose job reaches them, what their blocks pay. */
import { describe, expect, test } from "vitest";
import { addressOfScript, scriptOfAddress } from "../../../src/bitcoin/address.ts";
import { parseTransaction } from "../../../src/bitcoin/transaction.ts";
import { concat, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { ChannelPayouts } from "../../../src/mining/channel-payouts.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import {
  ANY_TARGET,
  type Message,
  type Peer,
  payout as poolPayout,
  type TestChannel,
  TestPool,
} from "../../support/conversation.ts";
import { EASY_BITS, refusal } from "../../support/fake-chain.ts";
import { recordingLog } from "../../support/recording-log.ts";

const ALICE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const BOB = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";
const scriptOf = (address: string): string => toHex(scriptOfAddress(address, "regtest"));
const POOL_SCRIPT = "51";

/** A pool whose coinbases pay identities. */
function soloPool(nBits?: number): TestPool {
  const payouts = new ChannelPayouts({ log: recordingLog(), pool: poolPayout }, { network: "regtest" });
  const pool = new TestPool({ payouts });
  pool.newBlock(nBits === undefined ? {} : { nBits });
  return pool;
}

/** What the coinbase of an extended job pays, template's own outputs left out: hex of a script and its value. */
function paid(channel: TestChannel, message: Message): (readonly [string, bigint])[] {
  if (message.name !== "NewExtendedMiningJob") throw new Error(`no extended job but ${message.name}`);
  const { coinbaseTxPrefix, coinbaseTxSuffix } = message.value;
  const rest = new Uint8Array(20 - channel.extranoncePrefix.length);
  const { outputs } = parseTransaction(concat(coinbaseTxPrefix, channel.extranoncePrefix, rest, coinbaseTxSuffix));
  return outputs.slice(0, -1).map(({ script, value }) => [toHex(script), value] as const);
}

/** Messages by name and the id that they are addressed to. */
const addressed = (peer: Peer): string[] =>
  peer
    .received()
    .map(({ name, value }) => `${name} ${"channelId" in value ? value.channelId : ""}`)
    .sort();

describe("channels that are paid differently", () => {
  test("each payout is a group of its own: each is told its id, and its jobs pay it", () => {
    const pool = soloPool();
    const peer = pool.connect();
    const [anna, alice, alices, bob] = ["anna", `${ALICE}.1`, `sri/solo/${ALICE}/2`, `sri/donate/10/${BOB}`].map(
      (userIdentity) => peer.openExtended({ userIdentity }),
    ) as [TestChannel, TestChannel, TestChannel, TestChannel];
    expect(anna.groupChannelId).toBe(1);
    expect(alices.groupChannelId).toBe(alice.groupChannelId);
    const ids = [anna, alice, alices, bob].map(({ channelId }) => channelId);
    const groups = [anna, alice, bob].map(({ groupChannelId }) => groupChannelId);
    expect(new Set([...ids, ...groups]).size).toBe(7);

    for (const step of ["refresh", "newBlock"] as const) {
      const { coinbaseValue: value } = pool[step]().template;
      const messages = peer.received();
      const jobs = messages.filter(({ name }) => name === "NewExtendedMiningJob");
      expect(jobs.map((job) => paid(anna, job))).toEqual([
        [[POOL_SCRIPT, value]],
        [[scriptOf(ALICE), value]],
        [
          [POOL_SCRIPT, value / 10n],
          [scriptOf(BOB), value - value / 10n],
        ],
      ]);
      expect(jobs.map(({ value: job }) => "channelId" in job && job.channelId)).toEqual(groups);
      const tips = messages.filter(({ name }) => name === "SetNewPrevHash").map(({ value: tip }) => tip);
      if (step === "refresh") expect(tips).toEqual([]);
      else expect(tips).toMatchObject(groups.map((channelId) => ({ channelId, jobId: pool.job?.jobId })));
    }
    expect(pool.payouts?.size).toBe(2);
  });

  test.each(["standard", "extended"] as const)("%s channels: shares count, and a block pays whom it should", (kind) => {
    const pool = soloPool();
    const peer = pool.connect({ ackBatchSize: 1 });
    const identities = ["anna", `${ALICE}.rig`, `sri/donate/30/${BOB}/rig`];
    const channels = identities.map((userIdentity) =>
      kind === "standard" ? peer.openStandard({ userIdentity }) : peer.openExtended({ userIdentity }),
    );
    // The first job of a channel, a refresh for its group, then a block on another tip.
    for (const wish of [undefined, { nBits: EASY_BITS }]) {
      if (wish !== undefined) {
        pool.newBlock(wish);
        const messages = peer.received();
        for (const channel of channels) for (const message of messages) channel.follow(message);
      }
      for (const channel of channels) {
        channel.submit(channel.mine());
        expect(peer.next("SubmitSharesSuccess")).toMatchObject({ channelId: channel.channelId });
      }
    }
    const { coinbaseValue: value } = pool.job!.template;
    const part = (value * 30n) / 100n;
    expect(pool.blocks.map(({ reward, finderReward, finderAddress }) => [reward, finderReward, finderAddress])).toEqual(
      [
        [value, 0n, undefined],
        [0n, value, ALICE],
        [part, value - part, BOB],
      ],
    );
    expect(pool.blocks.map(({ isGift }) => isGift)).toEqual([true, true, true]);
    const pays = pool.blocks.map(({ coinbase }) => parseTransaction(coinbase).outputs.slice(0, -1));
    expect(pays.map((outputs) => outputs.map((output) => [toHex(output.script), output.value]))).toEqual([
      [[POOL_SCRIPT, value]],
      [[scriptOf(ALICE), value]],
      [
        [POOL_SCRIPT, part],
        [scriptOf(BOB), value - part],
      ],
    ]);
    for (const block of pool.blocks) expect(refusal(block, pool.job!.template)).toBeUndefined();
  });

  test("a job that is repeated for a new target keeps its payout", () => {
    const pool = soloPool();
    const peer = pool.connect();
    const channel = peer.openExtended({ userIdentity: ALICE, nominalHashRate: 10 });
    peer.send("UpdateChannel", { channelId: channel.channelId, nominalHashRate: 1e5, maximumTarget: ANY_TARGET });
    const [target, job, ...more] = peer.received();
    expect([target?.name, more]).toEqual(["SetTarget", []]);
    expect(paid(channel, job!)).toEqual([[scriptOf(ALICE), pool.job!.template.coinbaseValue]]);
    expect(job?.value).toMatchObject({ channelId: channel.channelId, minNtime: expect.any(Number) });
    channel.follow(target!);
    channel.follow(job!);
    pool.newBlock();
    for (const message of peer.received()) channel.follow(message);
    channel.submit(channel.mine());
    expect(pool.credits).toHaveLength(1);
  });

  test("a client that requires standard jobs gets each channel's own, and no group is ever addressed", () => {
    const pool = soloPool(EASY_BITS);
    const peer = pool.connect({ requiresStandardJobs: true });
    const channels = ["anna", ALICE, `${ALICE}.2`].map((userIdentity) => peer.openStandard({ userIdentity }));
    pool.newBlock({ nBits: EASY_BITS });
    const ids = channels.map(({ channelId }) => channelId);
    const messages = peer.received();
    expect(messages.map(({ name, value }) => [name, "channelId" in value && value.channelId])).toEqual(
      ids.flatMap((id) => [
        ["NewMiningJob", id],
        ["SetNewPrevHash", id],
      ]),
    );
    for (const channel of channels) {
      for (const message of messages) channel.follow(message);
      channel.submit(channel.mine());
    }
    expect(pool.blocks.map(({ finderAddress }) => finderAddress)).toEqual([undefined, ALICE, ALICE]);
    for (const block of pool.blocks) expect(refusal(block, pool.job!.template)).toBeUndefined();
  });

  test("a group's id closes its channels and no others, for either side", () => {
    const pool = soloPool();
    const peer = pool.connect();
    const open = (userIdentity: string) => peer.openExtended({ userIdentity });
    const [anna, alice, alices, bob] = [open("anna"), open(ALICE), open(`${ALICE}.2`), open(BOB)];
    peer.send("CloseChannel", { channelId: alice.groupChannelId, reasonCode: "bye" });
    expect(pool.closed.map(({ channelId }) => channelId)).toEqual([alice.channelId, alices.channelId]);
    expect(pool.payouts?.size).toBe(1);
    peer.downstream.closeChannel(bob.groupChannelId, "end");
    expect(addressed(peer)).toEqual([`CloseChannel ${bob.groupChannelId}`]);
    expect(peer.downstream.channels().map(({ channelId }) => channelId)).toEqual([anna.channelId]);
    peer.downstream.close();
    expect([pool.payouts?.size, pool.extranonces.inUse]).toEqual([0, 0]);
  });

  test("a group that everybody left begins again under another id, with tip and job", () => {
    const pool = soloPool();
    const peer = pool.connect();
    const first = peer.openExtended({ userIdentity: ALICE });
    peer.send("CloseChannel", { channelId: first.channelId, reasonCode: "" });
    pool.newBlock();
    peer.nothing();
    const second = peer.openExtended({ userIdentity: ALICE });
    expect(second.groupChannelId).not.toBe(first.groupChannelId);
    second.submit(second.mine());
    expect(pool.credits).toHaveLength(1);
  });
});

describe("many groups on one connection", () => {
  test("are served some at a time, the newest job first of all, and none is left out or served twice", () => {
    const pool = soloPool();
    const peer = pool.connect();
    const count = 100;
    for (let i = 0; i < count; i++)
      peer.openExtended({ userIdentity: `sri/donate/${1 + (i % 99)}/${i < 99 ? ALICE : BOB}` });
    const anna = peer.openExtended({ userIdentity: "anna" });
    peer.received();
    const job = pool.newBlock();
    expect(peer.received().filter(({ name }) => name === "NewExtendedMiningJob")).toHaveLength(count + 1);
    expect(peer.downstream.newJob(job)).toBe(false);
    peer.nothing();

    // A newer job comes when some have the older one: they are on the new tip, the others still on the old.
    pool.peers.length = 0;
    const older = pool.newBlock();
    expect(peer.downstream.newJob(older)).toBe(true);
    const served = peer.received().filter(({ name }) => name === "SetNewPrevHash").length;
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(count);
    const newer = pool.refresh();
    let turns = 1;
    while (peer.downstream.newJob(newer)) turns += 1;
    expect(turns).toBeGreaterThan(2);
    const last = peer.received();
    const jobs = last.filter(({ name }) => name === "NewExtendedMiningJob");
    expect(new Set(jobs.map(({ value }) => "channelId" in value && value.channelId)).size).toBe(count + 1);
    expect(jobs).toHaveLength(count + 1);
    expect(last.filter(({ name }) => name === "SetNewPrevHash")).toHaveLength(count + 1 - served);
    for (const message of last) anna.follow(message);
    expect(anna.jobId).toBe(newer.jobId);
  });

  test("what they take on the wire is known before: a peer is owed so much on top of its limit", () => {
    const pool = soloPool();
    const peer = pool.connect();
    expect(peer.downstream.bytesApart).toBe(0);
    peer.openExtended({ userIdentity: "anna" });
    expect(peer.downstream.bytesApart).toBe(0);
    // The longest witness program, and the pool's output beside it.
    const longest = addressOfScript(Uint8Array.of(0x51, 40, ...new Uint8Array(40)), "regtest");
    for (let i = 1; i <= 50; i++) peer.openExtended({ userIdentity: `sri/donate/${i}/${longest}` });
    const told = peer.downstream.bytesApart;
    peer.received();
    pool.newBlock();
    // Encrypted, a frame has 22 bytes of header and 16 of a tag where it had 6.
    const sent = peer
      .received()
      .filter(({ value }) => "channelId" in value && value.channelId !== 1)
      .reduce((sum, { name, value }) => sum + mining.encode(name, value as never).length + 32, 0);
    expect(sent).toBeGreaterThan(50 * 300);
    expect(told).toBeGreaterThanOrEqual(sent);
    expect(told).toBeLessThan(2 * sent);
  });

  test("a channel that opens before its group had its turn gets the newest job once, after the group's others", () => {
    const pool = soloPool();
    const peer = pool.connect();
    for (let i = 1; i < 99; i++) peer.openExtended({ userIdentity: `sri/donate/${i}/${ALICE}` });
    const early = peer.openExtended({ userIdentity: BOB });
    peer.received();
    pool.peers.length = 0;
    const job = pool.newBlock();
    peer.send("OpenExtendedMiningChannel", {
      requestId: 1,
      userIdentity: `${BOB}.2`,
      nominalHashRate: 10,
      maxTarget: ANY_TARGET,
      minExtranonceSize: 4,
    });
    const messages = peer.received();
    const success = messages.findIndex(({ name }) => name === "OpenExtendedMiningChannelSuccess");
    const groups = messages.findIndex(
      ({ name, value }) =>
        name === "NewExtendedMiningJob" && "channelId" in value && value.channelId === early.groupChannelId,
    );
    expect(groups).toBeGreaterThan(-1);
    expect(groups).toBeLessThan(success);
    while (peer.downstream.newJob(job));
    const toBob = [...messages, ...peer.received()].filter(
      ({ name, value }) =>
        name === "NewExtendedMiningJob" && "channelId" in value && value.channelId === early.groupChannelId,
    );
    expect(toBob).toHaveLength(1);
  });
});

describe("identities that cannot be paid", () => {
  test.each(["sri/solo/tb1qbalieiro/worker.1", "sri/worker.1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"])(
    "%s is refused, and nothing is held",
    (userIdentity) => {
      const pool = soloPool();
      const peer = pool.connect();
      const request = { requestId: 3, userIdentity, nominalHashRate: 1, maxTarget: ANY_TARGET };
      peer.send("OpenStandardMiningChannel", request);
      peer.send("OpenExtendedMiningChannel", { ...request, minExtranonceSize: 4 });
      for (let i = 0; i < 2; i++) {
        expect(peer.next("OpenMiningChannelError")).toEqual({ requestId: 3, errorCode: "invalid-user-identity" });
      }
      expect([pool.extranonces.inUse, pool.payouts?.size]).toEqual([0, 0]);
      const line = pool.log.lines.find(({ message }) => message.startsWith("channel refused"));
      expect(line?.fields?.error).toMatchObject({ code: "channel-payout-invalid", data: { userIdentity } });
    },
  );

  test("the operator's policy is asked first", () => {
    const pool = soloPool();
    pool.authorise = () => ({ allowed: false, errorCode: "unknown-user" });
    const peer = pool.connect();
    peer.send("OpenStandardMiningChannel", {
      requestId: 3,
      userIdentity: "sri/",
      nominalHashRate: 1,
      maxTarget: ANY_TARGET,
    });
    expect(peer.next("OpenMiningChannelError").errorCode).toBe("unknown-user");
  });

  test("where coinbases pay the pool, identities are names and nothing else", () => {
    const pool = new TestPool();
    pool.newBlock();
    const peer = pool.connect();
    const channel = peer.openExtended({ userIdentity: `sri/solo/${ALICE}` });
    peer.openExtended({ userIdentity: "sri/" });
    expect(channel.groupChannelId).toBe(1);
    pool.refresh();
    expect(paid(channel, peer.received()[0]!)).toEqual([[POOL_SCRIPT, pool.job!.template.coinbaseValue]]);
  });
});

test("workers that shares name (0x0002) are credited, and the channel's identity is paid", () => {
  const pool = soloPool(EASY_BITS);
  const peer = pool.connect();
  peer.downstream.useExtensions(new Set([2]));
  const channel = peer.openExtended({ userIdentity: `sri/solo/${ALICE}` });
  const worker = utf8("rig-2");
  channel.submit(channel.mine(), concat(Uint8Array.of(2, 0, 1, worker.length, 0), worker));
  expect(pool.credits).toEqual([expect.objectContaining({ userIdentity: `sri/solo/${ALICE}.rig-2` })]);
  expect(pool.blocks).toEqual([
    expect.objectContaining({ finderAddress: ALICE, userIdentity: `sri/solo/${ALICE}.rig-2` }),
  ]);
});
