/** How a chain's rewards are divided, as the operator sets it. Shares are in millionths, whole numbers, so that nothing is rounded before the split. */

/** Millionths of the whole. */
export const WHOLE = 1_000_000;

/** The schemes by name; see `reward-scheme.ts`. */
export type SchemeName = "pplns" | "proportional" | "solo";

/** Somebody who gets a fixed share beside the workers. */
export interface Beneficiary {
  /** Name of the account. */
  readonly name: string;
  /** Its share, 0 to 1,000,000. */
  readonly millionths: number;
  /** Of what: the whole reward, at the cost of the workers, or the operator's fee, at the cost of the operator. */
  readonly of: "reward" | "fee";
}

/** The rules of one chain. */
export interface RewardRules {
  readonly scheme: SchemeName;
  /** PPLNS: how much work counts, in millionths of the block's difficulty. */
  readonly windowMillionths: number;
  /** Work that is older than this, seen from the find, never counts. */
  readonly maxWindowMs: number;
  /** The operator's fee, in millionths of the reward. */
  readonly feeMillionths: number;
  readonly beneficiaries: readonly Beneficiary[];
  /** When the reward is divided: once it can be spent, or as soon as the chain confirmed the block and said what it pays. */
  readonly distributeAt: "mature" | "confirmed";
}

/** What holds unless the operator says otherwise: all of it to the workers. */
export const REWARD_RULES_DEFAULTS: RewardRules = {
  scheme: "pplns",
  windowMillionths: 2 * WHOLE,
  maxWindowMs: 30 * 86_400_000,
  feeMillionths: 0,
  beneficiaries: [],
  distributeAt: "mature",
};

/** The Commons' division of the operator's fee: core, grants, audits, operations. */
export const REVENUE_SPLIT: readonly Beneficiary[] = [
  { name: "core", millionths: 600_000, of: "fee" },
  { name: "grants", millionths: 250_000, of: "fee" },
  { name: "audits", millionths: 100_000, of: "fee" },
  { name: "operations", millionths: 50_000, of: "fee" },
];

/** The beneficiary of the merge-mining fee. */
export const COMMONS = "commons";

/** The merge-mining fee: a share of an auxiliary chain's rewards for the account `commons`. */
export function commonsFee(millionths: number): Beneficiary {
  return { name: COMMONS, millionths, of: "reward" };
}

/** What is wrong with rules, in words for the operator; `undefined` when nothing is. */
export function rewardRulesFlaw(rules: RewardRules): string | undefined {
  const { windowMillionths, maxWindowMs, feeMillionths, beneficiaries } = rules;
  const shareOf = (of: Beneficiary["of"]): number =>
    beneficiaries.filter((one) => one.of === of).reduce((sum, { millionths }) => sum + millionths, 0);
  if ([feeMillionths, ...beneficiaries.map(({ millionths }) => millionths)].some((share) => !isShare(share))) {
    return "a share is between 0 and 1,000,000 millionths, a whole number";
  }
  if (!Number.isSafeInteger(windowMillionths) || windowMillionths <= 0) return "the window must be longer than nothing";
  if (!Number.isSafeInteger(maxWindowMs) || maxWindowMs <= 0) return "the longest window must be longer than nothing";
  if (beneficiaries.some(({ name }) => name === "")) return "a beneficiary has no name";
  if (feeMillionths + shareOf("reward") > WHOLE) return "fee and beneficiaries take more than the whole reward";
  if (shareOf("fee") > WHOLE) return "beneficiaries take more than the whole fee";
  return undefined;
}

function isShare(millionths: number): boolean {
  return Number.isSafeInteger(millionths) && millionths >= 0 && millionths <= WHOLE;
}
