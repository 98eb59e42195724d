import { describe, expect, test } from "vitest";
import { concat, fromHex, utf8 } from "../../../src/kernel/bytes.ts";
import { type Daemon, daemonsConfig, daemonsOf } from "../../../src/sdk/daemon-config.ts";
import { listenForBlocks } from "../../../src/sdk/notices.ts";
import { hashOf, pass, settle } from "../node/bitcoind/fakes.ts";
import { FakeDaemon, fakeHost, portsTo, Refusal } from "./fakes.ts";

function listening(keys: object, prepare: (fake: FakeDaemon) => void = () => undefined) {
  const told = fakeHost();
  const fake = new FakeDaemon();
  prepare(fake);
  const { ports, sockets } = portsTo({ "nmc:1": fake });
  const list = daemonsConfig.parse([{ name: "nmc", url: "http://nmc:1", ...keys }]);
  const [daemon] = daemonsOf(list, told.host, ports) as [Daemon];
  let news = 0;
  const onNews = (): void => {
    news += 1;
  };
  let breaks = 0;
  const onBreak = (): void => {
    breaks += 1;
  };
  const deps = { clock: told.clock, log: told.log, connect: ports.connect, onNews, onBreak };
  const over = listenForBlocks(deps, daemon, told.stop.signal);
  return { ...told, fake, sockets, over, news: () => news, breaks: () => breaks };
}

/** A daemon whose `waitfornewblock` is answered when the test says so. */
function waiting(fake: FakeDaemon) {
  const waits: ((answer: unknown) => void)[] = [];
  fake.table.waitfornewblock = () => new Promise((resolve) => waits.push(resolve));
  return waits;
}

describe("waitfornewblock", () => {
  test("tells each new block once, with one call under way at a time", async () => {
    let waits: ((answer: unknown) => void)[] = [];
    const { news, fake, stop, over, clock } = listening({}, (daemon) => {
      waits = waiting(daemon);
    });
    await settle();
    expect(fake.last("waitfornewblock")).toEqual([20_000]);
    waits[0]?.({ hash: hashOf(1), height: 1 });
    await settle();
    expect(news()).toBe(1);
    await pass(clock, 20_000, 1000);
    waits[1]?.({ hash: hashOf(1), height: 1 });
    await settle();
    expect(news()).toBe(1);
    waits[2]?.({ hash: hashOf(2), height: 2 });
    await settle();
    expect([news(), fake.most.get("waitfornewblock"), waits.length]).toEqual([2, 1, 4]);
    stop.abort();
    await over;
    expect([clock.pending, fake.open]).toEqual([0, 0]);
  });

  test.each([
    ["unknown to the daemon", new Refusal(-32601, "Method not found")],
    ["refused by it", new Refusal(-1, "waitfornewblock (timeout)")],
  ])("%s: said once, and never tried again", async (_name, refusal) => {
    const { over, said, fake } = listening({}, (daemon) => {
      daemon.table.waitfornewblock = () => {
        throw refusal;
      };
    });
    await over;
    expect(fake.count("waitfornewblock")).toBe(1);
    expect(said("info")).toEqual(["daemon nmc offers no waitfornewblock: it is polled only"]);
  });

  test("an answer at once without news is no reason to ask in a circle", async () => {
    const { fake, clock, stop, over } = listening({}, (daemon) => {
      daemon.table.waitfornewblock = () => ({ hash: hashOf(1), height: 1 });
    });
    await pass(clock, 5000, 100);
    expect(fake.count("waitfornewblock")).toBeLessThan(15);
    stop.abort();
    await over;
  });

  test("a daemon that has another block each time it is asked is not asked in a circle either", async () => {
    let n = 0;
    const { fake, clock, stop, over, news } = listening({}, (daemon) => {
      daemon.table.waitfornewblock = () => ({ hash: hashOf(++n), height: n });
    });
    await pass(clock, 5000, 50);
    expect(fake.count("waitfornewblock")).toBeLessThan(110);
    expect(news()).toBeGreaterThan(20);
    expect(news()).toBeLessThan(35);
    stop.abort();
    await over;
    expect([clock.pending, fake.open]).toEqual([0, 0]);
  });

  test("a daemon that goes away while it is waited for may come back as another: that is told", async () => {
    let waits: ((answer: unknown) => void)[] = [];
    const { fake, breaks, stop, over } = listening({}, (daemon) => {
      waits = waiting(daemon);
    });
    await settle();
    expect([waits.length, breaks()]).toEqual([1, 0]);
    fake.mood = { error: "ECONNRESET" };
    waits[0]?.({ hash: hashOf(1), height: 1 });
    await settle();
    expect(breaks()).toBe(1);
    stop.abort();
    await over;
    expect(breaks()).toBe(1);
  });

  test("a daemon that is away is tried ever more seldom, without a line in the log", async () => {
    const { fake, clock, stop, over, said } = listening({}, (daemon) => {
      daemon.mood = { error: "ECONNREFUSED" };
    });
    await pass(clock, 120_000, 500);
    expect(fake.count("waitfornewblock")).toBeLessThan(16);
    expect([said("warn"), said("info")]).toEqual([[], []]);
    stop.abort();
    await over;
  });

  test("poll: the daemon is asked nothing", async () => {
    const { over, fake } = listening({ notice: "poll" });
    await over;
    expect(fake.calls).toEqual([]);
  });
});

describe("ZMQ", () => {
  const keys = { zmq_hashblock: "tcp://10.0.0.1:28332" };
  // libzmq's greeting and its READY, as in the test of the subscriber.
  const greeting = concat(fromHex("ff00000000000000017f0300"), utf8("NULL"), new Uint8Array(48));
  const ready = concat(
    fromHex("0419055245414459"),
    fromHex("0b"),
    utf8("Socket-Type"),
    fromHex("00000003"),
    utf8("PUB"),
  );
  const frame = (more: number, body: Uint8Array): Uint8Array => concat(Uint8Array.of(more, body.length), body);
  const notice = (n: number): Uint8Array =>
    concat(frame(1, utf8("hashblock")), frame(1, fromHex(hashOf(n))), frame(0, new Uint8Array(4)));

  test("subscription and block are news, and waitfornewblock is left alone", async () => {
    const { sockets, news, fake, stop, over } = listening(keys);
    const [first] = sockets;
    expect(first?.address).toBe("10.0.0.1:28332");
    first?.events.onOpen();
    first?.events.onData(concat(greeting, ready));
    expect(news()).toBe(1);
    first?.events.onData(notice(1));
    expect(news()).toBe(2);
    expect(fake.calls).toEqual([]);
    stop.abort();
    await over;
  });

  test("a publisher that catches up with its chain is no reason for a question at each block", async () => {
    const { sockets, news, clock, stop, over } = listening(keys);
    sockets[0]?.events.onOpen();
    sockets[0]?.events.onData(concat(greeting, ready));
    for (let n = 1; n <= 1000; n++) sockets[0]?.events.onData(notice(n));
    expect(news()).toBe(5);
    await pass(clock, 1000, 100);
    expect(news()).toBe(6);
    sockets[0]?.events.onData(notice(1001));
    expect(news()).toBe(7);
    stop.abort();
    await over;
    expect(clock.pending).toBe(0);
  });

  test("what takes the connection and never says a word is told, and tried again", async () => {
    const { sockets, clock, said, stop, over, breaks } = listening(keys);
    sockets[0]?.events.onOpen();
    await pass(clock, 11_000, 500);
    expect(sockets).toHaveLength(2);
    expect(said("warn")).toEqual([expect.stringMatching(/no ZMQ publisher answers within 10 s/)]);
    expect(breaks()).toBe(1);
    // Silence of one that shook hands is a chain without blocks.
    sockets[1]?.events.onOpen();
    sockets[1]?.events.onData(concat(greeting, ready));
    await pass(clock, 60_000, 1000);
    expect(sockets).toHaveLength(2);
    stop.abort();
    await over;
    expect(clock.pending).toBe(0);
  });

  test("a connection that broke after it was well for long is told again", async () => {
    const { sockets, clock, said, stop, over } = listening(keys);
    const lost = Object.assign(new Error("x"), { code: "ECONNRESET" });
    for (let days = 1; days <= 2; days++) {
      sockets.at(-1)?.events.onOpen();
      sockets.at(-1)?.events.onData(concat(greeting, ready));
      await pass(clock, 700_000, 10_000);
      sockets.at(-1)?.events.onClose(lost);
      await pass(clock, 1000, 100);
      expect(said("warn")).toHaveLength(days);
    }
    stop.abort();
    await over;
  });

  test("a broken connection is told once and made anew; both ways can be asked for", async () => {
    const { sockets, clock, said, stop, over, fake } = listening({ ...keys, notice: "wait" }, waiting);
    await settle();
    expect(fake.count("waitfornewblock")).toBe(1);
    for (let i = 0; i < 4; i++) {
      sockets.at(-1)?.events.onClose(Object.assign(new Error("x"), { code: "ECONNREFUSED" }));
      await pass(clock, 9000, 500);
    }
    expect(sockets).toHaveLength(5);
    expect(said("warn")).toHaveLength(1);
    stop.abort();
    await over;
    expect(clock.pending).toBe(0);
  });
});
