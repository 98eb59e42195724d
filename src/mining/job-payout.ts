/**
 * The same job for a miner who is paid by the coinbase itself: other payout outputs in front of the same commitments and the template's
 * own. The scriptSig, and with it the commitment of AuxPoW chains, the merkle path and all targets stay.
 */
import { coinbaseSuffix } from "../bitcoin/coinbase.ts";
import { witnessProgram } from "../bitcoin/script.ts";
import { outputSize, type TxOutput } from "../bitcoin/transaction.ts";
import { checkOutputs, type FinderPayout, type Job } from "./job.ts";
import type { PayoutIdentity } from "./payout-identity.ts";

/** Who is paid beside the pool or in its place. */
export type DirectPayout = Extract<PayoutIdentity, { readonly kind: "solo" | "donate" }>;

/** The payout outputs of a coinbase, the pool's first. */
export interface PayoutSplit {
  readonly pool: readonly TxOutput[];
  readonly finder: FinderPayout | undefined;
}

/** Bytes that a payout to any address may add to the pool's own outputs: a witness program of 40 bytes (BIP141), its value and lengths. */
export const MAX_DIRECT_OUTPUT = 8 + 1 + 42;

/**
 * How `value` sat are shared between the pool and an address. A part that is not worth the fee of spending it (dust) goes to the other
 * side, so that no output of a coinbase is worthless; where both are, the miner gets all.
 */
export function splitPayout(
  value: bigint,
  payout: DirectPayout,
  pool: (value: bigint) => readonly TxOutput[],
): PayoutSplit {
  const { address, script } = payout;
  const percent = payout.kind === "solo" ? 0n : BigInt(payout.percent);
  const poolPart = (value * percent) / 100n;
  const outputs = poolPart === 0n ? [] : pool(poolPart);
  if (outputs.length === 0 || outputs.some(isDust)) return { pool: [], finder: { address, output: { value, script } } };
  const output = { value: value - poolPart, script };
  if (isDust(output)) return { pool: pool(value), finder: undefined };
  return { pool: outputs, finder: { address, output } };
}

/** Whether an output costs more than it is worth at Bitcoin Core's rate for dust, 3 sat a byte (`GetDustThreshold`). */
export function isDust(output: TxOutput): boolean {
  const spending = witnessProgram(output.script) === undefined ? 148 : 67;
  return output.value < BigInt(3 * (outputSize(output) + spending));
}

/**
 * `job` with these payout outputs. Throws as `buildJob` when they do not sum up to the template's value or take more than it left room
 * for.
 */
export function payJob(job: Job, split: PayoutSplit): Job {
  const { template, commitmentOutputs } = job;
  const { pool, finder } = split;
  const payout = finder === undefined ? pool : [...pool, finder.output];
  const ours = [...payout, ...commitmentOutputs];
  checkOutputs(ours, template);
  const { sequence, lockTime } = template.coinbase;
  const outputs = [...ours, ...template.coinbase.outputs];
  return Object.freeze({
    ...job,
    coinbaseSuffix: coinbaseSuffix({ sequence, lockTime, outputs }),
    payoutValue: pool.reduce((sum, { value }) => sum + value, 0n),
    finder,
  });
}

/** `job` without the chains that it commits to: Bitcoin's alone. A commitment in the scriptSig stays, and stands for nothing. */
export function withoutChains(job: Job): Job {
  return Object.freeze({ ...job, commitmentOutputs: [], aux: undefined });
}
