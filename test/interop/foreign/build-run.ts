/**
 * Runs one long command of a build: at the lowest priority, within a time limit, with a line about its progress now and
 * then. Nothing of it outlives the test run: the whole process group ends with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import type { BuildStep } from "./pins.ts";

/** What came of a command. */
export interface BuildResult {
  readonly ok: boolean;
  /** Why not, in words; empty when it went well. */
  readonly reason: string;
  readonly seconds: number;
}

const PROGRESS_MS = 20_000;
const KILL_AFTER_MS = 5_000;
const LAST_LINES = 6;

const running = new Set<ChildProcess>();

function endAll(): void {
  for (const child of running) endGroup(child, "SIGKILL");
}
process.on("exit", endAll);
// vitest was ended from outside: it leaves its workers alone with what they started.
process.once("disconnect", () => {
  endAll();
  setImmediate(() => process.kill(process.pid, "SIGTERM"));
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    endAll();
    // Now as if this listener had never been: vitest does not let a test call process.exit.
    process.kill(process.pid, signal);
  });
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

/** Writes a line that is seen at once, whichever reporter runs. */
export function say(line: string): void {
  process.stderr.write(`interop: ${line}\n`);
}

/** Runs `step` for at most `limitMs`. Never rejects. */
export async function runBuild(name: string, step: BuildStep, limitMs: number, cwd?: string): Promise<BuildResult> {
  const startedMs = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedMs) / 1000);
  const child = spawn(step.command, step.args, {
    cwd,
    // A group of its own, so that the compilers below it can be ended with it.
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...step.env },
  });
  running.add(child);
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const last: string[] = [];
  let lines = 0;
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines += 1;
    last.push(line.trim());
    if (last.length > LAST_LINES) last.shift();
  });
  const progress = setInterval(() => say(`${name}: ${seconds()} s, ${lines} lines, ${last.at(-1) ?? ""}`), PROGRESS_MS);
  let late = false;
  const limits = [
    setTimeout(() => {
      late = true;
      endGroup(child, "SIGTERM");
    }, limitMs),
    setTimeout(() => endGroup(child, "SIGKILL"), limitMs + KILL_AFTER_MS),
  ];
  const ended = await new Promise<number | string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  clearInterval(progress);
  limits.forEach(clearTimeout);
  running.delete(child);
  if (ended === 0) return { ok: true, reason: "", seconds: seconds() };
  const why = late
    ? `it was not done after ${seconds()} s; what was built is kept, so another run goes on from there`
    : `${step.command} ended with ${ended}`;
  return { ok: false, reason: [why, ...last].join("\n    "), seconds: seconds() };
}
