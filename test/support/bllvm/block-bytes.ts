/** A block of the regtest chain as it goes over the wire. */
import { assembleBlock } from "../../../src/bitcoin/block.ts";
import type { BlockData } from "../../../src/devnet/node/block-data.ts";

/** Header, count and transactions with their witnesses. */
export function serializeBlock({ block }: BlockData): Uint8Array {
  const [coinbase, ...rest] = block.rawTransactions;
  return assembleBlock(block.headerBytes, coinbase ?? new Uint8Array(0), rest);
}
