/** The script of a hashing thread: a `HashLoop` between a message port and the thread's own clock. */
import { parentPort, workerData } from "node:worker_threads";
import type { Clock } from "../../kernel/clock.ts";
import { HashLoop } from "./hash-loop.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./hasher.ts";

/** How long a slice may keep new work waiting, ms. */
const SLICE_MS = 20;

/** Hash counts are reported at this distance, ms: each report is a message between threads. */
const REPORT_MS = 250;

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    // A pause of 0 lets messages in; a timer would add a millisecond to each slice.
    if (delayMs < 1) {
      const immediate = setImmediate(run);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, run) {
    const timer = setInterval(run, periodMs);
    return { cancel: () => clearInterval(timer) };
  },
};

const { index, threads, maxHashrate, maxSolutionsPerSecond } = workerData as WorkerSetup;
const share = 2 ** 32 / threads;
const tell = (message: FromWorker): void => parentPort?.postMessage(message);

let hashes = 0;
const loop = new HashLoop(
  {
    clock,
    onSolution: (solution) => tell({ kind: "solution", solution }),
    onHashes(count) {
      hashes += count;
    },
  },
  {
    nonces: { start: Math.floor(index * share), end: Math.floor((index + 1) * share) },
    maxHashrate,
    maxSolutionsPerSecond,
    sliceMs: SLICE_MS,
  },
);
clock.every(REPORT_MS, () => {
  if (hashes > 0) tell({ kind: "hashes", count: hashes });
  hashes = 0;
});
parentPort?.on("message", (message: ToWorker) => loop.search(message.search));
tell({ kind: "ready" });
