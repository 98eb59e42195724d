import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashBlockNotice, ZmtpSubscriber, zmqEndpoint } from "../../../src/daemon/zmq.ts";
import { concat, fromHex, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import core from "../../vectors/bitcoind-rpc.json" with { type: "json" };

const recorded = core.answers["zmq hashblock"];
const frame = (flags: number, body: Uint8Array): Uint8Array => concat(Uint8Array.of(flags, body.length), body);
const greeting = fromHex(recorded.handshake.serverGreetingHex);
const ready = frame(recorded.handshake.serverReadyFrame.flags, fromHex(recorded.handshake.serverReadyFrame.bodyHex));
const message = (frames: readonly { flags: number; hex: string }[]): Uint8Array =>
  concat(...frames.map(({ flags, hex }) => frame(flags, fromHex(hex))));
const conversation = concat(greeting, ready, message(recorded.first), message(recorded.last));

const subscriber = () => new ZmtpSubscriber({}, { topic: "hashblock" });
const reasonOf = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error instanceof Fault && error.code === "node-zmq" ? error.data.reason : error;
  }
  return undefined;
};

describe("a subscription to a real bitcoind, as it was recorded", () => {
  test("begins with the greeting of ZMTP 3.0 with NULL", () => {
    // rfc.zeromq.org/spec/23: signature FF 8 bytes 7F, version 3.0, mechanism of 20 bytes, as-server, 31 bytes of filler.
    const expected = `ff00000000000000007f0300${"4e554c4c".padEnd(40, "0")}00${"00".repeat(31)}`;
    expect(toHex(subscriber().greeting())).toBe(expected);
  });

  test("answers the greeting with READY and READY with the subscription", () => {
    const sub = subscriber();
    expect(toHex(sub.receive(greeting).reply ?? new Uint8Array())).toBe(
      // Command, 38 bytes: READY, Socket-Type = SUB, Identity = "".
      "0426055245414459" + "0b536f636b65742d5479706500000003535542" + "084964656e7469747900000000",
    );
    expect(sub.subscribed).toBe(false);
    // A message of ten bytes: 1 for subscribe, then the topic.
    expect(toHex(sub.receive(ready).reply ?? new Uint8Array())).toBe("000a0168617368626c6f636b");
    expect(sub.subscribed).toBe(true);
  });

  test("brings the blocks' hashes in display order with their numbers, however the bytes are cut", () => {
    const tips = [recorded.first, recorded.last].map((frames) => frames[1]?.hex);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const sub = subscriber();
        const notices: unknown[] = [];
        let at = 0;
        for (let i = 0; at < conversation.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          const progress = sub.receive(conversation.subarray(at, at + size));
          for (const got of progress.messages) notices.push(hashBlockNotice(got));
          at += size;
        }
        expect(notices).toEqual([
          { hash: tips[0], sequence: 0 },
          { hash: tips[1], sequence: 0x74 },
        ]);
      }),
    );
  });
});

describe("a peer that is no publisher", () => {
  test.each([
    ["HTTP", utf8("HTTP/1.1 400 Bad Request\r\n\r\n"), "what answers there does not speak ZMTP 3"],
    ["ZMTP 2", fromHex("ff00000000000000017f01"), "what answers there does not speak ZMTP 3"],
    ["a signature without its end", fromHex("ff000000000000000000"), "what answers there does not speak ZMTP 3"],
    [
      "a publisher with CURVE",
      concat(greeting.subarray(0, 12), utf8("CURVE"), greeting.subarray(17)),
      'it wants the security mechanism "CURVE"',
    ],
    [
      "another socket type",
      concat(greeting, frame(4, fromHex("0552454144590b536f636b65742d547970650000000452455021"))),
      "its socket type is REP, not PUB",
    ],
    ["no socket type", concat(greeting, frame(4, fromHex("055245414459"))), "its socket type is not told, not PUB"],
    ["an error", concat(greeting, frame(4, concat(utf8("\u0005ERROR\u0002no")))), 'it says "no"'],
    ["unknown flags", concat(greeting, Uint8Array.of(8, 0)), "a frame has unknown flags"],
    [
      "a frame beyond the bound",
      concat(greeting, ready, Uint8Array.of(2, 0, 0, 0, 0, 0, 1, 0, 1)),
      "a frame has 65537 bytes",
    ],
    [
      "a frame of 2^63 bytes",
      concat(greeting, ready, Uint8Array.of(2, 0x80, 0, 0, 0, 0, 0, 0, 0)),
      `a frame has ${2 ** 63} bytes`,
    ],
    [
      "a message before the handshake",
      concat(greeting, frame(0, utf8("x"))),
      "a message came before the handshake was over",
    ],
    [
      "a message without end",
      concat(greeting, ready, ...Array.from({ length: 17 }, () => frame(1, utf8("x")))),
      "a message has too many frames",
    ],
  ])("%s is refused in words", (_name, bytes, reason) => {
    expect(reasonOf(() => subscriber().receive(bytes))).toBe(reason);
  });
});

describe("what else a publisher may say", () => {
  test("a frame at the bound in long form passes", () => {
    const sub = subscriber();
    sub.receive(concat(greeting, ready));
    const body = new Uint8Array(65_536);
    const { messages } = sub.receive(concat(Uint8Array.of(2, 0, 0, 0, 0, 0, 1, 0, 0), body));
    expect(messages.map((frames) => frames.map(({ length }) => length))).toEqual([[65_536]]);
  });

  test("a heartbeat is answered with its own context", () => {
    const sub = subscriber();
    sub.receive(concat(greeting, ready));
    const ping = concat(utf8("\u0004PING"), Uint8Array.of(0, 10), utf8("ctx"));
    expect(toHex(sub.receive(frame(4, ping)).reply ?? new Uint8Array())).toBe(toHex(frame(4, utf8("\u0004PONGctx"))));
  });

  test("an unknown command is passed over", () => {
    const sub = subscriber();
    expect(sub.receive(concat(greeting, ready, frame(4, utf8("\u0003FOO")))).messages).toEqual([]);
  });

  test("a message of another topic or shape is no notice", () => {
    const hash = new Uint8Array(32);
    const number = new Uint8Array(4);
    expect(hashBlockNotice([utf8("hashtx"), hash, number])).toBeUndefined();
    expect(hashBlockNotice([utf8("hashblock"), hash.subarray(1), number])).toBeUndefined();
    expect(hashBlockNotice([utf8("hashblock"), hash])).toBeUndefined();
    expect(hashBlockNotice([])).toBeUndefined();
  });
});

test("an address is tcp://host:port", () => {
  expect(zmqEndpoint("tcp://127.0.0.1:28332")).toEqual({ host: "127.0.0.1", port: 28332 });
  expect(zmqEndpoint("tcp://[::1]:28332")).toEqual({ host: "::1", port: 28332 });
  for (const bad of ["ipc:///tmp/x", "tcp://host", "tcp://host:0", "tcp://host:65536", "host:1", "tcp://*:1/x"]) {
    expect(
      reasonOf(() => zmqEndpoint(bad)),
      bad,
    ).toBe("the address is not of the form tcp://host:port");
  }
});
