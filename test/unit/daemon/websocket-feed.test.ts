/** The feed over a scripted connection and a fake clock. */
import { describe, expect, test } from "vitest";
import type { ConnectWebSocket, WebSocketEvents, WebSocketLimits } from "../../../src/daemon/websocket.ts";
import { WebSocketFeed } from "../../../src/daemon/websocket-feed.ts";
import { FakeClock } from "../../support/fake-clock.ts";

interface Attempt {
  readonly url: string;
  readonly limits: WebSocketLimits;
  readonly events: WebSocketEvents;
  readonly sent: string[];
  pings: number;
  closed: boolean;
}

function setUp() {
  const clock = new FakeClock();
  const attempts: Attempt[] = [];
  const connect: ConnectWebSocket = (url, limits, events) => {
    const attempt: Attempt = { url, limits, events, sent: [], pings: 0, closed: false };
    attempts.push(attempt);
    return {
      send: (text) => void attempt.sent.push(text),
      ping: () => {
        attempt.pings += 1;
      },
      close: () => {
        if (attempt.closed) return;
        attempt.closed = true;
        queueMicrotask(() => events.onClose("closed"));
      },
    };
  };
  const heard: string[] = [];
  const states: (string | undefined)[] = [];
  const again: boolean[] = [];
  const feed = new WebSocketFeed(
    { clock, connect },
    {
      url: "ws://127.0.0.1:4445/",
      greeting: ["hello"],
      onMessage: (text) => {
        if (text === "nonsense") throw new Error("not what was asked for");
        heard.push(text);
      },
      onState: (trouble, isAgain) => {
        states.push(trouble);
        again.push(isAgain);
      },
    },
  );
  const last = (): Attempt => attempts.at(-1) as Attempt;
  return { clock, attempts, heard, states, again, feed, last };
}

const settle = () => new Promise<void>((resolve) => queueMicrotask(resolve));

describe("WebSocketFeed", () => {
  test("greets every connection and passes messages on", () => {
    const { feed, attempts, last, heard, states } = setUp();
    feed.start();
    expect(last().sent).toEqual([]);
    last().events.onOpen();
    last().events.onMessage("a");
    expect(attempts).toHaveLength(1);
    expect(last().sent).toEqual(["hello"]);
    expect(heard).toEqual(["a"]);
    expect(states).toEqual([undefined]);
  });

  test("bounds messages to 1 MiB and the handshake to 10 s", () => {
    const { feed, last } = setUp();
    feed.start();
    expect(last().limits).toEqual({ headers: {}, maxBytes: 1 << 20, handshakeMs: 10_000 });
  });

  test("sends a login with the handshake, and never in the address", () => {
    const limits: WebSocketLimits[] = [];
    const connect: ConnectWebSocket = (url, given) => {
      expect(url).toBe("ws://127.0.0.1/");
      limits.push(given);
      return { send() {}, ping() {}, close() {} };
    };
    const options = { url: "ws://127.0.0.1/", login: { user: "u", password: "p:q" }, greeting: [], onMessage() {} };
    new WebSocketFeed({ clock: new FakeClock(), connect }, options).start();
    expect(limits[0]?.headers).toEqual({ authorization: `Basic ${Buffer.from("u:p:q").toString("base64")}` });
  });

  test("connects again after 1, 2, 4 … at most 30 s, and after 1 s once the daemon spoke", () => {
    const { clock, feed, attempts, last, states } = setUp();
    feed.start();
    for (const pauseMs of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const before = attempts.length;
      last().events.onClose("ECONNREFUSED");
      clock.advance(pauseMs - 1);
      expect(attempts).toHaveLength(before);
      clock.advance(1);
      expect(attempts).toHaveLength(before + 1);
    }
    expect(states).toEqual(["ECONNREFUSED"]);
    last().events.onOpen();
    last().events.onMessage("a");
    last().events.onClose("gone");
    clock.advance(1000);
    expect(attempts).toHaveLength(9);
    expect(states).toEqual(["ECONNREFUSED", undefined, "gone"]);
  });

  test("a daemon that accepts and says nothing sensible is not hurried", async () => {
    const { clock, feed, attempts, last } = setUp();
    feed.start();
    for (const pauseMs of [1000, 2000]) {
      last().events.onOpen();
      last().events.onMessage("nonsense");
      await settle();
      expect(last().closed).toBe(true);
      const before = attempts.length;
      clock.advance(pauseMs - 1);
      expect(attempts).toHaveLength(before);
      clock.advance(1);
      expect(attempts).toHaveLength(before + 1);
    }
  });

  test("pings a silent connection and ends it when no answer comes", async () => {
    const { clock, feed, last } = setUp();
    feed.start();
    last().events.onOpen();
    clock.advance(20_000);
    expect(last().pings).toBe(1);
    last().events.onPong();
    clock.advance(20_000);
    expect(last()).toMatchObject({ pings: 2, closed: false });
    clock.advance(20_000);
    expect(last().closed).toBe(true);
    const dead = last();
    await settle();
    clock.advance(1000);
    expect(last()).not.toBe(dead);
  });

  test("stop leaves no connection and no timer, and lets nothing through", async () => {
    const { clock, feed, last, heard, states } = setUp();
    feed.start();
    last().events.onOpen();
    feed.stop();
    last().events.onMessage("late");
    await settle();
    expect(last().closed).toBe(true);
    expect(heard).toEqual([]);
    expect(states).toEqual([undefined]);
    expect(clock.pending).toBe(0);
  });

  test("stop while it waits to connect leaves no timer", () => {
    const { clock, feed, last } = setUp();
    feed.start();
    last().events.onClose("ECONNREFUSED");
    expect(clock.pending).toBe(1);
    feed.stop();
    expect(clock.pending).toBe(0);
  });

  test("says which states are no news, for a log that a flapping connection must not fill", () => {
    const { clock, feed, last, again } = setUp();
    feed.start();
    for (let i = 0; i < 300; i++) {
      last().events.onOpen();
      last().events.onMessage("a");
      last().events.onClose("it closed the connection");
      clock.advance(2000);
    }
    expect(again).toHaveLength(600);
    expect(again.slice(0, 4)).toEqual([false, false, true, true]);
    expect(again.filter((isAgain) => !isAgain).length).toBeLessThanOrEqual(4);
  });
});
