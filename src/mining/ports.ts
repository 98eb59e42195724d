/** The ports through which the mining core meets the world: where work comes from and where found blocks go. */
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Job } from "./job.ts";
import type { Template } from "./template.ts";

/**
 * Why a template was offered: `newBlock` another previous block, or another target on it (miners must leave the old job), `refresh` the same
 * previous block with other transactions or time, `fill` the full template behind an empty first one, `aux` the same template once more
 because a merge-mined chain has new work (miners may go on with the old job).
 */
export type TemplateCause = "newBlock" | "refresh" | "fill" | "aux";

/** Gives templates as they come. */
export interface JobSource extends Part {
  /** The newest template; `undefined` until the first one came or while no node can be trusted. */
  current(): Template | undefined;
  /** Calls `listener` with every later template, in order. Listeners must not block. */
  onTemplate(listener: (template: Template, cause: TemplateCause) => void): Unsubscribe;
}

/** Gives jobs as they come; what the mining server takes them from. */
export interface JobFeed {
  /** The newest job; `undefined` before the first, and while there is none that all channels share. */
  current(): Job | undefined;
  /** Calls `listener` with every later job, in order. */
  onJob(listener: (job: Job, cause: TemplateCause) => void): Unsubscribe;
}

/** A share whose hash meets the Bitcoin target, with everything needed to submit it again after a restart. */
export interface FoundBlock {
  /** Header hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  readonly height: number;
  readonly prevHash: Uint8Array;
  readonly templateId: string;
  /** Name of the job source whose template it solves. */
  readonly source: string;
  /** The 80 bytes of the header. */
  readonly header: Uint8Array;
  /** The coinbase with witness, serialised. */
  readonly coinbase: Uint8Array;
  /** The whole block, serialised; `undefined` where only the source holds the transactions. */
  readonly block: Uint8Array | undefined;
  /** Sum of the coinbase outputs that pay us, in sat. */
  readonly reward: bigint;
  /** What the coinbase pays straight to the address of the channel that found it, in sat; 0 where all of it is ours. */
  readonly finderReward: bigint;
  /** That address; `undefined` for none. */
  readonly finderAddress: string | undefined;
  /**
   * Whether blocks paid user identities when it was found: then what is ours of it is what its finder left us, and no other worker has a part in it.
   * Left out, it is work that all were credited for.
   */
  readonly isGift?: boolean;
  /** User identity that found it. */
  readonly userIdentity: string;
  /** Wall time of the find, ms since the Unix epoch. */
  readonly foundMs: number;
}

/**
 * A node's last word on a block. `accepted` it is in the node's best chain, `stale` it is valid but another block won
 * (BIP22 "inconclusive", or the previous block is no longer the tip), `duplicate` the node knew it already (counts as
 * accepted unless the node calls it invalid), `rejected` it is not valid, with the node's reason.
 */
export interface BlockAnswer {
  readonly verdict: "accepted" | "stale" | "duplicate" | "rejected";
  /** Name of the node that spoke. */
  readonly node: string;
  /** The node's own words, e.g. `bad-txnmrklroot`; empty when it had none. */
  readonly reason: string;
}

/** Takes found blocks and does not let go of them until every node gave a final answer. */
export interface BlockSink {
  /**
   * Hands over a block; returns at once and never throws. The sink writes it down, submits it to all its nodes and
   * keeps trying while a node is away.
   */
  submit(block: FoundBlock): void;
  /** Calls `listener` with every final answer of a node. */
  onAnswer(listener: (block: FoundBlock, answer: BlockAnswer) => void): Unsubscribe;
  /** Resolves when no block is waiting for its first answer, or when `signal` aborts. */
  drained(signal: AbortSignal): Promise<void>;
}

/** Decides who may mine. */
export interface Authoriser {
  /**
   * Called when a channel is opened and when a share names another worker. `refused` carries the SV2 error code for
   * the miner: `unknown-user` or `invalid-user-identity`.
   */
  authorise(userIdentity: string): { readonly allowed: true } | { readonly allowed: false; readonly errorCode: string };
}

/** One accepted share, as the ledger wants it. Serialisable. */
export interface ShareCredit {
  readonly userIdentity: string;
  /** Channel difficulty of the job it was found for; 1 is 2^32 hashes on average. */
  readonly difficulty: number;
  /**
   * Names of exactly those auxiliary chains that the share's own job committed to. Shares of one job carry the same frozen array, so what is
   * derived from it can be remembered by its identity.
   */
  readonly chains: readonly string[];
  readonly height: number;
  readonly jobId: number;
  readonly atMs: number;
  /** The pool whose job it was, by its configured name: that pool pays for it, so it has no part in blocks of ours. Left out for our own jobs. */
  readonly pool?: string;
}

/** Who gets accepted shares told. */
export interface ShareSink {
  /** Must return at once and not throw. */
  credit(share: ShareCredit): void;
}
