/**
 * A mining channel as the client sees it (spec 5.2, 5.3.15 to 5.3.22): which jobs wait, which are valid, and with which
 * target and extranonce prefix each of them is to be searched. Pure: messages in, work out.
 *
 * It holds the server to the rules instead of forgiving: as the counterpart of our own server in tests it is a judge.
 */

import { sha256d } from "../../bitcoin/hash.ts";
import { foldMerklePath } from "../../bitcoin/merkle.ts";
import { concat } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { MINING } from "../../sv2/messages/mining.ts";
import type { Value } from "../../sv2/table.ts";
import type { Work, WorkRoot } from "./work.ts";

/** What opened the channel. */
export interface ChannelOpening {
  readonly kind: "standard" | "extended";
  readonly channelId: number;
  readonly groupChannelId: number;
  /** `Uint8Array(32)`, little-endian. */
  readonly target: Uint8Array;
  /** 0 to 32 bytes. */
  readonly extranoncePrefix: Uint8Array;
  /** Bytes left to the client; 0 on a standard channel. */
  readonly extranonceSize: number;
}

/** What the client wants of the channel. */
export interface ChannelOptions {
  /** Version bits that it may roll where the job allows it; 0 for none. */
  readonly versionMask: number;
  /** Whether the connection was set up with REQUIRES_STANDARD_JOBS. */
  readonly requiresStandardJobs: boolean;
}

/** Work without its number. */
export type ChannelWork = Omit<Work, "workId">;

/** Either message that brings a job. */
export type JobMessage =
  | { readonly kind: "standard"; readonly job: Value<typeof MINING.NewMiningJob> }
  | { readonly kind: "extended"; readonly job: Value<typeof MINING.NewExtendedMiningJob> };

interface HeldJob {
  readonly version: number;
  readonly versionMask: number;
  readonly root: WorkRoot;
}

/** Future jobs that are kept; the oldest goes first. Bitaxe keeps 8. */
const MAX_FUTURE_JOBS = 16;

/** Valid jobs on one block that are remembered. */
const MAX_VALID_JOBS = 256;

/** One open channel. */
export class MinerChannel {
  readonly opening: ChannelOpening;
  readonly #options: ChannelOptions;
  readonly #future = new Map<number, HeldJob>();
  readonly #valid = new Set<number>();
  #groupChannelId: number;
  #target: Uint8Array;
  #extranoncePrefix: Uint8Array;
  #block: { readonly prevHash: Uint8Array; readonly nbits: number } | undefined;

  constructor(opening: ChannelOpening, options: ChannelOptions) {
    this.opening = opening;
    this.#options = options;
    this.#groupChannelId = opening.groupChannelId;
    this.#target = opening.target.slice();
    this.#extranoncePrefix = opening.extranoncePrefix.slice();
  }

  /** The group that the channel is in. */
  get groupChannelId(): number {
    return this.#groupChannelId;
  }

  /** Whether a message with this id is for the channel: its own id or its group's. */
  isAddressedBy(channelId: number): boolean {
    return channelId === this.opening.channelId || channelId === this.#groupChannelId;
  }

  /** Whether a share of this job may still be sent. */
  isValid(jobId: number): boolean {
    return this.#valid.has(jobId);
  }

  /**
   * Takes a job: keeps a future one and returns `undefined`, returns what to search at once for another. Throws
   * `Fault("server-violation")` when the channel cannot have such a job, or when the job has no block to build on.
   */
  job({ kind, job }: JobMessage): ChannelWork | undefined {
    const { jobId, minNtime, version } = job;
    if (this.#future.has(jobId) || this.#valid.has(jobId)) throw violation("a job id was used again", { jobId });
    const held =
      kind === "standard"
        ? { version, versionMask: this.#options.versionMask, root: this.#standardRoot(job) }
        : {
            version,
            versionMask: job.versionRollingAllowed ? this.#options.versionMask : 0,
            root: this.#extendedRoot(job),
          };
    if (minNtime === null) {
      this.#future.set(jobId, held);
      dropOldest(this.#future, MAX_FUTURE_JOBS);
      return undefined;
    }
    if (this.#block === undefined) throw violation("a job that is no future job came before any block", { jobId });
    this.#valid.add(jobId);
    dropOldest(this.#valid, MAX_VALID_JOBS);
    return this.#work(held, this.#block, minNtime);
  }

  /**
   * Takes a new block: every other job becomes invalid. Returns what to search. Throws `Fault("server-violation")` when
   * the message names no future job that was sent on this channel.
   */
  newPrevHash(message: Value<typeof MINING.SetNewPrevHash>): ChannelWork {
    const { jobId, minNtime, nbits } = message;
    const held = this.#future.get(jobId);
    if (held === undefined) throw violation("SetNewPrevHash names a job that is no future job", { jobId });
    this.#future.clear();
    this.#valid.clear();
    this.#valid.add(jobId);
    this.#block = { prevHash: message.prevHash.slice(), nbits };
    return this.#work(held, this.#block, minNtime);
  }

  /** Sets the target for later jobs and for future jobs that wait; active jobs keep theirs (spec 5.3.21). */
  setTarget(target: Uint8Array): void {
    this.#target = target.slice();
  }

  /** Sets the prefix for jobs sent after it (spec 5.3.10). */
  setExtranoncePrefix(prefix: Uint8Array): void {
    this.#extranoncePrefix = prefix.slice();
  }

  /** Moves the channel to another group. */
  setGroup(groupChannelId: number): void {
    if (this.#options.requiresStandardJobs) {
      throw violation("SetGroupChannel was sent to a client that requires standard jobs", { groupChannelId });
    }
    this.#groupChannelId = groupChannelId;
  }

  #standardRoot(job: Value<typeof MINING.NewMiningJob>): WorkRoot {
    const { channelId, jobId } = job;
    if (this.opening.kind === "extended") throw violation("a standard job was sent to an extended channel", { jobId });
    if (channelId !== this.opening.channelId)
      throw violation("a standard job was sent to a group", { jobId, channelId });
    return { kind: "fixed", merkleRoot: job.merkleRoot.slice() };
  }

  #extendedRoot(job: Value<typeof MINING.NewExtendedMiningJob>): WorkRoot {
    const { kind, channelId, extranonceSize } = this.opening;
    const { jobId } = job;
    const coinbasePrefix = concat(job.coinbaseTxPrefix, this.#extranoncePrefix);
    const merklePath = job.merklePath.map((node) => node.slice());
    if (kind === "extended") {
      return {
        kind: "rolled",
        coinbasePrefix,
        coinbaseSuffix: job.coinbaseTxSuffix.slice(),
        merklePath,
        extranonceSize,
      };
    }
    if (this.#options.requiresStandardJobs || job.channelId === channelId) {
      throw violation("an extended job was sent to a standard channel", { jobId, channelId: job.channelId });
    }
    // The prefix of a standard channel is its whole extranonce, so a group's job has one merkle root here.
    return {
      kind: "fixed",
      merkleRoot: foldMerklePath(sha256d(concat(coinbasePrefix, job.coinbaseTxSuffix)), merklePath),
    };
  }

  #work(
    held: HeldJob,
    block: { readonly prevHash: Uint8Array; readonly nbits: number },
    minNtime: number,
  ): ChannelWork {
    return { ...held, ...block, minNtime, target: this.#target };
  }
}

/** The fault of a server that breaks a rule of the mining protocol. */
export function violation(rule: string, facts: Readonly<Record<string, number | string>>): Fault {
  return new Fault("server-violation", { rule, ...facts });
}

function dropOldest(kept: Map<number, unknown> | Set<number>, max: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= max) return;
    kept.delete(oldest);
  }
}
