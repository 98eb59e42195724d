/** A merge-mined reward as the node's event has it: an amount in 64 bits, a name, and 32 bytes that stand for the aux block. */
import { fromHex, reversed } from "../../../kernel/bytes.ts";
import type { MergeMiningReward } from "../../../ledger/events.ts";
import type { BllvmPublishedEvents } from "../../../node/bllvm/bllvm-node.ts";

/** The largest amount that the event can carry. */
export const MAX_REWARD_AMOUNT = 2n ** 64n - 1n;

/** Decimals of the finest unit that is told: 10^-8 of a coin, as Bitcoin's. */
const MAX_DECIMALS = 8;

const NO_HASH: Uint8Array = new Uint8Array(32);

/**
 * The amount of a reward of `units` base units of a coin with so many decimals: the base units themselves up to 8 decimals (sat of Namecoin and its
 * kin), 10^-8 of a coin for a coin with more (RSK's 18), rounded down. 21 million coins are 2.1 · 10^15 of these, so no real reward exceeds the field;
 * one that does is told as the field's largest value. Without known decimals the units are told as they are.
 */
export function rewardAmount(
  units: bigint,
  decimals: number | undefined,
): { readonly amount: bigint; readonly isCut: boolean } {
  const finer = decimals === undefined ? 0 : Math.max(0, decimals - MAX_DECIMALS);
  const amount = units / 10n ** BigInt(finer);
  return amount > MAX_REWARD_AMOUNT ? { amount: MAX_REWARD_AMOUNT, isCut: true } : { amount, isCut: false };
}

/**
 * The aux block's hash, `Uint8Array(32)`: in internal byte order where the chain prints hashes as Bitcoin does, as printed where it prints them with
 * `0x` (RSK and all of Ethereum's family have one order only). 32 zero bytes for a block whose name is no such hash.
 */
export function rewardBlockHash(printed: string): Uint8Array {
  const [, prefix, hex = ""] = /^(0x)?([0-9a-fA-F]{64})$/.exec(printed) ?? [];
  if (hex === "") return NO_HASH.slice();
  return prefix === undefined ? reversed(fromHex(hex)) : fromHex(hex);
}

/** The event of a reward of the ledger, and whether its amount had to be cut. `decimals` of the chain's coin, `undefined` while its plugin is gone. */
export function rewardEvent(
  { secondaryChain, rewardAmount: units, blockHash }: MergeMiningReward,
  decimals: number | undefined,
): { readonly event: BllvmPublishedEvents["MergeMiningReward"]; readonly isCut: boolean } {
  const { amount, isCut } = rewardAmount(units, decimals);
  return { event: { secondaryChain, rewardAmount: amount, blockHash: rewardBlockHash(blockHash) }, isCut };
}
