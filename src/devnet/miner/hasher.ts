/** Where the hashing happens: in threads of its own, or in the caller's for tests and for tiny amounts. */
import { Worker } from "node:worker_threads";
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import { HashLoop } from "./hash-loop.ts";
import type { Solution, Work } from "./work.ts";

/** Whom a hasher tells. */
export interface HasherListener {
  readonly onSolution: (solution: Solution) => void;
  /** Hashes tried since the last call. */
  readonly onHashes: (count: number) => void;
  /** A thread ended by itself; the others go on. */
  readonly onFault: (fault: Fault) => void;
}

/** How hard a hasher works. */
export interface HasherOptions {
  /** Hashes a second over all threads; `Infinity` for as fast as they can. */
  readonly maxHashrate: number;
  /** Solutions a second over all threads. */
  readonly maxSolutionsPerSecond: number;
}

/** Something that searches work. */
export interface Hasher {
  /** Resolves once it is ready to search. */
  start(listener: HasherListener): Promise<void>;
  /** Searches `work` instead of what it searched; `undefined` rests. Solutions of earlier work may still come. */
  search(work: Work | undefined): void;
  /** Resolves once it holds no thread and no timer any more. */
  stop(): Promise<void>;
}

/** Searches in the caller's thread, `sliceMs` at a time. */
export class InlineHasher implements Hasher {
  readonly #clock: Clock;
  readonly #options: HasherOptions & { readonly sliceMs: number };
  #loop: HashLoop | undefined;

  constructor(deps: { readonly clock: Clock }, options: HasherOptions & { readonly sliceMs: number }) {
    this.#clock = deps.clock;
    this.#options = options;
  }

  async start(listener: HasherListener): Promise<void> {
    this.#loop = new HashLoop(
      { clock: this.#clock, ...listener },
      { ...this.#options, nonces: { start: 0, end: 2 ** 32 } },
    );
  }

  search(work: Work | undefined): void {
    this.#loop?.search(work);
  }

  async stop(): Promise<void> {
    this.#loop?.stop();
  }
}

/** What a worker thread is told. */
export type ToWorker = { readonly search: Work | undefined };

/** What a worker thread tells. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "hashes"; readonly count: number }
  | { readonly kind: "solution"; readonly solution: Solution };

/** What a worker thread is started with. */
export interface WorkerSetup {
  /** Its place among the threads, from 0, and their number: they share the nonces evenly. */
  readonly index: number;
  readonly threads: number;
  readonly maxHashrate: number;
  readonly maxSolutionsPerSecond: number;
}

/** Searches in worker threads. */
export class ThreadHasher implements Hasher {
  readonly #options: HasherOptions & { readonly threads: number; readonly script: URL };
  #workers: Worker[] = [];

  /** `script`: the compiled `hash-worker.ts`. */
  constructor(
    _deps: Record<string, never>,
    options: HasherOptions & { readonly threads: number; readonly script: URL },
  ) {
    this.#options = options;
  }

  /** Starts the threads. Throws `Fault("hash-thread-failed")` when one does not come up. */
  async start(listener: HasherListener): Promise<void> {
    try {
      await Promise.all(Array.from({ length: this.#options.threads }, (_, index) => this.#launch(index, listener)));
    } catch (fault) {
      await this.stop();
      throw fault;
    }
  }

  #launch(index: number, listener: HasherListener): Promise<void> {
    const { threads, maxHashrate, maxSolutionsPerSecond, script } = this.#options;
    const setup: WorkerSetup = {
      index,
      threads,
      maxHashrate: maxHashrate / threads,
      maxSolutionsPerSecond: maxSolutionsPerSecond / threads,
    };
    const worker = new Worker(script, { workerData: setup, name: `hash ${index}` });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      let ready = false;
      const fail = (fault: Fault): void => {
        if (!ready) reject(fault);
        // Once only, and not for a thread that `stop` ended.
        if (!ready || !this.#workers.includes(worker)) return;
        this.#workers = this.#workers.filter((one) => one !== worker);
        listener.onFault(fault);
      };
      worker.on("error", (cause) => fail(new Fault("hash-thread-failed", { thread: index }, { cause })));
      worker.on("exit", (code) => fail(new Fault("hash-thread-failed", { thread: index, code })));
      worker.on("message", (message: FromWorker) => {
        if (message.kind === "solution") {
          listener.onSolution(message.solution);
        } else if (message.kind === "hashes") {
          listener.onHashes(message.count);
        } else {
          ready = true;
          resolve();
        }
      });
    });
  }

  search(work: Work | undefined): void {
    const message: ToWorker = { search: work };
    for (const worker of this.#workers) worker.postMessage(message);
  }

  async stop(): Promise<void> {
    const workers = this.#workers;
    this.#workers = [];
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
