/**
 * A job of another pool as a job of ours (docs/pool-mode.md). The pool's extranonce prefix becomes the end of the coinbase's first half, so
 * below us nobody has to know that there is a pool, and another prefix from above is no more than another job.
 */
import { MAX_COINBASE_SCRIPT, readHeightPush } from "../bitcoin/coinbase.ts";
import { targetFromCompact } from "../bitcoin/target.ts";
import { concat } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { MINING } from "../sv2/messages/mining.ts";
import type { Value } from "../sv2/table.ts";
import { BIP320_MASK, type Job } from "./job.ts";
import type { PoolWork } from "./pool-work.ts";
import type { Template } from "./template.ts";

/** What a job of another pool is made of. All bytes are copied. */
export interface PoolJobParts {
  /** The pool's NewExtendedMiningJob (spec 5.3.16). */
  readonly announced: Pick<
    Value<typeof MINING.NewExtendedMiningJob>,
    "minNtime" | "version" | "versionRollingAllowed" | "merklePath" | "coinbaseTxPrefix" | "coinbaseTxSuffix"
  >;
  /** The SetNewPrevHash that it is mined on (spec 5.3.17). */
  readonly tip: Pick<Value<typeof MINING.SetNewPrevHash>, "prevHash" | "minNtime" | "nbits">;
  /** The prefix that the pool gave our channel, up to 32 bytes. */
  readonly extranoncePrefix: Uint8Array;
  /** Bytes behind it that the pool left to us, 8 to 32. */
  readonly extranonceSize: number;
  /** Where its shares go. */
  readonly work: PoolWork;
  /** From our own `JobIds`. */
  readonly jobId: number;
  /** Wall time, ms since the Unix epoch. */
  readonly nowMs: number;
  /** Header version bits that miners may roll where the pool allows it, u32; `BIP320_MASK` when left out. */
  readonly versionRollingMask?: number;
}

/** Bytes of a coinbase without witness before its script: version, one input, an outpoint of nothing, the script's length. */
const SCRIPT_AT = 4 + 1 + 32 + 4 + 1;

/** Bytes behind the script at least: sequence, one output's count, value and empty script, lock time. */
const LEAST_REST = 4 + 1 + 8 + 1 + 4;

/** A block cannot have the 2^32 transactions that a longer path would stand for. */
const MAX_MERKLE_PATH = 32;

/** With fewer, a standard channel has no room for its own number and its job's. */
const LEAST_EXTRANONCE = 8;

/** What SubmitSharesExtended and OpenStandardMiningChannel.Success carry. */
const MAX_EXTRANONCE = 32;

/**
 * Makes a job of what a pool sent. Throws `Fault("pool-job-invalid")` when no block could ever have such a coinbase or merkle path, or the
 * extranonce is one that channels cannot share, and `Fault("compact-target-invalid")`. A coinbase without a height (BIP34) has height 0: the
 * height is for people, and the pool's own business otherwise.
 */
export function poolJob(parts: PoolJobParts): Job {
  const { announced, tip, extranoncePrefix, extranonceSize, work, jobId, nowMs } = parts;
  const { versionRollingMask = BIP320_MASK } = parts;
  const { version, coinbaseTxPrefix, coinbaseTxSuffix } = announced;
  const flaw = flawOf(parts);
  if (flaw !== undefined) throw new Fault("pool-job-invalid", { pool: work.pool, poolJobId: work.jobId, flaw });
  const bitcoinTarget = targetFromCompact(tip.nbits);
  const prevHash = tip.prevHash.slice();
  const merklePath = Object.freeze(announced.merklePath.map((sibling) => sibling.slice()));
  const minTime = announced.minNtime ?? tip.minNtime;
  const height = readHeightPush(coinbaseTxPrefix.subarray(SCRIPT_AT)) ?? 0;
  const template: Template = Object.freeze({
    id: `${work.pool}/${work.connection}/${work.channelId}/${work.jobId}`,
    source: work.pool,
    prevHash,
    height: height > 0xffffffff ? 0 : height,
    version,
    nBits: tip.nbits,
    target: bitcoinTarget,
    minTime,
    curTime: minTime,
    // What the coinbase pays, and to whom, is the pool's business; we neither build it nor the block.
    coinbaseValue: 0n,
    coinbase: NO_COINBASE,
    merklePath,
    transactions: undefined,
    transactionCount: 0,
    coinbaseRoom: NO_ROOM,
  });
  return Object.freeze({
    jobId,
    template,
    coinbasePrefix: concat(coinbaseTxPrefix, extranoncePrefix),
    coinbaseSuffix: coinbaseTxSuffix.slice(),
    coinbaseWitness: NO_COINBASE.witness,
    extranonceSize,
    merklePath,
    version,
    versionRollingMask: announced.versionRollingAllowed ? versionRollingMask >>> 0 : 0,
    nBits: tip.nbits,
    prevHash,
    minTime,
    bitcoinTarget,
    payoutValue: 0n,
    finder: undefined,
    commitmentOutputs: [],
    createdMs: nowMs,
    aux: undefined,
    pool: work,
  });
}

const NO_COINBASE = Object.freeze({
  txVersion: 0,
  prefix: new Uint8Array(0),
  sequence: 0,
  lockTime: 0,
  outputs: [],
  witness: [],
});

const NO_ROOM = Object.freeze({ bytes: 0, sigops: 0 });

/** Why no block can have such a coinbase at such a place, or why it cannot be shared out; `undefined` when both are possible. */
function flawOf({ announced, extranoncePrefix, extranonceSize }: PoolJobParts): string | undefined {
  const { merklePath, coinbaseTxPrefix: prefix, coinbaseTxSuffix: suffix } = announced;
  if (merklePath.length > MAX_MERKLE_PATH) return `a merkle path of ${merklePath.length}`;
  if (!(extranonceSize >= LEAST_EXTRANONCE && extranonceSize <= MAX_EXTRANONCE)) {
    return `${extranonceSize} bytes of extranonce`;
  }
  if (prefix.length < SCRIPT_AT || prefix[4] !== 1) return "not one input";
  if (!prefix.subarray(5, SCRIPT_AT - 1).every((byte, i) => byte === (i < 32 ? 0 : 0xff))) return "no coinbase";
  const scriptSize = prefix[SCRIPT_AT - 1] as number;
  if (scriptSize > MAX_COINBASE_SCRIPT) return `a script of ${scriptSize} bytes or more`;
  const left = scriptSize - (prefix.length - SCRIPT_AT) - extranoncePrefix.length - extranonceSize;
  if (left < 0) return "an extranonce that does not fit into the script";
  if (suffix.length < left + LEAST_REST) return "nothing behind the script";
  return undefined;
}
