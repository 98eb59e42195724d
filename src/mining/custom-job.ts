/**
 * From SetCustomMiningJob (spec 5.3.18) to a job that shares are judged, proofs made and blocks built by like any other. What the client says is held
 * against its token, the tip and what it declared, in the order of SRI's pool and with its words; the channel's extranonce closes the coinbase.
 */
import { heightPush, MAX_COINBASE_SCRIPT } from "../bitcoin/coinbase.ts";
import { writeCompactSize } from "../bitcoin/compact-size.ts";
import { parseOutputs, parseTransaction, serializeOutputs, type TxOutput } from "../bitcoin/transaction.ts";
import { concat, equal } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { Writer } from "../kernel/writer.ts";
import { SET_CUSTOM_MINING_JOB_ERROR as ERROR, type SetCustomMiningJobErrorCode } from "../sv2/codes.ts";
import type { MINING } from "../sv2/messages/mining.ts";
import type { Value } from "../sv2/table.ts";
import type { CustomTip } from "./custom-jobs.ts";
import type { CustomWork, DeclaredJob } from "./custom-work.ts";
import type { Job } from "./job.ts";
import type { Template } from "./template.ts";

/** `Template.source` of custom jobs. */
export const CUSTOM_SOURCE = "custom";

/** How far a custom job's time may be ahead of ours, s: what nodes tolerate. */
const MAX_AHEAD_S = 7200;

/** The message. */
export type CustomJobRequest = Value<typeof MINING.SetCustomMiningJob>;

/** What a request is judged by beside its token. */
export interface CustomJobRules {
  readonly tip: CustomTip;
  /** Bytes of the channel's whole extranonce. */
  readonly extranonceSize: number;
  readonly versionRollingMask: number;
  /** Least part of what our own coinbase would pay, percent. */
  readonly leastValuePercent: number;
  readonly jobId: number;
  /** Wall time, ms since the Unix epoch. */
  readonly nowMs: number;
}

/** The job, or why it is refused. Never throws for what the client says. */
export function customJob(
  request: CustomJobRequest,
  work: CustomWork,
  rules: CustomJobRules,
): Job | SetCustomMiningJobErrorCode {
  const { tip, extranonceSize } = rules;
  const outputs = readOutputs(request.coinbaseTxOutputs);
  const coinbase = coinbaseOf(request, extranonceSize);
  const { declared } = work;
  const flaw =
    judgeTip(request, declared, rules) ??
    (declared === undefined ? undefined : judgeDeclared(request, declared, extranonceSize)) ??
    judgeScript(request, rules);
  if (flaw !== undefined) return flaw;
  const payoutValue = outputs === undefined ? undefined : paidTo(outputs, work, rules);
  if (outputs === undefined || payoutValue === undefined) return ERROR.invalidCoinbaseTxOutputs;
  const others = outputs.filter(({ value }) => value === 0n);
  const transactionCount = declared === undefined ? 2 ** request.merklePath.length : declared.transactions.length + 1;
  const witness = declared?.coinbaseWitness ?? [];
  const merklePath = Object.freeze(request.merklePath.map((hash) => hash.slice()));
  const template: Template = Object.freeze({
    id: `${CUSTOM_SOURCE}/${rules.jobId}`,
    source: CUSTOM_SOURCE,
    prevHash: tip.prevHash,
    height: tip.height,
    version: request.version,
    nBits: tip.nBits,
    target: tip.target,
    minTime: tip.minTime,
    curTime: Math.max(request.minNtime, tip.minTime),
    coinbaseValue: payoutValue,
    coinbase: Object.freeze({
      txVersion: request.coinbaseTxVersion,
      prefix: heightPush(tip.height),
      sequence: request.coinbaseTxInputNSequence,
      lockTime: request.coinbaseTxLocktime,
      outputs: Object.freeze(others),
      witness,
    }),
    merklePath,
    transactions: declared?.transactions,
    transactionCount,
    coinbaseRoom: Object.freeze({ bytes: 0, sigops: 0 }),
  });
  return Object.freeze({
    jobId: rules.jobId,
    template,
    ...coinbase,
    coinbaseWitness: witness,
    extranonceSize,
    merklePath,
    version: request.version,
    versionRollingMask: rules.versionRollingMask,
    nBits: tip.nBits,
    prevHash: tip.prevHash,
    minTime: request.minNtime,
    bitcoinTarget: tip.target,
    payoutValue,
    finder: undefined,
    commitmentOutputs: Object.freeze(others),
    createdMs: rules.nowMs,
    aux: undefined,
    pool: undefined,
    custom: work,
  });
}

/** The halves of the coinbase around the extranonce, without witness. */
function coinbaseOf(request: CustomJobRequest, extranonceSize: number): Pick<Job, "coinbasePrefix" | "coinbaseSuffix"> {
  const before = new Writer().u32(request.coinbaseTxVersion).u8(1).bytes(new Uint8Array(32)).u32(0xffffffff);
  writeCompactSize(before, request.coinbasePrefix.length + extranonceSize).bytes(request.coinbasePrefix);
  const behind = new Writer().u32(request.coinbaseTxInputNSequence).bytes(request.coinbaseTxOutputs);
  return { coinbasePrefix: before.finish(), coinbaseSuffix: behind.u32(request.coinbaseTxLocktime).finish() };
}

function judgeTip(
  { prevHash, nbits, minNtime }: CustomJobRequest,
  declared: DeclaredJob | undefined,
  { tip, nowMs }: CustomJobRules,
): SetCustomMiningJobErrorCode | undefined {
  if (!equal(prevHash, tip.prevHash)) return ERROR.staleChainTip;
  if (declared !== undefined && !equal(declared.prevHash, tip.prevHash)) return ERROR.staleChainTip;
  if (nbits !== tip.nBits) return ERROR.invalidNbits;
  const latest = Math.max(tip.minTime, Math.floor(nowMs / 1000)) + MAX_AHEAD_S;
  return minNtime < tip.minTime || minNtime > latest ? ERROR.invalidMinNtime : undefined;
}

/** Holds a request against the job that was declared and validated: nothing of it may differ. */
function judgeDeclared(
  request: CustomJobRequest,
  declared: DeclaredJob,
  extranonceSize: number,
): SetCustomMiningJobErrorCode | undefined {
  if (request.version !== declared.version) return ERROR.invalidVersion;
  const whole = concat(declared.coinbasePrefix, new Uint8Array(extranonceSize), declared.coinbaseSuffix);
  let coinbase: ReturnType<typeof parseTransaction>;
  try {
    coinbase = parseTransaction(whole);
  } catch (error) {
    if (error instanceof Fault) return ERROR.invalidCoinbaseTx;
    throw error;
  }
  const [input] = coinbase.inputs;
  if (input === undefined) return ERROR.invalidCoinbaseTx;
  if (coinbase.version >>> 0 !== request.coinbaseTxVersion) return ERROR.invalidCoinbaseTxVersion;
  const script = concat(request.coinbasePrefix, new Uint8Array(extranonceSize));
  if (!equal(input.script, script)) return ERROR.invalidCoinbasePrefix;
  if (input.sequence !== request.coinbaseTxInputNSequence) return ERROR.invalidCoinbaseTxInputNSequence;
  const outputs = writeCompactSize(new Writer(), coinbase.outputs.length);
  if (!equal(outputs.bytes(serializeOutputs(coinbase.outputs)).finish(), request.coinbaseTxOutputs)) {
    return ERROR.invalidCoinbaseTxOutputs;
  }
  if (coinbase.lockTime !== request.coinbaseTxLocktime) return ERROR.invalidCoinbaseTxLocktime;
  const isSamePath =
    declared.merklePath.length === request.merklePath.length &&
    declared.merklePath.every((hash, i) => equal(hash, request.merklePath[i] ?? new Uint8Array(0)));
  return isSamePath ? undefined : ERROR.invalidMerklePath;
}

/** Consensus on the scriptSig: 2 to 100 bytes that begin with the height (BIP34). */
function judgeScript(
  { coinbasePrefix }: CustomJobRequest,
  { tip, extranonceSize }: CustomJobRules,
): SetCustomMiningJobErrorCode | undefined {
  const height = heightPush(tip.height);
  const size = coinbasePrefix.length + extranonceSize;
  const isFit = size >= 2 && size <= MAX_COINBASE_SCRIPT && equal(coinbasePrefix.subarray(0, height.length), height);
  return isFit ? undefined : ERROR.invalidCoinbasePrefix;
}

/** The outputs behind their count; `undefined` for bytes that are something else. */
function readOutputs(bytes: Uint8Array): readonly TxOutput[] | undefined {
  try {
    return parseOutputs(bytes);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** What the outputs pay to the token's first script, where nothing is paid to anybody else and it is enough; else `undefined`. */
function paidTo(outputs: readonly TxOutput[], work: CustomWork, rules: CustomJobRules): bigint | undefined {
  const [payout] = work.outputs;
  if (payout === undefined) return undefined;
  let paid = 0n;
  for (const { value, script } of outputs) {
    if (value === 0n) continue;
    if (!equal(script, payout.script)) return undefined;
    paid += value;
  }
  return paid >= leastValue(rules) ? paid : undefined;
}

function leastValue({ tip, leastValuePercent }: CustomJobRules): bigint {
  const part = (tip.coinbaseValue * BigInt(Math.round(leastValuePercent * 10_000))) / 1_000_000n;
  return part > tip.subsidy ? part : tip.subsidy;
}
