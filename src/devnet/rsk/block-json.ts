/** Blocks as rskj's RPC prints them. What belongs to state and gas is filled in with constants. */
import type { RskBlock } from "./chain.ts";
import { data, type JsonObject, quantity, word } from "./hex.ts";

const ZEROS_32 = word(0n);
const NO_UNCLES = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
const EXTRA_DATA = "0xcd018b564554495645522d646576";

/** A block, or an uncle, which has no transactions. */
export function blockJson(block: RskBlock, isUncle = false): JsonObject {
  const { proof } = block;
  return {
    ...headJson(block),
    mixHash: ZEROS_32,
    nonce: "0x0000000000000000",
    totalDifficulty: quantity(block.totalDifficulty),
    size: "0x2dc",
    transactions: isUncle ? [] : [block.remasc],
    uncles: isUncle ? [] : block.uncles,
    minimumGasPrice: "0x0",
    bitcoinMergedMiningHeader: data(proof?.header ?? new Uint8Array(0)),
    bitcoinMergedMiningCoinbaseTransaction: data(proof?.compressedCoinbase ?? new Uint8Array(0)),
    bitcoinMergedMiningMerkleProof: data(proof?.merkleProof ?? new Uint8Array(0)),
    hashForMergedMining: data(block.hashForMergedMining),
    paidFees: quantity(block.paidFees),
    cumulativeDifficulty: quantity(block.difficulty),
    rskPteEdges: [],
    baseEvent: null,
  };
}

/** What a subscriber to new heads is told. */
export function headJson(block: RskBlock): JsonObject {
  return {
    number: quantity(block.number),
    hash: block.hash,
    parentHash: block.parentHash,
    sha3Uncles: NO_UNCLES,
    logsBloom: `0x${"00".repeat(256)}`,
    transactionsRoot: ZEROS_32,
    stateRoot: ZEROS_32,
    receiptsRoot: ZEROS_32,
    miner: block.miner,
    difficulty: quantity(block.difficulty),
    extraData: EXTRA_DATA,
    gasLimit: "0x97fe24",
    gasUsed: "0x0",
    timestamp: quantity(block.timestamp),
  };
}
