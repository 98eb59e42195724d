/** What merge mining knows of a chain at one moment, for `plugin list`, the control API and dashboards. */
import type { AuxAnswer } from "./found-aux.ts";

/** A chain as it is now: plain values. */
export interface ChainWorkStatus {
  /** As configured. */
  readonly chain: string;
  /** Whether it takes part; false for a chain that was stopped while blocks of its wait for an answer. */
  readonly running: boolean;
  /** Its work on the board; `undefined` while there is none. */
  readonly work:
    | {
        readonly id: string;
        readonly parent: string;
        readonly height: number;
        /** In the chain's base unit; `undefined` when the daemon does not say. */
        readonly value: bigint | undefined;
        /** Since it was taken, ms. */
        readonly ageMs: number;
        /** Difficulty of its target, 1 for 2^32 hashes on average; infinite for a tag that nothing solves. */
        readonly difficulty: number;
      }
    | undefined;
  /** Whether the newest job commits to it. */
  readonly inJob: boolean;
  /** Why the newest job does not, as a clause; `undefined` when it does. */
  readonly dropped: string | undefined;
  /** Shares that solved its work since the start. */
  readonly found: number;
  /** Final answers since the start, by verdict. */
  readonly answers: Readonly<Record<AuxAnswer["verdict"], number>>;
  /** Blocks that wait for an answer. */
  readonly pending: number;
  /** Further solutions that are held until it is certain that they are not needed. */
  readonly spares: number;
}
