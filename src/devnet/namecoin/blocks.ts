/** How the embedded Namecoin makes its blocks: coinbases and headers as namecoind's (`CreateNewBlock`, BIP34, BIP141). */
import { heightPush, subsidy, witnessCommitmentScript, witnessRoot } from "../../bitcoin/coinbase.ts";
import type { Transaction } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type BlockDraft, draftBlock, type Fees, type NamecoinBlock, type NamecoinChain } from "./chain.ts";

/** Namecoin's, on all its networks. */
export const CHAIN_ID = 1;
/** Chain ID 1, AuxPoW, block version 4. */
export const AUXPOW_BLOCK_VERSION = 0x0001_0104;
/** As above for a block without a parent. */
const PLAIN_BLOCK_VERSION = 0x0001_0004;
const GENESIS_TIME = 1_303_000_001;
const NO_HASH = new Uint8Array(32);

/** What is chosen about a new block. */
export interface NewBlock {
  /** Output script that is paid. */
  readonly script: Uint8Array;
  readonly nBits: number;
  readonly halvingInterval: number;
  readonly fees: Fees;
  /** Whether it will carry a proof of a parent block. */
  readonly auxpow: boolean;
  /** Bytes behind the height in the coinbase; none in a template of namecoind's. */
  readonly extra?: Uint8Array;
}

/** A block on `parent`, by the clock's time or the least one allowed. */
export function newBlock(
  deps: { readonly chain: NamecoinChain; readonly clock: Clock },
  parent: NamecoinBlock,
  block: NewBlock,
): BlockDraft {
  const height = parent.height + 1;
  const now = Math.floor(deps.clock.nowMs() / 1000);
  const header = {
    version: block.auxpow ? AUXPOW_BLOCK_VERSION : PLAIN_BLOCK_VERSION,
    prevHash: parent.hash,
    time: Math.max(now, deps.chain.medianTime(parent) + 1),
    nBits: block.nBits,
    nonce: 0,
  };
  return draftBlock(header, height, coinbase(height, block), block.fees);
}

/** Block 0 of this devnet; it is no real network's. */
export function genesis(nBits: number): BlockDraft {
  const fees: Fees = new Map();
  const block = { script: Uint8Array.of(0x51), nBits, halvingInterval: 1, fees, auxpow: false };
  const header = { version: PLAIN_BLOCK_VERSION, prevHash: NO_HASH, time: GENESIS_TIME, nBits, nonce: 0 };
  return draftBlock(header, 0, coinbase(0, block), fees);
}

/** What the coinbase of `block` pays, sat. */
export function rewardOf(block: Pick<BlockDraft, "coinbase">): bigint {
  return block.coinbase.outputs[0]?.value ?? 0n;
}

function coinbase(height: number, { script, fees, halvingInterval, extra = new Uint8Array(0) }: NewBlock): Transaction {
  let value = subsidy(height, halvingInterval);
  for (const fee of fees.values()) value += fee;
  return {
    version: 1,
    inputs: [
      {
        prevHash: NO_HASH,
        prevIndex: 0xffff_ffff,
        script: concat(heightPush(height), extra),
        sequence: 0xffff_fffe,
        witness: [NO_HASH],
      },
    ],
    outputs: [
      { value, script },
      { value: 0n, script: witnessCommitmentScript(witnessRoot([NO_HASH]), NO_HASH) },
    ],
    lockTime: Math.max(0, height - 1),
  };
}
