/** Runs the built program as its user does: a process of its own, its standard output and error read line by line. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { ROOT } from "./sources.ts";

/** A running or ended process. */
export interface Program {
  readonly out: readonly string[];
  readonly err: readonly string[];
  readonly pid: number | undefined;
  /** Resolves with the first line of standard output that `wanted` accepts; rejects when the process ends before. */
  line(wanted: (line: string) => boolean): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, or with `-1` when a signal ended it. */
  readonly ended: Promise<number>;
}

/**
 * Starts `bllvm-stratum-v2` with `args`. A test that fails leaves nothing running: what it started is killed when it ends,
 * what a hook started when the test process ends.
 */
export function program(args: readonly string[], options: { readonly cwd?: string } = {}): Program {
  return run(process.execPath, [MAIN, ...args], options);
}

/** The built program's entry. */
export const MAIN = join(ROOT, "dist/src/main.js");

const running = new Set<ChildProcess>();
// A worker is disconnected when vitest was ended from outside.
for (const event of ["exit", "disconnect"]) {
  process.on(event, () => {
    for (const child of running) child.kill("SIGKILL");
  });
}

/** Starts any command. */
export function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): Program {
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  running.add(child);
  try {
    onTestFinished(() => void child.kill("SIGKILL"));
  } catch {
    // Started by a hook: it may outlive this test.
  }
  const out: string[] = [];
  const err: string[] = [];
  const waiting = new Set<() => void>();
  const collect = (into: string[]) => (line: string) => {
    into.push(line);
    for (const check of [...waiting]) check();
  };
  createInterface({ input: child.stdout }).on("line", collect(out));
  createInterface({ input: child.stderr }).on("line", collect(err));
  let done = false;
  const ended = new Promise<number>((resolve) => {
    child.on("close", (code) => {
      done = true;
      running.delete(child);
      resolve(code ?? -1);
      for (const check of [...waiting]) check();
    });
  });
  return {
    out,
    err,
    pid: child.pid,
    ended,
    kill: (signal) => void child.kill(signal),
    line: (wanted) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = out.find(wanted);
          if (found !== undefined) resolve(found);
          else if (done)
            reject(new Error(`the program ended without that line; it printed:\n${[...out, ...err].join("\n")}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}
