/** Work of auxiliary chains for tests. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { AuxWork } from "../../src/mining/aux.ts";

/** Work named `id`, whose hash follows from that; by default at height 21 on the parent "p1", with a target that nothing meets by accident. */
export function auxWork(wish: Partial<AuxWork> & { readonly id: string }): AuxWork {
  return {
    hash: Uint8Array.from(sha256(new TextEncoder().encode(wish.id))),
    parent: "p1",
    height: 21,
    target: 1n << 200n,
    value: 5_000_000_000n,
    details: {},
    ...wish,
  };
}
