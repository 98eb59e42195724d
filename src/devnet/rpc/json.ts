/** How Core's RPC spells amounts, targets and difficulties. */
import { difficultyOfTarget, targetFromCompact } from "../../bitcoin/target.ts";

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

/** `sat` as Core's amounts: BTC with up to eight decimals. */
export function amount(sat: bigint): number {
  return Number(sat) / 1e8;
}

/** Compact target as eight hex digits. */
export function bitsHex(nBits: number): string {
  return nBits.toString(16).padStart(8, "0");
}

/** Target, chain work and such: 64 hex digits, highest first. */
export function hex256(value: bigint): string {
  return value.toString(16).padStart(64, "0");
}

/** Difficulty with the 16 digits that Core prints. */
export function difficultyOfBits(nBits: number): number {
  return Number(difficultyOfTarget(targetFromCompact(nBits)).toPrecision(16));
}
