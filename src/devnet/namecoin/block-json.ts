/** Blocks as namecoind's RPC prints them, proofs included. Left out are scripts in words, descriptors and addresses. */
import { headerHash, parseHeader } from "../../bitcoin/header.ts";
import { targetFromCompact } from "../../bitcoin/target.ts";
import { hasWitness, serializeTransaction, type Transaction, txid, weight, wtxid } from "../../bitcoin/transaction.ts";
import { toDisplayHex, toHex } from "../../kernel/bytes.ts";
import { amount, bitsHex, difficultyOfBits, hex256, type JsonObject } from "../rpc/json.ts";
import { type AuxPow, readAuxPow } from "./auxpow.ts";
import { blockBytes, type NamecoinBlock, type NamecoinChain } from "./chain.ts";

/** The answer of getblockheader. */
export function headerJson(chain: NamecoinChain, block: NamecoinBlock): JsonObject {
  return { ...headJson(chain, block), ...proofJson(block) };
}

/** The answer of getblock at verbosity 1 (ids of transactions) or 2 (whole ones). */
export function blockJson(chain: NamecoinChain, block: NamecoinBlock, verbosity: number): JsonObject {
  const { coinbase } = block;
  const input = coinbase.inputs[0];
  const [witness] = input?.witness ?? [];
  const size = blockBytes(block).length;
  const strippedSize = size - (hasWitness(coinbase) ? witnessSize(coinbase) : 0);
  return {
    ...headJson(chain, block),
    strippedsize: strippedSize,
    size,
    weight: 3 * strippedSize + size,
    coinbase_tx: {
      version: coinbase.version,
      locktime: coinbase.lockTime,
      sequence: input?.sequence,
      coinbase: toHex(input?.script ?? new Uint8Array(0)),
      ...(witness === undefined ? {} : { witness: toHex(witness) }),
    },
    tx: [verbosity <= 1 ? toDisplayHex(txid(coinbase)) : transactionJson(coinbase)],
    ...proofJson(block),
  };
}

function headJson(chain: NamecoinChain, block: NamecoinBlock): JsonObject {
  const { header, height } = block;
  const isActive = chain.isActive(block);
  const next = isActive ? chain.at(height + 1) : undefined;
  return {
    hash: block.key,
    ...plainHeaderJson(block.headerBytes),
    confirmations: isActive ? chain.tip.height - height + 1 : -1,
    height,
    mediantime: chain.medianTime(block),
    target: hex256(targetFromCompact(header.nBits)),
    chainwork: hex256(block.work),
    nTx: 1,
    ...(next === undefined ? {} : { nextblockhash: next.key }),
  };
}

function plainHeaderJson(header80: Uint8Array): JsonObject {
  const header = parseHeader(header80);
  return {
    version: header.version | 0,
    versionHex: header.version.toString(16).padStart(8, "0"),
    merkleroot: toDisplayHex(header.merkleRoot),
    time: header.time,
    nonce: header.nonce,
    bits: bitsHex(header.nBits),
    difficulty: difficultyOfBits(header.nBits),
    previousblockhash: toDisplayHex(header.prevHash),
  };
}

function proofJson({ auxpow }: NamecoinBlock): JsonObject {
  return auxpow === undefined ? {} : { auxpow: auxPowJson(readAuxPow(auxpow)) };
}

function auxPowJson(proof: AuxPow): JsonObject {
  const hash = toDisplayHex(headerHash(proof.parentHeader));
  return {
    tx: { ...transactionJson(proof.coinbase), blockhash: hash },
    chainindex: proof.chainIndex,
    merklebranch: proof.coinbaseBranch.map(toDisplayHex),
    chainmerklebranch: proof.chainBranch.map(toDisplayHex),
    parentblock: { hash, ...plainHeaderJson(proof.parentHeader) },
  };
}

function transactionJson(tx: Transaction): JsonObject {
  const raw = serializeTransaction(tx, { witness: true });
  return {
    txid: toDisplayHex(txid(tx)),
    hash: toDisplayHex(wtxid(tx)),
    version: tx.version,
    size: raw.length,
    vsize: Math.ceil(weight(tx) / 4),
    weight: weight(tx),
    locktime: tx.lockTime,
    vin: tx.inputs.map((input) => ({
      coinbase: toHex(input.script),
      ...(input.witness.length > 0 ? { txinwitness: input.witness.map(toHex) } : {}),
      sequence: input.sequence,
    })),
    vout: tx.outputs.map(({ value, script }, n) => ({
      value: amount(value),
      n,
      scriptPubKey: { hex: toHex(script), type: script[0] === 0x6a ? "nulldata" : "nonstandard" },
    })),
    hex: toHex(raw),
  };
}

function witnessSize(tx: Transaction): number {
  return serializeTransaction(tx, { witness: true }).length - serializeTransaction(tx, { witness: false }).length;
}
