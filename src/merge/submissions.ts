/**
 * Found aux blocks on their way to their daemons: written down first, submitted in order, and submitted again until the daemon
 * gave its final word. Each chain has a lane of its own, so one that hangs holds up no other. A chain that is stopped keeps its
 * blocks in its lane until it comes back; what a stop or a crash left undone is taken up at the next start.
 *
 * As with Bitcoin blocks, a disk that fails or hangs costs no block: after `storeWaitMs` a block is submitted all the same.
 */
import { type Clock, sleep, type Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { AuxAnswer, FoundAux, FoundAuxStore } from "./found-aux.ts";
import type { GuardedChain } from "./guarded-chain.ts";
import type { Outcome } from "./plugin.ts";
import { outcomeFlaw } from "./shapes.ts";

/** What `Submissions` works with. */
export interface SubmissionsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: FoundAuxStore;
  /** A block is on disk, or its disk failed, and it is submitted now. */
  readonly onReady: (found: FoundAux) => void;
  /** Nobody gave an answer for a block; it is submitted again. */
  readonly onTrouble: (found: FoundAux) => void;
  /** The final word on a block. */
  readonly onAnswer: (found: FoundAux, answer: AuxAnswer) => void;
}

/** How blocks are submitted. */
export interface SubmissionsOptions {
  /** Blocks of one chain that may wait for an answer. */
  readonly maxPending: number;
  /** Ms that a block waits for the disk. */
  readonly storeWaitMs: number;
  /** Ms after which a call that says nothing is passed over; the host's own deadline is to come first. */
  readonly submitTimeoutMs: number;
  /** Ms after which a block that no daemon took is given up: another has long taken its place. */
  readonly giveUpMs: number;
}

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 30_000;
/** Attempts to write down the final word; without it the block is submitted again after a restart, which does no harm. */
const SETTLE_TRIES = 5;
/** Characters of an error or a reason that are kept. */
const MAX_REASON = 500;

/** A block that waits for its answer. */
interface Pending {
  readonly found: FoundAux;
  readonly enteredMs: number;
  /** Whether it may be submitted. */
  ready: boolean;
  stored: boolean;
  over: boolean;
  attempts: number;
  /** Monotonic ms of the next attempt. */
  dueMs: number;
  retryMs: number;
  /** What was logged of it last. */
  trouble: string | undefined;
}

/** The blocks of one chain. */
interface Lane {
  readonly pending: Pending[];
  chain: GuardedChain | undefined;
  /** The call under way; another object for each call and each time the chain joins. */
  call: { readonly pending: Pending } | undefined;
  timer: Timer | undefined;
}

/** Submits found aux blocks. */
export class Submissions {
  readonly #deps: SubmissionsDeps;
  readonly #options: SubmissionsOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #stop = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #drainListeners = new Set<() => void>();

  constructor(deps: SubmissionsDeps, options: SubmissionsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Blocks of a chain that wait for an answer. */
  pending(chain: string): number {
    return this.#lanes.get(chain)?.pending.length ?? 0;
  }

  /** Names of all chains whose blocks wait for an answer. */
  chains(): string[] {
    return [...this.#lanes].filter(([, { pending }]) => pending.length > 0).map(([name]) => name);
  }

  /** Whether blocks of running chains wait for an answer. */
  get busy(): boolean {
    return [...this.#lanes.values()].some(({ chain, pending }) => chain !== undefined && pending.length > 0);
  }

  /** The chain runs: its blocks are submitted. */
  connect(name: string, chain: GuardedChain): void {
    const lane = this.#lane(name);
    lane.chain = chain;
    lane.call = undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    for (const pending of lane.pending) {
      pending.dueMs = nowMs;
      pending.retryMs = FIRST_RETRY_MS;
    }
    this.#pump(name, lane);
  }

  /** The chain stopped: its blocks wait until it is connected again. An answer that still comes counts. */
  disconnect(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined) return;
    lane.chain = undefined;
    lane.call = undefined;
    lane.timer?.cancel();
    lane.timer = undefined;
    if (lane.pending.length === 0) this.#lanes.delete(name);
    this.#checkDrained();
  }

  /** Takes a block that was found now. Where too many wait already, the oldest is given up: its chain is furthest past it. */
  enter(found: FoundAux): void {
    this.#run(this.#persist(this.#enter(found, false)));
  }

  /** Takes a block that is on disk since an earlier run; otherwise as `enter`. To be called for the oldest first. */
  resume(found: FoundAux): void {
    this.#enter(found, true);
  }

  /**
   * Keeps a block on disk as failed, without submitting it. It is written down together with its answer: were it not, a crash between the
   * two would have it submitted at the next start. Returns the answer.
   */
  bury(found: FoundAux, reason: string): AuxAnswer {
    const answer = this.#answer(found, "failed", reason, this.#deps.clock.nowMs());
    this.#run(this.#writeAnswer(found, answer));
    return answer;
  }

  /** Resolves when no block of a running chain waits for an answer, or when `signal` aborts. */
  drained(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!signal.aborted && this.busy) return;
        this.#drainListeners.delete(check);
        signal.removeEventListener("abort", check);
        resolve();
      };
      this.#drainListeners.add(check);
      signal.addEventListener("abort", check, { once: true });
      check();
    });
  }

  /** Lets go of everything, after the disk had `storeWaitMs` to finish. What has no answer is taken up at the next start. */
  async stop(): Promise<void> {
    const { clock } = this.#deps;
    for (const lane of this.#lanes.values()) {
      lane.timer?.cancel();
      lane.chain = undefined;
    }
    const patience = new AbortController();
    const waited = sleep(clock, this.#options.storeWaitMs, patience.signal).catch(() => undefined);
    this.#stop.abort();
    await Promise.race([Promise.allSettled(this.#work), waited]);
    patience.abort();
    this.#checkDrained();
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { pending: [], chain: undefined, call: undefined, timer: undefined };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #enter(found: FoundAux, stored: boolean): Pending {
    const lane = this.#lane(found.chain);
    this.#makeRoom(lane);
    const nowMs = this.#deps.clock.monotonicMs();
    const pending: Pending = {
      found,
      enteredMs: nowMs,
      ready: stored,
      stored,
      over: false,
      attempts: 0,
      dueMs: nowMs,
      retryMs: FIRST_RETRY_MS,
      trouble: undefined,
    };
    lane.pending.push(pending);
    if (stored) this.#pump(found.chain, lane);
    return pending;
  }

  /** A block whose answer may come at any moment is given up last. */
  #makeRoom(lane: Lane): void {
    const { maxPending } = this.#options;
    if (lane.pending.length < maxPending) return;
    const oldest = lane.pending.find((pending) => pending !== lane.call?.pending) ?? lane.pending[0];
    if (oldest === undefined) return;
    const reason = `${maxPending} newer blocks wait for an answer`;
    this.#settle(lane, oldest, this.#answer(oldest.found, "failed", reason, this.#deps.clock.nowMs()));
  }

  /** Resolves when the block is on disk or was waited for in vain; then it is submitted. Writing goes on behind it. */
  async #persist(pending: Pending): Promise<void> {
    const { clock, log, onReady } = this.#deps;
    const { found } = pending;
    const writing = this.#write(pending);
    this.#run(writing);
    const patience = new AbortController();
    await Promise.race([writing, sleep(clock, this.#options.storeWaitMs, patience.signal).catch(() => undefined)]);
    patience.abort();
    if (pending.over || (!pending.stored && this.#stop.signal.aborted)) return;
    if (!pending.stored) {
      log.error(`${found.chain} block ${found.work.id}: it cannot be written down and is submitted all the same`, {
        chain: found.chain,
        key: found.key,
      });
    }
    pending.ready = true;
    pending.dueMs = clock.monotonicMs();
    onReady(found);
    const lane = this.#lane(found.chain);
    this.#pump(found.chain, lane);
  }

  /** Writes the block down, with as many attempts as it takes while it has no answer. */
  async #write(pending: Pending): Promise<void> {
    const { clock, log, store } = this.#deps;
    const { found } = pending;
    let retryMs = FIRST_RETRY_MS / 2;
    while (!pending.over) {
      try {
        await store.add(found);
        pending.stored = true;
        return;
      } catch (error) {
        const fault = error instanceof Fault ? error : new Fault("merge-journal", {}, { cause: error });
        log.error(`${found.chain} block ${found.work.id}: ${describe(fault)}. ${fault.help}`, { error: fault });
      }
      if (this.#stop.signal.aborted) return;
      await sleep(clock, retryMs, this.#stop.signal).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    }
  }

  /** Begins the next call of a lane that has none under way: blocks that were not tried yet come first, in order. */
  #pump(name: string, lane: Lane): void {
    const { clock } = this.#deps;
    lane.timer?.cancel();
    lane.timer = undefined;
    const { chain } = lane;
    if (chain === undefined || lane.call !== undefined || this.#stop.signal.aborted) return;
    const nowMs = clock.monotonicMs();
    let next: Pending | undefined;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const pending of lane.pending) {
      if (!pending.ready) continue;
      firstMs = Math.min(firstMs, pending.dueMs);
      if (pending.dueMs <= nowMs && (next === undefined || pending.attempts < next.attempts)) next = pending;
    }
    if (next !== undefined) this.#call(name, lane, chain, next);
    else if (firstMs < Number.POSITIVE_INFINITY) {
      lane.timer = clock.after(firstMs - nowMs, () => this.#pump(name, lane));
    }
  }

  #call(name: string, lane: Lane, chain: GuardedChain, pending: Pending): void {
    const { clock } = this.#deps;
    const call = { pending };
    lane.call = call;
    pending.attempts += 1;
    const timer = clock.after(this.#options.submitTimeoutMs, () =>
      ended(new Error(`no answer within ${this.#options.submitTimeoutMs / 1000} s`)),
    );
    const ended = (error: unknown): void => {
      timer.cancel();
      // The chain may have been stopped meanwhile, and then this lane is not ours any more.
      const ours = lane.call === call;
      if (error !== undefined && !pending.over && ours) this.#failed(pending, error);
      if (!ours) return;
      lane.call = undefined;
      this.#pump(name, lane);
    };
    submit(chain, pending.found).then(
      (outcome) => {
        this.#spoken(lane, pending, outcome);
        ended(undefined);
      },
      (error: unknown) => ended(error ?? new Error("it gave no reason")),
    );
  }

  /** An answer counts also when it comes after its deadline. */
  #spoken(lane: Lane, pending: Pending, outcome: Outcome): void {
    const { verdict, reason, blockHash, height } = outcome;
    const nowMs = this.#deps.clock.nowMs();
    this.#settle(lane, pending, this.#answer(pending.found, verdict, reason, nowMs, blockHash, height));
  }

  #failed(pending: Pending, error: unknown): void {
    const { clock, log } = this.#deps;
    const { found } = pending;
    const { chain } = found;
    const nowMs = clock.monotonicMs();
    const trouble = describe(error).slice(0, MAX_REASON);
    if (nowMs - pending.enteredMs >= this.#options.giveUpMs) {
      const hours = Math.round(this.#options.giveUpMs / 360_000) / 10;
      const reason = `no daemon took it in ${hours} h; the last attempt: ${trouble}`;
      this.#settle(this.#lane(chain), pending, this.#answer(found, "failed", reason, clock.nowMs()));
      return;
    }
    if (trouble !== pending.trouble) {
      log.warn(`${chain} block ${found.work.id}: it has no answer yet: ${trouble}`, { chain, key: found.key });
    }
    pending.trouble = trouble;
    pending.dueMs = nowMs + pending.retryMs;
    pending.retryMs = Math.min(2 * pending.retryMs, MAX_RETRY_MS);
    this.#deps.onTrouble(found);
  }

  #settle(lane: Lane, pending: Pending, answer: AuxAnswer): void {
    if (pending.over) return;
    pending.over = true;
    const at = lane.pending.indexOf(pending);
    if (at >= 0) lane.pending.splice(at, 1);
    this.#run(this.#writeAnswer(pending.found, answer));
    this.#deps.onAnswer(pending.found, answer);
    this.#checkDrained();
  }

  async #writeAnswer(found: FoundAux, answer: AuxAnswer): Promise<void> {
    const { clock, log, store } = this.#deps;
    let retryMs = FIRST_RETRY_MS;
    for (let tries = 1; ; tries++) {
      try {
        await store.settle(found, answer);
        return;
      } catch (error) {
        if (tries < SETTLE_TRIES && !this.#stop.signal.aborted) {
          await sleep(clock, retryMs, this.#stop.signal).catch(() => undefined);
          retryMs *= 2;
          continue;
        }
        log.error(`${found.chain} block ${found.work.id}: its answer could not be written down: ${describe(error)}`, {
          error,
        });
        return;
      }
    }
  }

  #answer(
    found: FoundAux,
    verdict: AuxAnswer["verdict"],
    reason: string,
    atMs: number,
    blockHash = found.work.id,
    height = found.work.height,
  ): AuxAnswer {
    return { verdict, reason: reason.slice(0, MAX_REASON), blockHash, height, atMs };
  }

  #checkDrained(): void {
    for (const check of [...this.#drainListeners]) check();
  }

  #run(work: Promise<void>): void {
    this.#work.add(work);
    void work.finally(() => this.#work.delete(work));
  }
}

/** One call; rejects also for a plugin that throws at once and for an answer that is none. */
async function submit(chain: GuardedChain, { proof }: FoundAux): Promise<Outcome> {
  const outcome = await chain.submit(proof);
  const flaw = outcomeFlaw(outcome);
  if (flaw !== undefined) throw new Error(`the plugin's answer is none: ${flaw}`);
  return outcome;
}
