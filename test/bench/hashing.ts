/**
 * The compression function beside the loop that it replaced, the share path's double SHA-256 beside noble's, and the nonce
 * loops: there one operation is one double SHA-256.
 */
import { sha256 as noble } from "@noble/hashes/sha2.js";
import { CoinbaseHasher } from "../../src/bitcoin/coinbase.ts";
import { sha256dInto, sha256dPairInto } from "../../src/bitcoin/hash.ts";
import { HeaderHasher } from "../../src/bitcoin/header.ts";
import { absorbBlock, newState } from "../../src/bitcoin/sha256.ts";
import { compress, K } from "../../src/bitcoin/sha256-compress.ts";
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

const schedule = new Int32Array(64);

/** Loser: FIPS 180-4 §6.2.2 as a loop over the 64 rounds. */
export function compressByLoop(state: Int32Array, words: Readonly<Int32Array>): void {
  const w = schedule;
  w.set(words);
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15] as number;
    const y = w[t - 2] as number;
    const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16] as number) + (w[t - 7] as number) + sigma0 + sigma1;
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let t = 0; t < 64; t++) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + sum1 + (g ^ (e & (f ^ g))) + (K[t] as number) + (w[t] as number)) | 0;
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (sum0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
  state[5] = (state[5] as number) + f;
  state[6] = (state[6] as number) + g;
  state[7] = (state[7] as number) + h;
}

function compression(name: string, run: (state: Int32Array, words: Int32Array) => void): Bench {
  const state = newState();
  const words = new Int32Array(16);
  return {
    name: `one block: ${name}`,
    run() {
      for (let i = 0; i < 1000; i++) run(state, words);
      return 1000;
    },
  };
}

const node = Uint8Array.from({ length: 64 }, (_, i) => i);
const left = node.subarray(0, 32);
const right = node.subarray(32);
const coinbase = Uint8Array.from({ length: 250 }, (_, i) => i);
const coinbaseHasher = new CoinbaseHasher(coinbase.subarray(0, 90), 20, coinbase.subarray(110));
const extranonce = coinbase.subarray(90, 110);

/** All benches of hashing. A limit of -1 and a target of 0 are never met, so every nonce is tried. */
export const hashingBenches: Bench[] = [
  compression("rounds written out", compress),
  compression("loop over the rounds", compressByLoop),
  ...pair("a header of 80 bytes", header, (out) => sha256dInto(out, header)),
  ...pair("a merkle node of 64 bytes", node, (out) => sha256dPairInto(out, left, right)),
  ...pair("a coinbase of 250 bytes", coinbase, (out) => coinbaseHasher.txidInto(out, extranonce)),
  {
    name: "nonce loop: the CPU miner's",
    run() {
      scan(midstate, tail, 0, NONCES, -1);
      return NONCES;
    },
  },
  {
    name: "nonce loop: HeaderHasher",
    run() {
      hasher.search(0, NONCES, 0n);
      return NONCES;
    },
  },
];
