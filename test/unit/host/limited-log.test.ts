import { expect, test } from "vitest";
import { limitedLog } from "../../../src/host/limited-log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

function make() {
  const clock = new FakeClock();
  const into = recordingLog({ chain: "coin" });
  const run = { alive: true };
  const log = limitedLog({ clock, log: into, alive: () => run.alive });
  return { clock, lines: into.lines, log, run };
}

test("lines go through as they are, with the fields of all parents, until the run ends", () => {
  const { lines, log, run } = make();
  log.child({ daemon: "a" }).warn("slow", { ms: 5 });
  expect(lines).toEqual([{ level: "warn", message: "slow", fields: { chain: "coin", daemon: "a", ms: 5 } }]);
  run.alive = false;
  log.error("too late");
  expect(lines).toHaveLength(1);
});

test("a flood is cut to a burst and a word about it, whoever of the children writes", () => {
  const { clock, lines, log } = make();
  const child = log.child({ daemon: "a" });
  for (let i = 0; i < 100_000; i++) (i % 2 === 0 ? log : child).info(`line ${i}`);
  expect(lines).toHaveLength(201);
  expect(lines[199]?.message).toBe("line 199");
  expect(lines[200]).toMatchObject({ level: "warn", message: expect.stringContaining("too many lines") });
  // Not a line more before half of the burst is there again.
  clock.advance(4900);
  log.info("still too early");
  expect(lines).toHaveLength(201);
  clock.advance(200);
  log.info("after all");
  expect(lines.slice(201).map(({ message }) => message)).toEqual(["99801 lines were left out", "after all"]);
});

test("twenty lines a second are never cut", () => {
  const { clock, lines, log } = make();
  for (let i = 0; i < 2000; i++) {
    log.info("tick");
    clock.advance(50);
  }
  expect(lines).toHaveLength(2000);
});

test("lines for developers use up nothing of those for operators", () => {
  const { lines, log } = make();
  for (let i = 0; i < 1000; i++) log.debug("poll");
  log.warn("the daemon is gone");
  expect(lines.at(-1)).toMatchObject({ level: "warn", message: "the daemon is gone" });
  expect(lines.filter(({ level }) => level === "debug")).toHaveLength(201);
});

test("a line is not longer than 4000 characters", () => {
  const { lines, log } = make();
  log.info("x".repeat(1e6));
  expect(lines[0]?.message).toHaveLength(4000);
});

test("what goes with a line is cut too: a daemon's whole answer is none", () => {
  const { lines, log } = make();
  const cycle: Record<string, unknown> = { name: "a" };
  cycle.self = cycle;
  const fields = {
    text: "x".repeat(1 << 20),
    list: Array.from({ length: 100_000 }, (_, i) => i),
    bytes: new Uint8Array(1 << 20),
    error: new Error("y".repeat(1 << 20)),
    cycle,
    small: { amount: 5n, hash: "00" },
    count: 5n,
    nothing: undefined,
  };
  log.child({ all: "z".repeat(1 << 20) }).info("answer", fields);
  const [line] = lines;
  for (const [name, value] of Object.entries(line?.fields ?? {})) {
    const text = value instanceof Error ? `${value.message}${value.stack}` : String(value);
    expect(text.length, name).toBeLessThanOrEqual(10_000);
  }
  expect(line?.fields).toMatchObject({ chain: "coin", small: { amount: 5n, hash: "00" }, count: 5n });
  expect(line?.fields.error).toBeInstanceOf(Error);
  log.info("many", Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, i])));
  expect(Object.keys(lines[1]?.fields ?? {}).length).toBeLessThanOrEqual(33);
});
