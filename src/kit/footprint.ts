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

/** Watches the code that is called through it. */
export class Footprint {
  readonly #context = new AsyncLocalStorage<true>();
  readonly #standing = new Map<number, Trace>();
  readonly #promises = new WeakSet<object>();
  readonly #made: Trace[] = [];
  readonly #hook = createHook({
    init: (id, type, _trigger, resource) => {
      if (this.#context.getStore() === undefined) return;
      if (type === "PROMISE") this.#promises.add(resource);
      const lasting = LASTING[type];
      const what = lasting ?? PASSING[type];
      if (what === undefined) return;
      const place = placeOfCall();
      // The connections of the global `fetch` belong to the process; it closes them itself.
      if (place === "fetch") return;
      const trace: Trace = { what, where: place };
      this.#made.push(trace);
      if (lasting !== undefined) this.#standing.set(id, trace);
    },
    destroy: (id) => void this.#standing.delete(id),
  });

  constructor() {
    this.#hook.enable();
  }

  /** Calls `work`; what it and all that follows from it makes is its footprint. */
  run<T>(work: () => T): T {
    return this.#context.run(true, work);
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
    this.#hook.disable();
  }
}

/** The innermost line outside Node and this package's own HTTP client; "fetch" when Node's own client made it. */
function placeOfCall(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = STACK_FRAMES;
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  Error.stackTraceLimit = limit;
  const frames = lines.filter((line) => !/footprint\.[jt]s|node:internal\/(async_hooks|timers)|node:timers/.test(line));
  if (frames.some((line) => line.includes("node:internal/deps/undici"))) return "fetch";
  const own = frames.find((line) => !/\(?node:/.test(line));
  const match = /([^/\\(\s]+:\d+:\d+)\)?$/.exec(own ?? "");
  return match?.[1] ?? "";
}
