/** How a check says that a rule does not hold. */

/** A rule does not hold: its own, or one that stands in the way. */
export class Broken extends Error {
  readonly rule: string;

  /** `seen`: a clause without a full stop. */
  constructor(rule: string, seen: string, options?: { readonly cause?: unknown }) {
    super(seen, options);
    this.name = "Broken";
    this.rule = rule;
  }
}
