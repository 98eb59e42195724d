import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { lookup, understand } from "../../../src/sv2/dialect.ts";
import { type Frame, FrameDecoder } from "../../../src/sv2/frame.ts";
import { common } from "../../../src/sv2/messages/common.ts";
import { extensions } from "../../../src/sv2/messages/extensions.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";

const spoken = [common, mining, extensions];
const cut = (bytes: Uint8Array): Frame => new FrameDecoder({}, { maxFrameSize: 1000 }).push(bytes)[0]!;
const share = { channelId: 1, sequenceNumber: 2, jobId: 3, nonce: 4, ntime: 5, version: 6 };
const empty = { channel: false, payload: new Uint8Array(0) };

describe("what a frame is (spec 3.4)", () => {
  test("a message of a table, decoded into a union that its name discriminates", () => {
    const understood = understand(spoken, cut(mining.encode("SubmitSharesStandard", share)), "server");
    if (understood.kind !== "message" || understood.message.name !== "SubmitSharesStandard")
      throw new Error("not a share");
    const nonce: number = understood.message.value.nonce;
    expect(nonce).toBe(4);
  });

  test("the channel bit takes no part in the look-up, and a wrong one is tolerated", () => {
    const frame = cut(mining.encode("SubmitSharesStandard", share));
    expect(frame.channel).toBe(true);
    expect(understand(spoken, { ...frame, channel: false }, "server").kind).toBe("message");
    const setup = cut(common.encode("Reconnect", { newHost: "", newPort: 0 }));
    expect(understand(spoken, { ...setup, channel: true }, "client").kind).toBe("message");
  });

  test("an extension's messages are told from the core's by the extension type", () => {
    const request = cut(extensions.encode("RequestExtensions", { requestId: 1, requestedExtensions: [2] }));
    expect(lookup(spoken, request)).toMatchObject({ kind: "known", name: "RequestExtensions" });
    expect(lookup([common, mining], request)).toEqual({ kind: "unknown-extension", extensionType: 1, channel: false });
  });

  test("an unknown extension is no fault: it says whether the message goes along a channel", () => {
    const frame = { ...empty, extensionType: 0x4001, msgType: 0 };
    expect(understand(spoken, frame, "server")).toEqual({
      kind: "unknown-extension",
      extensionType: 0x4001,
      channel: false,
    });
    expect(lookup(spoken, { ...frame, channel: true })).toMatchObject({ kind: "unknown-extension", channel: true });
  });

  test("a type that a spoken extension does not have is told apart", () => {
    expect(understand(spoken, { ...empty, extensionType: 0, msgType: 0x70 }, "server")).toEqual({
      kind: "unknown-message",
      extensionType: 0,
      msgType: 0x70,
    });
    expect(lookup(spoken, { ...empty, extensionType: 1, msgType: 9 })).toMatchObject({ kind: "unknown-message" });
  });

  test("a message for the other side is a fault", () => {
    const frame = cut(mining.encode("SetTarget", { channelId: 1, maximumTarget: new Uint8Array(32) }));
    expect(understand(spoken, frame, "client").kind).toBe("message");
    expect(() => understand(spoken, frame, "server")).toThrow(Fault);
    const close = cut(mining.encode("CloseChannel", { channelId: 1, reasonCode: "" }));
    expect(understand(spoken, close, "server").kind).toBe("message");
    expect(understand(spoken, close, "client").kind).toBe("message");
  });
});
