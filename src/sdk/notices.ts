/**
 * How a chain's daemon tells that it has a new block: over ZMQ where that is configured, else with `waitfornewblock`, a
 * hidden call of Bitcoin Core and its relatives that keeps one RPC connection waiting. Both only make things faster: whoever
 * listens here polls too, so a notice that is lost costs one poll.
 */
import { z } from "zod";
import type { ConnectSocket } from "../daemon/socket.ts";
import { subscribeToBlocks } from "../daemon/zmq-subscription.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
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
}

/** Ms for which one `waitfornewblock` waits at the daemon. */
const WAIT_MS = 20_000;
/** Beyond which the daemon is taken for gone. */
const WAIT_GRACE_MS = 10_000;
/** A wait that brings nothing new sooner than this is not a wait: the daemon is stopping, or does not know how. */
const LEAST_WAIT_MS = 500;
const PAUSE_MS = { first: 500, longest: 15_000 } as const;

const newBlock = z.object({ hash: z.string().max(128) });

/** Listens to `daemon` until `signal` aborts. Never rejects. */
export async function listenForBlocks(deps: NoticesDeps, daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { zmq_hashblock: zmqAddress, notice } = daemon.settings;
  const ways: Promise<void>[] = [];
  if (zmqAddress !== undefined) ways.push(subscribe(deps, daemon, zmqAddress, signal));
  if (notice === "wait" || (notice === "auto" && zmqAddress === undefined)) ways.push(wait(deps, daemon, signal));
  await Promise.all(ways);
}

function subscribe(deps: NoticesDeps, daemon: Daemon, address: string, signal: AbortSignal): Promise<void> {
  const { connect, onNews } = deps;
  // A block may have come while nobody listened.
  const subscription = { node: daemon.name, address, onSubscribed: onNews, onHash: onNews };
  return repeat(deps, daemon, "ZMQ notices", signal, () => subscribeToBlocks(connect, subscription, signal));
}

function wait(deps: NoticesDeps, daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { clock, onNews } = deps;
  let known: string | undefined;
  return repeat(deps, daemon, "waitfornewblock", signal, async () => {
    const startedMs = clock.monotonicMs();
    const limits = { signal, timeoutMs: WAIT_MS + WAIT_GRACE_MS };
    const { hash } = await daemon.rpc.call("waitfornewblock", [WAIT_MS], newBlock, limits);
    const isNew = hash !== known;
    known = hash;
    if (isNew) onNews();
    else if (clock.monotonicMs() - startedMs < LEAST_WAIT_MS) await sleep(clock, LEAST_WAIT_MS, signal);
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
      // Whatever else is wrong with the daemon is told by those who ask it for work.
      if (code !== told)
        log[code === "node-zmq" ? "warn" : "debug"](`${what} of ${daemon.name}: ${describe(error)}`, fields);
      told = code;
      if (clock.monotonicMs() - startedMs > PAUSE_MS.longest) pauseMs = PAUSE_MS.first;
      await sleep(clock, pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
    }
  }
}

/** Whether the daemon has such a call and will not serve it: a wrong type of argument, or an error of its own. */
function isRefusedWait(error: unknown): boolean {
  return error instanceof Fault && error.code === "node-rpc-error";
}
