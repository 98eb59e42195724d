/**
 * What a job source offers: one Bitcoin block template as plain, serialisable data. Everything that a job, a proof or a
 * block submission needs later is in here, so that no "current" state of a node is ever asked again.
 */
import type { TxOutput } from "../bitcoin/transaction.ts";
import { equal } from "../kernel/bytes.ts";
import type { PoolWork } from "./pool-work.ts";

/** The coinbase as far as the template fixes it (SV2 NewTemplate, BIP22, BIP34, BIP141). */
export interface TemplateCoinbase {
  readonly txVersion: number;
  /** Start of the scriptSig, first the BIP34 height push; at most 8 bytes. */
  readonly prefix: Uint8Array;
  readonly sequence: number;
  readonly lockTime: number;
  /** Outputs that the block needs besides the payout, in order, e.g. the witness commitment. */
  readonly outputs: readonly TxOutput[];
  /** Witness of the coinbase input: one item of 32 bytes (BIP141), or none for a block without segwit. */
  readonly witness: readonly Uint8Array[];
}

/** One Bitcoin block template. Frozen: a newer one is another object. */
export interface Template {
  /** Unique among all templates of this process, for logs and submissions. */
  readonly id: string;
  /** Name of the job source that made it. */
  readonly source: string;
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  readonly height: number;
  /** Header `version` before rolling, u32. */
  readonly version: number;
  /** Compact target, u32. */
  readonly nBits: number;
  /** The network target that `nBits` stands for. */
  readonly target: bigint;
  /** Least header time that the block may carry, Unix seconds. */
  readonly minTime: number;
  /** Header time to begin with, Unix seconds, at least `minTime`. */
  readonly curTime: number;
  /** Subsidy and fees that the payout outputs share, in sat. */
  readonly coinbaseValue: bigint;
  readonly coinbase: TemplateCoinbase;
  /** Siblings of the coinbase txid from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly merklePath: readonly Uint8Array[];
  /** Raw transactions with witness, without the coinbase; `undefined` where only the source can build the block. */
  readonly transactions: readonly Uint8Array[] | undefined;
  /** Wtxids (BIP141) of `transactions` in their order, each `Uint8Array(32)` in internal byte order, where the source tells them. */
  readonly wtxids?: readonly Uint8Array[];
  /** What each of `transactions` pays in fees, in sat, where the source tells it: what is needed to leave some out. */
  readonly fees?: readonly bigint[];
  /** Transactions of the block, the coinbase included. */
  readonly transactionCount: number;
  /** Bytes that coinbase outputs of ours may add, and their sigops; beyond it the block may be too heavy. */
  readonly coinbaseRoom: { readonly bytes: number; readonly sigops: number };
}

/** What decides whether work goes on: of a template, or of a job, which may be another pool's. */
export interface WorkLine extends Pick<Template, "prevHash" | "nBits"> {
  readonly pool?: PoolWork | undefined;
}

/**
 * Whether miners on `last` may go on while `next` is handed out. The test networks change the target while time passes;
 * miners learn of that only together with a previous hash (SetNewPrevHash), as of a new block. So it is where the work is another pool's, or
 * of another channel there: who takes shares of `next` does not know `last`.
 */
export function isSameWork(last: WorkLine, next: WorkLine): boolean {
  if (last.pool?.connection !== next.pool?.connection || last.pool?.channelId !== next.pool?.channelId) return false;
  return last.nBits === next.nBits && equal(last.prevHash, next.prevHash);
}
