/**
 * What code leaves behind: the timers and connections that were made on its behalf and are still there. Node's async hooks tell of
 * each as it is made and as it is gone, also of timers that do not keep the process alive, and an async context tells whose it
 * is; so several plugins, the kit and a test runner can live in one process.
 */
import { AsyncLocalStorage, createHook } from "node:async_hooks";

/** Something that was made. */
export interface Trace {
  /** In words: `a timer`, `a TCP connection`. */
  readonly what: string;
  /** The line of the author's code that made it, e.g. `index.js:31:5`; empty when it is not known. */
  readonly where: string;
}

/** Handles that stay until they are let go of, by their async type. */
const LASTING: Readonly<Record<string, string>> = {
  Timeout: "a timer",
  TCPWRAP: "a TCP connection",
  TCPSERVERWRAP: "a TCP server",
  PIPEWRAP: "a local socket",
  PIPESERVERWRAP: "a local server",
  UDPWRAP: "a UDP socket",
  TLSWRAP: "a TLS connection",
  FILEHANDLE: "an open file",
  FSEVENTWRAP: "a watched file",
  STATWATCHER: "a watched file",
  PROCESSWRAP: "a child process",
  WORKER: "a worker",
};

/** Requests that come and go; together with the above, all that counts as input and output. */
const PASSING: Readonly<Record<string, string>> = {
  FSREQCALLBACK: "file access",
  FSREQPROMISE: "file access",
  GETADDRINFOREQWRAP: "a DNS query",
  QUERYWRAP: "a DNS query",
  TCPCONNECTWRAP: "a TCP connection",
};

/** Deep enough to reach the author's line through an HTTP client. */
const STACK_FRAMES = 40;

/** Whose code runs. One hook serves all footprints, since each promise of the process goes through it. */
const context = new AsyncLocalStorage<Footprint>();
/** Who made a handle that still stands, by async ID. */
const owners = new Map<number, Map<number, Trace>>();
let users = 0;

const hook = createHook({
  init: (id, type, _trigger, resource) => context.getStore()?.made(id, type, resource),
  destroy: (id) => {
    owners.get(id)?.delete(id);
    owners.delete(id);
  },
});

/** Watches the code that is called through it. */
export class Footprint {
  readonly #standing = new Map<number, Trace>();
  readonly #promises = new WeakSet<object>();
  readonly #made: Trace[] = [];

  constructor() {
    users += 1;
    if (users === 1) hook.enable();
  }

  /** Calls `work`; what it and all that follows from it makes is its footprint. */
  run<T>(work: () => T): T {
    return context.run(this, work);
  }

  /** What is there now. */
  standing(): readonly Trace[] {
    return [...this.#standing.values()];
  }

  /** Number of all that was ever made, to be compared with a later one. */
  get count(): number {
    return this.#made.length;
  }

  /** What was made since `count` was `since`. */
  madeSince(since: number): readonly Trace[] {
    return this.#made.slice(since);
  }

  /** Whether `promise` was made by the code that is watched. */
  owns(promise: object): boolean {
    return this.#promises.has(promise);
  }

  /** Ends watching. */
  close(): void {
    for (const id of this.#standing.keys()) owners.delete(id);
    users -= 1;
    if (users === 0) hook.disable();
  }

  /** Called by the hook: the watched code made a resource. */
  made(id: number, type: string, resource: object): void {
    if (type === "PROMISE") this.#promises.add(resource);
    const lasting = LASTING[type];
    const what = lasting ?? PASSING[type];
    if (what === undefined) return;
    const where = placeOfCall();
    // The connections of the global `fetch` belong to the process; it closes them itself.
    if (where === "fetch") return;
    const trace: Trace = { what, where };
    this.#made.push(trace);
    if (lasting === undefined) return;
    this.#standing.set(id, trace);
    owners.set(id, this.#standing);
  }
}

/** Folder of this package's own modules, `src` or `dist/src`, as it stands in stacks: as a URL or as a path. */
const OWN = new URL("..", import.meta.url);
const OWN_FRAMES: readonly string[] = [OWN.href, OWN.pathname];

/**
 * The innermost line outside Node and, if there is one, outside this package: the author's own. "fetch" when the global `fetch` is on
 * the stack.
 */
function placeOfCall(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_FRAMES;
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  Error.stackTraceLimit = limit;
  if (lines.some((line) => line.includes("node:internal/deps/undici"))) return "fetch";
  const frames = lines.filter((line) => /:\d+:\d+\)?$/.test(line) && !/footprint\.[jt]s|\(?node:/.test(line));
  const authors = frames.find((line) => !OWN_FRAMES.some((own) => line.includes(own)));
  const match = /([^/\\(\s]+:\d+:\d+)\)?$/.exec(authors ?? frames[0] ?? "");
  return match?.[1] ?? "";
}
