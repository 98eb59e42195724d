import { describe, expect, test } from "vitest";
import { type ClientOptions, MinerClient } from "../../../../src/devnet/miner/client.ts";
import type { MinerEvents } from "../../../../src/devnet/miner/events.ts";
import type { Solution, Work } from "../../../../src/devnet/miner/work.ts";
import { Bus } from "../../../../src/kernel/events.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { encodeFrameHeader, FrameDecoder } from "../../../../src/sv2/frame.ts";
import { decodeUserIdentity } from "../../../../src/sv2/tlv.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, type Name } from "../../../support/messages.ts";
import { recordingLog } from "../../../support/recording-log.ts";

const u256 = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const PREFIX = Uint8Array.of(1, 2, 3, 4);

const OPTIONS: ClientOptions = {
  channel: "extended",
  requiresStandardJobs: false,
  userIdentity: "ann.one",
  nominalHashrate: 1e6,
  minExtranonceSize: 4,
  versionMask: 0x1fffe000,
  endpointHost: "pool.example",
  endpointPort: 3333,
  vendor: "v",
  hardwareVersion: "h",
  firmware: "f",
  deviceId: "d",
  setupTimeoutMs: 10_000,
};

/** Events that are recorded, in order. */
const EVENTS: readonly (keyof MinerEvents)[] = [
  "setup",
  "refused",
  "channel",
  "job",
  "newBlock",
  "target",
  "shareFound",
  "shareAccepted",
  "shareRejected",
  "shareStale",
  "channelClosed",
  "reconnect",
];

class Talk {
  readonly clock = new FakeClock();
  readonly sent: Message[] = [];
  readonly works: (Work | undefined)[] = [];
  readonly ends: string[] = [];
  readonly told: { readonly name: string; readonly event: unknown }[] = [];
  readonly client: MinerClient;
  readonly #decoder = new FrameDecoder({}, { maxFrameSize: 65536 });

  constructor(options: Partial<ClientOptions> = {}) {
    const events = new Bus<MinerEvents>({
      onError: (error) => {
        throw error;
      },
    });
    for (const name of EVENTS) events.on(name, (event) => void this.told.push({ name, event }));
    this.client = new MinerClient(
      {
        clock: this.clock,
        log: recordingLog(),
        events,
        send: (bytes) => {
          for (const frame of this.#decoder.push(bytes)) this.sent.push(decodeMessage(frame, "server")!);
        },
        onWork: (work) => void this.works.push(work),
        onEnd: (reason) => void this.ends.push(reason),
      },
      { ...OPTIONS, ...options },
    );
    this.client.start();
  }

  hear<N extends Name>(name: N, value: Fields<N>): void {
    for (const frame of new FrameDecoder({}, { maxFrameSize: 65536 }).push(encodeMessage(name, value))) {
      this.client.receive(frame);
    }
  }

  get last(): Message {
    return this.sent.at(-1)!;
  }

  events(name: keyof MinerEvents): unknown[] {
    return this.told.filter((one) => one.name === name).map(({ event }) => event);
  }

  /** Sets up and opens the channel with id 5 in group 9. */
  open(flags = 0): this {
    this.hear("SetupConnectionSuccess", { usedVersion: 2, flags });
    const { requestId } = (this.last as Message<"OpenExtendedMiningChannel">).value;
    const opened = { requestId, channelId: 5, target: u256(0xff), groupChannelId: 9 };
    if (this.last.name === "OpenStandardMiningChannel") {
      this.hear("OpenStandardMiningChannelSuccess", { ...opened, extranoncePrefix: new Uint8Array(20) });
    } else {
      this.hear("OpenExtendedMiningChannelSuccess", { ...opened, extranonceSize: 16, extranoncePrefix: PREFIX });
    }
    return this;
  }

  /** Sends job `jobId` as future job and the block that activates it. */
  mine(jobId: number, channelId = 5, nbits = 0x207fffff): this {
    if (this.client.channel?.opening.kind === "standard") {
      this.hear("NewMiningJob", { channelId, jobId, minNtime: null, version: 0x20000000, merkleRoot: u256(2) });
    } else {
      this.hear("NewExtendedMiningJob", {
        channelId,
        jobId,
        minNtime: null,
        version: 0x20000000,
        versionRollingAllowed: true,
        merklePath: [],
        coinbaseTxPrefix: Uint8Array.of(1),
        coinbaseTxSuffix: Uint8Array.of(2),
      });
    }
    this.hear("SetNewPrevHash", { channelId, jobId, prevHash: u256(jobId), minNtime: 1_700_000_000, nbits });
    return this;
  }

  solve(hash = u256(0x11)): Solution {
    const { workId, version, minNtime: ntime } = this.works.at(-1)!;
    return { workId, version, ntime, nonce: 42, extranonce: new Uint8Array(16).fill(8), hash };
  }
}

const violates = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault && error.code === "server-violation") return String(error.data.rule);
    throw error;
  }
  return "none";
};

describe("the setup (spec 3.6)", () => {
  test("begins with SetupConnection for mining, version 2", () => {
    expect(new Talk().sent).toEqual([
      {
        name: "SetupConnection",
        tlv: undefined,
        value: {
          protocol: 0,
          minVersion: 2,
          maxVersion: 2,
          flags: 0,
          endpointHost: "pool.example",
          endpointPort: 3333,
          vendor: "v",
          hardwareVersion: "h",
          firmware: "f",
          deviceId: "d",
        },
      },
    ]);
  });

  test("says when it requires standard jobs", () => {
    const talk = new Talk({ channel: "standard", requiresStandardJobs: true });
    expect(talk.sent[0]?.value).toMatchObject({ flags: 1 });
  });

  test("goes on to the channel that is wanted", () => {
    const extended = new Talk();
    extended.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    expect(extended.last).toEqual({
      name: "OpenExtendedMiningChannel",
      tlv: undefined,
      value: {
        requestId: 1,
        userIdentity: "ann.one",
        nominalHashRate: 1e6,
        maxTarget: u256(0xff),
        minExtranonceSize: 4,
      },
    });
    const standard = new Talk({ channel: "standard", maxTarget: u256(0x7f) });
    standard.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    expect(standard.last).toEqual({
      name: "OpenStandardMiningChannel",
      tlv: undefined,
      value: { requestId: 1, userIdentity: "ann.one", nominalHashRate: 1e6, maxTarget: u256(0x7f) },
    });
  });

  test("ends when the server refuses, with its code", () => {
    const talk = new Talk();
    talk.hear("SetupConnectionError", { flags: 0, errorCode: "unsupported-protocol" });
    expect(talk.events("refused")).toEqual([{ step: "setup", code: "unsupported-protocol" }]);
    expect(talk.ends).toEqual(["refused at setup: unsupported-protocol"]);
    expect(talk.client.state).toBe("ended");
  });

  test("ends when the server opens extended channels only and a standard one is wanted", () => {
    const talk = new Talk({ channel: "standard" });
    talk.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 2 });
    expect(talk.ends).toHaveLength(1);
    expect(talk.sent).toHaveLength(1);
  });

  test("ends when a channel is refused", () => {
    const talk = new Talk();
    talk.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    talk.hear("OpenMiningChannelError", { requestId: 1, errorCode: "unknown-user" });
    expect(talk.events("refused")).toEqual([{ step: "channel", code: "unknown-user" }]);
    expect(talk.ends).toEqual(["refused at channel: unknown-user"]);
  });

  test("ends when the server does not answer in time, at either step", () => {
    const silent = new Talk();
    silent.clock.advance(9_999);
    expect(silent.ends).toEqual([]);
    silent.clock.advance(1);
    expect(silent.ends).toEqual(["the server did not answer in state setup"]);
    const half = new Talk();
    half.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    half.clock.advance(10_000);
    expect(half.ends).toEqual(["the server did not answer in state opening"]);
  });

  test("is over in time when it went well: no timer stays", () => {
    const talk = new Talk().open();
    expect(talk.clock.pending).toBe(0);
    expect(talk.events("channel")).toEqual([
      {
        kind: "extended",
        channelId: 5,
        groupChannelId: 9,
        extranoncePrefix: PREFIX,
        extranonceSize: 16,
        target: u256(0xff),
      },
    ]);
  });

  test("holds the server to the protocol", () => {
    const again = new Talk().open();
    expect(violates(() => again.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 }))).toMatch(/twice/);
    expect(violates(() => new Talk().hear("SetupConnectionSuccess", { usedVersion: 3, flags: 0 }))).toMatch(/version/);
    const opened = { requestId: 1, channelId: 5, target: u256(1), groupChannelId: 9, extranoncePrefix: PREFIX };
    const opening = (): Talk => {
      const talk = new Talk();
      talk.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
      return talk;
    };
    const extended = (more: object) => () =>
      opening().hear("OpenExtendedMiningChannelSuccess", { ...opened, extranonceSize: 16, ...more });
    expect(violates(extended({}))).toBe("none");
    expect(violates(extended({ requestId: 2 }))).toMatch(/not asked for/);
    expect(violates(extended({ extranonceSize: 3 }))).toMatch(/smaller/);
    expect(violates(extended({ groupChannelId: 5 }))).toMatch(/id of a channel/);
    expect(violates(() => opening().hear("OpenStandardMiningChannelSuccess", opened))).toMatch(/not asked for/);
    expect(violates(() => opening().hear("SetTarget", { channelId: 5, maximumTarget: u256(1) }))).toMatch(/before/);
    expect(violates(() => opening().hear("SetGroupChannel", { groupChannelId: 1, channelIds: [5] }))).toMatch(/before/);
  });

  test("passes unknown extensions and message types over", () => {
    const talk = new Talk().open();
    const frame = (extensionType: number, msgType: number): Uint8Array =>
      encodeFrameHeader({ extensionType, channel: false, msgType, length: 0 });
    for (const bytes of [frame(0x4001, 0), frame(0, 0x7f)]) {
      for (const one of new FrameDecoder({}, { maxFrameSize: 10 }).push(bytes)) talk.client.receive(one);
    }
    expect(talk.ends).toEqual([]);
  });

  test("faults on a message that only a server may get", () => {
    const [frame] = new FrameDecoder({}, { maxFrameSize: 99 }).push(
      encodeMessage("UpdateChannel", { channelId: 5, nominalHashRate: 1, maximumTarget: u256(1) }),
    );
    const talk = new Talk().open();
    expect(() => talk.client.receive(frame!)).toThrow(/only its other side may send/);
  });
});

describe("extensions 0x0001 and 0x0002", () => {
  const asking = (): Talk => {
    const talk = new Talk({ workerIdentity: "rig-1" });
    talk.hear("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    return talk;
  };
  const opened = (talk: Talk): Talk => {
    const { requestId } = (talk.last as Message<"OpenExtendedMiningChannel">).value;
    talk.hear("OpenExtendedMiningChannelSuccess", {
      requestId,
      channelId: 5,
      target: u256(0xff),
      groupChannelId: 9,
      extranonceSize: 16,
      extranoncePrefix: PREFIX,
    });
    return talk.mine(1);
  };

  test("are asked for before any channel, and every share then names the worker", () => {
    const talk = asking();
    expect(talk.last).toMatchObject({ name: "RequestExtensions", value: { requestId: 1, requestedExtensions: [2] } });
    talk.hear("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2] });
    expect(talk.events("setup")).toEqual([{ flags: 0, extensions: [2] }]);
    opened(talk).client.submit(talk.solve());
    expect(talk.last.name).toBe("SubmitSharesExtended");
    expect(decodeUserIdentity(talk.last.tlv)).toBe("rig-1");
  });

  test("that the server does not support are not used", () => {
    const talk = asking();
    talk.hear("RequestExtensionsError", { requestId: 1, unsupportedExtensions: [2], requiredExtensions: [] });
    opened(talk).client.submit(talk.solve());
    expect(talk.last.tlv).toBeUndefined();
  });

  test("are given up when the server knows nothing of them; an answer that comes late changes nothing", () => {
    const talk = asking();
    talk.clock.advance(2_000);
    expect(talk.last.name).toBe("OpenExtendedMiningChannel");
    talk.hear("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2] });
    opened(talk).client.submit(talk.solve());
    expect(talk.last.tlv).toBeUndefined();
  });

  test("that the server requires and this client lacks end it", () => {
    const talk = asking();
    talk.hear("RequestExtensionsError", { requestId: 1, unsupportedExtensions: [], requiredExtensions: [3] });
    expect(talk.events("refused")).toEqual([{ step: "extensions", code: "the server requires extensions 0x0003" }]);
  });

  test("must not be more than was asked for", () => {
    const more = (): void => asking().hear("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2, 3] });
    expect(violates(more)).toMatch(/not requested/);
    const other = (): void => asking().hear("RequestExtensionsSuccess", { requestId: 7, supportedExtensions: [2] });
    expect(violates(other)).toMatch(/nothing asked for/);
  });
});

describe("mining", () => {
  test("an extended channel sends its extranonce", () => {
    const talk = new Talk().open().mine(1);
    expect(talk.works).toHaveLength(1);
    talk.client.submit(talk.solve());
    expect(talk.last).toEqual({
      name: "SubmitSharesExtended",
      tlv: undefined,
      value: {
        channelId: 5,
        sequenceNumber: 0,
        jobId: 1,
        nonce: 42,
        ntime: 1_700_000_000,
        version: 0x20000000,
        extranonce: new Uint8Array(16).fill(8),
      },
    });
    expect(talk.events("shareFound")).toEqual([{ sequenceNumber: 0, jobId: 1, hash: u256(0x11), block: true }]);
  });

  test("a standard channel sends none, and addresses itself even on a group's job", () => {
    const talk = new Talk({ channel: "standard" }).open();
    const extended = {
      channelId: 9,
      jobId: 1,
      minNtime: null,
      version: 1,
      versionRollingAllowed: false,
      merklePath: [],
      coinbaseTxPrefix: Uint8Array.of(1),
      coinbaseTxSuffix: Uint8Array.of(2),
    };
    talk.hear("NewExtendedMiningJob", extended);
    talk.hear("SetNewPrevHash", { channelId: 9, jobId: 1, prevHash: u256(1), minNtime: 5, nbits: 0x207fffff });
    talk.client.submit(talk.solve());
    expect(talk.last.name).toBe("SubmitSharesStandard");
    expect(talk.last.value).toMatchObject({ channelId: 5, jobId: 1 });
  });

  test("a server that fixes the version gets it unrolled", () => {
    expect(new Talk().open(1).mine(1).works[0]?.versionMask).toBe(0);
    expect(new Talk().open(0).mine(1).works[0]?.versionMask).toBe(0x1fffe000);
  });

  test("tells a block from a share by the network's target", () => {
    const talk = new Talk().open().mine(1, 5, 0x1d00ffff);
    talk.client.submit(talk.solve(u256(0x11)));
    talk.client.submit(talk.solve(u256(0)));
    expect(talk.events("shareFound").map((event) => (event as { block: boolean }).block)).toEqual([false, true]);
  });

  test("shares of a job that is void are not sent; those of an older job on the same block are", () => {
    const talk = new Talk().open().mine(1);
    const old = talk.solve();
    talk.hear("NewExtendedMiningJob", {
      channelId: 5,
      jobId: 2,
      minNtime: 1_700_000_100,
      version: 1,
      versionRollingAllowed: true,
      merklePath: [],
      coinbaseTxPrefix: Uint8Array.of(1),
      coinbaseTxSuffix: Uint8Array.of(2),
    });
    expect(talk.works.at(-1)).toMatchObject({ minNtime: 1_700_000_100, prevHash: u256(1) });
    talk.client.submit(old);
    expect(talk.last.value).toMatchObject({ jobId: 1, sequenceNumber: 0 });
    talk.mine(3);
    const sent = talk.sent.length;
    talk.client.submit(old);
    talk.client.submit({ ...old, workId: 999 });
    expect(talk.sent).toHaveLength(sent);
    expect(talk.events("shareStale")).toEqual([{ jobId: 1 }]);
  });

  test("answers name the job of a share, in batches too", () => {
    const talk = new Talk().open().mine(1);
    for (let i = 0; i < 4; i++) talk.client.submit(talk.solve());
    talk.hear("SubmitSharesSuccess", {
      channelId: 5,
      lastSequenceNumber: 1,
      newSubmitsAcceptedCount: 2,
      newSharesSum: 20n,
    });
    talk.hear("SubmitSharesError", { channelId: 5, sequenceNumber: 2, errorCode: "stale-share" });
    talk.hear("SubmitSharesError", { channelId: 5, sequenceNumber: 1, errorCode: "duplicate-share" });
    expect(talk.events("shareAccepted")).toEqual([{ lastSequenceNumber: 1, count: 2, difficulty: 20n }]);
    expect(talk.events("shareRejected")).toEqual([
      { sequenceNumber: 2, jobId: 1, code: "stale-share" },
      { sequenceNumber: 1, jobId: undefined, code: "duplicate-share" },
    ]);
  });

  test("SetTarget, SetExtranoncePrefix and SetGroupChannel shape the next work", () => {
    const talk = new Talk().open().mine(1);
    talk.hear("SetTarget", { channelId: 9, maximumTarget: u256(0x33) });
    talk.hear("SetExtranoncePrefix", { channelId: 5, extranoncePrefix: Uint8Array.of(9, 9, 9, 9) });
    talk.hear("SetGroupChannel", { groupChannelId: 12, channelIds: [4, 5] });
    talk.hear("SetGroupChannel", { groupChannelId: 13, channelIds: [4] });
    talk.mine(2, 12);
    expect(talk.works.at(-1)?.target).toEqual(u256(0x33));
    expect(talk.works.at(-1)?.root).toMatchObject({ coinbasePrefix: Uint8Array.of(1, 9, 9, 9, 9) });
    expect(talk.events("target")).toEqual([{ target: u256(0x33) }]);
    expect(violates(() => talk.mine(3, 9))).toMatch(/no such channel/);
    const toGroup = (): void =>
      talk.hear("SetExtranoncePrefix", { channelId: 12, extranoncePrefix: Uint8Array.of(9, 9, 9, 9) });
    expect(violates(toGroup)).toMatch(/to a group/);
  });

  test("UpdateChannel announces another hash rate; a refusal is told and ends nothing", () => {
    const talk = new Talk().open();
    talk.client.updateChannel(5e6);
    expect(talk.last).toMatchObject({
      name: "UpdateChannel",
      value: { channelId: 5, nominalHashRate: 5e6, maximumTarget: u256(0xff) },
    });
    talk.hear("UpdateChannelError", { channelId: 5, errorCode: "invalid-nominal-hashrate" });
    expect(talk.events("refused")).toEqual([{ step: "update", code: "invalid-nominal-hashrate" }]);
    expect(talk.ends).toEqual([]);
  });

  test("answers to custom jobs, which it never sends, are a violation", () => {
    const talk = new Talk().open();
    expect(violates(() => talk.hear("SetCustomMiningJobSuccess", { channelId: 5, requestId: 1, jobId: 1 }))).toMatch(
      /nothing asked for/,
    );
  });

  test("a network target that is no target costs the server the connection, not the miner its loop", () => {
    const talk = new Talk().open();
    expect(() => talk.mine(1, 5, 0xff7fffff)).toThrow(Fault);
  });
});

describe("the end", () => {
  test("CloseChannel of the server, to the channel or to its group, rests the hasher", () => {
    for (const channelId of [5, 9]) {
      const talk = new Talk().open().mine(1);
      talk.hear("CloseChannel", { channelId, reasonCode: "bye" });
      expect(talk.events("channelClosed")).toEqual([{ channelId: 5, reason: "bye" }]);
      expect(talk.ends).toEqual(["the server closed the channel: bye"]);
      expect(talk.works.at(-1)).toBeUndefined();
    }
  });

  test("Reconnect is told with its address", () => {
    const talk = new Talk().open();
    talk.hear("Reconnect", { newHost: "other.example", newPort: 4444 });
    expect(talk.events("reconnect")).toEqual([{ host: "other.example", port: 4444 }]);
    expect(talk.ends).toEqual(["the server asks to reconnect"]);
  });

  test("of our own accord closes the channel, and is silent afterwards", () => {
    const talk = new Talk().open().mine(1);
    const solution = talk.solve();
    talk.client.close("done");
    expect(talk.last).toMatchObject({ name: "CloseChannel", value: { channelId: 5, reasonCode: "done" } });
    const sent = talk.sent.length;
    talk.client.submit(solution);
    talk.client.updateChannel(1);
    talk.hear("SetTarget", { channelId: 77, maximumTarget: u256(1) });
    expect(talk.sent).toHaveLength(sent);
    expect(talk.ends).toEqual([]);
  });

  test("before a channel says nothing and leaves no timer", () => {
    const talk = new Talk();
    talk.client.close("done");
    expect(talk.sent).toHaveLength(1);
    expect(talk.clock.pending).toBe(0);
  });
});
