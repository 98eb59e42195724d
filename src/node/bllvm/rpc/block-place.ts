/**
 * `getblockheader`: a block's header and where it stands. The node's IPC says neither height nor place, so the height is read from
 * the block's coinbase and the place from the block that the best chain has there.
 */
import { readHeightPush } from "../../../bitcoin/coinbase.ts";
import { equal, toDisplayHex } from "../../../kernel/bytes.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { BllvmHeader } from "../bllvm-node.ts";
import type { BllvmChain, ChainTip } from "./chain.ts";
import type { ChainNode } from "./chain-node.ts";
import { isFirst } from "./headers.ts";
import { coreError } from "./rpc-error.ts";

/** Beyond it a coinbase of before BIP34 begins with a number of another meaning. */
const MAX_HEIGHT = 0x7fff_ffff;

/** What `headerAnswer` needs. */
export interface BlockPlaceDeps {
  readonly node: ChainNode;
  readonly chain: BllvmChain;
}

/**
 * The verbose answer for the block `hash` (internal byte order). Throws Core's "Block not found" (-5), `Fault("bllvm-chain-incomplete")`
 * when the node has its header alone, and what the node's requests throw.
 */
export async function headerAnswer(
  { node, chain }: BlockPlaceDeps,
  hash: Uint8Array,
  options: { readonly timeoutMs: number },
): Promise<Readonly<Record<string, unknown>>> {
  const tip = await chain.tip();
  if (equal(hash, tip.hash)) return answer(tip, 1);
  const header = await chain.headers.find(hash);
  if (header === undefined)
    throw coreError(node.name, "getblockheader", "RPC_INVALID_ADDRESS_OR_KEY", "Block not found");
  const height = isFirst(header) ? 0 : await heightIn(node, hash, options.timeoutMs);
  const there = await chain.at(height, tip);
  // What cannot be read is no word on the block: "beside the best chain" takes its reward back.
  if (there === undefined && height <= tip.height) {
    throw new Fault("bllvm-chain-incomplete", { node: node.name, blockAtHeight: height });
  }
  const isBest = there !== undefined && equal(there.hash, hash);
  const medianTime = await chain.headers.medianTime(header);
  return answer({ key: toDisplayHex(hash), header, height, medianTime }, isBest ? tip.height - height + 1 : -1);
}

/** The height in the coinbase of a block that the node has. */
async function heightIn(node: ChainNode, hash: Uint8Array, timeoutMs: number): Promise<number> {
  const block = await node.block(hash, { timeoutMs });
  const script = block?.coinbaseScriptSig;
  const said = script === undefined ? undefined : readHeightPush(script);
  if (said !== undefined && said <= MAX_HEIGHT) return said;
  throw new Fault("bllvm-chain-incomplete", { node: node.name, block: toDisplayHex(hash) });
}

/** In Core's names. */
function answer(
  {
    key,
    header,
    height,
    medianTime,
  }: Pick<ChainTip, "key" | "height" | "medianTime"> & { readonly header: BllvmHeader },
  confirmations: number,
): Readonly<Record<string, unknown>> {
  return {
    hash: key,
    confirmations,
    height,
    version: header.version,
    merkleroot: toDisplayHex(header.merkleRoot),
    time: header.timestamp,
    mediantime: medianTime,
    nonce: header.nonce,
    bits: header.nBits.toString(16).padStart(8, "0"),
    ...(isFirst(header) ? {} : { previousblockhash: toDisplayHex(header.prevHash) }),
  };
}
