/**
 * The inner loop of the miner: double SHA-256 (FIPS 180-4) of one header over a range of nonces. The first 64 of the 80
 * bytes are hashed once into a midstate.
 */
import { compress, INITIAL } from "../../bitcoin/sha256-compress.ts";

/**
 * The first nonce from `start` on, of `count`, whose digest's last word, which is the highest of the number that targets
 * are compared with, is at most `limit`; -1 if there is none. The other words are for the caller to check.
 *
 * `midstate`: eight words, the state after the first 64 bytes. `tail`: bytes 64 to 75 as three big-endian words, the end of
 * the merkle root, time and bits. `start` + `count` must not exceed 2^32. `limit`: u32.
 */
export function scan(midstate: Int32Array, tail: Int32Array, start: number, count: number, limit: number): number {
  const state = new Int32Array(8);
  // The second block of the header: its last four words, the padding and its length of 640 bits.
  const header = Int32Array.of(
    tail[0] as number,
    tail[1] as number,
    tail[2] as number,
    0,
    0x80000000,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    640,
  );
  // The second hash: the first digest, padding and its length of 256 bits.
  const digest = Int32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0x80000000, 0, 0, 0, 0, 0, 0, 256);
  for (let i = 0; i < count; i++) {
    const nonce = (start + i) | 0;
    header[3] = swapped(nonce);
    state.set(midstate);
    compress(state, header);
    digest.set(state);
    state.set(INITIAL);
    compress(state, digest);
    if (swapped(state[7] as number) >>> 0 <= limit) return nonce >>> 0;
  }
  return -1;
}

/** The four bytes of a word the other way round. */
function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
