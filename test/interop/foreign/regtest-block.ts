/** Blocks for a regtest chain that is not ours, from what its tip says. */
import { heightPush, subsidy } from "../../../src/bitcoin/coinbase.ts";
import { headerHash } from "../../../src/bitcoin/header.ts";
import type { Transaction } from "../../../src/bitcoin/transaction.ts";
import { concat } from "../../../src/kernel/bytes.ts";
import { type Draft, finish } from "../../support/block-draft.ts";

const N_BITS = 0x207fffff;
const HALVING_INTERVAL = 150;
let blocks = 0;

/** A block in the making on the block with hash `prevHash`, which pays to `script`. Time is Unix seconds. */
export function regtestDraft(tip: {
  readonly prevHash: Uint8Array;
  readonly height: number;
  readonly time: number;
  readonly script: Uint8Array;
  readonly transactions?: readonly Transaction[];
}): Draft {
  const { prevHash, height, time, script, transactions = [] } = tip;
  blocks += 1;
  const input = {
    prevHash: new Uint8Array(32),
    prevIndex: 0xffffffff,
    script: concat(heightPush(height), Uint8Array.of(2, blocks & 0xff, blocks >> 8)),
    sequence: 0xffffffff,
    witness: [],
  };
  const outputs = [{ value: subsidy(height, HALVING_INTERVAL), script }];
  return {
    height,
    header: { version: 0x20000000, prevHash, merkleRoot: new Uint8Array(32), time, nBits: N_BITS, nonce: 0 },
    coinbase: { version: 2, inputs: [input], outputs, lockTime: 0 },
    transactions,
  };
}

/** Its bytes with proof of work and witness commitment, and its hash. */
export function solved(draft: Draft): { readonly wire: Uint8Array; readonly hash: Uint8Array } {
  const wire = finish(draft);
  return { wire, hash: headerHash(wire.subarray(0, 80)) };
}
