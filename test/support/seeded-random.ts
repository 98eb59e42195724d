/** Reproducible randomness for tests. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Random } from "../../src/kernel/random.ts";

/** A stream of SHA-256 blocks over `seed` and a counter. */
export function seededRandom(seed: number): Random {
  let counter = 0;
  let block = new Uint8Array(0);
  return {
    bytes(size: number): Uint8Array {
      const out = new Uint8Array(size);
      for (let i = 0; i < size; i++) {
        if (block.length === 0) block = Uint8Array.from(sha256(new TextEncoder().encode(`${seed}:${counter++}`)));
        out[i] = block[0] as number;
        block = block.subarray(1);
      }
      return out;
    },
  };
}
