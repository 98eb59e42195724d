/** What the ledger keeps of a found block, and what the words of daemons make of it; plain and small, without the block's bytes. */

import { parseHeader } from "../../bitcoin/header.ts";
import { targetFromCompact, workOfTarget } from "../../bitcoin/target.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import type { AuxAnswer, FoundAux } from "../../merge/found-aux.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";
import { MAX_REWARD } from "../store/amount.ts";
import { BITCOIN } from "../store/schema.ts";
import { auxWorkToText } from "./aux-work-text.ts";
import { storable } from "./state.ts";

/** A found block as it is recorded first. */
export interface FoundRecord {
  readonly chain: string;
  readonly key: string;
  readonly blockHash: string;
  /** Hash of the Bitcoin header, display hex. */
  readonly headerHash: string;
  readonly height: number;
  readonly finder: string;
  readonly foundMs: number;
  /** Hashes that a block of its target takes on average. */
  readonly work: bigint;
  readonly expected: bigint | undefined;
  /** What the coinbase paid straight to the finder. */
  readonly finderPaid: bigint;
  readonly finderAddress: string | undefined;
  /** As `FoundBlock.isGift`. */
  readonly isGift: boolean;
  /** The aux work as text; `undefined` for Bitcoin. */
  readonly auxWork: string | undefined;
}

/** What a daemon's word, or the end of all attempts, makes of a block. */
export interface Verdict {
  readonly state: "accepted" | "stale" | "rejected" | "failed";
  readonly note: string;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
  /** Where the daemon named the block otherwise than its work did. */
  readonly blockHash?: string;
  readonly height?: number;
}

/** The record of a Bitcoin block. Its target is its header's `nBits`, which it met. */
export function bitcoinRecord(block: FoundBlock): FoundRecord {
  const hash = toDisplayHex(block.hash);
  return {
    chain: BITCOIN,
    key: `${BITCOIN}:${hash}`,
    blockHash: hash,
    headerHash: hash,
    height: block.height,
    finder: storable(block.userIdentity),
    foundMs: Math.floor(block.foundMs),
    work: workOfTarget(targetFromCompact(parseHeader(block.header).nBits)),
    expected: block.reward,
    finderPaid: block.finderReward,
    finderAddress: block.finderAddress,
    isGift: block.isGift ?? false,
    auxWork: undefined,
  };
}

/** The record of an aux block. */
export function auxRecord({ chain, key, work, proof, userIdentity, foundMs }: FoundAux): FoundRecord {
  return {
    chain,
    key: storable(key),
    blockHash: storable(work.id),
    headerHash: toDisplayHex(proof.headerHash),
    height: work.height,
    finder: storable(userIdentity),
    foundMs: Math.floor(foundMs),
    work: workOfTarget(work.target),
    // A plugin may say anything.
    expected: work.value === undefined || work.value > MAX_REWARD ? undefined : work.value,
    finderPaid: 0n,
    finderAddress: undefined,
    isGift: false,
    auxWork: auxWorkToText(work),
  };
}

/**
 * A node's answer. Of several nodes' answers accepted wins over stale and stale over rejected, in whatever order they come
 * (`TRANSITIONS`): one node that takes the block spreads it, and what one finds valid is not invalid because an older one says so. A node that
 * knew the block already got it from us or from another node of ours.
 */
export function bitcoinVerdict({ node, verdict, reason }: BlockAnswer, atMs: number): Verdict {
  const state = verdict === "duplicate" ? "accepted" : verdict;
  const words = reason === "" ? (verdict === "duplicate" ? "it knew the block already" : verdict) : reason;
  return { state, note: `${node}: ${words}`, atMs: Math.floor(atMs) };
}

/**
 * A daemon's answer to an aux block. `duplicate` is our own block that it has from an earlier attempt whose answer was lost: its template pays
 * us, so nobody else can have solved it. A second solution of the same block is told apart when it is written (`twinOf`).
 */
export function auxVerdict({ verdict, reason, blockHash, height, atMs }: AuxAnswer): Verdict {
  const state = verdict === "duplicate" ? "accepted" : verdict;
  const words = verdict === "duplicate" ? `the daemon has it already ${reason}`.trim() : reason;
  return { state, note: words, atMs: Math.floor(atMs), blockHash: storable(blockHash), height };
}
