import { describe, expect, test } from "vitest";
import type { Fault } from "../../../src/kernel/fault.ts";
import type { MiningMessage } from "../../../src/mining/downstream.ts";
import { type Agreement, Conversation } from "../../../src/pool/conversation.ts";
import type { ExtensionOffer } from "../../../src/pool/extension-negotiation.ts";
import { decodeFrameHeader, type Frame } from "../../../src/sv2/frame.ts";
import { CHAIN_STATISTICS_TYPE, chainStatistics } from "../../../src/sv2/messages/chain-statistics.ts";
import { type COMMON, common } from "../../../src/sv2/messages/common.ts";
import { extensions } from "../../../src/sv2/messages/extensions.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import type { Value } from "../../../src/sv2/table.ts";
import { recordingLog } from "../../support/recording-log.ts";

type Setup = Value<typeof COMMON.SetupConnection>;

const SETUP: Setup = {
  protocol: 0,
  minVersion: 2,
  maxVersion: 2,
  flags: 0,
  endpointHost: "pool.example.com",
  endpointPort: 3333,
  vendor: "",
  hardwareVersion: "",
  firmware: "",
  deviceId: "",
};

/** A whole plain frame as the decoder hands it on. */
function frameOf(bytes: Uint8Array): Frame {
  const { extensionType, channel, msgType } = decodeFrameHeader(bytes);
  return { extensionType, channel, msgType, payload: bytes.subarray(6) };
}

const setup = (changes: Partial<Setup> = {}): Frame =>
  frameOf(common.encode("SetupConnection", { ...SETUP, ...changes }));
const request = (requestId: number, ...requestedExtensions: number[]): Frame =>
  frameOf(extensions.encode("RequestExtensions", { requestId, requestedExtensions }));
const closeChannel = frameOf(mining.encode("CloseChannel", { channelId: 7, reasonCode: "bye" }));

/** A conversation and everything it did. */
function talk(offer: ExtensionOffer = { supported: [2], required: [] }, fixedVersion = false) {
  const sent: { name: string; value: unknown }[] = [];
  const opened: Agreement[] = [];
  const received: MiningMessage[] = [];
  const inUse: number[][] = [];
  const subscriptions: unknown[] = [];
  const conversation = new Conversation(
    {
      log: recordingLog(),
      send(bytes) {
        const { msgType, payload, extensionType } = frameOf(bytes);
        const { name, value } = (extensionType === 1 ? extensions : common).decode(msgType, payload);
        sent.push({ name, value });
      },
      open(agreement) {
        opened.push(agreement);
        return {
          receive: (message) => received.push(message),
          useExtensions: (types) => inUse.push([...types]),
        };
      },
      statistics: {
        subscribe: (subscription) => subscriptions.push(subscription),
        end: () => subscriptions.push("end"),
      },
    },
    { extensions: offer, fixedVersion },
  );
  return { conversation, sent, opened, received, inUse, subscriptions };
}

const code = (name: Fault["code"]) => expect.objectContaining({ code: name });

describe("SetupConnection", () => {
  test("is answered with version 2 and opens the mining side with what the client requires", () => {
    const { conversation, sent, opened } = talk();
    expect(conversation.open).toBe(false);
    expect(conversation.receive(setup({ flags: 0b101 }))).toBeUndefined();
    expect(sent).toEqual([{ name: "SetupConnectionSuccess", value: { usedVersion: 2, flags: 0 } }]);
    expect(opened).toEqual([
      { requiresStandardJobs: true, requiresWorkSelection: false, requiresVersionRolling: true },
    ]);
    expect(conversation.open).toBe(true);
  });

  test("work selection is answered with REQUIRES_EXTENDED_CHANNELS, as SRI does", () => {
    const { conversation, sent, opened } = talk();
    conversation.receive(setup({ flags: 0b110 }));
    expect(sent).toEqual([{ name: "SetupConnectionSuccess", value: { usedVersion: 2, flags: 0b10 } }]);
    expect(opened[0]).toMatchObject({ requiresWorkSelection: true, requiresVersionRolling: true });
  });

  test("without version rolling a client that must roll is refused, and another is told", () => {
    const must = talk(undefined, true);
    expect(must.conversation.receive(setup({ flags: 0b101 }))).toEqual(code("setup-refused"));
    const errorCode = "unsupported-feature-flags";
    expect(must.sent).toEqual([{ name: "SetupConnectionError", value: { flags: 0b100, errorCode } }]);
    const need = talk(undefined, true);
    need.conversation.receive(setup({ flags: 0b001 }));
    expect(need.sent).toEqual([{ name: "SetupConnectionSuccess", value: { usedVersion: 2, flags: 0b01 } }]);
  });

  test("a range of versions that holds 2 is fine", () => {
    const { conversation, sent } = talk();
    conversation.receive(setup({ minVersion: 1, maxVersion: 65_535 }));
    expect(sent).toMatchObject([{ name: "SetupConnectionSuccess", value: { usedVersion: 2 } }]);
  });

  test.each<[string, Partial<Setup>, number, string]>([
    ["job declaration", { protocol: 1 }, 0, "unsupported-protocol"],
    ["template distribution", { protocol: 2 }, 0, "unsupported-protocol"],
    ["a protocol nobody knows", { protocol: 255 }, 0, "unsupported-protocol"],
    ["versions above 2", { minVersion: 3, maxVersion: 3 }, 0, "protocol-version-mismatch"],
    ["versions below 2", { minVersion: 0, maxVersion: 1 }, 0, "protocol-version-mismatch"],
    ["versions the wrong way round", { minVersion: 3, maxVersion: 1 }, 0, "protocol-version-mismatch"],
    ["flags that do not exist", { flags: 0x8000_0009 }, 0x8000_0008, "unsupported-feature-flags"],
    ["protocol before version before flags", { protocol: 1, minVersion: 9, flags: 8 }, 0, "unsupported-protocol"],
  ])("%s is refused in SRI's words, and the connection is over", (_case, changes, flags, errorCode) => {
    const { conversation, sent, opened } = talk();
    expect(conversation.receive(setup(changes))).toEqual(code("setup-refused"));
    expect(sent).toEqual([{ name: "SetupConnectionError", value: { flags, errorCode } }]);
    expect(opened).toEqual([]);
    expect(conversation.open).toBe(false);
  });

  test("must come first and only once", () => {
    expect(() => talk().conversation.receive(closeChannel)).toThrow(code("setup-expected"));
    expect(() => talk().conversation.receive(request(1, 2))).toThrow(code("setup-expected"));
    const { conversation } = talk();
    conversation.receive(setup());
    expect(() => conversation.receive(setup())).toThrow(code("setup-repeated"));
  });

  test("text of the client reaches a log or a fault without control characters and cut short", () => {
    const { conversation } = talk();
    const fault = conversation.receive(setup({ protocol: 1, vendor: `\u001b[2J${"x".repeat(200)}` }));
    expect(fault?.message).not.toMatch(/\p{Cc}/u);
    expect(fault?.message.length).toBeLessThan(300);
  });
});

describe("frames", () => {
  test("mining messages go to the mining side, with what follows their last field", () => {
    const { conversation, received } = talk();
    conversation.receive(setup());
    conversation.receive(closeChannel);
    const share = { channelId: 1, sequenceNumber: 0, jobId: 2, nonce: 3, ntime: 4, version: 5 };
    const tlv = Uint8Array.of(2, 0, 1, 1, 0, 0x77);
    conversation.receive(
      frameOf(mining.encode("SubmitSharesExtended", { ...share, extranonce: Uint8Array.of(9) }, tlv)),
    );
    expect(received).toMatchObject([
      { name: "CloseChannel", value: { channelId: 7, reasonCode: "bye" } },
      { name: "SubmitSharesExtended", value: share, tlv },
    ]);
  });

  test.each([
    ["experimental", 0x4000, false],
    ["registered and unknown", 0x0003, false],
    ["unknown for a channel: we are its endpoint", 0x0003, true],
  ])("of an extension that is %s are ignored, before and after setup", (_case, extensionType, channel) => {
    const { conversation, received, sent } = talk();
    const frame: Frame = { extensionType, channel, msgType: 0, payload: Uint8Array.of(1, 0, 0, 0) };
    expect(conversation.receive(frame)).toBeUndefined();
    conversation.receive(setup());
    expect(conversation.receive(frame)).toBeUndefined();
    expect(received).toEqual([]);
    expect(sent).toHaveLength(1);
  });

  test("of a message type that no table has cost the connection", () => {
    const { conversation } = talk();
    conversation.receive(setup());
    const frame: Frame = { extensionType: 0, channel: false, msgType: 0x7f, payload: new Uint8Array() };
    expect(() => conversation.receive(frame)).toThrow(code("message-unknown"));
    const negotiation: Frame = { extensionType: 1, channel: false, msgType: 9, payload: new Uint8Array() };
    expect(() => conversation.receive(negotiation)).toThrow(code("message-unknown"));
  });

  test("in the wrong direction cost the connection, for every message that only a server sends", () => {
    const tables = [common, mining, extensions];
    const rows = tables.flatMap((codec) =>
      Object.values(codec.table).map((row) => ({ extensionType: codec.extensionType, row })),
    );
    const wrong = rows.filter(({ row }) => row.to === "client");
    expect(wrong.length).toBeGreaterThan(15);
    for (const { extensionType, row } of wrong) {
      const { conversation } = talk();
      conversation.receive(setup());
      const frame: Frame = { extensionType, channel: row.channel, msgType: row.type, payload: new Uint8Array() };
      expect(() => conversation.receive(frame)).toThrow(code("message-direction"));
    }
  });

  test("cut short or too long cost the connection", () => {
    const { conversation } = talk();
    conversation.receive(setup());
    const { payload, ...rest } = closeChannel;
    expect(() => conversation.receive({ ...rest, payload: payload.subarray(1) })).toThrow(code("bytes-truncated"));
    const long = Uint8Array.from([...payload, 0]);
    expect(() => conversation.receive({ ...rest, payload: long })).toThrow(code("bytes-trailing"));
  });
});

describe("extension 0x0001", () => {
  test("what is supported is in use from the answer on; asking again replaces it", () => {
    const { conversation, sent, inUse } = talk();
    conversation.receive(setup());
    conversation.receive(request(5, 2, 3));
    conversation.receive(request(6));
    expect(sent.slice(1)).toEqual([
      { name: "RequestExtensionsSuccess", value: { requestId: 5, supportedExtensions: [2] } },
      { name: "RequestExtensionsSuccess", value: { requestId: 6, supportedExtensions: [] } },
    ]);
    expect(inUse).toEqual([[2], []]);
  });

  test("nothing supported is an Error, and the client may go on without", () => {
    const { conversation, sent, inUse, received } = talk();
    conversation.receive(setup());
    for (const id of [1, 2, 3]) expect(conversation.receive(request(id, 9))).toBeUndefined();
    expect(sent.at(-1)).toEqual({
      name: "RequestExtensionsError",
      value: { requestId: 3, unsupportedExtensions: [9], requiredExtensions: [] },
    });
    conversation.receive(closeChannel);
    expect(received).toHaveLength(1);
    expect(inUse).toEqual([]);
  });

  test("a required extension is named once; with it the client is welcome", () => {
    const { conversation, sent, received } = talk({ supported: [2], required: [2] });
    conversation.receive(setup());
    expect(conversation.open).toBe(false);
    expect(conversation.receive(request(1, 3))).toBeUndefined();
    expect(sent.at(-1)).toEqual({
      name: "RequestExtensionsError",
      value: { requestId: 1, unsupportedExtensions: [3], requiredExtensions: [2] },
    });
    conversation.receive(request(2, 2));
    expect(conversation.open).toBe(true);
    conversation.receive(closeChannel);
    expect(received).toHaveLength(1);
  });

  test("who does not retry with it is told again and disconnected", () => {
    const { conversation, sent } = talk({ supported: [2], required: [2] });
    conversation.receive(setup());
    conversation.receive(request(1, 3));
    expect(conversation.receive(request(2, 3))).toEqual(code("extension-required"));
    expect(sent.at(-1)).toMatchObject({ name: "RequestExtensionsError" });
  });

  test("who mines without it is disconnected", () => {
    for (const required of [[2], [1]]) {
      const { conversation } = talk({ supported: [2], required });
      conversation.receive(setup());
      expect(() => conversation.receive(closeChannel)).toThrow(code("extension-required"));
    }
  });
});

describe("chain statistics (extension 0x4353)", () => {
  const offer = { supported: [2, CHAIN_STATISTICS_TYPE], required: [] };
  const subscribe = frameOf(chainStatistics.encode("SubscribeChainStatistics", { requestId: 7, interval: 30 }));

  test("go to their side once they were negotiated", () => {
    const { conversation, sent, inUse, received, subscriptions } = talk(offer);
    conversation.receive(setup());
    conversation.receive(request(1, CHAIN_STATISTICS_TYPE));
    expect(sent.at(-1)?.value).toEqual({ requestId: 1, supportedExtensions: [CHAIN_STATISTICS_TYPE] });
    expect(inUse).toEqual([[CHAIN_STATISTICS_TYPE]]);
    expect(conversation.receive(subscribe)).toBeUndefined();
    expect(subscriptions).toEqual([{ requestId: 7, interval: 30 }]);
    expect(received).toEqual([]);
  });

  test("are a frame of an unknown extension before, whatever is in it", () => {
    const { conversation, sent, subscriptions } = talk(offer);
    const nonsense: Frame = { ...subscribe, msgType: 0x55, payload: new Uint8Array(3) };
    conversation.receive(setup());
    const before = sent.length;
    for (const frame of [subscribe, nonsense]) expect(conversation.receive(frame)).toBeUndefined();
    conversation.receive(request(1, 2));
    for (const frame of [subscribe, nonsense]) expect(conversation.receive(frame)).toBeUndefined();
    expect(subscriptions).toEqual(["end"]);
    expect(sent.length).toBe(before + 1);
  });

  test("end when a later negotiation leaves them out", () => {
    const { conversation, subscriptions } = talk(offer);
    conversation.receive(setup());
    conversation.receive(request(1, CHAIN_STATISTICS_TYPE));
    conversation.receive(subscribe);
    conversation.receive(request(2, 2));
    conversation.receive(subscribe);
    expect(subscriptions.slice(1)).toEqual(["end"]);
  });

  test("are not there where the server does not offer them", () => {
    const { conversation, sent, subscriptions } = talk();
    conversation.receive(setup());
    conversation.receive(request(1, CHAIN_STATISTICS_TYPE));
    expect(sent.at(-1)?.name).toBe("RequestExtensionsError");
    conversation.receive(subscribe);
    expect(subscriptions).toEqual([]);
  });

  test("cost a client that says what only a server may say, or says it wrong, its connection", () => {
    const { conversation } = talk(offer);
    conversation.receive(setup());
    conversation.receive(request(1, CHAIN_STATISTICS_TYPE));
    const granted = { requestId: 1, interval: 5, silenceLimit: 900 };
    const answer = frameOf(chainStatistics.encode("SubscribeChainStatisticsSuccess", granted));
    expect(() => conversation.receive(answer)).toThrow(code("message-direction"));
    expect(() => conversation.receive({ ...subscribe, msgType: 0x55 })).toThrow(code("message-unknown"));
    expect(() => conversation.receive({ ...subscribe, payload: new Uint8Array(5) })).toThrow(code("bytes-truncated"));
    expect(() => conversation.receive({ ...subscribe, payload: new Uint8Array(7) })).toThrow(code("bytes-trailing"));
  });
});
