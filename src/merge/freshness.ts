/** How long a chain's commitment usually lasts before another takes its place. */
import type { AuxWork } from "../mining/aux.ts";
import { isSameAuxWork } from "./taken.ts";

/** Changes that the usual is taken of. */
const KEPT = 9;

/** Changes before anything is said. */
const LEAST = 3;

/** One chain. */
interface Line {
  work: AuxWork;
  sinceMs: number;
  readonly lastedMs: number[];
}

/** The watch. */
export class Freshness {
  readonly #lines = new Map<string, Line>();

  /** A chain's work is this now, monotonic ms. */
  seen(chain: string, work: AuxWork | undefined, nowMs: number): void {
    if (work === undefined) return;
    const line = this.#lines.get(chain);
    if (line === undefined) {
      this.#lines.set(chain, { work, sinceMs: nowMs, lastedMs: [] });
      return;
    }
    if (isSameAuxWork(line.work, work)) return;
    line.lastedMs.push(nowMs - line.sinceMs);
    if (line.lastedMs.length > KEPT) line.lastedMs.shift();
    line.work = work;
    line.sinceMs = nowMs;
  }

  /** Forgets a chain. */
  forget(chain: string): void {
    this.#lines.delete(chain);
  }

  /** The median, or the age of what stands now where that is more; `undefined` while too little is known. Ms. */
  of(chain: string, nowMs: number): number | undefined {
    const line = this.#lines.get(chain);
    if (line === undefined) return undefined;
    const ageMs = nowMs - line.sinceMs;
    const sorted = [...line.lastedMs].sort((a, b) => a - b);
    const median = sorted.length < LEAST ? undefined : sorted[sorted.length >> 1];
    return median === undefined ? undefined : Math.max(median, ageMs);
  }
}
