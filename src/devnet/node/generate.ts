/** Makes blocks inside the node: the history it starts with, and `generatetoaddress`. Real proof of work, any target. */
import { assembleBlock } from "../../bitcoin/block.ts";
import { heightPush } from "../../bitcoin/coinbase.ts";
import { HeaderHasher, serializeHeader } from "../../bitcoin/header.ts";
import { merkleRoot } from "../../bitcoin/merkle.ts";
import { pushBytes } from "../../bitcoin/script.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { serializeTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import { type BlockData, decodeBlock } from "./block-data.ts";
import type { BlockTemplate } from "./template.ts";

/** Nonces tried before the caller gets the thread back: some 20 ms. */
export const NONCES_PER_SLICE = 20_000;

/** What the miner puts into a block besides the template. */
export interface BlockPlan {
  /** scriptPubKey that is paid. */
  readonly script: Uint8Array;
  /** Header time, Unix seconds. */
  readonly time: number;
  /** Makes the coinbase unlike any other at this height. */
  readonly extranonce: Uint8Array;
}

/** The coinbase of `template`, with lock time and sequence as Core 31 sets them (BIP54). */
export function templateCoinbase(template: BlockTemplate, plan: BlockPlan): Transaction {
  return {
    version: 2,
    inputs: [
      {
        prevHash: new Uint8Array(32),
        prevIndex: 0xffffffff,
        script: concat(heightPush(template.height), pushBytes(plan.extranonce)),
        sequence: 0xfffffffe,
        witness: [new Uint8Array(32)],
      },
    ],
    outputs: [
      { value: template.coinbaseValue, script: plan.script },
      { value: 0n, script: template.witnessCommitment },
    ],
    lockTime: template.height - 1,
  };
}

/**
 * Searches a block in slices of `NONCES_PER_SLICE`, so that the caller chooses when to give the thread away. Each call of
 * `next` yields `undefined` until the block is found; after 2^32 nonces without one the generator ends.
 */
export function* mine(template: BlockTemplate, plan: BlockPlan): Generator<undefined, BlockData | undefined> {
  const coinbase = templateCoinbase(template, plan);
  const header = serializeHeader({
    version: 0x20000000,
    prevHash: template.prev.hash,
    merkleRoot: merkleRoot([txid(coinbase), ...template.transactions.map((each) => each.txid)]),
    time: plan.time,
    nBits: template.nBits,
    nonce: 0,
  });
  const hasher = new HeaderHasher(header);
  const target = targetFromCompact(template.nBits);
  for (let start = 0; start < 2 ** 32; start += NONCES_PER_SLICE) {
    const nonce = hasher.search(start, NONCES_PER_SLICE, target);
    if (nonce === undefined) {
      yield undefined;
      continue;
    }
    new DataView(header.buffer).setUint32(76, nonce, true);
    const raw = serializeTransaction(coinbase, { witness: true });
    return decodeBlock(
      assembleBlock(
        header,
        raw,
        template.transactions.map((each) => each.raw),
      ),
    );
  }
  return undefined;
}
