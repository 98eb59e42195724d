import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { type ChannelOpening, type ChannelOptions, MinerChannel } from "../../../../src/devnet/miner/channel.ts";
import { concat } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import type { Fields } from "../../../support/messages.ts";

const u256 = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const sha256d = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes));
const MASK = 0x1fffe000;

const open = (opening: Partial<ChannelOpening> = {}, options: Partial<ChannelOptions> = {}): MinerChannel =>
  new MinerChannel(
    {
      kind: "extended",
      channelId: 5,
      groupChannelId: 9,
      target: u256(0xaa),
      extranoncePrefix: Uint8Array.of(1, 2, 3, 4),
      extranonceSize: 16,
      ...opening,
    },
    { versionMask: MASK, requiresStandardJobs: false, ...options },
  );
const standard = (options: Partial<ChannelOptions> = {}): MinerChannel =>
  open({ kind: "standard", extranonceSize: 0, extranoncePrefix: new Uint8Array(20).fill(7) }, options);

const extendedJob = (jobId: number, minNtime: number | null, more: Partial<Fields<"NewExtendedMiningJob">> = {}) =>
  ({
    kind: "extended",
    job: {
      channelId: 5,
      jobId,
      minNtime,
      version: 0x20000000,
      versionRollingAllowed: true,
      merklePath: [u256(3)],
      coinbaseTxPrefix: Uint8Array.of(0xc0),
      coinbaseTxSuffix: Uint8Array.of(0xc1),
      ...more,
    },
  }) as const;
const standardJob = (jobId: number, minNtime: number | null, channelId = 5) =>
  ({
    kind: "standard",
    job: { channelId, jobId, minNtime, version: 0x20000000, merkleRoot: u256(jobId) },
  }) as const;
const block = (jobId: number, byte = 1, minNtime = 1_700_000_000): Fields<"SetNewPrevHash"> => ({
  channelId: 5,
  jobId,
  prevHash: u256(byte),
  minNtime,
  nbits: 0x1d00ffff,
});
const rule = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault && error.code === "server-violation") return String(error.data.rule);
    throw error;
  }
  return "none";
};

describe("a future job (spec 5.1.3)", () => {
  test("waits for the block that names it, whose time and hash it is mined with", () => {
    const channel = open();
    expect(channel.job(extendedJob(1, null))).toBeUndefined();
    expect(channel.isValid(1)).toBe(false);
    expect(channel.newPrevHash(block(1, 6, 1234))).toEqual({
      version: 0x20000000,
      versionMask: MASK,
      prevHash: u256(6),
      nbits: 0x1d00ffff,
      minNtime: 1234,
      target: u256(0xaa),
      root: {
        kind: "rolled",
        coinbasePrefix: Uint8Array.of(0xc0, 1, 2, 3, 4),
        coinbaseSuffix: Uint8Array.of(0xc1),
        merklePath: [u256(3)],
        extranonceSize: 16,
      },
    });
    expect(channel.isValid(1)).toBe(true);
  });

  test("is void once another was named, and so is every job on the old block", () => {
    const channel = open();
    channel.job(extendedJob(1, null));
    channel.newPrevHash(block(1));
    channel.job(extendedJob(2, 1));
    channel.job(extendedJob(3, null));
    channel.job(extendedJob(4, null));
    channel.newPrevHash(block(4, 2));
    expect([1, 2, 3, 4].map((jobId) => channel.isValid(jobId))).toEqual([false, false, false, true]);
    expect(rule(() => channel.newPrevHash(block(3, 3)))).toMatch(/no future job/);
  });

  test("has to be known, future and on this channel", () => {
    const channel = open();
    expect(rule(() => channel.newPrevHash(block(1)))).toMatch(/no future job/);
    channel.job(extendedJob(1, null));
    channel.newPrevHash(block(1));
    channel.job(extendedJob(2, 1));
    expect(rule(() => channel.newPrevHash(block(2)))).toMatch(/no future job/);
  });

  test("gives way to newer ones: sixteen are kept", () => {
    const channel = open();
    for (let jobId = 1; jobId <= 17; jobId++) channel.job(extendedJob(jobId, null));
    expect(rule(() => channel.newPrevHash(block(1)))).toMatch(/no future job/);
    expect(channel.newPrevHash(block(2)).minNtime).toBe(1_700_000_000);
  });
});

describe("a job with a time", () => {
  test("is mined at once on the present block, beside which older ones stay valid", () => {
    const channel = open();
    channel.job(extendedJob(1, null));
    channel.newPrevHash(block(1, 6));
    expect(channel.job(extendedJob(2, 777))).toMatchObject({ minNtime: 777, prevHash: u256(6), nbits: 0x1d00ffff });
    expect([channel.isValid(1), channel.isValid(2)]).toEqual([true, true]);
  });

  test("cannot come before the first block", () => {
    expect(rule(() => open().job(extendedJob(1, 777)))).toMatch(/before any block/);
  });

  test("must not use a job id again", () => {
    const channel = open();
    channel.job(extendedJob(1, null));
    expect(rule(() => channel.job(extendedJob(1, null)))).toMatch(/used again/);
    channel.newPrevHash(block(1));
    expect(rule(() => channel.job(extendedJob(1, 5)))).toMatch(/used again/);
  });

  test("leaves the version alone when it forbids rolling", () => {
    const channel = open();
    channel.job(extendedJob(1, null, { versionRollingAllowed: false }));
    expect(channel.newPrevHash(block(1)).versionMask).toBe(0);
  });
});

describe("the target (spec 5.3.21)", () => {
  test("that is set applies to later jobs and to future jobs that wait, not to active ones", () => {
    const channel = open();
    channel.job(extendedJob(1, null));
    const active = channel.newPrevHash(block(1));
    channel.job(extendedJob(2, null));
    channel.setTarget(u256(0x11));
    expect(active.target).toEqual(u256(0xaa));
    expect(channel.job(extendedJob(3, 1))?.target).toEqual(u256(0x11));
    expect(channel.newPrevHash(block(2, 2)).target).toEqual(u256(0x11));
  });
});

describe("the extranonce prefix (spec 5.3.10)", () => {
  test("that is set applies to jobs sent after it only", () => {
    const channel = open();
    channel.job(extendedJob(1, null));
    channel.setExtranoncePrefix(Uint8Array.of(9, 9, 9, 9));
    channel.job(extendedJob(2, null));
    const prefixOf = (jobId: number): Uint8Array | undefined => {
      const { root } = channel.newPrevHash(block(jobId));
      return root.kind === "rolled" ? root.coinbasePrefix : undefined;
    };
    const copy = open();
    copy.job(extendedJob(1, null));
    copy.setExtranoncePrefix(Uint8Array.of(9, 9, 9, 9));
    expect(copy.newPrevHash(block(1)).root).toMatchObject({ coinbasePrefix: Uint8Array.of(0xc0, 1, 2, 3, 4) });
    expect(prefixOf(2)).toEqual(Uint8Array.of(0xc0, 9, 9, 9, 9));
  });
});

describe("a standard channel", () => {
  test("mines the merkle root that it is given", () => {
    const channel = standard({ requiresStandardJobs: true });
    channel.job(standardJob(1, null));
    expect(channel.newPrevHash(block(1))).toMatchObject({
      versionMask: MASK,
      root: { kind: "fixed", merkleRoot: u256(1) },
    });
  });

  test("makes the one merkle root of a group's job from its whole extranonce", () => {
    const channel = standard();
    channel.job(extendedJob(1, null, { channelId: 9 }));
    const coinbase = concat(Uint8Array.of(0xc0), new Uint8Array(20).fill(7), Uint8Array.of(0xc1));
    expect(channel.newPrevHash(block(1)).root).toEqual({
      kind: "fixed",
      merkleRoot: sha256d(concat(sha256d(coinbase), u256(3))),
    });
  });

  test("gets no extended job of its own, and none at all with REQUIRES_STANDARD_JOBS", () => {
    expect(rule(() => standard().job(extendedJob(1, null)))).toMatch(/extended job/);
    const strict = standard({ requiresStandardJobs: true });
    expect(rule(() => strict.job(extendedJob(1, null, { channelId: 9 })))).toMatch(/extended job/);
  });

  test("gets standard jobs by its own id; extended channels get none", () => {
    expect(rule(() => standard().job(standardJob(1, null, 9)))).toMatch(/to a group/);
    expect(rule(() => open().job(standardJob(1, null)))).toMatch(/standard job/);
  });
});

describe("a group (spec 5.3.22)", () => {
  test("addresses the channel by either id, and another one after SetGroupChannel", () => {
    const channel = open();
    const addressed = (): boolean[] => [5, 9, 10, 0].map((id) => channel.isAddressedBy(id));
    expect(addressed()).toEqual([true, true, false, false]);
    channel.setGroup(10);
    expect(addressed()).toEqual([true, false, true, false]);
    expect(channel.groupChannelId).toBe(10);
  });

  test("is not for clients that require standard jobs", () => {
    expect(rule(() => standard({ requiresStandardJobs: true }).setGroup(10))).toMatch(/requires standard jobs/);
  });
});

test("jobs keep nothing of the bytes they were read from", () => {
  const received = extendedJob(1, null);
  const channel = open();
  channel.job(received);
  received.job.coinbaseTxPrefix.fill(0);
  received.job.merklePath[0]!.fill(0);
  expect(channel.newPrevHash(block(1)).root).toMatchObject({
    coinbasePrefix: Uint8Array.of(0xc0, 1, 2, 3, 4),
    merklePath: [u256(3)],
  });
});
