/** How rewards are divided, from `[ledger]`, `[rewards.NAME]`, `[revenue_split]` and `[stratum_v2.merge_mining_fee]`. */

import { Fault } from "../kernel/fault.ts";
import {
  type Beneficiary,
  commonsFee,
  type RewardRules,
  rewardRulesFlaw,
  WHOLE,
} from "../ledger/books/reward-rules.ts";
import type { CommonsTerms } from "../ledger/payouts/commons.ts";
import { BITCOIN } from "../ledger/store/schema.ts";
import type { Config } from "./config/schema.ts";

const DAY_MS = 86_400_000;
const MILLIONTHS_PER_PERCENT = WHOLE / 100;

/** The rules of `chain`, which need not be configured any more. */
export function rewardRulesOf(config: Config, chain: string): RewardRules {
  const { ledger, rewards } = config;
  const table: Partial<Config["rewards"][string]> = rewards[chain] ?? {};
  return {
    scheme: table.scheme ?? ledger.scheme,
    windowMillionths: Math.round((table.window ?? ledger.window) * WHOLE),
    maxWindowMs: ledger.max_window_days * DAY_MS,
    feeMillionths: millionths(table.fee_percent ?? ledger.fee_percent),
    beneficiaries: beneficiariesOf(config, chain),
    distributeAt: table.distribute_at ?? ledger.distribute_at,
  };
}

/** Checks the rules of all chains that have some. Throws `Fault("config-invalid")` with what is wrong as cause. */
export function checkRewardRules(config: Config, file: string | undefined): void {
  const { enabled, core, grants, audits, operations } = config.revenue_split;
  if (enabled && Math.abs(core + grants + audits + operations - 100) > 1e-9) {
    const sum = core + grants + audits + operations;
    const cause = new Error(`core, grants, audits and operations make ${sum}, expected 100`);
    throw new Fault("config-invalid", { file, key: "revenue_split" }, { cause });
  }
  if (config.ledger.keep_days < config.ledger.max_window_days) {
    const { keep_days, max_window_days } = config.ledger;
    const cause = new Error(
      `work of ${max_window_days} days may share a reward (ledger.max_window_days), and it is kept for ${keep_days} only`,
    );
    throw new Fault("config-invalid", { file, key: "ledger.keep_days" }, { cause });
  }
  for (const chain of [BITCOIN, ...Object.keys(config.chains), ...Object.keys(config.rewards)]) {
    const flaw = rewardRulesFlaw(rewardRulesOf(config, chain));
    if (flaw !== undefined) {
      throw new Fault("config-invalid", { file, key: `rewards.${chain}` }, { cause: new Error(flaw) });
    }
  }
}

/** How the merge-mining fee's account is paid. */
export function commonsTerms({ stratum_v2 }: Config): CommonsTerms {
  const { auto_distribute, commons_address, contributor_id } = stratum_v2.merge_mining_fee;
  return { isKept: !auto_distribute, address: commons_address, contributor: contributor_id };
}

function beneficiariesOf({ stratum_v2, revenue_split }: Config, chain: string): readonly Beneficiary[] {
  const { merge_mining_fee: fee } = stratum_v2;
  const { enabled, ...split } = revenue_split;
  return [
    ...(fee.enabled && chain !== BITCOIN ? [commonsFee(millionths(fee.fee_percentage))] : []),
    ...(enabled
      ? Object.entries(split).map(([name, share]): Beneficiary => ({ name, millionths: millionths(share), of: "fee" }))
      : []),
  ];
}

function millionths(percent: number): number {
  return Math.round(percent * MILLIONTHS_PER_PERCENT);
}
