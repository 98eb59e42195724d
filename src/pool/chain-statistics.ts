/**
 * The server's side of extension 0x4353 (docs/extension-chain-statistics.md): one connection's subscription to how each chain stands.
 * It is the least of what a connection carries, so whatever a client asks for, it costs a report in five seconds, and none
 * at all while the client has not taken what was sent before.
 */
import type { Clock } from "../kernel/clock.ts";
import { type CHAIN_STATISTICS, chainStatistics } from "../sv2/messages/chain-statistics.ts";
import type { Value } from "../sv2/table.ts";

/** How a chain stands at one moment. */
export interface ChainStatistic {
  /** `bitcoin`, or the chain's configured name. */
  readonly chain: string;
  /** Of the block that is worked on; `undefined` without work. */
  readonly height: number | undefined;
  /** Of its target, 1 for 2^32 hashes on average; `undefined` without work. */
  readonly difficulty: number | undefined;
  /** Whether miners work on it: the newest job commits to it. */
  readonly inJob: boolean;
  /** Shares that solved its work since the server's start. */
  readonly found: number;
  /** Blocks that it accepted since then. */
  readonly accepted: number;
}

/** The shortest interval, s: what a client asks for below is raised to it. */
export const LEAST_INTERVAL_S = 5;

/** Chains in a report. More would not fit the smallest `buffer_bytes` beside what may wait. */
export const MOST_CHAINS = 100;

/** While more bytes than these wait for the client a report is put off; none is ever queued behind another. */
export const MOST_WAITING_BYTES = 4096;

/** How long a snapshot is good for, ms. */
const SNAPSHOT_MS = 1000;

/** `read` asked once a second at most, however many clients subscribed. */
export function sharedSnapshot(
  { clock }: { readonly clock: Clock },
  read: () => readonly ChainStatistic[],
): () => readonly ChainStatistic[] {
  let snapshot: readonly ChainStatistic[] = [];
  let takenMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - takenMs >= SNAPSHOT_MS) {
      snapshot = read();
      takenMs = nowMs;
    }
    return snapshot;
  };
}

/** What a subscription works with. */
export interface ChainSubscriptionDeps {
  readonly clock: Clock;
  /** Takes whole plain frames for the client. */
  readonly send: (frame: Uint8Array) => void;
  /** Bytes that wait for the client. */
  readonly waiting: () => number;
  readonly snapshot: () => readonly ChainStatistic[];
}

/** The subscription of one connection; there is never more than one. */
export class ChainSubscription {
  readonly #deps: ChainSubscriptionDeps;
  readonly #silenceLimitS: number;
  #wanted: Pick<Subscribe, "requestId" | "interval"> | undefined;
  /** When the last report was sent, kept when another subscription takes over: asking often brings nothing sooner. */
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `silenceLimitS`: the time without a message after which the client loses its connection, s. */
  constructor(deps: ChainSubscriptionDeps, options: { readonly silenceLimitS: number }) {
    this.#deps = deps;
    this.#silenceLimitS = options.silenceLimitS;
  }

  /** Takes a subscription, the first one or one in the place of the last. The first report follows at once. */
  subscribe({ requestId, interval: asked }: Subscribe): void {
    const interval = Math.max(LEAST_INTERVAL_S, asked);
    this.#wanted = { requestId, interval };
    const granted = { requestId, interval, silenceLimit: this.#silenceLimitS };
    this.#deps.send(chainStatistics.encode("SubscribeChainStatisticsSuccess", granted));
    this.tick();
  }

  /** Ends the subscription, if there is one. */
  end(): void {
    this.#wanted = undefined;
  }

  /** Reports if it is time and the client took what it was sent; to be called about once a second. */
  tick(): void {
    const { clock, waiting } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (this.#wanted === undefined || nowMs - this.#lastMs < this.#wanted.interval * 1000) return;
    if (waiting() > MOST_WAITING_BYTES) return;
    this.#lastMs = nowMs;
    this.#report(this.#wanted.requestId);
  }

  #report(requestId: number): void {
    const chains = this.#deps.snapshot().slice(0, MOST_CHAINS);
    for (const [index, { chain, height, difficulty, inJob, found, accepted }] of chains.entries()) {
      const frame = chainStatistics.encode("ChainStatistics", {
        requestId,
        remaining: chains.length - 1 - index,
        chain,
        height: height !== undefined && Number.isSafeInteger(height) && height >= 0 ? BigInt(height) : null,
        difficulty: difficulty ?? null,
        inJob,
        found: asU32(found),
        accepted: asU32(accepted),
      });
      this.#deps.send(frame);
    }
  }
}

type Subscribe = Value<typeof CHAIN_STATISTICS.SubscribeChainStatistics>;

/** A count that grew beyond its field stays at its end. */
function asU32(count: number): number {
  return Math.min(count, 0xffffffff);
}
