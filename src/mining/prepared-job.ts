/**
 * What is derived from a job once and used by all channels: its coinbase hashed up to the extranonce, its target as bytes
 * and its messages encoded, so that ten thousand channels cost ten thousand copies and not ten thousand encodings.
 */
import { CoinbaseHasher } from "../bitcoin/coinbase.ts";
import { MerklePathFolder } from "../bitcoin/merkle-fold.ts";
import { difficultyOfTarget, targetToBytes } from "../bitcoin/target.ts";
import { FRAME_HEADER_SIZE } from "../sv2/frame.ts";
import { mining } from "../sv2/messages/mining.ts";
import type { Job } from "./job.ts";

const NO_HASH = new Uint8Array(32);

/** A job with what is derived from it. Frames, and the hasher of its coinbase, are made when first asked for. */
export class PreparedJob {
  readonly job: Job;
  /** The Bitcoin target, `Uint8Array(32)` little-endian. */
  readonly bitcoinTarget: Uint8Array;
  /** Difficulty of the Bitcoin target. */
  readonly bitcoinDifficulty: number;
  /** What channel targets must not be harder than besides the block: a merge-mined chain's or a pool's share difficulty; `undefined` for none. */
  readonly ceilingDifficulty: number | undefined;
  readonly #path: MerklePathFolder;
  #coinbase: CoinbaseHasher | undefined;
  #frames: Map<string, Uint8Array> | undefined;

  /** `base`: the job of the same template that `job` differs from in its coinbase, and in what a pool wants of its shares; what they share is made once. */
  constructor(job: Job, base?: PreparedJob) {
    this.job = job;
    if (base !== undefined) {
      this.bitcoinTarget = base.bitcoinTarget;
      this.bitcoinDifficulty = base.bitcoinDifficulty;
      // A pool wants of each of our channels shares of another difficulty.
      this.ceilingDifficulty = job.pool === undefined ? base.ceilingDifficulty : job.pool.difficulty;
      this.#path = base.#path;
      return;
    }
    this.bitcoinTarget = targetToBytes(job.bitcoinTarget);
    this.bitcoinDifficulty =
      job.bitcoinTarget === 0n ? Number.POSITIVE_INFINITY : difficultyOfTarget(job.bitcoinTarget);
    const channelTarget = job.aux?.channelTarget;
    const wanted = [...(channelTarget === undefined ? [] : [difficultyOfTarget(channelTarget)])];
    if (job.pool !== undefined) wanted.push(job.pool.difficulty);
    this.ceilingDifficulty = wanted.length === 0 ? undefined : Math.min(...wanted);
    this.#path = new MerklePathFolder(job.merklePath);
  }

  /** Lets go of what can be made again, for a job that hardly anybody works on any more: ten thousand channels may have one each. */
  rest(): void {
    this.#coinbase = undefined;
    this.#frames = undefined;
  }

  /**
   * Writes the merkle root for the extranonce `first` ‖ `second` to `out[0..31]`, internal byte order, without an
   * allocation. Throws `TypeError` when the two do not have the job's extranonce size together.
   */
  merkleRootInto(out: Uint8Array, first: Uint8Array, second?: Uint8Array): void {
    if (this.#coinbase === undefined) {
      const { coinbasePrefix, extranonceSize, coinbaseSuffix } = this.job;
      this.#coinbase = new CoinbaseHasher(coinbasePrefix, extranonceSize, coinbaseSuffix);
    }
    this.#coinbase.txidInto(out, first, second);
    this.#path.rootInto(out, out);
  }

  /** Frame of NewExtendedMiningJob for a channel or group; a future job has no `min_ntime` (spec 5.3.16). */
  newExtendedMiningJob(channelId: number, future: boolean): Uint8Array {
    const { job } = this;
    const frame = this.#frame(future ? "extended future" : "extended", () =>
      mining.encode("NewExtendedMiningJob", {
        channelId: 0,
        jobId: job.jobId,
        minNtime: future ? null : job.minTime,
        version: job.version,
        versionRollingAllowed: job.versionRollingMask !== 0,
        merklePath: job.merklePath,
        coinbaseTxPrefix: job.coinbasePrefix,
        coinbaseTxSuffix: job.coinbaseSuffix,
      }),
    );
    return addressed(frame, channelId);
  }

  /** Frame of NewMiningJob for a standard channel with its own `merkleRoot` (spec 5.3.15). */
  newMiningJob(channelId: number, future: boolean, merkleRoot: Uint8Array): Uint8Array {
    const { jobId, minTime, version } = this.job;
    const frame = this.#frame(future ? "standard future" : "standard", () => {
      const minNtime = future ? null : minTime;
      return mining.encode("NewMiningJob", { channelId: 0, jobId, minNtime, version, merkleRoot: NO_HASH });
    });
    const copy = addressed(frame, channelId);
    copy.set(merkleRoot, copy.length - 32);
    return copy;
  }

  /** Frame of SetNewPrevHash for a channel or group, which activates the future job (spec 5.3.17). */
  setNewPrevHash(channelId: number): Uint8Array {
    const { jobId, prevHash, minTime, nBits } = this.job;
    const frame = this.#frame("prev hash", () =>
      mining.encode("SetNewPrevHash", { channelId: 0, jobId, prevHash, minNtime: minTime, nbits: nBits }),
    );
    return addressed(frame, channelId);
  }

  #frame(name: string, encode: () => Uint8Array): Uint8Array {
    this.#frames ??= new Map();
    let frame = this.#frames.get(name);
    if (frame === undefined) {
      frame = encode();
      this.#frames.set(name, frame);
    }
    return frame;
  }
}

const preparedJobs = new WeakMap<Job, PreparedJob>();

/** The one `PreparedJob` of `job`, shared by all connections and dropped together with the job. */
export function prepared(job: Job): PreparedJob {
  let found = preparedJobs.get(job);
  if (found === undefined) {
    found = new PreparedJob(job);
    preparedJobs.set(job, found);
  }
  return found;
}

/** A copy of `frame` with `channelId` in its place, the first field of every channel message. */
function addressed(frame: Uint8Array, channelId: number): Uint8Array {
  const copy = frame.slice();
  copy[FRAME_HEADER_SIZE] = channelId;
  copy[FRAME_HEADER_SIZE + 1] = channelId >>> 8;
  copy[FRAME_HEADER_SIZE + 2] = channelId >>> 16;
  copy[FRAME_HEADER_SIZE + 3] = channelId >>> 24;
  return copy;
}
