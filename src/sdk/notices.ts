/**
 * How a chain's daemon tells that it has a new block: over ZMQ where that is configured, else with `waitfornewblock`, a
 * hidden call of Bitcoin Core and its relatives that keeps one RPC connection waiting. Both only make things faster: whoever
 * listens here polls too, so a notice that is lost costs one poll.
 */
import { z } from "zod";
import type { ConnectSocket } from "../daemon/socket.ts";
import { subscribeToBlocks } from "../daemon/zmq-subscription.ts";
import { withSignals } from "../kernel/abort.ts";
import { type Clock, sleep, type Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Daemon } from "./daemon-config.ts";

/** What listening needs. */
export interface NoticesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly connect: ConnectSocket;
  /** Called when the daemon told of a block, or could be reached again; must not throw. */
  readonly onNews: () => void;
  /** Called when the line to the daemon broke, so that it may have been started anew without a poll that failed; must not throw. */
  readonly onBreak?: () => void;
}

/** Ms for which one `waitfornewblock` waits at the daemon. */
const WAIT_MS = 20_000;
/** Beyond which the daemon is taken for gone. */
const WAIT_GRACE_MS = 10_000;
/** A wait that brings nothing new sooner than this is not a wait: the daemon is stopping, or does not know how. */
const LEAST_WAIT_MS = 500;
/** Blocks that come sooner than this one after the other are those of a daemon that catches up, or nonsense. */
const LEAST_NEWS_MS = 50;
const PAUSE_MS = { first: 500, longest: 15_000 } as const;
/** Ms for a publisher's handshake: what listens there may be something else that never says a word. */
const HANDSHAKE_MS = 10_000;
/** Ms after which a line that was well is worth a word in the log again. */
const TELL_AGAIN_MS = 600_000;
/** News at once, and ms for each one more: a daemon that catches up tells of hundreds of blocks a second, and is slowed by each question. */
const NEWS = { burst: 5, everyMs: 200 } as const;

const newBlock = z.object({ hash: z.string().max(128) });

/** Listens to `daemon` until `signal` aborts. Never rejects. */
export async function listenForBlocks(given: NoticesDeps, daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { zmq_hashblock: zmqAddress, notice } = daemon.settings;
  const deps = { ...given, onNews: limited(given, signal) };
  const ways: Promise<void>[] = [];
  if (zmqAddress !== undefined) ways.push(subscribe(deps, daemon, zmqAddress, signal));
  if (notice === "wait" || (notice === "auto" && zmqAddress === undefined)) ways.push(wait(deps, daemon, signal));
  await Promise.all(ways);
}

function subscribe(deps: NoticesDeps, daemon: Daemon, address: string, signal: AbortSignal): Promise<void> {
  const { clock, connect, onNews } = deps;
  return repeat(deps, daemon, "ZMQ notices", signal, async () => {
    const silence = new AbortController();
    const timer = clock.after(HANDSHAKE_MS, () => {
      silence.abort(new Fault("node-zmq", { reason: `no ZMQ publisher answers within ${HANDSHAKE_MS / 1000} s` }));
    });
    const onSubscribed = (): void => {
      timer.cancel();
      // A block may have come while nobody listened.
      onNews();
    };
    const subscription = { node: daemon.name, address, onSubscribed, onHash: onNews };
    try {
      await withSignals([signal, silence.signal], (until) => subscribeToBlocks(connect, subscription, until));
    } finally {
      timer.cancel();
    }
  });
}

/** `onNews`, no more often than `NEWS`; what is too much comes as one at the end. */
function limited({ clock, onNews }: NoticesDeps, signal: AbortSignal): () => void {
  let left: number = NEWS.burst;
  let countedMs = clock.monotonicMs();
  let timer: Timer | undefined;
  signal.addEventListener("abort", () => timer?.cancel(), { once: true });
  const tell = (): void => {
    if (timer !== undefined || signal.aborted) return;
    const nowMs = clock.monotonicMs();
    left = Math.min(NEWS.burst, left + (nowMs - countedMs) / NEWS.everyMs);
    countedMs = nowMs;
    if (left >= 1) {
      left -= 1;
      onNews();
      return;
    }
    timer = clock.after(NEWS.everyMs, () => {
      timer = undefined;
      tell();
    });
  };
  return tell;
}

function wait(deps: NoticesDeps, daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { clock, onNews } = deps;
  let known: string | undefined;
  let inARow = 0;
  let wasLost = false;
  return repeat(deps, daemon, "waitfornewblock", signal, async () => {
    const startedMs = clock.monotonicMs();
    const limits = { signal, timeoutMs: WAIT_MS + WAIT_GRACE_MS };
    // It says nothing until the next block; a wait that goes on shows that the daemon is back.
    const back = wasLost ? clock.after(LEAST_WAIT_MS, onNews) : undefined;
    wasLost = true;
    const { hash } = await daemon.rpc
      .call("waitfornewblock", [WAIT_MS], newBlock, limits)
      .finally(() => back?.cancel());
    wasLost = false;
    const isNew = hash !== known;
    known = hash;
    const tookMs = clock.monotonicMs() - startedMs;
    if (!isNew) {
      if (tookMs < LEAST_WAIT_MS) await sleep(clock, LEAST_WAIT_MS, signal);
      return;
    }
    onNews();
    inARow = tookMs < LEAST_NEWS_MS ? inARow + 1 : 0;
    if (inARow <= NEWS.burst) return;
    await sleep(clock, LEAST_NEWS_MS, signal);
    // A block of this pause is not waited for any more.
    onNews();
  });
}

/** Runs `step` until `signal` aborts, with growing pauses while it fails. Ends early when the daemon does not know how. */
async function repeat(
  deps: NoticesDeps,
  daemon: Daemon,
  what: string,
  signal: AbortSignal,
  step: () => Promise<void>,
): Promise<void> {
  const { clock, log } = deps;
  let pauseMs: number = PAUSE_MS.first;
  let told: string | undefined;
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs();
    try {
      await step();
      pauseMs = PAUSE_MS.first;
    } catch (error) {
      if (signal.aborted) return;
      const code = error instanceof Fault ? error.code : "";
      const fields = { daemon: daemon.name, error };
      if (code === "node-method-unknown" || code === "node-forbidden" || isRefusedWait(error)) {
        log.info(`daemon ${daemon.name} offers no ${what}: it is polled only`, fields);
        return;
      }
      deps.onBreak?.();
      const lastedMs = clock.monotonicMs() - startedMs;
      if (lastedMs > TELL_AGAIN_MS) told = undefined;
      // Whatever else is wrong with the daemon is told by those who ask it for work.
      if (code !== told)
        log[code === "node-zmq" ? "warn" : "debug"](`${what} of ${daemon.name}: ${describe(error)}`, fields);
      told = code;
      if (lastedMs > PAUSE_MS.longest) pauseMs = PAUSE_MS.first;
      await sleep(clock, pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
    }
  }
}

/** Whether the daemon has such a call and will not serve it: a wrong type of argument, or an error of its own. */
function isRefusedWait(error: unknown): boolean {
  return error instanceof Fault && error.code === "node-rpc-error";
}
