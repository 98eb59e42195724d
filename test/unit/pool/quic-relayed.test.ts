/** The server's side of a stream that lives in the QUIC process, and the pipe's messages. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RelayedStream } from "../../../src/pool/transports/quic-relayed.ts";
import { encodeMessage, PipeReader, TO_PROCESS } from "../../../src/pool/transports/quic-wire.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function stage() {
  const sent: { type: number; bytes: number }[] = [];
  const told: string[] = [];
  const stream = new RelayedStream(
    { send: (type, payload) => void sent.push({ type, bytes: payload?.length ?? 0 }) },
    { host: "192.0.2.7", port: 4000 },
  );
  stream.attach({
    onData: (bytes) => void told.push(`data ${bytes.join(",")}`),
    onDrain: () => void told.push("drain"),
    onClose: (cause) => void told.push(`close ${cause?.message ?? ""}`),
  });
  return { stream, sent, told };
}

describe("a relayed stream", () => {
  test("counts what waits until the process says that it left", () => {
    const { stream, told } = stage();
    expect(stream.write(new Uint8Array(10_000))).toBe(true);
    expect(stream.write(new Uint8Array(10_000))).toBe(false);
    expect(stream.bufferedBytes).toBe(20_000);
    stream.taken(15_000);
    expect(told).toEqual([]);
    stream.taken(5_000);
    expect(stream.bufferedBytes).toBe(0);
    expect(told).toEqual(["drain"]);
  });

  test("keeps what was on its way when it was paused, in order, and the peer's end behind it", async () => {
    const { stream, sent, told } = stage();
    stream.received(Uint8Array.of(1));
    stream.pause();
    stream.received(Uint8Array.of(2));
    stream.received(Uint8Array.of(3));
    stream.peerEnded();
    expect(told).toEqual(["data 1"]);
    expect(sent.some(({ type }) => type === TO_PROCESS.end)).toBe(false);
    stream.resume();
    expect(told).toEqual(["data 1"]);
    await turn();
    expect(told).toEqual(["data 1", "data 2", "data 3"]);
    expect(sent.map(({ type }) => type)).toEqual([TO_PROCESS.pause, TO_PROCESS.resume, TO_PROCESS.end]);
  });

  test("is closed once and last, however it ends, and does nothing afterwards", async () => {
    const { stream, sent, told } = stage();
    stream.destroy();
    stream.destroy();
    stream.closed(new Error("late"));
    stream.received(Uint8Array.of(1));
    expect(stream.write(Uint8Array.of(1))).toBe(true);
    stream.end();
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual(["close "]);
    expect(sent.map(({ type }) => type)).toEqual([TO_PROCESS.destroy]);
    const lost = stage();
    lost.stream.closed(new Error("the process is gone"));
    await turn();
    expect(lost.told).toEqual(["close the process is gone"]);
  });

  test("has one listener", () => {
    expect(() => stage().stream.attach({ onData() {}, onDrain() {}, onClose() {} })).toThrow(TypeError);
  });
});

describe("the pipe", () => {
  test("gives back every message, whatever pieces its bytes come in", () => {
    const message = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      stream: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      payload: fc.uint8Array({ maxLength: 100 }),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), (messages, size) => {
        const all = Buffer.concat(messages.map(({ type, stream, payload }) => encodeMessage(type, stream, payload)));
        const reader = new PipeReader();
        const found = [];
        for (let at = 0; at < all.length; at += size) found.push(...reader.push(all.subarray(at, at + size)));
        expect(found.map(({ payload, ...rest }) => ({ ...rest, payload: Uint8Array.from(payload) }))).toEqual(messages);
      }),
    );
  });

  test("takes no message that is longer than any of ours", () => {
    const bytes = encodeMessage(1);
    new DataView(bytes.buffer).setUint32(5, 2 ** 31, true);
    expect(() => new PipeReader().push(bytes)).toThrow(RangeError);
  });
});
