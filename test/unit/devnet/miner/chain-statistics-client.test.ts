/** The client of extension 0x4353 against a scripted server, frame by frame. */
import { describe, expect, test } from "vitest";
import { ChainStatisticsClient, type ReportedChain } from "../../../../src/devnet/miner/chain-statistics-client.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { encodeFrameHeader, FrameDecoder } from "../../../../src/sv2/frame.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, type Name } from "../../../support/messages.ts";

const OURS = 0x4353;
const STATISTICS: Fields<"ChainStatistics"> = {
  requestId: 1,
  remaining: 0,
  chain: "bitcoin",
  height: 840_000n,
  difficulty: 8,
  inJob: true,
  found: 2,
  accepted: 1,
};

class Talk {
  readonly clock = new FakeClock();
  readonly sent: Message[] = [];
  readonly reports: (readonly ReportedChain[])[] = [];
  readonly refusals: string[] = [];
  readonly ends: string[] = [];
  readonly client: ChainStatisticsClient;
  readonly #decoder = new FrameDecoder({}, { maxFrameSize: 65536 });

  constructor() {
    this.client = new ChainStatisticsClient(
      {
        clock: this.clock,
        send: (bytes) => {
          for (const frame of this.#decoder.push(bytes)) this.sent.push(decodeMessage(frame, "server") as Message);
        },
        onReport: (chains) => void this.reports.push(chains),
        onRefused: (reason) => void this.refusals.push(reason),
        onEnd: (reason) => void this.ends.push(reason),
      },
      { endpointHost: "pool.example", endpointPort: 3344, intervalS: 10, setupTimeoutMs: 10_000 },
    );
    this.client.start();
  }

  says<N extends Name>(name: N, value: Fields<N>): void {
    const [frame] = new FrameDecoder({}, { maxFrameSize: 65536 }).push(encodeMessage(name, value));
    if (frame !== undefined) this.client.receive(frame);
  }

  /** Up to the granted subscription. */
  subscribed(silenceLimit = 900): this {
    this.says("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    this.says("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2, OURS] });
    this.says("SubscribeChainStatisticsSuccess", { requestId: 1, interval: 10, silenceLimit });
    return this;
  }

  names(): string[] {
    return this.sent.map(({ name }) => name);
  }
}

const violation = expect.objectContaining({ code: "server-violation" });

describe("a client of chain statistics", () => {
  test("sets up, negotiates and subscribes, and opens no channel", () => {
    const talk = new Talk().subscribed();
    expect(talk.names()).toEqual(["SetupConnection", "RequestExtensions", "SubscribeChainStatistics"]);
    expect(talk.sent[0]?.value).toMatchObject({ protocol: 0, minVersion: 2, maxVersion: 2, flags: 0 });
    expect(talk.sent[1]?.value).toEqual({ requestId: 1, requestedExtensions: [2, OURS] });
    expect(talk.sent[2]?.value).toEqual({ requestId: 1, interval: 10 });
  });

  test("tells a report when it is complete, in the server's order", () => {
    const talk = new Talk().subscribed();
    talk.says("ChainStatistics", { ...STATISTICS, remaining: 1 });
    expect(talk.reports).toEqual([]);
    const resting = { ...STATISTICS, chain: "r\u001b[2Jsk", height: null, difficulty: null, inJob: false };
    talk.says("ChainStatistics", resting);
    const { requestId: _, remaining: __, ...bitcoin } = STATISTICS;
    expect(talk.reports).toEqual([
      [
        { ...bitcoin, height: 840_000 },
        { ...bitcoin, chain: "r?[2Jsk", height: undefined, difficulty: undefined, inJob: false },
      ],
    ]);
    talk.says("ChainStatistics", STATISTICS);
    expect(talk.reports[1]).toEqual([{ ...bitcoin, height: 840_000 }]);
  });

  test("subscribes again in a third of the silence that the server allows, and never in a loop", () => {
    const talk = new Talk().subscribed(90);
    talk.clock.advance(29_999);
    expect(talk.names().length).toBe(3);
    talk.clock.advance(1);
    expect(talk.names().slice(3)).toEqual(["SubscribeChainStatistics"]);
    talk.says("SubscribeChainStatisticsSuccess", { requestId: 1, interval: 10, silenceLimit: 0 });
    talk.clock.advance(999);
    expect(talk.names().length).toBe(4);
    talk.clock.advance(1);
    expect(talk.names().length).toBe(5);
    talk.says("SubscribeChainStatisticsSuccess", { requestId: 1, interval: 10, silenceLimit: 0xffffffff });
    talk.clock.advance(3_599_999);
    expect(talk.names().length).toBe(5);
    talk.clock.advance(1);
    expect(talk.names().length).toBe(6);
  });

  test("is refused for good by a server without the extension, whichever way it says so", () => {
    const without = "the server has no chain statistics";
    const subset = new Talk();
    subset.says("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    subset.says("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2] });
    const none = new Talk();
    none.says("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    none.says("RequestExtensionsError", { requestId: 1, unsupportedExtensions: [2, OURS], requiredExtensions: [] });
    const other = new Talk();
    other.says("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    other.says("RequestExtensionsError", { requestId: 1, unsupportedExtensions: [], requiredExtensions: [3] });
    const silent = new Talk();
    silent.says("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    silent.clock.advance(10_000);
    const setup = new Talk();
    setup.says("SetupConnectionError", { flags: 0, errorCode: "unsupported-protocol" });
    expect([subset, none, other, silent, setup].map(({ refusals }) => refusals)).toEqual([
      [without],
      [without],
      ["the server requires extensions 3"],
      ["the server does not negotiate extensions"],
      ["unsupported-protocol"],
    ]);
    for (const talk of [subset, none, other, silent, setup]) {
      expect(talk.ends.length).toBe(1);
      expect(talk.clock.pending).toBe(0);
      talk.says("ChainStatistics", STATISTICS);
      expect(talk.reports).toEqual([]);
    }
  });

  test("gives up on a server that does not answer, but comes back", () => {
    const talk = new Talk();
    talk.clock.advance(10_000);
    expect(talk.ends).toEqual(["the server did not answer in state setup"]);
    expect(talk.refusals).toEqual([]);
  });

  test("leaves a server that breaks the rules", () => {
    const early = new Talk();
    expect(() => early.says("ChainStatistics", STATISTICS)).toThrow(violation);
    expect(() => new Talk().says("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [OURS] })).toThrow(
      violation,
    );
    const foreign = new Talk().subscribed();
    expect(() => foreign.says("ChainStatistics", { ...STATISTICS, requestId: 2 })).toThrow(violation);
    const endless = new Talk().subscribed();
    endless.says("ChainStatistics", { ...STATISTICS, remaining: 255 });
    expect(() => endless.says("ChainStatistics", { ...STATISTICS, remaining: 255 })).toThrow(violation);
    expect(() => new Talk().subscribed().says("SubscribeChainStatistics", { requestId: 1, interval: 5 })).toThrow(
      Fault,
    );
  });

  test("passes over what it does not know", () => {
    const talk = new Talk().subscribed();
    for (const extensionType of [0, OURS, 0x4000]) {
      const header = encodeFrameHeader({ extensionType, channel: false, msgType: 0x77, length: 0 });
      for (const frame of new FrameDecoder({}, { maxFrameSize: 10 }).push(header)) talk.client.receive(frame);
    }
    expect(talk.ends).toEqual([]);
  });

  test("says nothing after its end", () => {
    const talk = new Talk().subscribed();
    talk.client.close("enough");
    talk.clock.advance(1e7);
    expect(talk.names().length).toBe(3);
    expect(talk.clock.pending).toBe(0);
  });
});
