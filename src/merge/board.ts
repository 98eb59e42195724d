/**
 * The board: the newest work of every chain, and when it is worth a job of its own. It never waits for a plugin; plugins
 * offer when they like, jobs take what stands here.
 *
 * What it knows of daemons (reference: Namecoin's `AuxpowMiner::createBlock`): namecoind hands out a template with more
 * fees exactly once and then the old one again, so "new" means another parent or height, and of two works on the same
 * parent the better one is kept. Time is monotonic throughout: a wall clock that jumps expires nothing.
 */
import { outputSize } from "../bitcoin/transaction.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { AuxWork } from "../mining/aux.ts";
import type { ChainCommitments } from "./placement.ts";
import type { ChainPolicy, Commitment } from "./plugin.ts";
import { MAX_OUTPUTS, MAX_SCRIPT } from "./shapes.ts";
import { isSameAuxWork, isSameOffer, takeCommitments, takeWork } from "./taken.ts";

const sizeOf = (script: Uint8Array): number => outputSize({ value: 0n, script });

/** What the outputs of one work may take by the plugin contract. */
const MOST_OUTPUT_BYTES = MAX_OUTPUTS * sizeOf(new Uint8Array(MAX_SCRIPT));

/** A chain whose daemon comes and goes with every poll fills no log. */
const SAY_EVERY_MS = 60_000;

/** What the board works with. */
export interface BoardDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** Options of `Board`. */
export interface BoardOptions {
  /** How long the first change of a burst waits for others, ms: one new Bitcoin tip of a pool's often moves several chains. */
  readonly coalesceMs: number;
  /**
   * Least time between two changes that are told, whichever chains they are of, ms. Chains have intervals of their own, but many chains
   * together would make so many jobs that miners' shares come too late for theirs.
   */
  readonly minGapMs: number;
  /** Whether jobs are made in several places, so that one of them having the newest work says nothing of the others. */
  readonly manyMakers: boolean;
}

/** How the board treats a chain. */
export interface BoardChain {
  readonly policy: ChainPolicy;
  /** The ID in its commitments, where it is known before the first. */
  readonly chainId?: number | undefined;
  /** The plugin's commitments for a work; asked once for each work that is taken, so that no job waits for a plugin's code. */
  commit(work: AuxWork): readonly Commitment[];
}

/** What stands on the board for a chain. */
export interface BoardState {
  readonly work: AuxWork;
  /** Since the work was taken, ms. */
  readonly ageMs: number;
}

/** One chain. */
interface Entry {
  readonly chain: string;
  readonly rules: BoardChain;
  /** The chain's ID once its plugin or a commitment told it; it does not change. */
  chainId: number | undefined;
  wanted: ChainCommitments | undefined;
  /** Monotonic ms of the last offer, whether or not it was news. */
  offeredMs: number;
  /** Monotonic ms at which `wanted` was taken. */
  takenMs: number;
  /** The most that the outputs of one work took, serialised bytes; `undefined` before the first work. */
  outputBytes: number | undefined;
  /** Whether a job was made since. */
  inJob: boolean;
  /** Monotonic ms of the last change that was told because of this chain. */
  toldMs: number;
  /** Monotonic ms at which a change is to be told; `undefined` when there is none. */
  dueMs: number | undefined;
  expiry: Timer | undefined;
  /** Monotonic ms at which the log heard last that it has no work. */
  saidMs: number;
}

/** What an offer changes: another tip, a better work on the same one, or only what is behind the same work. */
type Change = "tip" | "better" | "same";

/** The newest work of all chains. */
export class Board {
  readonly #deps: BoardDeps;
  readonly #options: BoardOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(change: { readonly chains: readonly string[] }) => void>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  /** Monotonic ms of the last change that was told, of any chain. */
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(deps: BoardDeps, options: BoardOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Makes room for a chain, which has no work yet; an ID that another chain has is refused with its first work. Throws `TypeError` when it
   * has its place already.
   */
  configure(chain: string, rules: BoardChain): void {
    if (this.#entries.has(chain)) throw new TypeError(`chain ${chain} is on the board already`);
    this.#entries.set(chain, {
      chain,
      rules,
      chainId: this.#ownerOf(rules.chainId) === undefined ? rules.chainId : undefined,
      wanted: undefined,
      offeredMs: 0,
      takenMs: 0,
      outputBytes: undefined,
      inJob: false,
      toldMs: Number.NEGATIVE_INFINITY,
      dueMs: undefined,
      expiry: undefined,
      saidMs: Number.NEGATIVE_INFINITY,
    });
  }

  /**
   * Puts the chains into the order of `names`, whenever they joined: where there is no room for all, the last are left out. Names that
   * are not on the board are passed over, chains that are not named come last.
   */
  arrange(names: readonly string[]): void {
    const placeOf = (chain: string): number => (names.includes(chain) ? names.indexOf(chain) : names.length);
    const entries = [...this.#entries].sort(([a], [b]) => placeOf(a) - placeOf(b));
    this.#entries.clear();
    for (const [chain, entry] of entries) this.#entries.set(chain, entry);
  }

  /** Takes a chain and its work off the board. */
  remove(chain: string): void {
    this.#entries.get(chain)?.expiry?.cancel();
    this.#entries.delete(chain);
    this.#schedule();
  }

  /**
   * Takes a chain's work, or withdraws it. An offer for a chain that is not on the board is passed over. Throws a `Fault` that
   * isolates the chain, and withdraws its work, when the shape of the work or of its commitments is wrong
   * (`merge-work-invalid`, `merge-commitment-invalid`), the plugin's `commit` throws (`merge-commit-failed`) or another chain
   * has its chain ID (`merge-chain-id-twice`).
   */
  offer(chain: string, offered: AuxWork | undefined): void {
    const entry = this.#entries.get(chain);
    if (entry === undefined) return;
    try {
      if (offered === undefined) this.#withdraw(entry, "its plugin withdrew it");
      else this.#take(entry, takeWork(chain, offered));
    } catch (error) {
      this.#withdraw(entry, "its plugin is at fault");
      throw error;
    }
  }

  /** Takes the work with this id off the board, because its daemon does not know it any more; the next offer counts anew. */
  discard(chain: string, workId: string): void {
    const entry = this.#entries.get(chain);
    if (entry?.wanted?.work.id === workId) this.#withdraw(entry, "its daemon does not know its work any more");
  }

  /** All work that jobs should commit to, in the order in which the chains joined or were arranged. */
  wanted(): readonly ChainCommitments[] {
    this.#expireAll();
    const all: ChainCommitments[] = [];
    for (const { wanted } of this.#entries.values()) if (wanted !== undefined) all.push(wanted);
    return all;
  }

  /** IDs of all AuxPoW chains on the board by name, also of those without work: the places of the others stay as they are. */
  chainIds(): ReadonlyMap<string, number> {
    const ids = new Map<string, number>();
    for (const { chain, chainId } of this.#entries.values()) if (chainId !== undefined) ids.set(chain, chainId);
    return ids;
  }

  /**
   * Bytes that the outputs of all chains may take, and of `expected` that have not joined yet: the most that each showed so far, and what the contract
   * allows for one that showed nothing.
   */
  outputBytes(expected: readonly string[]): number {
    let sum = 0;
    for (const { outputBytes } of this.#entries.values()) sum += outputBytes ?? MOST_OUTPUT_BYTES;
    return sum + MOST_OUTPUT_BYTES * expected.filter((chain) => !this.#entries.has(chain)).length;
  }

  /** What stands on the board for `chain`; `undefined` for no work. */
  state(chain: string): BoardState | undefined {
    this.#expireAll();
    const entry = this.#entries.get(chain);
    if (entry?.wanted === undefined) return undefined;
    return { work: entry.wanted.work, ageMs: this.#deps.clock.monotonicMs() - entry.takenMs };
  }

  /**
   * A job was made of `wanted()`: no change needs to be told any more, but where others make jobs too. Returns the chains whose work is in a job for the
   * first time, with the ms since it was offered.
   */
  taken(): readonly { readonly chain: string; readonly waitedMs: number }[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const fresh: { chain: string; waitedMs: number }[] = [];
    for (const entry of this.#entries.values()) {
      if (!this.#options.manyMakers) entry.dueMs = undefined;
      if (entry.wanted === undefined || entry.inJob) continue;
      entry.inJob = true;
      fresh.push({ chain: entry.chain, waitedMs: nowMs - entry.takenMs });
    }
    this.#schedule();
    return fresh;
  }

  /** Calls `listener` when work on the board is worth a job; at most once for all changes of a burst. */
  onChange(listener: (change: { readonly chains: readonly string[] }) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Lets go of all timers. */
  close(): void {
    for (const { expiry } of this.#entries.values()) expiry?.cancel();
    this.#entries.clear();
    this.#schedule();
  }

  #take(entry: Entry, work: AuxWork): void {
    const { clock, log, meter } = this.#deps;
    const { chain, rules } = entry;
    const nowMs = clock.monotonicMs();
    this.#expire(entry, nowMs);
    const change = changeOf(entry.wanted?.work, work, rules.policy.prefer);
    if (change !== undefined) {
      const commitments = this.#commit(entry, work);
      entry.wanted = Object.freeze({ chain, work, commitments });
    }
    entry.offeredMs = nowMs;
    entry.expiry ??= clock.after(rules.policy.expiryMs, () => this.#onExpiry(entry));
    if (change === undefined || change === "same") return;
    entry.takenMs = nowMs;
    entry.inJob = false;
    meter.count("aux_work_total", 1, { chain, change });
    meter.gauge("aux_height", work.height, { chain });
    log.debug(`${chain}: ${change === "tip" ? "work on another tip" : "better work"}`, {
      chain,
      height: work.height,
      work: work.id,
      parent: work.parent,
    });
    const { update, minIntervalMs } = rules.policy;
    if (update === 0 || (update === 1 && change !== "tip")) return;
    entry.dueMs ??= Math.max(nowMs + this.#options.coalesceMs, entry.toldMs + minIntervalMs);
    this.#schedule();
  }

  #commit(entry: Entry, work: AuxWork): readonly Commitment[] {
    const { chain } = entry;
    let made: unknown;
    try {
      made = entry.rules.commit(work);
    } catch (cause) {
      throw new Fault("merge-commit-failed", { chain, work: work.id }, { cause });
    }
    const commitments = takeCommitments(chain, work, made);
    const chainId = commitments.find((commitment) => commitment.kind === "auxpow")?.chainId;
    if (entry.chainId !== undefined && chainId !== entry.chainId) {
      const why = `its chain ID was ${entry.chainId} and must stay so`;
      throw new Fault("merge-commitment-invalid", { chain, work: work.id, why });
    }
    const other = entry.chainId === undefined ? this.#ownerOf(chainId) : undefined;
    if (other !== undefined) throw new Fault("merge-chain-id-twice", { chainId, chain, other });
    entry.chainId = chainId;
    const bytes = commitments.reduce((sum, each) => sum + (each.kind === "output" ? sizeOf(each.script) : 0), 0);
    entry.outputBytes = Math.max(entry.outputBytes ?? 0, bytes);
    return commitments;
  }

  /** The chain that has an ID. */
  #ownerOf(chainId: number | undefined): string | undefined {
    if (chainId === undefined) return undefined;
    for (const entry of this.#entries.values()) if (entry.chainId === chainId) return entry.chain;
    return undefined;
  }

  #withdraw(entry: Entry, why: string): void {
    entry.expiry?.cancel();
    entry.expiry = undefined;
    entry.dueMs = undefined;
    if (entry.wanted === undefined) return;
    const { chain } = entry;
    const { id, height } = entry.wanted.work;
    entry.wanted = undefined;
    this.#deps.meter.count("aux_work_total", 1, { chain, change: "gone" });
    const nowMs = this.#deps.clock.monotonicMs();
    const level = nowMs - entry.saidMs >= SAY_EVERY_MS ? "info" : "debug";
    if (level === "info") entry.saidMs = nowMs;
    this.#deps.log[level](`${chain}: no work, ${why}`, { chain, height, work: id });
    this.#schedule();
  }

  /** Not every offer sets a timer anew: one that finds newer offers sleeps on for the rest. */
  #onExpiry(entry: Entry): void {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (this.#expire(entry, nowMs)) return;
    const restMs = Math.max(1, entry.offeredMs + entry.rules.policy.expiryMs - nowMs);
    entry.expiry = clock.after(restMs, () => this.#onExpiry(entry));
  }

  /** A timer may be late, behind a busy event loop or a machine that slept, so age is also looked at when work is used. */
  #expireAll(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const entry of this.#entries.values()) this.#expire(entry, nowMs);
  }

  #expire(entry: Entry, nowMs: number): boolean {
    const { expiryMs } = entry.rules.policy;
    if (entry.wanted === undefined || nowMs - entry.offeredMs < expiryMs) return false;
    this.#withdraw(entry, `its plugin said nothing for ${expiryMs / 1000} s`);
    return true;
  }

  /** One timer, for the change that is due first. */
  #schedule(): void {
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#entries.values()) if (dueMs !== undefined) firstMs = Math.min(firstMs, dueMs);
    firstMs = Math.max(firstMs, this.#toldMs + this.#options.minGapMs);
    if (firstMs === this.#timerMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerMs = firstMs;
    if (firstMs === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(0, firstMs - this.#deps.clock.monotonicMs());
    this.#timer = this.#deps.clock.after(delayMs, () => this.#tell());
  }

  #tell(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#timerMs = Number.POSITIVE_INFINITY;
    const chains: string[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.dueMs === undefined || entry.dueMs > nowMs) continue;
      entry.dueMs = undefined;
      entry.toldMs = nowMs;
      chains.push(entry.chain);
    }
    if (chains.length > 0) this.#toldMs = nowMs;
    this.#schedule();
    if (chains.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener({ chains });
      } catch (error) {
        this.#deps.log.error(`new work of ${chains.join(", ")} made no job: ${describe(error)}`, { error });
      }
    }
  }
}

/** What `next` changes where `last` stands; `undefined` when it is to be passed over. */
function changeOf(last: AuxWork | undefined, next: AuxWork, prefer: ChainPolicy["prefer"]): Change | undefined {
  if (last === undefined || next.parent !== last.parent || next.height !== last.height) return "tip";
  if (isSameAuxWork(last, next)) return isSameOffer(last, next) ? undefined : "same";
  if (next.id === last.id || prefer === "newest") return "better";
  const worthMore = last.value !== undefined && next.value !== undefined && next.value > last.value;
  return worthMore ? "better" : undefined;
}
