import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { absorbBlock, newState } from "../../../../src/bitcoin/sha256.ts";
import { scan } from "../../../../src/devnet/miner/sha256d-scan.ts";
import { fromHex, toDisplayHex } from "../../../../src/kernel/bytes.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

/** The header of Bitcoin's first block, whose nonce is 2083236893. */
const GENESIS = fromHex(
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
);

function prepared(header: Uint8Array): { midstate: Int32Array; tail: Int32Array } {
  const midstate = newState();
  absorbBlock(midstate, header, 0);
  const view = new DataView(header.buffer, header.byteOffset);
  return { midstate, tail: Int32Array.of(view.getInt32(64), view.getInt32(68), view.getInt32(72)) };
}

describe("the nonce loop", () => {
  test("finds the nonce of Bitcoin's first block", () => {
    const { midstate, tail } = prepared(GENESIS);
    expect(scan(midstate, tail, 2083236893 - 1000, 2000, 0)).toBe(2083236893);
    expect(scan(midstate, tail, 2083236893, 1, 0)).toBe(2083236893);
    expect(scan(midstate, tail, 2083236893 - 1000, 1000, 0)).toBe(-1);
    expect(scan(midstate, tail, 2083236893 + 1, 1000, 0)).toBe(-1);
  });

  test("sees the same highest word as an independent SHA-256, for any header and both halves of the nonces", () => {
    const random = seededRandom(11);
    for (let i = 0; i < 50; i++) {
      const header = random.bytes(80);
      const { midstate, tail } = prepared(header);
      const nonce = new DataView(header.buffer).getUint32(76, true);
      const top = new DataView(sha256(sha256(header)).buffer).getUint32(28, true);
      expect(scan(midstate, tail, nonce, 1, top)).toBe(nonce);
      if (top > 0) expect(scan(midstate, tail, nonce, 1, top - 1)).toBe(-1);
    }
  });

  test("reaches the last nonce and stops there", () => {
    const { midstate, tail } = prepared(GENESIS);
    expect(scan(midstate, tail, 0xffffffff, 1, 0xffffffff)).toBe(0xffffffff);
    expect(scan(midstate, tail, 0x80000000, 1, 0xffffffff)).toBe(0x80000000);
    expect(scan(midstate, tail, 5, 0, 0xffffffff)).toBe(-1);
  });

  test("agrees with the hash that explorers print", () => {
    expect(toDisplayHex(sha256(sha256(GENESIS)))).toBe(
      "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    );
  });
});
