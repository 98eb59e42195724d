/** Blocks, headers and templates of the chain as the node's IPC shows them: 64-bit numbers, no witness. */
import { subsidy } from "../../../src/bitcoin/coinbase.ts";
import type { Header } from "../../../src/bitcoin/header.ts";
import { merkleRoot } from "../../../src/bitcoin/merkle.ts";
import { targetFromCompact } from "../../../src/bitcoin/target.ts";
import { type Transaction, txid } from "../../../src/bitcoin/transaction.ts";
import type { BlockNode } from "../../../src/devnet/node/block-index.ts";
import { difficultyOfBits } from "../../../src/devnet/rpc/json.ts";
import { fromHex, utf8 } from "../../../src/kernel/bytes.ts";
import type { FakeChain } from "./chain.ts";
import type { WireBlock, WireHeader, WireTemplate, WireTransaction } from "./layouts.ts";
import type { RequestValue, ResponseValue } from "./messages.ts";

/** A header. */
export function wireHeader(header: Header): WireHeader {
  return {
    version: BigInt(header.version | 0),
    prevBlockHash: header.prevHash,
    merkleRoot: header.merkleRoot,
    timestamp: BigInt(header.time),
    bits: BigInt(header.nBits),
    nonce: BigInt(header.nonce),
  };
}

/** A transaction, its witness left out. */
export function wireTransaction(tx: Transaction): WireTransaction {
  return {
    version: BigInt(tx.version),
    inputs: tx.inputs.map((input) => ({
      prevout: { hash: input.prevHash, index: input.prevIndex },
      sequence: BigInt(input.sequence),
      scriptSig: input.script,
    })),
    outputs: tx.outputs.map(({ value, script }) => ({ value, scriptPubkey: script })),
    lockTime: BigInt(tx.lockTime),
  };
}

/** A block whose content is still kept. */
export function wireBlock(node: BlockNode | undefined): WireBlock | null {
  if (node?.data === undefined) return null;
  return { header: wireHeader(node.header), transactions: node.data.txs.map(({ tx }) => wireTransaction(tx)) };
}

/** Difficulty as the node says it everywhere: never less than 1, which is regtest's. */
export function nodeDifficulty(nBits: number): number {
  return Math.max(1, difficultyOfBits(nBits));
}

/** `ChainInfo`: `difficulty` is the difficulty cut to an integer and not nBits; `chainWork` its low 64 bits. */
export function chainInfoOf(chain: FakeChain, isSynced: boolean): ResponseValue<"ChainInfo"> {
  const { tip } = chain.chain;
  return {
    tipHash: tip.hash,
    height: BigInt(tip.height),
    difficulty: Math.min(0xffffffff, Math.trunc(nodeDifficulty(tip.header.nBits))),
    chainWork: BigInt.asUintN(64, tip.work),
    isSynced,
  };
}

/** `MempoolSize`: bytes without witness. */
export function mempoolSizeOf(chain: FakeChain): ResponseValue<"MempoolSize"> {
  const entries = [...chain.node.mempool.entries()];
  return {
    transactionCount: BigInt(entries.length),
    sizeBytes: BigInt(entries.reduce((sum, each) => sum + each.strippedSize, 0)),
    totalFeeSats: entries.reduce((sum, each) => sum + each.fee, 0n),
  };
}

/**
 * GetBlockTemplate as `api/node_api.rs` and blvm-consensus `mining.rs` make it: `height` is the tip's, the coinbase pays the
 * subsidy of that height without fees to a script that need not be one, its scriptSig is the caller's as it stands, and
 * neither witness nor commitment is anywhere. `undefined` with fewer than two headers: the node fails then.
 */
export function wireTemplate(
  chain: FakeChain,
  request: RequestValue<"GetBlockTemplate">,
  nowMs: number,
): WireTemplate | undefined {
  const { prev, transactions, nBits } = chain.template();
  if (prev.height < 1) return undefined;
  const coinbase: Transaction = {
    version: 1,
    inputs: [
      {
        prevHash: new Uint8Array(32),
        prevIndex: 0xffffffff,
        script: request.coinbaseScript ?? new Uint8Array(0),
        sequence: 0xfffffffe,
        witness: [],
      },
    ],
    outputs: [
      {
        value: subsidy(prev.height, chain.chain.options.halvingInterval),
        script: addressScript(request.coinbaseAddress ?? ""),
      },
    ],
    lockTime: Math.max(0, prev.height - 13),
  };
  const time = Math.floor(nowMs / 1000);
  return {
    header: wireHeader({
      version: 1,
      prevHash: prev.hash,
      merkleRoot: merkleRoot([txid(coinbase), ...transactions.map((each) => each.txid)]),
      time,
      nBits,
      nonce: 0,
    }),
    coinbaseTx: wireTransaction(coinbase),
    transactions: transactions.map(({ tx }) => wireTransaction(tx)),
    target: BigInt.asUintN(128, targetFromCompact(nBits)) || 1n,
    height: BigInt(prev.height),
    timestamp: BigInt(time),
  };
}

/** `hex:` and a script, or the text's own bytes. */
function addressScript(address: string): Uint8Array {
  if (!address.startsWith("hex:")) return utf8(address);
  const hex = address.slice(4);
  return /^([0-9a-f]{2})*$/i.test(hex) ? fromHex(hex) : new Uint8Array(0);
}
