/** The CPU miner's nonce loop beside the compact one that it replaced: one operation is one double SHA-256 of a header. */
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

/** All benches of hashing. A limit of -1 and a target of 0 are never met, so every nonce is tried. */
export const hashingBenches: Bench[] = [
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
