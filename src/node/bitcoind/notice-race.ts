/**
 * Which notice of a new block is the fastest: all are listened to side by side for a number of blocks, and the times at
 * which each named a block are compared. For benches and interop tests (figures in docs/benchmarks.md).
 */
import type { NetworkName } from "../../bitcoin/network.ts";
import type { Rpc } from "../../daemon/rpc.ts";
import type { ConnectSocket } from "../../daemon/socket.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { templateRequest } from "./block-template.ts";
import { longPollTips, type NoticeDeps, type NoticeKind, pollTips, waitForTips, zmqTips } from "./tip-notices.ts";

/** What `raceNotices` needs. */
export interface RaceDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly connect: ConnectSocket;
}

/** What is raced. */
export interface RaceOptions {
  readonly network: NetworkName;
  /** `tcp://host:port`; without it ZMQ does not take part. */
  readonly zmqAddress?: string;
  /** Blocks to listen to; the race ends when each notice has told them all. */
  readonly blocks: number;
  /** Ms after which the race ends whatever was told. */
  readonly timeoutMs: number;
  /** Ms between polls. */
  readonly pollMs: number;
}

/** How late a notice was behind the first one, ms, over all blocks that it told. */
export interface RaceResult {
  readonly kind: NoticeKind;
  /** Blocks that it told. */
  readonly told: number;
  /** Blocks that it told before all others. */
  readonly first: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

/** A race under way. */
export interface Race {
  /** Resolves once every notice told the tip that was there before: mine blocks from then on. */
  readonly ready: Promise<void>;
  /** The results, the fastest median first. */
  readonly results: Promise<readonly RaceResult[]>;
}

/** Begins a race. Abort `signal` to end it early. */
export function raceNotices(deps: RaceDeps, options: RaceOptions, signal: AbortSignal): Race {
  const { clock, rpc } = deps;
  const kinds: NoticeKind[] = ["wait", "longpoll", "poll"];
  if (options.zmqAddress !== undefined) kinds.push("zmq");
  const atMs = new Map<string, Map<NoticeKind, number>>();
  const before = new Set<string>();
  const heard = new Set<NoticeKind>();
  const over = new AbortController();
  const onAbort = (): void => over.abort();
  signal.addEventListener("abort", onAbort, { once: true });

  let begin: () => void;
  const ready = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const noticeDeps: NoticeDeps & { connect: ConnectSocket } = {
    ...deps,
    onFailure: () => undefined,
    onTip({ kind, hash }) {
      const nowMs = clock.monotonicMs();
      // ZMQ tells nothing until there is a block; the other three begin with the tip that is there.
      if (heard.size < 3) {
        before.add(hash);
        heard.add(kind);
        if (heard.size === 3) begin();
        return;
      }
      if (before.has(hash)) return;
      const times = atMs.get(hash) ?? new Map<NoticeKind, number>();
      atMs.set(hash, times);
      if (!times.has(kind)) times.set(kind, nowMs);
      const complete = [...atMs.values()].filter(({ size }) => size === kinds.length).length;
      if (complete >= options.blocks) over.abort();
    },
  };
  const request = templateRequest(options.network);
  const loops = [
    waitForTips(noticeDeps, { waitMs: 30_000 }, over.signal),
    longPollTips(noticeDeps, { request, timeoutMs: 600_000 }, over.signal),
    pollTips(noticeDeps, { everyMs: options.pollMs }, over.signal),
  ];
  if (options.zmqAddress !== undefined) loops.push(zmqTips(noticeDeps, { address: options.zmqAddress }, over.signal));
  void sleep(clock, options.timeoutMs, over.signal).then(
    () => over.abort(),
    () => undefined,
  );
  const results = Promise.allSettled(loops).then(() => {
    signal.removeEventListener("abort", onAbort);
    begin();
    rpc.close();
    return kinds.map((kind) => resultOf(kind, [...atMs.values()])).sort((a, b) => a.median - b.median);
  });
  return { ready, results };
}

function resultOf(kind: NoticeKind, blocks: readonly ReadonlyMap<NoticeKind, number>[]): RaceResult {
  const delays: number[] = [];
  let first = 0;
  for (const times of blocks) {
    const mine = times.get(kind);
    if (mine === undefined) continue;
    const delay = mine - Math.min(...times.values());
    if (delay === 0) first += 1;
    delays.push(delay);
  }
  delays.sort((a, b) => a - b);
  const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0;
  return { kind, told: delays.length, first, median: at(0.5), p90: at(0.9), max: delays.at(-1) ?? 0 };
}
