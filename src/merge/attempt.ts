/**
 * One attempt to make a job for a given set of chains: outputs in order, the tree, the job from the builder of jobs, and
 * then every rule judged on the job's bytes for all extranonces at once.
 */
import { outputSize, serializeOutputs } from "../bitcoin/transaction.ts";
import { Fault } from "../kernel/fault.ts";
import type { AuxEntry, AuxRules, AuxWork } from "../mining/aux.ts";
import { buildJob, type Commitments, type Job, type JobParts } from "../mining/job.ts";
import { AUX_COMMITMENT_SIZE, AUXPOW_MAGIC, type AuxTree, auxCommitment, auxTree } from "./auxpow/tree.ts";
import { findOpen, type OpenCoinbase, openCoinbase } from "./open-coinbase.ts";
import { orderOutputs } from "./output-order.ts";
import { type BrokenRule, brokenRule, locateOutputs } from "./output-rules.ts";
import type { AuxPowCommitment } from "./plugin.ts";

/** Bytes that a NewExtendedMiningJob may have with its frame header: what small devices set aside for a message. */
export const MAX_JOB_FRAME = 8192;

/** Outputs up to which every order is tried when bytes that arise between two of them break a rule: 120 orders. */
const MAX_PERMUTED = 5;

/** As long as the commitment to any tree. */
const ANY_COMMITMENT = new Uint8Array(AUX_COMMITMENT_SIZE);

/** A chain whose commitments have the right shape. Its byte strings are nobody else's. */
export interface Wish {
  readonly chain: string;
  readonly work: AuxWork;
  /** `work.target`, little-endian. */
  readonly target: Uint8Array;
  readonly leaf: AuxPowCommitment | undefined;
  readonly outputs: readonly AuxRules[];
}

/** What an attempt is made with. */
export interface AttemptBounds {
  readonly parts: JobParts;
  /** Height of the tree of AuxPoW chains. */
  readonly height: number;
  readonly sizeLimitBytes: number | undefined;
  /** Bytes that a channel's own payout may add to the coinbase. */
  readonly reserveBytes: number;
}

/** Why the chains do not go together. */
export interface Refusal {
  readonly reason: BrokenRule["reason"] | "script_too_long" | "no_room" | "frame" | "size_class";
  readonly detail: string;
}

/** A job that keeps every rule of its chains. */
export interface Attempt {
  readonly commitments: Commitments;
  readonly entries: readonly AuxEntry[];
  /** The job that was judged, without its snapshot. */
  readonly job: Job;
}

/** Bytes of the longer form of a job's NewExtendedMiningJob (spec 5.3.16), frame header included. */
export function jobFrameSize(job: Job): number {
  const fixed = 6 + 4 + 4 + 5 + 4 + 1 + 1 + 2 + 2;
  return fixed + 32 * job.merklePath.length + job.coinbasePrefix.length + job.coinbaseSuffix.length;
}

/** The job for all of `wishes` together, or why there is none. Throws only what `buildJob` throws for reasons of its own. */
export function attempt(wishes: readonly Wish[], bounds: AttemptBounds): Attempt | Refusal {
  const { parts, height, reserveBytes } = bounds;
  const rules = wishes.flatMap(({ outputs }) => outputs);
  const { bytes: room } = parts.template.coinbaseRoom;
  const wanted = rules.reduce((sum, { script }) => sum + outputSize({ value: 0n, script }), 0);
  const payout = parts
    .payout(parts.template.coinbaseValue)
    .reduce((sum, output) => sum + outputSize(output), reserveBytes);
  if (wanted > 0 && wanted + payout > room) {
    return { reason: "no_room", detail: `outputs of ${wanted} bytes beside a payout of ${payout}, room for ${room}` };
  }
  const leaves = wishes.flatMap(({ leaf }) => (leaf === undefined ? [] : [leaf]));
  const put = (scriptSig: Uint8Array | undefined, indices: readonly number[]): Commitments => ({
    ...(scriptSig === undefined ? {} : { scriptSig }),
    outputs: indices.map((i) => ({ value: 0n, script: (rules[i] as AuxRules).script })),
  });
  // Sizes depend neither on the root nor on the order, and both cost more than all the rest where chains are many.
  const sample = built({
    ...parts,
    commitments: put(leaves.length === 0 ? undefined : ANY_COMMITMENT, [...rules.keys()]),
  });
  const tooLarge = "reason" in sample ? sample : judgeSize(sample, bounds.sizeLimitBytes, reserveBytes);
  if (tooLarge !== undefined) return tooLarge;
  const behind = serializeOutputs(parts.template.coinbase.outputs).length + 4;
  const { order, broken } = orderOutputs(rules, behind);
  const tree = leaves.length === 0 ? undefined : auxTree(leaves, height);
  const scriptSig = tree === undefined ? undefined : auxCommitment({ root: tree.root, height });
  const best = (under: readonly Wish[]) =>
    bestOrder(order, (indices) => {
      const commitments = put(scriptSig, indices);
      const job = buildJob({ ...parts, commitments });
      return judgeRules(job, under, scriptSig) ?? { commitments, job };
    });
  if (broken === undefined) {
    const judged = best(wishes);
    if (!("reason" in judged)) return { ...judged, entries: entriesOf(wishes, tree, judged.commitments) };
    return { reason: judged.reason, detail: judged.detail };
  }
  const detail = "no order of the outputs keeps the rules of all chains";
  const alone = broken === "occurrence" || orderOutputs(rules.map(onlyLimit), behind).broken !== undefined;
  if (alone) return { reason: broken, detail };
  // The limits could be kept but for the marks; if these could not be kept by themselves, they are the reason.
  const unlimited = best(wishes.map((wish) => ({ ...wish, outputs: wish.outputs.map(noLimit) })));
  return "reason" in unlimited ? { reason: unlimited.reason, detail: unlimited.detail } : { reason: broken, detail };
}

const onlyLimit = ({ script, maxBytesAfter }: AuxRules): AuxRules =>
  maxBytesAfter === undefined ? { script } : { script, maxBytesAfter };

const noLimit = ({ maxBytesAfter: _, ...rules }: AuxRules): AuxRules => rules;

/** What `judge` says of `order`, or of another one where that may help and `order` does not pass. */
function bestOrder<T extends object>(
  order: readonly number[],
  judge: (order: readonly number[]) => T | Judged,
): T | Judged {
  const judged = judge(order);
  if (!("reason" in judged) || !judged.movable || order.length > MAX_PERMUTED) return judged;
  for (const other of permutations(order)) {
    const again = judge(other);
    if (!("reason" in again)) return again;
  }
  return judged;
}

/** A refusal, and whether another order of the outputs might help. */
interface Judged extends Refusal {
  readonly movable?: boolean;
}

function built(parts: JobParts): Job | Refusal {
  try {
    return buildJob(parts);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { code, message: detail } = error;
    if (code === "coinbase-script-too-long") return { reason: "script_too_long", detail };
    if (code === "coinbase-outputs-too-large") return { reason: "no_room", detail };
    throw error;
  }
}

function judgeSize(job: Job, sizeLimitBytes: number | undefined, reserveBytes = 0): Refusal | undefined {
  const frame = jobFrameSize(job) + reserveBytes;
  if (frame > MAX_JOB_FRAME)
    return { reason: "frame", detail: `a job message of ${frame} bytes, ${MAX_JOB_FRAME} at most` };
  const size = job.coinbasePrefix.length + job.extranonceSize + job.coinbaseSuffix.length + reserveBytes;
  if (sizeLimitBytes === undefined || size <= sizeLimitBytes) return undefined;
  return { reason: "size_class", detail: `a coinbase of ${size} bytes, ${sizeLimitBytes} at most` };
}

function judgeRules(job: Job, wishes: readonly Wish[], scriptSig: Uint8Array | undefined): Judged | undefined {
  const coinbase = openCoinbase(job);
  const outputs = locateOutputs(coinbase.bytes);
  const ours = wishes.reduce((sum, wish) => sum + wish.outputs.length, 0);
  const end = outputs.length - job.template.coinbase.outputs.length;
  // Bytes from here to there are of our outputs, with a byte on either side where they meet others.
  const from = (outputs[end - ours]?.offset ?? 0) - 9;
  const last = outputs[end - 1];
  const to = last === undefined ? 0 : last.offset + last.output.script.length;
  let found: Judged | undefined;
  for (const { chain, outputs: rules } of wishes) {
    for (const rule of rules) {
      const broken = brokenRule(coinbase, outputs, rule);
      if (broken === undefined) continue;
      const { reason, at } = broken;
      const size = Math.max(rule.first?.length ?? 0, rule.last?.length ?? 0);
      const movable = at !== undefined && ours > 1 && at < to && at + size > from;
      const judged = { reason, detail: `for ${chain}: ${broken.detail}`, movable };
      // No order helps against forbidden bytes, so they are the reason even when others come first.
      if (reason === "forbidden") return judged;
      found ??= judged;
    }
  }
  if (found !== undefined) return found;
  const at = scriptSig === undefined ? -1 : otherMagic(coinbase, scriptSig);
  if (at === -1) return undefined;
  const detail = `the mark of AuxPoW may also stand at byte ${at}`;
  return { reason: "occurrence", detail, movable: ours > 1 && at < to && at + AUXPOW_MAGIC.length > from };
}

/**
 * Why the chains of `job.aux` could not use its coinbase, as a clause for the log: for a job that was placed with one payout and has
 * another one now. `undefined` when every rule of every chain holds for all extranonces.
 */
export function chainsFlaw(job: Job, sizeLimitBytes: number | undefined): string | undefined {
  const entries = job.aux?.entries ?? [];
  const tooLarge = judgeSize(job, sizeLimitBytes);
  if (tooLarge !== undefined) return tooLarge.detail;
  const coinbase = openCoinbase(job);
  const outputs = locateOutputs(coinbase.bytes);
  for (const { chain, rules = [] } of entries) {
    for (const rule of rules) {
      const broken = brokenRule(coinbase, outputs, rule);
      if (broken !== undefined) return `for ${chain}: ${broken.detail}`;
    }
  }
  if (entries.every(({ slot }) => slot === undefined)) return undefined;
  // The commitment itself stands in the scriptSig, in front of every payout.
  const own = findOpen(coinbase, AUXPOW_MAGIC);
  const other = findOpen(coinbase, AUXPOW_MAGIC, own + 1);
  return other === -1 ? undefined : `the mark of AuxPoW may also stand at byte ${other}`;
}

/** Where a second magic may stand besides that of `scriptSig`; -1 for nowhere. */
function otherMagic(coinbase: OpenCoinbase, scriptSig: Uint8Array): number {
  const own = findOpen(coinbase, scriptSig);
  const first = findOpen(coinbase, AUXPOW_MAGIC);
  return first === own ? findOpen(coinbase, AUXPOW_MAGIC, own + 1) : first;
}

function entriesOf(wishes: readonly Wish[], tree: AuxTree | undefined, commitments: Commitments): AuxEntry[] {
  let leaf = 0;
  return wishes.map((wish): AuxEntry => {
    const place = wish.leaf === undefined ? undefined : tree?.slots[leaf++];
    const scripts = (commitments.outputs ?? []).flatMap(({ script }) =>
      wish.outputs.some((own) => own.script === script) ? [script] : [],
    );
    const { chain, work, target, outputs: rules } = wish;
    if (wish.leaf === undefined || place === undefined) return { chain, work, target, slot: undefined, scripts, rules };
    const { chainId, strictChainId } = wish.leaf;
    return { chain, work, target, slot: { chainId, strictChainId, ...place }, scripts, rules };
  });
}

/** All orders of `items`. */
function* permutations(items: readonly number[]): Generator<readonly number[], void> {
  if (items.length === 0) {
    yield [];
    return;
  }
  for (const item of items) {
    for (const rest of permutations(items.filter((other) => other !== item))) yield [item, ...rest];
  }
}
