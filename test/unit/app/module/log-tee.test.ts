/** Lines for the node's log. */
import { describe, expect, test } from "vitest";
import { type LogTeeOptions, logTee } from "../../../../src/app/module/log-tee.ts";
import type { Log } from "../../../../src/kernel/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { type NodeLogLine, ScriptedBllvmNode } from "../../../support/scripted-bllvm-node.ts";

function stage(options: Partial<LogTeeOptions> = {}): {
  log: Log;
  ours: { readonly message: string }[];
  sent: NodeLogLine[];
  clock: FakeClock;
  node: ScriptedBllvmNode;
} {
  const node = new ScriptedBllvmNode();
  const clock = new FakeClock();
  const ours = recordingLog();
  const log = logTee({ log: ours, node: () => node, clock }, { target: "stratum", ...options });
  return { log, ours: ours.lines, sent: node.lines, clock, node };
}

describe("two logs", () => {
  test("ours gets every line with its fields, the node's the sentences from info on", () => {
    const { log, ours, sent } = stage();
    for (const level of ["trace", "debug", "info", "warn", "error"] as const) log[level](`a ${level} line`, { n: 1 });
    expect(ours).toEqual(
      ["trace", "debug", "info", "warn", "error"].map((level) => ({
        level,
        message: `a ${level} line`,
        fields: { n: 1 },
      })),
    );
    expect(sent).toEqual(
      ["info", "warn", "error"].map((level) => ({ level, message: `a ${level} line`, target: "stratum" })),
    );
  });

  test("another level can be chosen", () => {
    const { log, sent } = stage({ level: "error" });
    log.warn("quiet");
    log.error("loud");
    expect(sent.map(({ message }) => message)).toEqual(["loud"]);
  });

  test("the target names the part or the chain; fields are not sent, whatever they hold", () => {
    const { log, sent } = stage();
    const child = log.child({ part: "merge mining", password: "hunter2" });
    child.info("it runs", { cookie: "hunter2" });
    child.child({ chain: "namecoin" }).info("it runs");
    child.child({ connection: 5 }).info("it came");
    expect(sent.map(({ target }) => target)).toEqual([
      "stratum::merge-mining",
      "stratum::namecoin",
      "stratum::merge-mining",
    ]);
    expect(JSON.stringify(sent)).not.toContain("hunter2");
  });

  test("a line has a thousand characters at most, nothing unseen in it, and says where it was cut", () => {
    const { log, sent, ours } = stage();
    log.info(`${"x".repeat(5000)}`);
    log.info("a\u001b[31mred\u001b[0m\nline");
    log.info("\u0000".repeat(1000));
    expect(sent[0]?.message).toBe(`${"x".repeat(999)}…`);
    expect(sent[1]?.message).toBe("a\\u{1b}[31mred\\u{1b}[0m\\u{a}line");
    expect(sent[2]?.message.length).toBe(1000);
    expect(ours[0]?.message).toHaveLength(5000);
  });

  test("a flood is cut off at the node, not in ours, and counted", () => {
    const { log, ours, sent, clock } = stage();
    for (let i = 0; i < 1000; i++) log.info(`line ${i}`);
    expect(ours).toHaveLength(1000);
    expect(sent).toHaveLength(200);
    clock.advance(1000);
    for (let i = 0; i < 1000; i++) log.info(`more ${i}`);
    expect(sent).toHaveLength(220);
    expect(sent[200]?.message).toBe("more 0 (800 lines before it were not sent)");
  });

  test("without a node yet, and with one that fails, ours is written", () => {
    const ours = recordingLog();
    const clock = new FakeClock();
    logTee({ log: ours, node: () => undefined, clock }, { target: "t" }).info("early");
    const { log, ours: lines, node } = stage();
    node.log = () => {
      throw new Error("no");
    };
    log.error("late");
    expect(ours.lines).toHaveLength(1);
    expect(lines).toHaveLength(1);
  });
});
