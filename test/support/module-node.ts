/**
 * Starts a module as the bllvm node does: no arguments, a socket and a folder in variables, standard output and error into a pipe that nobody
 * reads, limits set on the process after it was executed, and a kill without a warning.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Whether this system has the tool that sets limits of another process. */
export const HAS_PRLIMIT = existsSync("/usr/bin/prlimit");

/** How to start it. */
export interface ModuleStart {
  /** The entry point. */
  readonly launcher: string;
  /** Folder of the node: where relative paths start. */
  readonly cwd: string;
  /** DATA_DIR, relative to `cwd` as a node's may be. */
  readonly dataDir: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** `prlimit` words, e.g. `--as=536870912`. */
  readonly limits?: readonly string[];
  /** Words in front of the launcher, e.g. `setpriv --reuid=65534`. */
  readonly as?: readonly string[];
}

/** A module that runs. */
export interface StartedModule {
  readonly pid: number;
  /** The exit code, `-1` when a signal ended it. */
  readonly ended: Promise<number>;
  /** module.log as it is now. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Starts it; a test that fails leaves nothing running. */
export function startModule({
  launcher,
  cwd,
  dataDir,
  args = [],
  env,
  limits = [],
  as = [],
}: ModuleStart): StartedModule {
  mkdirSync(join(cwd, dataDir), { recursive: true });
  const fifo = join(cwd, `unread-${process.pid}-${performance.now()}`);
  execFileSync("mkfifo", [fifo]);
  // Open for reading too, so that it takes what a pipe takes, and nobody ever reads.
  const pipe = openSync(fifo, constants.O_RDWR);
  const [command = launcher, ...words] = [...as, launcher, ...args];
  const child: ChildProcess = spawn(command, words, {
    cwd,
    stdio: ["ignore", pipe, pipe],
    env: {
      PATH: process.env.PATH,
      MODULE_NAME: "bllvm-stratum-v2",
      MODULE_ID: `bllvm-stratum-v2_${"0".repeat(32)}`,
      SOCKET_PATH: "sockets/node.sock",
      DATA_DIR: dataDir,
      MODULE_CONFIG_DATABASE_BACKEND: "redb",
      ...env,
    },
  });
  const pid = child.pid ?? 0;
  if (limits.length > 0) execFileSync("/usr/bin/prlimit", ["--pid", String(pid), ...limits]);
  const ended = new Promise<number>((resolve) => child.on("exit", (code) => resolve(code ?? -1)));
  onTestFinished(() => {
    child.kill("SIGKILL");
    closeSync(pipe);
  });
  const file = join(cwd, dataDir, "module.log");
  return {
    pid,
    ended,
    log: () => (existsSync(file) ? readFileSync(file, "utf8") : ""),
    kill: (signal) => void child.kill(signal),
  };
}
