/**
 * Where a chain stands in the tree of AuxPoW chains (Bitcoin wiki "Merged mining specification", Namecoin `CAuxPow::getExpectedIndex`).
 * Verifiers compute it from the nonce and the tree's size in the coinbase, so that a chain cannot be committed to twice.
 */

/** Chain IDs have 16 bits: the upper half of a block's version. */
export const MAX_CHAIN_ID = 0xffff;

/** Levels that a tree may have at most (`CAuxPow::check`: "chain merkle branch too long"). */
export const MAX_TREE_HEIGHT = 30;

/**
 * Leaf index of `chainId` in a tree of 2^`height` leaves with `nonce` (u32): two steps of a linear congruential generator modulo 2^32.
 * For a given nonce and height it is an odd multiple of the ID plus a constant, so two chains meet if and only if
 * their IDs are equal modulo 2^height, whatever the nonce.
 */
export function slotOf(nonce: number, chainId: number, height: number): number {
  const first = (Math.imul(nonce, 1103515245) + 12345 + chainId) | 0;
  const second = Math.imul(first, 1103515245) + 12345;
  return second & (2 ** height - 1);
}
