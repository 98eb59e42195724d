/**
 * A rehearsal is what a plugin's author gives the kit: a pretend daemon of his chain that plays whatever part it is told to.
 * With it the kit can show that a plugin stands everything a daemon does in years: new blocks, refusals, silence, nonsense,
 * restarts, reorganisations. A plugin's folder has it in `kit.js` (`kit.ts` in ours), exported as `rehearsal`.
 */
import type { BlockStatus, Proof } from "../merge/plugin.ts";

/** Opens stages. The kit opens a new one for each check and closes it afterwards, so that checks do not touch each other. */
export interface Rehearsal {
  /** A stage whose daemon runs, has a chain of a few blocks, and accepts whatever is right. */
  open(): Promise<Stage>;
  /**
   * What this chain does not have, each with the reason in a sentence; the checks that need it are left out and said to be.
   * Nothing is left out unless it is named here.
   */
  readonly without?: Readonly<Partial<Record<Ability, string>>>;
}

/**
 * What a chain may lack: `daemon` there is none at all, the work stands in the configuration (then nothing below exists either);
 * `newBlock` no chain whose tip moves; `submit` nothing is ever submitted (a tag that only has to stand in the coinbase; then
 * there is no `status` either); `stale`, `duplicate`, `reject` the daemon has no such answer; `status` it cannot say what became of
 * a block; `mature`, `orphaned`, `unknown` it cannot say that.
 */
export type Ability =
  | "daemon"
  | "newBlock"
  | "submit"
  | "stale"
  | "duplicate"
  | "reject"
  | "status"
  | "mature"
  | "orphaned"
  | "unknown";

/**
 * How the daemon treats submissions from now on. `accept`, `stale`, `duplicate`, `reject` it gives that answer in its own words; `hang` it takes the call
 * and never answers; `garbage` it answers what no daemon should; `down` the whole daemon is gone and nothing listens where it was. Every
 * value but `down` brings a daemon that was down back, at the same address.
 */
export type Answer = "accept" | "stale" | "duplicate" | "reject" | "down" | "hang" | "garbage";

/** How the daemon treats calls for work: `work` as it should, `none` it says that it has none now (synchronising, no peers), the others as above. */
export type Serving = "work" | "none" | "hang" | "garbage";

/** A pretend daemon with its chain, under the kit's control. */
export interface Stage {
  /**
   * The chain's table for the plugin's `config`, as it would come out of TOML, without the host's own keys. It should poll often
   * (a second or less) where that can be configured. Work must have an easy target: a few thousand hashes at most (`bits` 207fffff).
   */
  readonly config: unknown;
  /** Tables with mistakes that operators make. Each must be refused, by the schema or by `open`, with a sentence. */
  readonly badConfigs?: readonly unknown[];
  /** What stands in `config`, or in files that it names, and must never be seen in a log, an error, a metric or a trouble sentence. */
  readonly secrets: readonly string[];
  /** The chain gets a new tip: the plugin is to offer work with another `parent`. Resolves when the daemon knows it. */
  newBlock(): Promise<void>;
  /**
   * Sets how submissions are treated; resolves when that is so. With `accept` the daemon is to look at what it gets as a real one would, and
   * refuse what is wrong: that is what shows that the plugin submits the right bytes.
   */
  answer(next: Answer): Promise<void>;
  /** Sets how calls for work are treated. Checks that need it are left out where it is missing. */
  serve?(next: Serving): Promise<void>;
  /** Tells what was submitted and accepted: the block that `chain` speaks of from now on. */
  solve(proof: Proof): void;
  /**
   * Sets what the daemon says of that block: `confirmations` blocks from it to the tip, itself included (0 when it is not in the best
   * chain). For `mature` the number is the least at which the kit expects it; say more if the chain needs more.
   */
  chain(state: BlockStatus["state"], confirmations: number): void;
  /** Ends the daemon and frees its address. */
  close(): Promise<void>;
}
