import { describe, expect, test } from "vitest";
import { concat } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import type { Meter } from "../../../src/kernel/meter.ts";
import { HandshakeGate } from "../../../src/pool/handshake-gate.ts";
import { type Peer, Session, type SessionLimits } from "../../../src/pool/session.ts";
import { Connection } from "../../../src/sv2/connection.ts";
import { encodeFrameHeader, type Frame } from "../../../src/sv2/frame.ts";
import type { NoiseHandshake } from "../../../src/sv2/noise/ports.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeStream } from "../../support/fake-stream.ts";
import { recordingLog } from "../../support/recording-log.ts";

const LIMITS: SessionLimits = {
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bufferBytes: 10_000,
  stallTimeoutMs: 30_000,
  messagesPerSecond: 10,
  messageBurst: 20,
};

/** A plain frame of `length` payload bytes. */
const frame = (length = 0): Uint8Array =>
  concat(encodeFrameHeader({ extensionType: 0, channel: false, msgType: 0, length }), new Uint8Array(length));

interface Setting {
  readonly limits?: Partial<SessionLimits>;
  readonly noise?: NoiseHandshake;
  readonly gate?: HandshakeGate;
  /** Time that the transport's own handshake took, ms. */
  readonly handshakeTookMs?: number;
  /** What the peer's other side does with a frame. */
  readonly onFrame?: (frame: Frame, send: (frame: Uint8Array) => void) => Fault | undefined;
  readonly onClose?: () => void;
  readonly onUnfinished?: (made: Session) => void;
}

/** A session with everything around it. */
function session(setting: Setting = {}) {
  const clock = new FakeClock();
  const stream = new FakeStream();
  const log = recordingLog();
  const counts = new Map<string, number>();
  const meter: Meter = {
    count(name, value, ...[labels]) {
      const key = [name, ...Object.values(labels ?? {})].join(" ");
      counts.set(key, (counts.get(key) ?? 0) + value);
    },
    gauge() {},
    observe() {},
  };
  const seen = { frames: [] as Frame[], closes: 0, gone: 0, released: 0 };
  const peer = {
    open: false,
    bytesOwed: 0,
    messagesWanted: 0,
    send: (_frame: Uint8Array): void => undefined,
    waiting: () => 0,
  };
  const gate = setting.gate ?? new HandshakeGate({ clock }, { perSecond: 1000, burst: 1000 });
  const made: Session = new Session(
    {
      stream,
      connection: new Connection({ noise: setting.noise }, { role: "server", maxFrameSize: 65_536 }),
      peer(send, waiting): Peer {
        Object.assign(peer, { send, waiting });
        return {
          get open() {
            return peer.open;
          },
          get bytesOwed() {
            return peer.bytesOwed;
          },
          get messagesWanted() {
            return peer.messagesWanted;
          },
          receive(received) {
            seen.frames.push(received);
            return setting.onFrame?.(received, send);
          },
          close() {
            seen.closes += 1;
            setting.onClose?.();
          },
        };
      },
      costlyActSize: setting.noise?.expects ?? 0,
      door: { gate, tryTell: () => true },
      ticket: {
        subscriber: 1n,
        sinceMs: clock.monotonicMs() - (setting.handshakeTookMs ?? 0),
        release: () => {
          seen.released += 1;
        },
      },
      clock,
      log,
      meter,
      onGone: () => {
        seen.gone += 1;
      },
      onUnfinished: () => setting.onUnfinished?.(made),
    },
    { ...LIMITS, ...setting.limits },
  );
  const pass = (ms: number): void => {
    for (let at = 0; at < ms; at += 1000) {
      clock.advance(Math.min(1000, ms - at));
      made.tick(clock.monotonicMs());
    }
  };
  return { session: made, stream, clock, log, counts, seen, peer, gate, pass };
}

const dropped = (code: string): string => `connections_dropped_total ${code}`;

test("a client that is closed for the message that it has begun has its whole ones in front of it dropped", () => {
  const { stream, seen } = session({
    onUnfinished: (one) => {
      expect(one.unfinishedBytes).toBeGreaterThan(0);
      one.destroy();
    },
  });
  stream.receive(concat(frame(3), frame(100).subarray(0, 50)));
  expect(seen).toMatchObject({ frames: [], closes: 1 });
  expect(stream.destroyed).toBe(true);
});

describe("deadlines", () => {
  test("the time of a transport's own handshake is within the handshake time, not on top of it", () => {
    const { stream, counts, pass } = session({ handshakeTookMs: 6000 });
    pass(4000);
    expect(stream.destroyed).toBe(false);
    pass(1000);
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("handshake-timeout"))).toBe(1);
  });

  test("a peer that sends nothing is closed after the handshake time and not before", () => {
    const { stream, pass, counts, seen } = session();
    pass(10_000);
    expect(stream.destroyed).toBe(false);
    pass(1000);
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("handshake-timeout"))).toBe(1);
    stream.close();
    expect(seen).toMatchObject({ closes: 1, gone: 1, released: 1 });
  });

  test("half a frame every second does not extend the handshake time", () => {
    const { stream, pass, counts } = session();
    for (let i = 0; i < 11; i++) {
      stream.receive(Uint8Array.of(0));
      pass(1000);
    }
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("handshake-timeout"))).toBe(1);
  });

  test("whole frames do not either, as long as the peer does not set up", () => {
    const { stream, pass } = session();
    for (let i = 0; i < 11; i++) {
      stream.receive(frame());
      pass(1000);
    }
    expect(stream.destroyed).toBe(true);
  });

  test("an open connection lives on frames: silence closes it, bytes without a frame are silence", () => {
    const { stream, pass, peer, counts } = session();
    peer.open = true;
    pass(50_000);
    stream.receive(frame());
    pass(50_000);
    stream.receive(frame(10).subarray(0, 9));
    pass(10_000);
    expect(stream.destroyed).toBe(false);
    pass(1000);
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("idle-timeout"))).toBe(1);
  });
});

describe("a peer that does not read", () => {
  test("is closed when more than the buffer limit waits, one byte below it is not", () => {
    const { session: one, stream, peer, counts } = session();
    peer.open = true;
    stream.reading = false;
    one.guard(() => peer.send(frame(LIMITS.bufferBytes - 6)));
    expect(stream.destroyed).toBe(false);
    one.guard(() => peer.send(frame(0)));
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("peer-not-reading"))).toBe(1);
  });

  test("what we owe a peer at once is allowed on top", () => {
    const { session: one, stream, peer } = session();
    peer.open = true;
    peer.bytesOwed = 100;
    stream.reading = false;
    one.guard(() => peer.send(frame(LIMITS.bufferBytes - 6 + 100)));
    expect(stream.destroyed).toBe(false);
    one.guard(() => peer.send(frame(0)));
    expect(stream.destroyed).toBe(true);
  });

  test("holds no more memory than the limit even within one turn", () => {
    const { session: one, stream, peer } = session();
    peer.open = true;
    one.guard(() => {
      for (let i = 0; i < 100; i++) peer.send(frame(5000));
    });
    expect(stream.destroyed).toBe(true);
    expect(stream.writes).toEqual([]);
  });

  test("is closed when it takes nothing for the stall time, however little waits", () => {
    const { session: one, stream, peer, pass, counts } = session({ limits: { idleTimeoutMs: 1e9 } });
    peer.open = true;
    stream.reading = false;
    one.guard(() => peer.send(frame(94)));
    pass(25_000);
    stream.take(1);
    pass(30_000);
    expect(stream.destroyed).toBe(false);
    pass(2000);
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("peer-not-reading"))).toBe(1);
  });

  test("a peer that reads everything, or slowly, is left alone", () => {
    const { session: one, stream, peer, pass } = session({ limits: { idleTimeoutMs: 1e9 } });
    peer.open = true;
    pass(100_000);
    stream.reading = false;
    for (let i = 0; i < 100; i++) {
      one.guard(() => peer.send(frame(94)));
      pass(1000);
      stream.take(60);
    }
    expect(stream.destroyed).toBe(false);
  });
});

describe("writing", () => {
  test("the peer's other side can tell how much its client has not taken", () => {
    const { session: one, stream, peer } = session();
    expect(peer.waiting()).toBe(0);
    one.guard(() => {
      peer.send(frame(94));
      expect(peer.waiting()).toBe(100);
    });
    expect(peer.waiting()).toBe(0);
    stream.reading = false;
    one.guard(() => peer.send(frame(94)));
    expect(peer.waiting()).toBe(100);
    stream.take(60);
    expect(peer.waiting()).toBe(40);
  });

  test("frames of one turn leave in one write, in order", () => {
    const { stream } = session({
      onFrame(_frame, send) {
        send(frame(1));
        send(frame(2));
        return undefined;
      },
    });
    stream.receive(concat(frame(), frame()));
    expect(stream.writes).toHaveLength(1);
    expect(stream.written).toEqual(concat(frame(1), frame(2), frame(1), frame(2)));
  });

  test("a frame sent from elsewhere leaves with the others of its turn", async () => {
    const { stream, peer } = session();
    peer.send(frame(1));
    peer.send(frame(2));
    expect(stream.writes).toEqual([]);
    await Promise.resolve();
    expect(stream.writes).toHaveLength(1);
  });
});

describe("failures", () => {
  test("a refusal is sent before the connection is closed, and what comes after it is not read", () => {
    const { stream, seen, counts } = session({
      onFrame(_frame, send) {
        send(frame(3));
        return new Fault("setup-refused");
      },
    });
    stream.receive(concat(frame(), frame()));
    expect(stream.written).toEqual(frame(3));
    expect(stream.ended).toBe(true);
    expect(stream.destroyed).toBe(false);
    stream.receive(frame());
    expect(seen.frames).toHaveLength(1);
    expect(counts.get(dropped("setup-refused"))).toBe(1);
  });

  test("a refused peer that keeps sending is read for a while, then cut off", () => {
    const { stream } = session({ onFrame: () => new Fault("setup-refused") });
    stream.receive(frame());
    stream.receive(new Uint8Array(LIMITS.bufferBytes));
    expect(stream.destroyed).toBe(false);
    stream.receive(new Uint8Array(1));
    expect(stream.destroyed).toBe(true);
  });

  test("a refused peer that does not go is made to", () => {
    const { stream, pass } = session({ onFrame: () => new Fault("setup-refused") });
    stream.receive(frame());
    pass(10_000);
    expect(stream.destroyed).toBe(false);
    pass(1000);
    expect(stream.destroyed).toBe(true);
  });

  test("a peer's fault closes at once", () => {
    const { stream, counts, log } = session({
      onFrame() {
        throw new Fault("message-direction");
      },
    });
    stream.receive(frame());
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("message-direction"))).toBe(1);
    expect(log.lines.some(({ level }) => level === "error")).toBe(false);
  });

  test("frames in front of a broken one still count, and the connection is closed at once all the same", () => {
    const { stream, seen, counts } = session();
    const tooLong = encodeFrameHeader({ extensionType: 0, channel: false, msgType: 0, length: 65_537 });
    stream.receive(concat(frame(3), frame(4), tooLong));
    expect(seen.frames.map(({ payload }) => payload.length)).toEqual([3, 4]);
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("frame-too-large"))).toBe(1);
  });

  test("our own mistake closes this connection, with a line and a count of its own", () => {
    const { stream, counts, log } = session({
      onFrame() {
        throw new TypeError("undefined is not a function");
      },
    });
    stream.receive(frame());
    expect(stream.destroyed).toBe(true);
    expect(counts.get(dropped("session-failed"))).toBe(1);
    const line = log.lines.find(({ level }) => level === "error");
    expect(line?.message).toContain("undefined is not a function");
    expect(line?.fields).toMatchObject({ code: "session-failed" });
  });

  test("a mistake while closing harms nobody", () => {
    const { stream, seen } = session({
      onClose() {
        throw new TypeError("again");
      },
    });
    stream.close(new Error("ECONNRESET"));
    expect(seen).toMatchObject({ closes: 1, gone: 1, released: 1 });
  });

  test("peers cannot fill the log: beyond the allowance a closed connection is told at debug only", () => {
    const levels = [true, false].map((mayTell) => {
      const log = recordingLog();
      const stream = new FakeStream();
      const clock = new FakeClock();
      new Session(
        {
          stream,
          connection: new Connection({}, { role: "server", maxFrameSize: 100 }),
          peer: () => ({ open: true, bytesOwed: 0, messagesWanted: 0, receive: () => undefined, close() {} }),
          costlyActSize: 0,
          door: { gate: new HandshakeGate({ clock }, { perSecond: 1, burst: 1 }), tryTell: () => mayTell },
          ticket: { subscriber: 1n, sinceMs: 0, release() {} },
          clock,
          log,
          meter: { count() {}, gauge() {}, observe() {} },
          onGone() {},
        },
        LIMITS,
      );
      stream.receive(frame(101));
      return log.lines[0]?.level;
    });
    expect(levels).toEqual(["info", "debug"]);
  });
});

describe("message rate", () => {
  test("what its channels are wanted to send comes on top: a proxy with many channels is not held up", () => {
    const { stream, peer, seen, pass } = session();
    peer.open = true;
    peer.messagesWanted = 90;
    for (let second = 0; second < 30; second++) {
      stream.receive(concat(...Array.from({ length: 95 }, () => frame())));
      expect(stream.paused).toBe(false);
      pass(1000);
    }
    expect(seen.frames).toHaveLength(30 * 95);
  });

  test("a peer above its rate is read more slowly and loses nothing", () => {
    const { stream, seen, clock } = session();
    const burst = concat(...Array.from({ length: 50 }, () => frame()));
    stream.receive(burst);
    expect(seen.frames).toHaveLength(50);
    expect(stream.paused).toBe(true);
    stream.receive(burst);
    // 30 frames of debt and one to go on with, at 10 a second.
    clock.advance(3099);
    expect(seen.frames).toHaveLength(50);
    clock.advance(2);
    expect(seen.frames).toHaveLength(100);
    expect(stream.paused).toBe(true);
    clock.advance(5001);
    expect(stream.paused).toBe(false);
  });

  test("a long frame counts for its length", () => {
    const { stream } = session();
    stream.receive(frame(256 * 19 - 1));
    expect(stream.paused).toBe(false);
    stream.receive(frame());
    expect(stream.paused).toBe(true);
  });

  test("a peer within its rate is never held up", () => {
    const { stream, clock, seen } = session();
    for (let i = 0; i < 200; i++) {
      stream.receive(frame());
      expect(stream.paused).toBe(false);
      clock.advance(100);
    }
    expect(seen.frames).toHaveLength(200);
  });

  test("closing cancels what waits", () => {
    const { stream, clock } = session();
    stream.receive(concat(...Array.from({ length: 50 }, () => frame())));
    expect(clock.pending).toBe(1);
    stream.close();
    expect(clock.pending).toBe(0);
  });
});

/** A responder whose one act is 64 bytes, and which then passes frames as they are. */
function fakeNoise(acts: number[] = []): NoiseHandshake {
  let done = false;
  const cipher = {
    encryptFrame: (plain: Uint8Array) => plain,
    decryptHeader: (ciphertext: Uint8Array) => ciphertext.subarray(0, 6),
    decryptPayload: (ciphertext: Uint8Array) => ciphertext,
    cipherLength: (length: number) => length,
  };
  return {
    expects: 64,
    start: () => undefined,
    read(act) {
      acts.push(act.length);
      done = true;
      return Uint8Array.of(1, 2, 3);
    },
    result: () => (done ? { encrypt: cipher, decrypt: cipher } : undefined),
  };
}

describe("the handshake gate", () => {
  const act = new Uint8Array(64).fill(0xa5);

  test("is passed when the costly act is whole, not when the peer connects", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 1, burst: 1 });
    const acts: number[] = [];
    const { stream, counts } = session({ gate, noise: fakeNoise(acts) });
    stream.receive(act.subarray(0, 63));
    expect(
      gate.enter(2n, () => undefined),
      "the token is still there",
    ).toBeUndefined();
    stream.receive(act.subarray(63));
    expect(acts).toEqual([]);
    expect(stream.paused).toBe(true);
    clock.advance(1001);
    expect(acts).toEqual([64]);
    expect(stream.paused).toBe(false);
    expect(stream.written).toEqual(Uint8Array.of(1, 2, 3));
    expect(counts.get("handshakes_total")).toBe(1);
  });

  test("a peer that leaves while it waits leaves the queue", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 1, burst: 1 });
    gate.enter(2n, () => undefined);
    const acts: number[] = [];
    const { stream } = session({ gate, noise: fakeNoise(acts) });
    stream.receive(act);
    expect(gate.waiting).toBe(1);
    stream.close();
    expect(gate.waiting).toBe(0);
    clock.advance(5000);
    expect(acts).toEqual([]);
  });

  test("text is recognised before it costs anything, random bytes are not taken for text", () => {
    const sv1 = new TextEncoder().encode('{"id": 1, "method": "mining.subscribe", "params": []}\n');
    const one = session({ noise: fakeNoise() });
    one.stream.receive(sv1);
    expect(one.stream.destroyed).toBe(true);
    expect(one.counts.get(dropped("not-stratum-v2"))).toBe(1);
    expect(one.log.lines[0]).toMatchObject({ level: "info" });
    const http = session({ noise: fakeNoise() });
    http.stream.receive(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: pool.example.com\r\n\r\n"));
    expect(http.counts.get(dropped("not-stratum-v2"))).toBe(1);
    const brace = session({ noise: fakeNoise() });
    brace.stream.receive(Uint8Array.from([0x7b, ...act.subarray(1)]));
    expect(brace.stream.destroyed).toBe(false);
  });
});

describe("draining", () => {
  test("sends what waits, says no more, and still judges frames until the peer closes", () => {
    const {
      session: one,
      stream,
      peer,
      seen,
    } = session({
      onFrame(_frame, send) {
        send(frame(9));
        return undefined;
      },
    });
    peer.open = true;
    peer.send(frame(1));
    one.drain();
    expect(stream.written).toEqual(frame(1));
    expect(stream.ended).toBe(true);
    expect(one.listening).toBe(true);
    stream.receive(frame());
    expect(seen.frames).toHaveLength(1);
    expect(stream.written).toEqual(frame(1));
    expect(seen.closes).toBe(0);
    stream.close();
    expect(seen).toMatchObject({ closes: 1, gone: 1, released: 1 });
    expect(one.listening).toBe(false);
  });

  test("destroy ends it at once", () => {
    const { session: one, stream, seen } = session();
    one.destroy();
    expect(stream.destroyed).toBe(true);
    expect(seen.closes).toBe(1);
    one.destroy();
    one.drain();
    one.tick(1e9);
    expect(seen.closes).toBe(1);
    expect(stream.ended).toBe(false);
  });
});
