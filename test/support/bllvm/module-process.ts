/**
 * A process as the node spawns it: no arguments unless given, standard input empty, standard output and error real pipes that
 * nobody reads, limits set from outside after it runs.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Limits that the node sets with prlimit, soft and hard alike. */
export interface ProcessLimits {
  /** RLIMIT_AS; the node's default is 536,870,912. */
  readonly addressSpace?: number;
  /** RLIMIT_NOFILE; 256. */
  readonly files?: number;
  /** RLIMIT_NPROC; 10. The superuser is exempt. */
  readonly processes?: number;
}

/** What to run. */
export interface ModuleProcessOptions {
  readonly path: string;
  readonly args?: readonly string[];
  readonly cwd: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly limits?: ProcessLimits;
  /** Another user to run as. */
  readonly uid?: number;
}

/** How it ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
// A worker is disconnected when vitest was ended from outside.
for (const event of ["exit", "disconnect"]) {
  process.on(event, () => {
    for (const child of running) child.kill("SIGKILL");
  });
}

/** A running or ended process. */
export class ModuleProcess {
  /** How it ended; `undefined` while it runs. */
  end: ProcessEnd | undefined;
  /** Resolves when it ended; rejects when it could not be started. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #out: number;
  readonly #err: number;
  #output: { readonly out: string; readonly err: string } | undefined;

  constructor(options: ModuleProcessOptions) {
    const { path, args = [], cwd, env, limits, uid } = options;
    const [out, childOut] = pipe();
    const [err, childErr] = pipe();
    this.#out = out;
    this.#err = err;
    this.#child = spawn(path, args, {
      cwd,
      env,
      stdio: ["ignore", childOut, childErr],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    closeSync(childOut);
    closeSync(childErr);
    const child = this.#child;
    running.add(child);
    this.ended = new Promise((resolve, reject) => {
      child.once("error", (error) => {
        running.delete(child);
        this.#close();
        reject(error);
      });
      child.once("exit", (code, signal) => {
        running.delete(child);
        this.end = { code, signal };
        this.#close();
        resolve(this.end);
      });
    });
    this.ended.catch(() => undefined);
    if (limits !== undefined) this.#limit(limits);
  }

  /** Its process id; `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What it had written when it ended, as far as the pipes took it: read only then, so that it changes nothing. */
  get output(): { readonly out: string; readonly err: string } {
    if (this.#output === undefined) throw new Error("the process still runs: its output is not read before it ended");
    return this.#output;
  }

  /** Closes the pipes' other ends, as when the node died: the next write is an EPIPE. */
  hangUp(): void {
    this.#close();
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }

  #limit({ addressSpace, files, processes }: ProcessLimits): void {
    if (this.pid === undefined) return;
    const args = [
      ...(addressSpace === undefined ? [] : [`--as=${addressSpace}:${addressSpace}`]),
      ...(files === undefined ? [] : [`--nofile=${files}:${files}`]),
      ...(processes === undefined ? [] : [`--nproc=${processes}:${processes}`]),
    ];
    try {
      execFileSync("prlimit", ["--pid", String(this.pid), ...args], { stdio: "ignore" });
    } catch {
      // It is gone already; the node only warns.
    }
  }

  #close(): void {
    if (this.#output !== undefined) return;
    this.#output = { out: drain(this.#out), err: drain(this.#err) };
    closeSync(this.#out);
    closeSync(this.#err);
  }
}

/** A real pipe: its end to read, which does not block, and its end for the child. Node's own would be read ahead. */
function pipe(): readonly [number, number] {
  const folder = mkdtempSync(join(tmpdir(), "bllvm-pipe-"));
  try {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", path]);
    const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return [read, openSync(path, constants.O_WRONLY)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function drain(fd: number): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(65536);
  try {
    for (let size = readSync(fd, chunk); size > 0; size = readSync(fd, chunk))
      chunks.push(Buffer.from(chunk.subarray(0, size)));
  } catch {
    // Nothing more for now: somebody else (a grandchild) still has the other end.
  }
  return Buffer.concat(chunks).toString("utf8");
}
