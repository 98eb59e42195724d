/** Values as Ethereum's JSON-RPC spells them. */
import { toHex } from "../../kernel/bytes.ts";

/** A JSON object. */
export type JsonObject = Record<string, unknown>;

/** A number without leading zeros. */
export function quantity(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** Bytes, two digits each. */
export function data(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

/** A number in 64 digits. */
export function word(value: bigint): string {
  return `0x${value.toString(16).padStart(64, "0")}`;
}
