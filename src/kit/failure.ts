/** How a check fails: by naming the rule, what was seen, and what to do about it. */

/** Thrown by a check. */
export class KitFailure extends Error {
  /** The rule whose check failed, e.g. `submit-hung`. */
  readonly rule: string;
  /** What was seen, as a clause. */
  readonly seen: string;
  /** What the author can do. */
  readonly advice: string;
  /**
   * The rule that was broken on the way, so that this one could not be judged; `undefined` when the check's own rule is broken. Mend that
   * one first.
   */
  readonly blockedBy: string | undefined;

  constructor(
    facts: { readonly rule: string; readonly seen: string; readonly advice: string; readonly blockedBy?: string },
    options?: { readonly cause?: unknown },
  ) {
    const { rule, seen, advice, blockedBy } = facts;
    const what = blockedBy === undefined ? seen : `cannot be judged before ${blockedBy} holds: ${seen}`;
    super(`${rule}: ${what.replace(/\.$/, "")}. ${advice}`, options);
    this.name = "KitFailure";
    this.rule = rule;
    this.seen = seen;
    this.advice = advice;
    this.blockedBy = blockedBy;
  }
}
