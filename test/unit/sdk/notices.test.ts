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
  const deps = { clock: told.clock, log: told.log, connect: ports.connect, onNews };
  const over = listenForBlocks(deps, daemon, told.stop.signal);
  return { ...told, fake, sockets, over, news: () => news };
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

  test("a broken connection is told once and made anew; both ways can be asked for", async () => {
    const { sockets, clock, said, stop, over, fake } = listening({ ...keys, notice: "wait" }, waiting);
    await settle();
    expect(fake.count("waitfornewblock")).toBe(1);
    for (let i = 0; i < 4; i++) {
      sockets.at(-1)?.events.onClose(Object.assign(new Error("x"), { code: "ECONNREFUSED" }));
      await pass(clock, 16_000, 500);
    }
    expect(sockets).toHaveLength(5);
    expect(said("warn")).toHaveLength(1);
    stop.abort();
    await over;
    expect(clock.pending).toBe(0);
  });
});
