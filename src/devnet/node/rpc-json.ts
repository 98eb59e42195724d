/**
 * Blocks and transactions as Core's RPC prints them at verbosity 1 and 2. Left out are `asm` (the script in words) and
 * `type` beyond the common ones.
 */
import { addressOfScript } from "../../bitcoin/address.ts";
import { descriptorChecksum } from "../../bitcoin/descriptor.ts";
import type { NetworkName } from "../../bitcoin/network.ts";
import { OP, publicKeyHash, scriptHash, witnessProgram } from "../../bitcoin/script.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { isCoinbase } from "../../bitcoin/transaction.ts";
import { toDisplayHex, toHex } from "../../kernel/bytes.ts";
import { amount, bitsHex, difficultyOfBits, hex256, type JsonObject } from "../rpc/json.ts";
import type { BlockData, TxData } from "./block-data.ts";
import { type BlockNode, medianTimePast } from "./block-index.ts";
import type { Chain } from "./chain.ts";
import { outpoint } from "./validation.ts";

/** The answer of getblockheader, and the head of getblock's. */
export function headerJson(chain: Chain, node: BlockNode): JsonObject {
  const { header } = node;
  const active = chain.isActive(node);
  const next = active ? chain.at(node.height + 1) : undefined;
  return {
    hash: node.key,
    confirmations: active ? chain.tip.height - node.height + 1 : -1,
    height: node.height,
    version: header.version | 0,
    versionHex: header.version.toString(16).padStart(8, "0"),
    merkleroot: toDisplayHex(header.merkleRoot),
    time: header.time,
    mediantime: medianTimePast(node),
    nonce: header.nonce,
    bits: bitsHex(header.nBits),
    target: hex256(targetFromCompact(header.nBits)),
    difficulty: difficultyOfBits(header.nBits),
    chainwork: hex256(node.work),
    nTx: node.txCount,
    ...(node.height > 0 ? { previousblockhash: toDisplayHex(header.prevHash) } : {}),
    ...(next !== undefined ? { nextblockhash: next.key } : {}),
  };
}

/** The answer of getblock: txids at verbosity 1, whole transactions with fees from 2 on. */
export function blockJson(
  chain: Chain,
  node: BlockNode,
  data: BlockData,
  verbosity: number,
  network: NetworkName,
): JsonObject {
  const spent = new Map(node.undo?.spent.map(([key, coin]) => [key, coin.value]));
  const input = data.txs[0]?.tx.inputs[0];
  const [witness] = input?.witness ?? [];
  return {
    ...headerJson(chain, node),
    strippedsize: data.strippedSize,
    size: data.size,
    weight: data.weight,
    coinbase_tx: {
      version: data.txs[0]?.tx.version,
      locktime: data.txs[0]?.tx.lockTime,
      sequence: input?.sequence,
      coinbase: toHex(input?.script ?? new Uint8Array(0)),
      ...(witness === undefined ? {} : { witness: toHex(witness) }),
    },
    tx: data.txs.map((each) =>
      verbosity <= 1 ? each.key : { ...transactionJson(each, network), ...feeJson(each, spent), hex: toHex(each.raw) },
    ),
  };
}

function feeJson({ tx }: TxData, spent: ReadonlyMap<string, bigint>): JsonObject {
  if (isCoinbase(tx) || spent.size === 0) return {};
  let fee = 0n;
  for (const input of tx.inputs) fee += spent.get(outpoint(input)) ?? 0n;
  for (const output of tx.outputs) fee -= output.value;
  return { fee: amount(fee) };
}

/** A transaction as decoderawtransaction prints it. */
export function transactionJson({ tx, raw, key, wtxid, weight }: TxData, network: NetworkName): JsonObject {
  return {
    txid: key,
    hash: toDisplayHex(wtxid),
    version: tx.version,
    size: raw.length,
    vsize: Math.ceil(weight / 4),
    weight,
    locktime: tx.lockTime,
    vin: tx.inputs.map((input) => ({
      ...(isCoinbase(tx)
        ? { coinbase: toHex(input.script) }
        : { txid: toDisplayHex(input.prevHash), vout: input.prevIndex, scriptSig: { hex: toHex(input.script) } }),
      ...(input.witness.length > 0 ? { txinwitness: input.witness.map(toHex) } : {}),
      sequence: input.sequence,
    })),
    vout: tx.outputs.map(({ value, script }, n) => ({
      value: amount(value),
      n,
      scriptPubKey: scriptJson(script, network),
    })),
  };
}

function scriptJson(script: Uint8Array, network: NetworkName): JsonObject {
  const address = addressOfScript(script, network);
  const body = address === undefined ? `raw(${toHex(script)})` : `addr(${address})`;
  return {
    desc: `${body}#${descriptorChecksum(body)}`,
    hex: toHex(script),
    ...(address === undefined ? {} : { address }),
    type: scriptType(script),
  };
}

function scriptType(script: Uint8Array): string {
  if (publicKeyHash(script) !== undefined) return "pubkeyhash";
  if (scriptHash(script) !== undefined) return "scripthash";
  if (script[0] === OP.OP_RETURN) return "nulldata";
  const witness = witnessProgram(script);
  if (witness === undefined) return "nonstandard";
  const size = witness.program.length;
  if (witness.version === 0) return size === 20 ? "witness_v0_keyhash" : "witness_v0_scripthash";
  return witness.version === 1 && size === 32 ? "witness_v1_taproot" : "witness_unknown";
}
