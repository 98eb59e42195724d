/** The shape of a rule. */

import type { Bench } from "../bench.ts";
import type { Ability } from "../rehearsal.ts";

/** One promise of the contract and how it is checked. */
export interface Rule {
  /** Stable name: lower case and hyphens. */
  readonly id: string;
  /** The promise as a sentence about the plugin, without a full stop. */
  readonly says: string;
  /** What to do when it does not hold. */
  readonly advice: string;
  /** What a chain must have for the promise to mean anything. */
  readonly needs?: readonly Ability[];
  /** Throws `Broken` when this rule or one that it builds on does not hold. */
  check(bench: Bench): Promise<void>;
}
