import { describe, expect, test } from "vitest";
import { sleep } from "../../../src/kernel/clock.ts";
import { Bus } from "../../../src/kernel/events.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";
import { randomU32 } from "../../../src/kernel/random.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("sleep", () => {
  test("resolves when its time has come and leaves no timer or listener", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const slept = sleep(clock, 50, abort.signal).then(() => "slept");
    clock.advance(50);
    expect(await slept).toBe("slept");
    abort.abort();
    expect(clock.pending).toBe(0);
  });

  test("rejects with the signal's reason and clears its timer", async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const slept = sleep(clock, 50, abort.signal);
    abort.abort(new Error("stopping"));
    await expect(slept).rejects.toThrow("stopping");
    expect(clock.pending).toBe(0);
    await expect(sleep(clock, 1, abort.signal)).rejects.toThrow("stopping");
  });
});

describe("bus", () => {
  test("a listener that throws is reported and the next still hears", () => {
    const errors: unknown[] = [];
    const heard: number[] = [];
    const bus = new Bus<{ tip: number }>({ onError: (error, name) => errors.push([name, inWords(error)]) });
    bus.on("tip", () => {
      throw new Error("bad listener");
    });
    const off = bus.on("tip", (height) => heard.push(height));
    bus.emit("tip", 1);
    off();
    off();
    bus.emit("tip", 2);
    expect(heard).toEqual([1]);
    expect(errors).toEqual([
      ["tip", "bad listener"],
      ["tip", "bad listener"],
    ]);
  });
});

describe("fault", () => {
  test("is described with its causes, and each fact once", () => {
    const refused = new Error("connect ECONNREFUSED 127.0.0.1:1");
    const said = { host: "pool", reason: refused.message };
    expect(inWords(new Fault("server-unreachable", said, { cause: refused }))).toBe(
      "no connection to the server could be made (host pool, reason connect ECONNREFUSED 127.0.0.1:1)",
    );
    expect(inWords(new Fault("server-unreachable", { host: "pool" }, { cause: refused }))).toBe(
      "no connection to the server could be made (host pool): connect ECONNREFUSED 127.0.0.1:1",
    );
  });

  test("its message is a sentence with the facts, its causes follow", () => {
    const fault = new Fault(
      "bytes-truncated",
      { wanted: 4, remaining: 1, note: undefined },
      { cause: new Error("socket closed") },
    );
    expect(fault.message).toBe("a read went past the end of the data (wanted 4, remaining 1)");
    expect(inWords(fault)).toBe("a read went past the end of the data (wanted 4, remaining 1): socket closed");
    expect(fault.act).toBe("drop");
    expect(fault.help).toMatch(/\.$/);
  });
});

describe("randomU32", () => {
  test("uses all 32 bits, unsigned", () => {
    expect(randomU32({ bytes: () => Uint8Array.of(0xff, 0xff, 0xff, 0xff) })).toBe(0xffffffff);
    expect(randomU32({ bytes: () => Uint8Array.of(1, 2, 3, 4) })).toBe(0x04030201);
  });
});
