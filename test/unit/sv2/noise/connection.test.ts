import { describe, expect, test } from "vitest";
import { concat, toHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { Connection } from "../../../../src/sv2/connection.ts";
import { encodeFrameHeader, type Frame } from "../../../../src/sv2/frame.ts";
import { authorityPublicKey } from "../../../../src/sv2/noise/authority-key.ts";
import { nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import { NoiseInitiator, NoiseResponder } from "../../../../src/sv2/noise/handshake.ts";
import { StaticIdentity } from "../../../../src/sv2/noise/static-identity.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const crypto = nobleCrypto();
const random = seededRandom(91);
const clock = new FakeClock();
const authoritySecretKey = random.bytes(32);
const identity = new StaticIdentity({ crypto, clock, random }, { authoritySecretKey });
const maxFrameSize = 200_000;

function setUp(): { readonly client: Connection; readonly server: Connection } {
  const authority = authorityPublicKey(authoritySecretKey);
  const initiator = new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey: authority });
  const responder = new NoiseResponder({ crypto, identity, ephemeral: () => crypto.generateKey(random) });
  return {
    client: new Connection({ noise: initiator }, { role: "client", maxFrameSize }),
    server: new Connection({ noise: responder }, { role: "server", maxFrameSize }),
  };
}

/** Gives `bytes` to `to` in pieces of `size`. */
function deliver(to: Connection, bytes: Uint8Array, size: number): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const frame of to.receive(bytes.slice(at, at + size)))
      frames.push({ ...frame, payload: frame.payload.slice() });
  }
  return frames;
}

function connect(client: Connection, server: Connection, size: number): void {
  deliver(server, client.output() as Uint8Array, size);
  deliver(client, server.output() as Uint8Array, size);
}

const frameOf = (payload: Uint8Array): Uint8Array =>
  concat(encodeFrameHeader({ extensionType: 0, channel: true, msgType: 0x1b, length: payload.length }), payload);

describe("a connection over real Noise", () => {
  test.each([1, 7, 64, 1000])("shakes hands and passes frames both ways in pieces of %i bytes", (size) => {
    const { client, server } = setUp();
    connect(client, server, size);
    expect([client.established, server.established]).toEqual([true, true]);
    const payloads = [0, 1, 24, 33, 600].map((length) => random.bytes(length));
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      const wire = concat(...payloads.map((payload) => from.send(frameOf(payload))));
      const frames = deliver(to, wire, size);
      expect(frames.map(({ payload }) => toHex(payload))).toEqual(payloads.map(toHex));
      expect(frames.every(({ channel, msgType }) => channel && msgType === 0x1b)).toBe(true);
    }
    expect([client.buffered, server.buffered]).toEqual([0, 0]);
  });

  test("passes a frame of several blocks", () => {
    const { client, server } = setUp();
    connect(client, server, 1000);
    const payload = random.bytes(150_000);
    const [frame] = deliver(server, client.send(frameOf(payload)), 40_000);
    expect(toHex(frame?.payload ?? new Uint8Array(0))).toBe(toHex(payload));
  });

  test("takes frames that came along with the second act", () => {
    const { client, server } = setUp();
    deliver(server, client.output() as Uint8Array, 64);
    const act2 = server.output() as Uint8Array;
    const [frame] = client.receive(concat(act2, server.send(frameOf(Uint8Array.of(1, 2, 3)))));
    expect(toHex(frame?.payload ?? new Uint8Array(0))).toBe("010203");
  });

  test("gives the frames in front of a changed bit, then ends", () => {
    const { client, server } = setUp();
    connect(client, server, 1000);
    const wire = concat(client.send(frameOf(Uint8Array.of(5))), client.send(frameOf(Uint8Array.of(6))));
    wire[wire.length - 1] = (wire[wire.length - 1] as number) ^ 1;
    expect(server.receive(wire).map(({ payload }) => toHex(payload))).toEqual(["05"]);
    expect(() => server.check()).toThrow("does not authenticate");
    expect(() => server.receive(client.send(frameOf(random.bytes(24))))).toThrow("does not authenticate");
    client.check();
  });

  test("ends at the first changed bit, and stays ended", () => {
    const { client, server } = setUp();
    connect(client, server, 1000);
    const wire = client.send(frameOf(random.bytes(24)));
    wire[30] = (wire[30] as number) ^ 1;
    expect(() => server.receive(wire)).toThrow(Fault);
    expect(() => server.receive(client.send(frameOf(random.bytes(24))))).toThrow("does not authenticate");
  });
});
