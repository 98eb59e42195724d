/**
 * A job: one template with our coinbase around the place for the extranonce, frozen when it is made. Everything that a
 * share, a proof or a block needs later is taken from the share's own job, never from what is current by then. A job is
 * plain data; what is derived from it for speed is in `prepared-job.ts`.
 *
 * The coinbase's scriptSig: template's prefix (BIP34 height) ‖ merge-mining commitment ‖ pool tag ‖ push of 20 bytes ‖
 * extranonce. The extranonce comes last, so all else is in the half that a miner of an extended channel cannot change.
 * Its outputs: payout, commitments, then the template's own, as they are (spec 7.4).
 */
import { coinbaseHalves, MAX_COINBASE_SCRIPT, withWitness } from "../bitcoin/coinbase.ts";
import { sha256d } from "../bitcoin/hash.ts";
import { foldMerklePath } from "../bitcoin/merkle.ts";
import { pushBytes, sigops } from "../bitcoin/script.ts";
import { outputSize, type TxOutput } from "../bitcoin/transaction.ts";
import { concat } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { AuxSnapshot } from "./aux.ts";
import type { CustomWork } from "./custom-work.ts";
import { EXTRANONCE_SIZE } from "./extranonce.ts";
import type { PoolWork } from "./pool-work.ts";
import type { Template } from "./template.ts";

/**
 * Header version bits that miners may roll by default: BIP320's sixteen. The spec allows BIP323's 24 (0x1fffffe0), but
 * those include bit 8, the AuxPoW flag: Namecoin and its kin refuse a parent header that has it set.
 */
export const BIP320_MASK = 0x1fffe000;

/** Bytes that a template's part of the scriptSig may have (spec 7.4). */
const MAX_TEMPLATE_PREFIX = 8;

/** Push of the merge-mining commitment in the scriptSig: length byte, magic, root, size and nonce. */
const AUXPOW_PUSH_SIZE = 45;

/** How far a job's header time may run ahead of its template's: half of what nodes tolerate (2 hours), if our clock is wrong. */
const MAX_TIME_AHEAD_S = 3600;

/** What merge mining puts into a coinbase. */
export interface Commitments {
  /** Data for one push in the scriptSig, in front of the pool tag: the 44 bytes of an AuxPoW commitment. */
  readonly scriptSig?: Uint8Array;
  /** Outputs between the payout and the template's own. */
  readonly outputs?: readonly TxOutput[];
}

/** What a job is made of. */
export interface JobParts {
  readonly template: Template;
  /** Outputs that share `value` sat; they must sum up to it. */
  readonly payout: (value: bigint) => readonly TxOutput[];
  /** Names the pool in the scriptSig; empty for none. `checkCoinbaseFits` judges its length at start. */
  readonly tag: Uint8Array;
  /** From the pool's one `JobIds`. */
  readonly jobId: number;
  /** Wall time, ms since the Unix epoch. */
  readonly nowMs: number;
  readonly commitments?: Commitments;
  /** The chains that `commitments` are for, with what their proofs need. */
  readonly aux?: AuxSnapshot;
  /** Header version bits that miners may roll, u32; 0 forbids rolling. `BIP320_MASK` when left out. */
  readonly versionRollingMask?: number;
  /** Bytes of the whole extranonce; `EXTRANONCE_SIZE` when left out. */
  readonly extranonceSize?: number;
}

/** A coinbase output that pays a miner and not us. */
export interface FinderPayout {
  /** On the pool's network. */
  readonly address: string;
  readonly output: TxOutput;
}

/** A job. Frozen; a newer one is another object. */
export interface Job {
  /** u32, unique among the jobs that any miner still knows. */
  readonly jobId: number;
  readonly template: Template;
  /** Coinbase without witness up to the extranonce. */
  readonly coinbasePrefix: Uint8Array;
  /** Coinbase without witness behind the extranonce. */
  readonly coinbaseSuffix: Uint8Array;
  /** Witness stack of the coinbase input; empty for a block without segwit. */
  readonly coinbaseWitness: readonly Uint8Array[];
  /** Bytes of the whole extranonce. */
  readonly extranonceSize: number;
  /** Siblings of the coinbase txid from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly merklePath: readonly Uint8Array[];
  /** Header version before rolling, u32. */
  readonly version: number;
  /** Version bits that may be rolled, u32. */
  readonly versionRollingMask: number;
  /** Compact target, u32. */
  readonly nBits: number;
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  /** Header time to begin with, Unix seconds: `min_ntime` on the wire. */
  readonly minTime: number;
  /** The target that makes a share a block. */
  readonly bitcoinTarget: bigint;
  /** Sum of the outputs that pay us, in sat. */
  readonly payoutValue: bigint;
  /** What the coinbase pays straight to the miner whose channel it is for; `undefined` where all of it is ours. */
  readonly finder: FinderPayout | undefined;
  /** Outputs of ours behind the payout, in order: those of merge mining. */
  readonly commitmentOutputs: readonly TxOutput[];
  /** Wall time, ms since the Unix epoch. */
  readonly createdMs: number;
  /** The auxiliary chains that the coinbase commits to; `undefined` for none. */
  readonly aux: AuxSnapshot | undefined;
  /** The pool whose job it is, in pool mode; `undefined` for our own. */
  readonly pool: PoolWork | undefined;
  /** For a job whose coinbase the client made itself (SetCustomMiningJob): what its token stood for. Left out for all others. */
  readonly custom?: CustomWork;
}

/**
 * Makes a job. Throws `Fault("coinbase-outputs-too-large")` when our outputs take more than the template left room for,
 * `Fault("coinbase-script-too-long")` when the scriptSig exceeds 100 bytes, and `TypeError` when the payout does not sum
 * up to the template's value: too much makes the block invalid, too little burns coins.
 */
export function buildJob(parts: JobParts): Job {
  const { template, tag, jobId, nowMs, commitments = {}, versionRollingMask = BIP320_MASK } = parts;
  const { extranonceSize = EXTRANONCE_SIZE } = parts;
  const payout = parts.payout(template.coinbaseValue);
  const ours = [...payout, ...(commitments.outputs ?? [])];
  checkOutputs(ours, template);
  const { prefix, suffix } = coinbaseHalves({
    txVersion: template.coinbase.txVersion,
    scriptSigPrefix: concat(
      template.coinbase.prefix,
      commitments.scriptSig === undefined ? new Uint8Array(0) : pushBytes(commitments.scriptSig),
      tag.length === 0 ? new Uint8Array(0) : pushBytes(tag),
      Uint8Array.of(extranonceSize),
    ),
    extranonceSize,
    sequence: template.coinbase.sequence,
    outputs: [...ours, ...template.coinbase.outputs],
    lockTime: template.coinbase.lockTime,
  });
  return Object.freeze({
    jobId,
    template,
    coinbasePrefix: prefix,
    coinbaseSuffix: suffix,
    coinbaseWitness: template.coinbase.witness,
    extranonceSize,
    merklePath: template.merklePath,
    version: template.version,
    versionRollingMask: versionRollingMask >>> 0,
    nBits: template.nBits,
    prevHash: template.prevHash,
    minTime: timeAt(template, nowMs),
    bitcoinTarget: template.target,
    payoutValue: payout.reduce((sum, { value }) => sum + value, 0n),
    finder: undefined,
    commitmentOutputs: commitments.outputs ?? [],
    createdMs: nowMs,
    aux: parts.aux,
    pool: undefined,
  });
}

/**
 * The same work under another id and a later time, so that a miner who starts again on it does not repeat what it did:
 * a target takes effect with the next job (spec 5.3.21), and there is not always a new template at hand.
 */
export function repeatJob(job: Job, jobId: number, nowMs: number): Job {
  const minTime = Math.max(job.minTime + 1, timeAt(job.template, nowMs));
  return Object.freeze({ ...job, jobId, minTime, createdMs: nowMs });
}

/** The template's time, or ours if that is later. */
function timeAt(template: Template, nowMs: number): number {
  const now = Math.min(Math.floor(nowMs / 1000), template.curTime + MAX_TIME_AHEAD_S);
  return Math.max(template.curTime, template.minTime, now);
}

/**
 * Judges the outputs that are not the template's own: they spend its whole value and fit into the room that it left. Throws as
 * `buildJob`.
 */
export function checkOutputs(outputs: readonly TxOutput[], template: Template): void {
  const spent = outputs.reduce((sum, { value }) => sum + value, 0n);
  if (spent !== template.coinbaseValue) {
    throw new TypeError(`the coinbase pays ${spent} sat of ${template.coinbaseValue}`);
  }
  const room = template.coinbaseRoom;
  const length = outputs.reduce((sum, output) => sum + outputSize(output), 0);
  const operations = outputs.reduce((sum, { script }) => sum + sigops(script), 0);
  if (length <= room.bytes && operations <= room.sigops) return;
  throw new Fault("coinbase-outputs-too-large", {
    bytes: length,
    bytesLeft: room.bytes,
    sigops: operations,
    sigopsLeft: room.sigops,
  });
}

/** The coinbase of `job` with `extranonce` (whole): as hashed for the txid, and with witness as it stands in the block. */
export function jobCoinbase(job: Job, extranonce: Uint8Array): { stripped: Uint8Array; withWitness: Uint8Array } {
  if (extranonce.length !== job.extranonceSize) {
    throw new TypeError(`the extranonce of this job has ${job.extranonceSize} bytes, got ${extranonce.length}`);
  }
  const stripped = concat(job.coinbasePrefix, extranonce, job.coinbaseSuffix);
  return { stripped, withWitness: withWitness(stripped, job.coinbaseWitness) };
}

/** The merkle root of `job` with `extranonce` (whole), a new `Uint8Array(32)` in internal byte order. */
export function jobMerkleRoot(job: Job, extranonce: Uint8Array): Uint8Array {
  return foldMerklePath(sha256d(jobCoinbase(job, extranonce).stripped), job.merklePath);
}

/** What `checkCoinbaseFits` judges. */
export interface CoinbaseBudget {
  readonly tag: Uint8Array;
  /** Bytes that templates put first; 8, the most that the spec allows, when left out. */
  readonly prefixBytes?: number;
  /** Whether 45 bytes must stay free for the commitment of merge mining. */
  readonly mergeMining?: boolean;
}

/**
 * Judges at start whether every coinbase will fit its 100 bytes of scriptSig, whatever the template. Throws
 * `Fault("coinbase-tag-too-long")` with the bytes that the tag has and may have.
 */
export function checkCoinbaseFits(budget: CoinbaseBudget): void {
  const { tag, prefixBytes = MAX_TEMPLATE_PREFIX, mergeMining = false } = budget;
  const room = MAX_COINBASE_SCRIPT - prefixBytes - (mergeMining ? AUXPOW_PUSH_SIZE : 0) - 1 - EXTRANONCE_SIZE;
  const size = tag.length === 0 ? 0 : pushBytes(tag).length;
  if (size > room) throw new Fault("coinbase-tag-too-long", { bytes: tag.length, atMost: room - 1, mergeMining });
}

/** The one source of job ids of a pool: u32, never 0, and none comes again until 2^32 - 1 others were given. */
export class JobIds {
  #last: number;

  /** `first`: the id to begin with, 1 when left out. */
  constructor(_deps: object = {}, options: { readonly first?: number } = {}) {
    this.#last = ((options.first ?? 1) - 1) >>> 0;
  }

  /** Another id. */
  next(): number {
    this.#last = (this.#last + 1) >>> 0 || 1;
    return this.#last;
  }
}
