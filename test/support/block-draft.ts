/** Blocks for the devnet's chain, right by default and wrong in one respect where a test says so. */
import { assembleBlock } from "../../src/bitcoin/block.ts";
import { heightPush, subsidy, witnessCommitmentScript, witnessRoot } from "../../src/bitcoin/coinbase.ts";
import { type Header, HeaderHasher, serializeHeader } from "../../src/bitcoin/header.ts";
import { merkleRoot } from "../../src/bitcoin/merkle.ts";
import { MAX_TARGET, targetFromCompact } from "../../src/bitcoin/target.ts";
import { hasWitness, serializeTransaction, type Transaction, txid, wtxid } from "../../src/bitcoin/transaction.ts";
import { type BlockNode, medianTimePast } from "../../src/devnet/node/block-index.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { ANYONE_SCRIPT } from "../../src/devnet/node/synthetic.ts";
import { concat } from "../../src/kernel/bytes.ts";

/** What the outputs of the node's own history are unlocked by. */
export const ANYONE_WITNESS = [Uint8Array.of(0x00, 0x63, 0xac, 0x68, 0x51)];

/** A block in the making. */
export interface Draft {
  readonly height: number;
  readonly header: Header;
  readonly coinbase: Transaction;
  /** Behind the coinbase. */
  readonly transactions: readonly Transaction[];
}

/** How a draft becomes bytes. */
export interface Finish {
  /** Put the witness commitment behind the coinbase's outputs; true. */
  readonly commit?: boolean;
  /** Take the header's merkle root as it is; false. */
  readonly keepRoot?: boolean;
  /** Search a nonce with a hash below the target; with `false` one above it. */
  readonly solved?: boolean;
  /** Changes the coinbase after everything else was computed, e.g. its witness, which no id depends on. */
  readonly late?: (coinbase: Transaction) => Transaction;
}

let drafts = 0;

/** An empty block on `parent`, on the tip by default, with the time `now` (Unix seconds) or the least allowed one. */
export function draft(node: DevnetNode, now: number, parent: BlockNode = node.chain.tip, fees = 0n): Draft {
  const height = parent.height + 1;
  const { options } = node.chain;
  return {
    height,
    header: {
      version: 0x20000000,
      prevHash: parent.hash,
      merkleRoot: new Uint8Array(32),
      time: Math.max(now, medianTimePast(parent) + 1),
      nBits: options.requiredBits(height),
      nonce: 0,
    },
    coinbase: {
      version: 2,
      inputs: [
        {
          prevHash: new Uint8Array(32),
          prevIndex: 0xffffffff,
          script: concat(heightPush(height), Uint8Array.of(2, drafts & 0xff, drafts++ >> 8)),
          sequence: 0xffffffff,
          witness: [],
        },
      ],
      outputs: [{ value: subsidy(height, options.halvingInterval) + fees, script: ANYONE_SCRIPT }],
      lockTime: 0,
    },
    transactions: [],
  };
}

/** The block's bytes: commitment, merkle root and nonce as `how` says. */
export function finish(block: Draft, how: Finish = {}): Uint8Array {
  const { commit = true, keepRoot = false, solved = true, late = (coinbase) => coinbase } = how;
  const nonce = new Uint8Array(32);
  const [input, ...more] = block.coinbase.inputs;
  let { coinbase } = block;
  if (commit && input !== undefined) {
    const root = witnessRoot([nonce, ...block.transactions.map(wtxid)]);
    coinbase = {
      ...coinbase,
      inputs: [{ ...input, witness: [nonce] }, ...more],
      outputs: [...coinbase.outputs, { value: 0n, script: witnessCommitmentScript(root, nonce) }],
    };
  }
  coinbase = late(coinbase);
  const root = keepRoot ? block.header.merkleRoot : merkleRoot([txid(coinbase), ...block.transactions.map(txid)]);
  const raw = block.transactions.map(bytes);
  return assembleBlock(solve({ ...block.header, merkleRoot: root }, solved), bytes(coinbase), raw);
}

/** The bytes of `tx` as they stand in a block. */
export function bytes(tx: Transaction): Uint8Array {
  return serializeTransaction(tx, { witness: hasWitness(tx) });
}

/** `header` with a nonce that meets its target, or with one that does not. */
export function solve(header: Header, solved = true): Uint8Array {
  let target = MAX_TARGET;
  try {
    target = targetFromCompact(header.nBits);
  } catch {
    // A target that stands for no number is tried as it is: no hash can be right for it.
  }
  const hasher = new HeaderHasher(serializeHeader(header));
  for (let nonce = 0; ; nonce++) {
    const found = hasher.search(nonce, 1, target) !== undefined;
    if (found === solved || target === 0n) return serializeHeader({ ...header, nonce });
  }
}

/** A transaction that spends the coinbase of the node's own block at `height`. */
export function spendCoinbase(node: DevnetNode, height: number, change: Partial<Transaction> = {}): Transaction {
  const coinbase = node.chain.at(height)?.data?.txs[0];
  if (coinbase === undefined) throw new Error(`no block ${height}`);
  const [output] = coinbase.tx.outputs;
  return {
    version: 2,
    inputs: [
      {
        prevHash: coinbase.txid,
        prevIndex: 0,
        script: new Uint8Array(),
        sequence: 0xffffffff,
        witness: ANYONE_WITNESS,
      },
    ],
    outputs: [{ value: output?.value ?? 0n, script: ANYONE_SCRIPT }],
    lockTime: 0,
    ...change,
  };
}
