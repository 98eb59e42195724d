/** A channel of a mock miner: it knows its work from the messages that it got and finds real shares for it. */
import { serializeHeader } from "../../src/bitcoin/header.ts";
import { concat } from "../../src/kernel/bytes.ts";
import { extendedMerkleRoot, grind, targetOf } from "./grind.ts";
import type { Fields } from "./messages.ts";
import type { MockMiner } from "./mock-miner.ts";

/** A share as found: the fields of its submission and the header that they stand for. */
export interface FoundShare {
  readonly jobId: number;
  readonly nonce: number;
  readonly ntime: number;
  readonly version: number;
  /** What the miner rolled; empty on a standard channel. */
  readonly extranonce: Uint8Array;
  /** The 80 bytes. */
  readonly header: Uint8Array;
}

/** How hard a share is looked for. */
export interface Wanted {
  /** Hash at most this; the channel's target when left out. */
  readonly atMost?: bigint;
  /** Hash above this. */
  readonly above?: bigint;
  readonly ntime?: number;
  readonly version?: number;
  readonly extranonce?: Uint8Array;
}

type Job =
  | { readonly kind: "standard"; readonly fields: Fields<"NewMiningJob"> }
  | { readonly kind: "extended"; readonly fields: Fields<"NewExtendedMiningJob"> };

/** One open channel. */
export class MockChannel {
  readonly miner: MockMiner;
  readonly channelId: number;
  readonly groupChannelId: number;
  readonly kind: "standard" | "extended";
  extranoncePrefix: Uint8Array;
  readonly extranonceSize: number;
  target: bigint;
  job: Job;
  prevHash: Fields<"SetNewPrevHash">;
  #sequence = 0;
  #nonce = 0;

  private constructor(
    miner: MockMiner,
    opened: Fields<"OpenStandardMiningChannelSuccess"> | Fields<"OpenExtendedMiningChannelSuccess">,
    job: Job,
    prevHash: Fields<"SetNewPrevHash">,
  ) {
    this.miner = miner;
    this.channelId = opened.channelId;
    this.groupChannelId = opened.groupChannelId;
    this.extranoncePrefix = opened.extranoncePrefix;
    this.extranonceSize = "extranonceSize" in opened ? opened.extranonceSize : 0;
    this.target = targetOf(opened.target);
    this.kind = job.kind;
    this.job = job;
    this.prevHash = prevHash;
  }

  /** Opens a standard channel and takes its first job. */
  static async standard(
    miner: MockMiner,
    changes: Partial<Fields<"OpenStandardMiningChannel">> = {},
  ): Promise<MockChannel> {
    const opened = await miner.openStandard(changes);
    const fields = await miner.expect("NewMiningJob");
    return new MockChannel(miner, opened, { kind: "standard", fields }, await miner.expect("SetNewPrevHash"));
  }

  /** Opens an extended channel and takes its first job. */
  static async extended(
    miner: MockMiner,
    changes: Partial<Fields<"OpenExtendedMiningChannel">> = {},
  ): Promise<MockChannel> {
    const opened = await miner.openExtended(changes);
    const fields = await miner.expect("NewExtendedMiningJob");
    return new MockChannel(miner, opened, { kind: "extended", fields }, await miner.expect("SetNewPrevHash"));
  }

  /** Finds a share for the present job; each call another one. */
  find(wanted: Wanted = {}): FoundShare {
    const { fields } = this.job;
    const version = wanted.version ?? fields.version;
    const ntime = wanted.ntime ?? Math.max(this.prevHash.minNtime, fields.minNtime ?? 0);
    const extranonce = wanted.extranonce ?? new Uint8Array(this.extranonceSize).fill(7);
    const merkleRoot =
      this.job.kind === "standard"
        ? this.job.fields.merkleRoot
        : extendedMerkleRoot(this.job.fields, concat(this.extranoncePrefix, extranonce));
    const work = { version, prevHash: this.prevHash.prevHash, merkleRoot, time: ntime, nBits: this.prevHash.nbits };
    const { nonce } = grind(work, wanted.atMost ?? this.target, wanted.above, this.#nonce);
    this.#nonce = nonce + 1;
    const header = serializeHeader({ ...work, nonce });
    return { jobId: fields.jobId, nonce, ntime, version, extranonce, header };
  }

  /** Sends a share under the next sequence number, which it returns. */
  submit(share: FoundShare, tlv?: Uint8Array): number {
    const { jobId, nonce, ntime, version, extranonce } = share;
    const sequenceNumber = this.#sequence++;
    const fields = { channelId: this.channelId, sequenceNumber, jobId, nonce, ntime, version };
    if (this.kind === "standard") this.miner.send("SubmitSharesStandard", fields);
    else this.miner.send("SubmitSharesExtended", { ...fields, extranonce }, tlv);
    return sequenceNumber;
  }
}
