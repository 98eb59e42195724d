/**
 * Which solutions of one aux block are submitted. While a work is unchanged several shares may solve it, but the chain takes
 * one block: the first solution goes out, the others are spares until its daemon has spoken.
 *
 * What counts as "the same block" is a round. On an AuxPoW chain that is a height on a parent, whatever template it was: a
 * second block there competes with our own first one and is worth nothing, though daemons answer `true` to it. On a chain
 * that is found by an output (RSK) it is the work itself: another block at that height becomes an uncle and is paid in part.
 *
 * A daemon that does not answer holds up only its own work: when another one took over meanwhile, what solves the other's work is
 * submitted too, for the first may never come back.
 *
 * A decided round comes back when a daemon goes on offering work on that parent: it has lost our block, in a crash, or another
 * daemon took over that never got it.
 */
import type { Clock } from "../kernel/clock.ts";
import type { AuxWork } from "../mining/aux.ts";
import type { AuxAnswer, FoundAux } from "./found-aux.ts";

/** Options of `Spares`. */
export interface SparesOptions {
  /** Solutions of one round that are held besides the one that is under way. */
  readonly maxSpares: number;
  /** Rounds of one chain that are remembered. Jobs live for minutes, so only the last few can still be solved. */
  readonly maxRounds: number;
}

/** What `Spares` tells. */
export interface SparesDeps {
  readonly clock: Clock;
  /** Spares of `chain` are forgotten together with their round, because too many newer ones are under way. */
  readonly onForgotten: (chain: string, spares: number) => void;
}

/** What becomes of a solution before its proof is built: `known` the same header again, `late` its round is decided or has spares enough. */
export type Reservation = "reserved" | "known" | "late";

/** An offer that comes this long after our block was taken was not under way meanwhile, ms. */
const RETURN_MS = 10_000;

/** The solutions for one height of a chain, or for one work. */
interface Round {
  state: "open" | "submitting" | "over";
  /** Monotonic ms of the answer that decided it. */
  decidedMs: number | undefined;
  current: FoundAux | undefined;
  /** Whether nobody answers for `current`. */
  troubled: boolean;
  /** Works that were submitted and have no answer. */
  readonly underWay: Set<string>;
  readonly held: FoundAux[];
  /** Solutions whose proof is being built. */
  reserved: number;
  /** Solutions that were submitted or had a wrong proof. */
  attempts: number;
  /** Header hashes of all solutions that were let in. */
  readonly seen: Set<string>;
  /** Works that the daemon does not know any more. */
  readonly stale: Set<string>;
}

/** The rounds of all chains. */
export class Spares {
  readonly #deps: SparesDeps;
  readonly #options: SparesOptions;
  readonly #chains = new Map<string, Map<string, Round>>();

  constructor(deps: SparesDeps, options: SparesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Whether a proof is to be built for a solution of `work`: a place is kept for it then, until `claim` or `release`.
   * `isAuxPow`: whether the chain has a leaf in the tree. `headerHash`: display hex.
   */
  reserve(chain: string, work: AuxWork, isAuxPow: boolean, headerHash: string): Reservation {
    const round = this.#round(chain, roundOf(work, isAuxPow));
    if (round.seen.has(headerHash)) return "known";
    if (round.state === "over" || round.stale.has(work.id)) return "late";
    const room = this.#options.maxSpares + (round.state === "open" ? 1 : 0);
    if (round.held.length + round.reserved >= room) return "late";
    round.reserved += 1;
    round.seen.add(headerHash);
    return "reserved";
  }

  /** Whether nothing is under way for `work` and its block is not decided: then another solution of it is no spare. */
  isUntried(chain: string, work: AuxWork, isAuxPow: boolean): boolean {
    const round = this.#chains.get(chain)?.get(roundOf(work, isAuxPow));
    return round === undefined || (round.state === "open" && round.reserved === 0);
  }

  /** Gives back the place of a solution that is dropped before its proof is built. */
  drop(chain: string, work: AuxWork, isAuxPow: boolean): void {
    const round = this.#chains.get(chain)?.get(roundOf(work, isAuxPow));
    if (round !== undefined) round.reserved = Math.max(0, round.reserved - 1);
  }

  /** Takes the place of a solution whose proof is good: `submit` it now, `held` as a spare, or `late` after all. */
  claim(found: FoundAux): "submit" | "held" | "late" {
    const round = this.#round(found.chain, roundOf(found.work, isAuxPow(found)));
    round.reserved = Math.max(0, round.reserved - 1);
    if (round.state === "over" || round.stale.has(found.work.id)) return "late";
    if (round.state === "submitting" && !(round.troubled && isOtherWork(round, found))) {
      round.held.push(found);
      return "held";
    }
    this.#begin(round, found);
    return "submit";
  }

  /** Gives back the place of a solution whose proof is wrong. */
  release(chain: string, work: AuxWork, isAuxPow: boolean): void {
    const round = this.#chains.get(chain)?.get(roundOf(work, isAuxPow));
    if (round === undefined) return;
    round.reserved = Math.max(0, round.reserved - 1);
    round.attempts += 1;
    this.#endIfTried(round);
  }

  /**
   * The chain offers `work`. Returns whether that takes up an AuxPoW chain's round anew that was decided: a daemon with our block
   * would build on it.
   */
  offered(chain: string, work: AuxWork): boolean {
    const round = this.#chains.get(chain)?.get(roundOf(work, true));
    if (round?.decidedMs === undefined || this.#deps.clock.monotonicMs() - round.decidedMs < RETURN_MS) return false;
    round.state = "open";
    round.decidedMs = undefined;
    round.attempts = 0;
    round.stale.clear();
    return true;
  }

  /** A solution of an earlier run is submitted again. */
  resume(found: FoundAux): void {
    const round = this.#round(found.chain, roundOf(found.work, isAuxPow(found)));
    if (round.state === "open") this.#begin(round, found);
    else round.underWay.add(found.work.id);
  }

  /** Nobody answers for `found`. Returns the spare to submit beside it: of another work, whose daemon may. */
  troubled(found: FoundAux): FoundAux | undefined {
    const round = this.#chains.get(found.chain)?.get(roundOf(found.work, isAuxPow(found)));
    if (round === undefined || round.current !== found) return undefined;
    round.troubled = true;
    const at = round.held.findIndex((spare) => isOtherWork(round, spare));
    const [next] = at === -1 ? [] : round.held.splice(at, 1);
    if (next !== undefined) this.#begin(round, next);
    return next;
  }

  /**
   * What follows from the final word on `found`: the spare to submit `next`, and how many spares will never be.
   * `accepted` and `duplicate` decide the round; after `rejected` the next spare is tried, for its proof may be good; after `stale`
   * only one of another work, since the daemon forgot this one. `failed` says nothing of other works that are under way.
   */
  answered(
    found: FoundAux,
    verdict: AuxAnswer["verdict"],
  ): { readonly next: FoundAux | undefined; readonly lost: number } {
    const round = this.#chains.get(found.chain)?.get(roundOf(found.work, isAuxPow(found)));
    if (round === undefined) return { next: undefined, lost: 0 };
    const isCurrent = round.current === found;
    round.underWay.delete(found.work.id);
    if (verdict === "stale") {
      round.stale.add(found.work.id);
      // That work is not tried again, so nothing is to be bounded: however often a daemon forgets its templates, the next one counts.
      if (isCurrent) round.attempts -= 1;
    }
    const decided = verdict === "accepted" || verdict === "duplicate" || (verdict === "failed" && isCurrent);
    if (!isCurrent && !decided) return { next: undefined, lost: 0 };
    const before = round.held.length;
    if (decided || round.attempts > this.#options.maxSpares) {
      round.state = "over";
      if (decided) round.decidedMs = this.#deps.clock.monotonicMs();
      round.current = undefined;
      round.held.length = 0;
      return { next: undefined, lost: before };
    }
    const fit = round.held.filter(({ work }) => !round.stale.has(work.id));
    round.held.length = 0;
    round.held.push(...fit);
    const next = round.held.shift();
    if (next === undefined) {
      round.state = "open";
      round.current = undefined;
    } else this.#begin(round, next);
    return { next, lost: before - fit.length };
  }

  /** Spares of a chain that are held. */
  held(chain: string): number {
    let held = 0;
    for (const round of this.#chains.get(chain)?.values() ?? []) held += round.held.length;
    return held;
  }

  #begin(round: Round, found: FoundAux): void {
    round.state = "submitting";
    round.current = found;
    round.troubled = false;
    round.underWay.add(found.work.id);
    round.attempts += 1;
  }

  /** A block that its daemon refuses again and again is not tried with every share of an easy chain. */
  #endIfTried(round: Round): void {
    if (round.state === "open" && round.attempts > this.#options.maxSpares) round.state = "over";
  }

  #round(chain: string, name: string): Round {
    let rounds = this.#chains.get(chain);
    if (rounds === undefined) {
      rounds = new Map();
      this.#chains.set(chain, rounds);
    }
    const known = rounds.get(name);
    if (known !== undefined) return known;
    if (rounds.size >= this.#options.maxRounds) {
      const leaving = leastNeeded(rounds);
      const spares = rounds.get(leaving)?.held.length ?? 0;
      rounds.delete(leaving);
      if (spares > 0) this.#deps.onForgotten(chain, spares);
    }
    const round: Round = {
      state: "open",
      decidedMs: undefined,
      current: undefined,
      troubled: false,
      underWay: new Set(),
      held: [],
      reserved: 0,
      attempts: 0,
      seen: new Set(),
      stale: new Set(),
    };
    rounds.set(name, round);
    return round;
  }
}

/** The round to forget: the oldest in which nothing is under way, else the oldest. */
function leastNeeded(rounds: ReadonlyMap<string, Round>): string {
  let oldest: string | undefined;
  for (const [name, { state, reserved }] of rounds) {
    oldest ??= name;
    if (state !== "submitting" && reserved === 0) return name;
  }
  return oldest ?? "";
}

function roundOf(work: AuxWork, auxPow: boolean): string {
  return auxPow ? `${work.height}:${work.parent}` : work.id;
}

/** Whether no solution of the same work is submitted already. */
function isOtherWork(round: Round, found: FoundAux): boolean {
  return !round.underWay.has(found.work.id);
}

function isAuxPow(found: FoundAux): boolean {
  return found.proof.auxpow !== undefined;
}
