import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Daemon, daemonsConfig, daemonsOf } from "../../../src/sdk/daemon-config.ts";
import { Daemons } from "../../../src/sdk/daemons.ts";
import { pass, settle } from "../node/bitcoind/fakes.ts";
import { FakeDaemon, fakeHost, portsTo, Refusal } from "./fakes.ts";

/** Daemons a, b, … of one chain; each gives its own name as work. */
function chain(count = 2, options: { probed?: boolean } = {}) {
  const fakes = Array.from({ length: count }, () => new FakeDaemon());
  const names = fakes.map((_, i) => String.fromCharCode(97 + i));
  const told = fakeHost();
  const list = daemonsConfig.parse(
    names.map((name) => ({ name, url: `http://${name}:1`, password: "hunter2", user: "u" })),
  );
  const { ports } = portsTo(Object.fromEntries(names.map((name, i) => [`${name}:1`, fakes[i] as FakeDaemon])));
  const probe = ({ rpc }: Daemon): Promise<string> => rpc.call("work", [], z.string());
  const deps = { host: told.host, daemons: daemonsOf(list, told.host, ports) };
  const daemons = new Daemons<Daemon>(deps, options.probed === true ? { probe } : {});
  for (const [i, fake] of fakes.entries()) fake.table.work = () => names[i];
  const work = (): Promise<string> => daemons.call("work", [], z.string());
  const down = { error: "ECONNREFUSED" };
  return { ...told, daemons, fakes: fakes as [FakeDaemon, FakeDaemon, FakeDaemon], work, down };
}

describe("several daemons", () => {
  test("work comes from the first, from the next when it fails, and stays there", async () => {
    const { work, fakes, down, daemons, up, said } = chain();
    expect(await work()).toBe("a");
    expect(fakes[1].calls).toEqual([]);
    fakes[0].mood = down;
    expect(await work()).toBe("b");
    expect(daemons.active.name).toBe("b");
    expect(up).toEqual(
      new Map([
        ["a", [true, false]],
        ["b", [true]],
      ]),
    );
    const before = fakes[0].calls.length;
    expect(await work()).toBe("b");
    expect(fakes[0].calls).toHaveLength(before);
    expect(said("warn")).toHaveLength(1);
    expect(said("warn")[0]).toContain("daemon a: nothing listens at the address of the node");
    expect(said("info")).toEqual(["work comes from daemon b now, no longer from a"]);
    expect(daemons.trouble()).toBeUndefined();
  });

  test("the preferred one is taken again once it has been well for half a minute", async () => {
    const { work, fakes, down, daemons, clock, said } = chain(2, { probed: true });
    daemons.start();
    fakes[0].mood = down;
    await work();
    await pass(clock, 20_000, 1000);
    fakes[0].mood = "serve";
    await pass(clock, 11_000, 1000);
    expect(said("info").at(-1)).toBe("daemon a is well again");
    expect(await work()).toBe("b");
    // A relapse begins the half minute anew.
    fakes[0].mood = down;
    await pass(clock, 11_000, 1000);
    fakes[0].mood = "serve";
    await pass(clock, 29_000, 1000);
    expect(await work()).toBe("b");
    await pass(clock, 12_000, 1000);
    expect(await work()).toBe("a");
    await daemons.stop();
    expect(clock.pending).toBe(0);
    expect(fakes.map(({ closed }) => closed)).toEqual([true, true]);
  });

  test("when the standby fails too, the preferred one is asked again at once", async () => {
    const { work, fakes, down } = chain();
    fakes[0].mood = down;
    await work();
    fakes[0].mood = "serve";
    fakes[1].mood = down;
    expect(await work()).toBe("a");
  });

  test("all are tried before a call fails, with the failure of the most preferred", async () => {
    const { work, fakes, down, daemons } = chain(3);
    fakes[0].mood = { status: 401 };
    fakes[1].mood = down;
    fakes[2].mood = { status: 503, text: "Work queue depth exceeded" };
    await expect(work()).rejects.toMatchObject({ code: "node-unauthorized" });
    const trouble = daemons.trouble() ?? "";
    expect(trouble).toMatch(/^no daemon can be used; a: .*password.* b: nothing listens.* c: .*too many calls/s);
    expect(trouble).not.toContain("hunter2");
    expect(daemons.status().map(({ up, active }) => [up, active])).toEqual([
      [false, true],
      [false, false],
      [false, false],
    ]);
  });

  test("an error of the daemon itself is an answer: the others are not asked, and it is well", async () => {
    const { work, fakes, up } = chain();
    fakes[0].table.work = () => {
      throw new Refusal(-1, "bad-cb-length");
    };
    await expect(work()).rejects.toMatchObject({ code: "node-rpc-error", data: { rpcCode: -1 } });
    expect(fakes[1].calls).toEqual([]);
    expect(up.get("a")).toEqual([true]);
  });

  test("a question that does not tell changes nothing", async () => {
    const { daemons, fakes, down, up, said } = chain();
    fakes[0].mood = down;
    expect(await daemons.call("work", [], z.string(), { tells: false })).toBe("b");
    expect([daemons.active.name, up.size, said("warn")]).toEqual(["a", 0, []]);
  });

  test("a hung daemon costs one deadline, and the next one answers", async () => {
    const { work, fakes, clock } = chain();
    fakes[0].mood = "hang";
    const answer = work();
    await pass(clock, 9_900, 100);
    expect(fakes[1].calls).toEqual([]);
    await pass(clock, 200, 100);
    expect(await answer).toBe("b");
  });

  test("the end of the chain ends a question with that reason", async () => {
    const { work, fakes, stop, said } = chain();
    fakes[0].mood = "hang";
    const answer = work().catch((error: unknown) => error);
    await settle();
    stop.abort(new Error("stopped"));
    expect(await answer).toMatchObject({ message: "stopped" });
    expect([fakes[1].calls, said("warn")]).toEqual([[], []]);
    expect(fakes[0].open).toBe(0);
  });

  test("a submission can begin with any daemon", async () => {
    const { daemons, fakes, work, down } = chain(3);
    const names = (first?: string): string =>
      daemons
        .inOrder(first)
        .map(({ name }) => name)
        .join("");
    expect([names(), names("c"), names("gone")]).toEqual(["abc", "cab", "abc"]);
    fakes[0].mood = down;
    await work();
    expect([names(), names("a")]).toEqual(["bca", "abc"]);
  });
});

describe("what is logged", () => {
  test("a failure once, its recovery once, however often it is asked", async () => {
    const { work, fakes, down, clock, said, troubles } = chain(1);
    fakes[0].mood = down;
    for (let i = 0; i < 100; i++) {
      await work().catch(() => undefined);
      clock.advance(2000);
    }
    expect(said("warn")).toHaveLength(1);
    fakes[0].mood = "serve";
    await work();
    await work();
    expect(said("info")).toEqual(["daemon a is well again"]);
    expect(troubles).toEqual([]);
  });

  test("a flapping daemon writes a line a minute at most", async () => {
    const { work, fakes, down, clock, said } = chain(1);
    for (let i = 0; i < 150; i++) {
      fakes[0].mood = i % 2 === 0 ? down : "serve";
      await work().catch(() => undefined);
      clock.advance(2000);
    }
    expect(said("warn").length).toBeLessThanOrEqual(6);
    expect(said("info").length).toBeLessThanOrEqual(6);
  });

  test("daemons that fail by turns write few lines, though work moves with each question", async () => {
    const { work, fakes, down, clock, said, daemons } = chain();
    for (let i = 0; i < 300; i++) {
      fakes[(i % 2) as 0 | 1].mood = down;
      fakes[(1 - (i % 2)) as 0 | 1].mood = "serve";
      expect(await work()).toBe(i % 2 === 0 ? "b" : "a");
      clock.advance(2000);
    }
    // Ten minutes: a failure and a recovery of each daemon a minute, and a move.
    expect(said("info").length + said("warn").length).toBeLessThanOrEqual(55);
    expect(daemons.active.name).toBe("a");
  });

  test.each([
    [-28, "Loading block index…", /is starting .*Loading block index.*Wait/],
    [-10, "Namecoin is downloading blocks...", /still downloading the chain/],
    [-9, "Namecoin is not connected!", /no connection to any other node/],
  ])("error %i becomes a sentence with a remedy", async (code, message, sentence) => {
    const { work, fakes, daemons } = chain(1);
    fakes[0].table.work = () => {
      throw new Refusal(code, message);
    };
    await expect(work()).rejects.toThrow();
    expect(daemons.trouble()).toMatch(sentence);
  });
});

test("a chain without daemons is a mistake of its plugin", () => {
  const { host } = fakeHost();
  expect(() => new Daemons({ host, daemons: [] })).toThrow(TypeError);
});
