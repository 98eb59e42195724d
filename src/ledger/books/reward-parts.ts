/**
 * Divides a reward among operator, beneficiaries and workers, exactly.
 *
 * The operator's fee and each beneficiary's share of the reward are rounded down; the workers divide what is left by largest remainder. The fee is divided
 * by largest remainder too, among its beneficiaries and the operator, who keeps what nobody else was promised. So all parts sum up to the reward.
 */
import type { AccountKind } from "../store/schema.ts";
import { splitByWeight, type Weight } from "./largest-remainder.ts";
import { type RewardRules, WHOLE } from "./reward-rules.ts";

/** What one account gets of a reward. */
export interface RewardPart {
  readonly kind: Extract<AccountKind, "worker" | "operator" | "beneficiary">;
  /** Worker's identity or beneficiary's name; empty for the operator. */
  readonly name: string;
  readonly amount: bigint;
}

type Fees = Pick<RewardRules, "feeMillionths" | "beneficiaries">;

/**
 * The parts of `reward`, each account once, none of 0, in no promised order. `weights` are the workers'. Throws `TypeError` when fees exceed the reward
 * (`rewardRulesFlaw` says so before) or nobody takes what is left.
 */
export function rewardParts(reward: bigint, fees: Fees, weights: readonly Weight[]): RewardPart[] {
  const fee = shareOf(reward, fees.feeMillionths);
  const beneficiaries = fees.beneficiaries
    .filter(({ of }) => of === "reward")
    .map(({ name, millionths }): RewardPart => ({ kind: "beneficiary", name, amount: shareOf(reward, millionths) }));
  const rest = beneficiaries.reduce((left, { amount }) => left - amount, reward - fee);
  const workers = splitByWeight(rest, weights).map((portion): RewardPart => ({ kind: "worker", ...portion }));
  return merged([...feeParts(fee, fees), ...beneficiaries, ...workers]);
}

/** The parts of an amount that is the operator's as a whole, such as what a solo miner left to the pool. */
export function feeParts(fee: bigint, { beneficiaries }: Pick<Fees, "beneficiaries">): RewardPart[] {
  const promised = beneficiaries.filter(({ of }) => of === "fee");
  const kept = promised.reduce((left, { millionths }) => left - millionths, WHOLE);
  // The empty name is the operator's: no beneficiary has it.
  const weights = [...promised, { name: "", millionths: kept }].map(({ name, millionths }) => {
    return { name, weight: BigInt(millionths) };
  });
  return merged(
    splitByWeight(fee, weights).map(({ name, amount }) => {
      return { kind: name === "" ? "operator" : "beneficiary", name, amount };
    }),
  );
}

function shareOf(amount: bigint, millionths: number): bigint {
  return (amount * BigInt(millionths)) / BigInt(WHOLE);
}

function merged(parts: readonly RewardPart[]): RewardPart[] {
  const byAccount = new Map<string, RewardPart>();
  for (const part of parts) {
    if (part.amount === 0n) continue;
    const key = `${part.kind}:${part.name}`;
    byAccount.set(key, { ...part, amount: part.amount + (byAccount.get(key)?.amount ?? 0n) });
  }
  return [...byAccount.values()];
}
