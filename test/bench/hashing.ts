/**
 * The CPU miner's nonce loop beside the compact one that it replaced, and the share path's double SHA-256 beside noble's:
 * one operation is one double SHA-256.
 */
import { sha256 as noble } from "@noble/hashes/sha2.js";
import { CoinbaseHasher } from "../../src/bitcoin/coinbase.ts";
import { sha256dInto, sha256dPairInto } from "../../src/bitcoin/hash.ts";
import { HeaderHasher } from "../../src/bitcoin/header.ts";
import { absorbBlock, newState } from "../../src/bitcoin/sha256.ts";
import { scan } from "../../src/devnet/miner/sha256d-scan.ts";
import type { Bench } from "./bench.ts";

const NONCES = 2_000;
const header = Uint8Array.from({ length: 80 }, (_, i) => i);
const midstate = newState();
absorbBlock(midstate, header, 0);
const view = new DataView(header.buffer);
const tail = Int32Array.of(view.getInt32(64), view.getInt32(68), view.getInt32(72));
const hasher = new HeaderHasher(header);

/** The same double SHA-256 by us and by noble. */
function pair(what: string, bytes: Uint8Array, ours: (out: Uint8Array) => void): Bench[] {
  const times = 200;
  const out = new Uint8Array(32);
  return [
    {
      name: `double SHA-256 of ${what}: bitcoin/sha256.ts`,
      run() {
        for (let i = 0; i < times; i++) ours(out);
        return times;
      },
    },
    {
      name: `double SHA-256 of ${what}: noble`,
      run() {
        for (let i = 0; i < times; i++) noble(noble(bytes));
        return times;
      },
    },
  ];
}

const node = Uint8Array.from({ length: 64 }, (_, i) => i);
const left = node.subarray(0, 32);
const right = node.subarray(32);
const coinbase = Uint8Array.from({ length: 250 }, (_, i) => i);
const coinbaseHasher = new CoinbaseHasher(coinbase.subarray(0, 90), 20, coinbase.subarray(110));
const extranonce = coinbase.subarray(90, 110);

/** All benches of hashing. A limit of -1 and a target of 0 are never met, so every nonce is tried. */
export const hashingBenches: Bench[] = [
  ...pair("a header of 80 bytes", header, (out) => sha256dInto(out, header)),
  ...pair("a merkle node of 64 bytes", node, (out) => sha256dPairInto(out, left, right)),
  ...pair("a coinbase of 250 bytes", coinbase, (out) => coinbaseHasher.txidInto(out, extranonce)),
  {
    name: "nonce loop: sixteen rounds written out (the CPU miner)",
    run() {
      scan(midstate, tail, 0, NONCES, -1);
      return NONCES;
    },
  },
  {
    name: "nonce loop: compact (bitcoin/header.ts)",
    run() {
      hasher.search(0, NONCES, 0n);
      return NONCES;
    },
  },
];
