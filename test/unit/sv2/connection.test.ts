import { describe, expect, test } from "vitest";
import { concat } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { Connection } from "../../../src/sv2/connection.ts";
import { common } from "../../../src/sv2/messages/common.ts";
import { templates } from "../../../src/sv2/messages/templates.ts";
import { fakeHandshake } from "../../support/fake-noise.ts";

const MAX = 0x40000;
const hello = common.encode("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
const client = (): Connection =>
  new Connection({ noise: fakeHandshake("client") }, { role: "client", maxFrameSize: MAX });
const server = (): Connection =>
  new Connection({ noise: fakeHandshake("server") }, { role: "server", maxFrameSize: MAX });

function handshake(): { client: Connection; server: Connection } {
  const pair = { client: client(), server: server() };
  pair.server.receive(pair.client.output()!);
  pair.client.receive(pair.server.output()!);
  return pair;
}

describe("a plain connection", () => {
  test("is established at once and passes frames as they are", () => {
    const plain = new Connection({}, { role: "server", maxFrameSize: MAX });
    expect(plain.established).toBe(true);
    expect(plain.output()).toBeUndefined();
    expect(plain.send(hello)).toBe(hello);
    expect(plain.receive(hello)).toEqual([
      { extensionType: 0, channel: false, msgType: 1, payload: hello.subarray(6) },
    ]);
  });
});

describe("an encrypted connection", () => {
  test("opens with the client's 64 bytes, which the server answers with 234", () => {
    const [a, b] = [client(), server()];
    const act1 = a.output();
    expect(act1).toHaveLength(64);
    expect(a.output()).toBeUndefined();
    expect(b.output()).toBeUndefined();
    expect(b.receive(act1!)).toEqual([]);
    const act2 = b.output();
    expect(act2).toHaveLength(234);
    expect([a.established, b.established]).toEqual([false, true]);
    expect(a.receive(act2!)).toEqual([]);
    expect(a.established).toBe(true);
    expect(a.output()).toBeUndefined();
  });

  test("takes acts byte by byte and holds no more than the act", () => {
    const [a, b] = [client(), server()];
    const act1 = a.output()!;
    for (const [i, byte] of [...act1].entries()) {
      expect(b.receive(Uint8Array.of(byte))).toEqual([]);
      expect(b.buffered).toBe(i < 63 ? i + 1 : 0);
    }
    expect(b.established).toBe(true);
  });

  test("takes frames that come in one piece with the last act", () => {
    const [a, b] = [client(), server()];
    b.receive(a.output()!);
    const together = concat(b.output()!, b.send(hello), b.send(hello).subarray(0, 10));
    expect(a.receive(together)).toHaveLength(1);
    expect(a.buffered).toBe(10);
  });

  test("carries frames both ways: 22 bytes of header, then blocks of 65519 in 65535", () => {
    const { client: a, server: b } = handshake();
    expect(b.send(hello)).toHaveLength(22 + 6 + 16);
    b.receive(a.send(hello));
    const big = templates.encode("RequestTransactionDataSuccess", {
      templateId: 1n,
      excessData: new Uint8Array(0),
      transactionList: [new Uint8Array(140_000).fill(0xab)],
    });
    const sent = a.send(big);
    expect(sent).toHaveLength(22 + big.length - 6 + 3 * 16);
    const frames = [];
    for (let at = 0; at < sent.length; at += 1460) frames.push(...b.receive(sent.subarray(at, at + 1460)));
    expect(frames).toHaveLength(1);
    expect(frames[0]?.payload).toEqual(big.subarray(6));
  });

  test("refuses to send before the handshake is complete", () => {
    expect(() => client().send(hello)).toThrow(TypeError);
  });

  test("a broken act ends it for good", () => {
    const b = server();
    expect(() => b.receive(new Uint8Array(64))).toThrow(Fault);
    expect(() => b.receive(new Uint8Array(0))).toThrow(Fault);
    expect(b.established).toBe(false);
  });

  test("a broken MAC ends it for good", () => {
    const { client: a, server: b } = handshake();
    const sent = a.send(hello);
    sent[21]! ^= 1;
    expect(() => b.receive(sent)).toThrow(Fault);
    expect(() => b.receive(new Uint8Array(0))).toThrow(Fault);
  });

  test("a peer that sends nothing but half an act costs its half", () => {
    const b = server();
    b.receive(new Uint8Array(63).fill(1));
    expect(b.buffered).toBe(63);
  });
});
