/** One channel of the bench's SV2 client: it knows its work from the server's messages and finds real shares for it. */
import { sha256d } from "../../../src/bitcoin/hash.ts";
import { HeaderHasher, serializeHeader } from "../../../src/bitcoin/header.ts";
import { foldMerklePath } from "../../../src/bitcoin/merkle.ts";
import { targetFromBytes } from "../../../src/bitcoin/target.ts";
import { concat } from "../../../src/kernel/bytes.ts";
import type { MINING } from "../../../src/sv2/messages/mining.ts";
import type { Value } from "../../../src/sv2/table.ts";

type Opened =
  | Value<typeof MINING.OpenStandardMiningChannelSuccess>
  | Value<typeof MINING.OpenExtendedMiningChannelSuccess>;
type Job = Value<typeof MINING.NewMiningJob> | Value<typeof MINING.NewExtendedMiningJob>;
type PrevHash = Value<typeof MINING.SetNewPrevHash>;

/** A job that shares can be found for. */
interface Work {
  readonly job: Job;
  readonly prevHash: PrevHash;
  readonly target: bigint;
  /** Made for the first share. */
  header?: HeaderHasher;
  nonce: number;
}

/** A share as found, whatever kind of channel it is for. */
export interface FoundShare {
  readonly channelId: number;
  readonly sequenceNumber: number;
  readonly jobId: number;
  readonly nonce: number;
  readonly ntime: number;
  readonly version: number;
  /** Empty on a standard channel. */
  readonly extranonce: Uint8Array;
}

/** Hashes after which a share must have been found: some 16 are needed. */
const PATIENCE = 100_000;

/** An open channel. */
export class Sv2Channel {
  readonly channelId: number;
  readonly groupId: number;
  readonly #prefix: Uint8Array;
  readonly #extranonce: Uint8Array;
  #target: bigint;
  #sequence = 0;
  #future: Job | undefined;
  #work: Work | undefined;
  #workBefore: Work | undefined;

  constructor(opened: Opened) {
    this.channelId = opened.channelId;
    this.groupId = opened.groupChannelId;
    this.#prefix = opened.extranoncePrefix;
    this.#extranonce = new Uint8Array("extranonceSize" in opened ? opened.extranonceSize : 0);
    this.#target = targetFromBytes(opened.target);
  }

  /** Whether a message with this id is for the channel, itself or as part of its group. */
  isAddressedBy(channelId: number): boolean {
    return channelId === this.channelId || channelId === this.groupId;
  }

  /** SetTarget. */
  setTarget(target: Uint8Array): void {
    this.#target = targetFromBytes(target);
  }

  /** NewMiningJob or NewExtendedMiningJob; a future one waits for its SetNewPrevHash. */
  takeJob(job: Job): void {
    if (job.minNtime === null) this.#future = job;
    else if (this.#work !== undefined) this.#begin(job, this.#work.prevHash);
  }

  /** SetNewPrevHash. */
  takePrevHash(prevHash: PrevHash): void {
    if (this.#future?.jobId !== prevHash.jobId) throw new Error(`SetNewPrevHash names job ${prevHash.jobId}`);
    this.#workBefore = this.#work;
    this.#begin(this.#future, prevHash);
  }

  #begin(job: Job, prevHash: PrevHash): void {
    this.#work = { job, prevHash, target: this.#target, nonce: 0 };
  }

  /** A share for the newest job, or for the last one on the block before. Each call finds another. */
  find(late: boolean): FoundShare {
    const work = late ? this.#workBefore : this.#work;
    if (work === undefined) throw new Error("a share was wanted before there was a job");
    const { job, prevHash, target } = work;
    const ntime = Math.max(job.minNtime ?? 0, prevHash.minNtime);
    work.header ??= new HeaderHasher(
      serializeHeader({
        version: job.version,
        prevHash: prevHash.prevHash,
        merkleRoot: this.#merkleRoot(job),
        time: ntime,
        nBits: prevHash.nbits,
        nonce: 0,
      }),
    );
    const nonce = work.header.search(work.nonce, PATIENCE, target);
    if (nonce === undefined) throw new Error("no share was found: is the channel's target that hard?");
    work.nonce = nonce + 1;
    const { jobId, version } = job;
    const { channelId } = this;
    return { channelId, sequenceNumber: this.#sequence++, jobId, nonce, ntime, version, extranonce: this.#extranonce };
  }

  #merkleRoot(job: Job): Uint8Array {
    if ("merkleRoot" in job) return job.merkleRoot;
    const { coinbaseTxPrefix, coinbaseTxSuffix, merklePath } = job;
    return foldMerklePath(
      sha256d(concat(coinbaseTxPrefix, this.#prefix, this.#extranonce, coinbaseTxSuffix)),
      merklePath,
    );
  }
}
