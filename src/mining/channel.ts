/**
 * A standard or extended channel (spec 5.2): who mines on it, its part of the extranonce space, its target, its jobs and
 * the accounts of its shares. The rules of judging a share are in `share.ts`, the messages in `downstream.ts`.
 */
import { targetToBytes } from "../bitcoin/target.ts";
import { equal } from "../kernel/bytes.ts";
import { Acknowledgement, type AcknowledgementOptions } from "./acknowledgement.ts";
import { type ChannelJob, ChannelJobs } from "./channel-jobs.ts";
import type { ChannelTarget } from "./channel-target.ts";
import { DuplicateShares } from "./duplicates.ts";
import { paddedPrefix } from "./extranonce.ts";
import type { PreparedJob } from "./prepared-job.ts";
import { Vardiff } from "./vardiff.ts";

/** The two kinds of channels that shares come from. */
export type ChannelKind = "standard" | "extended";

/** What a channel is made of. */
export interface ChannelOptions {
  readonly channelId: number;
  readonly kind: ChannelKind;
  readonly userIdentity: string;
  /** From the allocator, `Uint8Array(4)`. */
  readonly extranoncePrefix: Uint8Array;
  /** Bytes of the whole extranonce as the client is told when the channel opens. */
  readonly extranonceSize: number;
  /** Of them, what the client rolls on an extended channel. */
  readonly rollableBytes: number;
  /** Hashes a second that the client claimed. */
  readonly nominalHashrate: number;
  /** The easiest target that the client accepts. */
  readonly maxTarget: bigint;
  readonly first: ChannelTarget;
  readonly limits: { readonly min: number; readonly max: number };
  readonly sharesPerMinute: number;
  readonly acknowledgement: AcknowledgementOptions;
  /** Shares that are remembered against duplicates, see `DuplicateShares`. */
  readonly duplicateCapacity: number;
}

/** A channel as others may see it: plain values of one moment. */
export interface ChannelSnapshot {
  readonly channelId: number;
  readonly kind: ChannelKind;
  readonly userIdentity: string;
  readonly difficulty: number;
  /** Hashes a second: as measured, or as claimed while little is measured. */
  readonly hashrate: number;
  readonly accepted: number;
  /** Sum of the difficulties of accepted shares. */
  readonly acceptedDifficulty: number;
  /** Refused shares by SV2 error code. */
  readonly rejected: Readonly<Record<string, number>>;
  readonly blocks: number;
}

/** One channel of one connection. */
export class Channel {
  readonly channelId: number;
  readonly kind: ChannelKind;
  readonly userIdentity: string;
  /** Extranonce bytes in each share: 0 on a standard channel. */
  readonly rollableSize: number;
  readonly jobs = new ChannelJobs();
  readonly duplicates: DuplicateShares;
  readonly acknowledgement: Acknowledgement;
  readonly vardiff: Vardiff;
  /** Hashes a second that the client claimed last. */
  nominalHashrate: number;
  /** The easiest target that the client accepts. */
  maxTarget: bigint;
  #extranoncePrefix: Uint8Array;
  #announcedPrefix: Uint8Array;
  readonly #retiredPrefixes: Uint8Array[] = [];
  #target: bigint;
  #targetBytes: Uint8Array;
  #difficulty: number;
  #isOpen = true;
  #minTime = 0;
  #accepted = 0;
  #acceptedDifficulty = 0;
  #blocks = 0;
  readonly #rejected = new Map<string, number>();

  constructor(_deps: object, options: ChannelOptions) {
    const { first, limits } = options;
    this.channelId = options.channelId;
    this.kind = options.kind;
    this.userIdentity = options.userIdentity;
    this.rollableSize = options.kind === "standard" ? 0 : options.rollableBytes;
    this.nominalHashrate = options.nominalHashrate;
    this.maxTarget = options.maxTarget;
    this.#extranoncePrefix = options.extranoncePrefix;
    this.#announcedPrefix = paddedPrefix(options.extranoncePrefix, options.extranonceSize - this.rollableSize);
    this.#target = first.target;
    this.#targetBytes = targetToBytes(first.target);
    this.#difficulty = first.difficulty;
    this.duplicates = new DuplicateShares({}, { capacity: options.duplicateCapacity });
    this.acknowledgement = new Acknowledgement({}, options.acknowledgement);
    this.vardiff = new Vardiff(
      {},
      {
        sharesPerMinute: options.sharesPerMinute,
        difficulty: first.difficulty,
        minDifficulty: limits.min,
        maxDifficulty: limits.max,
      },
    );
  }

  /** The target for jobs from now on. */
  get target(): bigint {
    return this.#target;
  }

  /** `target` as on the wire, `Uint8Array(32)` little-endian. */
  get targetBytes(): Uint8Array {
    return this.#targetBytes;
  }

  /** Difficulty of `target`. */
  get difficulty(): number {
    return this.#difficulty;
  }

  /** Changes the target for jobs from now on; those that are active keep theirs. */
  setTarget(next: ChannelTarget): void {
    this.#target = next.target;
    this.#targetBytes = targetToBytes(next.target);
    this.#difficulty = next.difficulty;
  }

  /** What the client is told as extranonce prefix: the whole extranonce on a standard channel, all but what is rolled on an extended one. */
  get announcedPrefix(): Uint8Array {
    return this.#announcedPrefix;
  }

  /** Bytes of the whole extranonce that the client knows of. */
  get extranonceSize(): number {
    return this.#announcedPrefix.length + this.rollableSize;
  }

  /** Changes the size of the whole extranonce for jobs from now on; the client has to be told of `announcedPrefix`. */
  setExtranonceSize(size: number): void {
    this.#announcedPrefix = paddedPrefix(this.#extranoncePrefix, size - this.rollableSize);
  }

  /** All prefixes of the allocator that this channel holds. */
  get heldPrefixes(): readonly Uint8Array[] {
    return [this.#extranoncePrefix, ...this.#retiredPrefixes];
  }

  /** Whether prefixes of former jobs are held. */
  get holdsRetiredPrefixes(): boolean {
    return this.#retiredPrefixes.length > 0;
  }

  /** Changes the extranonce prefix for jobs from now on. The old one is held while a job of its time may get shares. */
  setExtranoncePrefix(prefix: Uint8Array): void {
    this.#retiredPrefixes.push(this.#extranoncePrefix);
    const { extranonceSize } = this;
    this.#extranoncePrefix = prefix;
    this.setExtranonceSize(extranonceSize);
  }

  /** Prefixes that no job needs any more; the caller gives them back to the allocator. */
  takeUnusedPrefixes(): Uint8Array[] {
    const unused: Uint8Array[] = [];
    for (let i = this.#retiredPrefixes.length - 1; i >= 0; i--) {
      const prefix = this.#retiredPrefixes[i] as Uint8Array;
      const used = this.jobs.all.some(({ extranoncePrefix }) =>
        equal(extranoncePrefix.subarray(0, prefix.length), prefix),
      );
      if (!used) unused.push(...this.#retiredPrefixes.splice(i, 1));
    }
    return unused;
  }

  /**
   * Makes a job the active one, with target and prefix of now. `own`: it is sent to this channel and not to its group.
   * Then the server alone makes a standard channel's merkle root, and the job id goes into the extranonce's last 4 bytes:
   * a job repeated on the same template is other work. Throws `TypeError` for a job with an extranonce of another size than the client knows of.
   */
  activate(prepared: PreparedJob, how: { readonly newTip: boolean; readonly own: boolean }): ChannelJob {
    const { extranonceSize, prevHash, minTime, jobId } = prepared.job;
    if (extranonceSize !== this.extranonceSize) {
      throw new TypeError(`the client knows of ${this.extranonceSize} bytes of extranonce, not of ${extranonceSize}`);
    }
    if (how.newTip) {
      // Between two pools and back on one block: what was counted for a header counts once.
      const isKnown = this.jobs.all.some(({ stale, prepared: { job } }) => !stale && equal(job.prevHash, prevHash));
      if (!isKnown) this.duplicates.clear();
      this.#minTime = minTime;
    }
    const job: ChannelJob = {
      prepared,
      target: this.#targetBytes,
      difficulty: this.#difficulty,
      extranoncePrefix: this.#jobPrefix(jobId, how.own),
      minTime: prepared.job.custom === undefined ? this.#minTime : minTime,
      stale: false,
      merkleRoot: undefined,
    };
    this.jobs.add(job, how.newTip);
    return job;
  }

  #jobPrefix(jobId: number, own: boolean): Uint8Array {
    if (this.kind === "extended" || !own) return this.#announcedPrefix;
    const extranonce = this.#announcedPrefix.slice();
    writeLast(extranonce, jobId);
    return extranonce;
  }

  /** Whether the client may still be told of it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The channel is closed, by whichever side; answers that are still to come are for the accounts alone. */
  close(): void {
    this.#isOpen = false;
  }

  /** Counts an accepted share. */
  countAccepted(difficulty: number, block: boolean): void {
    this.#accepted += 1;
    this.#acceptedDifficulty += difficulty;
    if (block) this.#blocks += 1;
  }

  /** Counts a refused share. */
  countRejected(errorCode: string): void {
    this.#rejected.set(errorCode, (this.#rejected.get(errorCode) ?? 0) + 1);
  }

  /** The channel as it is now. */
  snapshot(): ChannelSnapshot {
    return {
      channelId: this.channelId,
      kind: this.kind,
      userIdentity: this.userIdentity,
      difficulty: this.#difficulty,
      hashrate: this.vardiff.hashrate,
      accepted: this.#accepted,
      acceptedDifficulty: this.#acceptedDifficulty,
      rejected: Object.fromEntries(this.#rejected),
      blocks: this.#blocks,
    };
  }
}

/** Writes `value`, u32, over the last 4 bytes of `extranonce`, most significant first. */
function writeLast(extranonce: Uint8Array, value: number): void {
  const end = extranonce.length;
  extranonce[end - 4] = value >>> 24;
  extranonce[end - 3] = value >>> 16;
  extranonce[end - 2] = value >>> 8;
  extranonce[end - 1] = value;
}

/** The merkle root of a standard channel's job, computed when first needed; `Uint8Array(32)`, internal byte order. */
export function merkleRootOf(job: ChannelJob): Uint8Array {
  let root = job.merkleRoot;
  if (root === undefined) {
    root = new Uint8Array(32);
    job.prepared.merkleRootInto(root, job.extranoncePrefix);
    job.merkleRoot = root;
  }
  return root;
}
