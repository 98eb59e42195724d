/** CompactSize, the length prefix of Bitcoin's serialisation (BIP144 calls it var_int): 1, 3, 5 or 9 bytes. */
import { Fault } from "../kernel/fault.ts";
import type { Reader } from "../kernel/reader.ts";
import { Writer } from "../kernel/writer.ts";

/** The largest CompactSize that Bitcoin Core reads (`MAX_SIZE`), in bytes or items. */
export const MAX_COMPACT_SIZE = 0x02000000;

/** Bytes that the CompactSize of `n` takes: 1, 3, 5 or 9. */
export function compactSizeLength(n: number | bigint): number {
  if (n < 0xfd) return 1;
  if (n <= 0xffff) return 3;
  return n <= 0xffffffff ? 5 : 9;
}

/** The CompactSize of `n`, in its shortest form. Throws `TypeError` unless `n` is an integer from 0 to 2^64 - 1. */
export function compactSize(n: number | bigint): Uint8Array {
  return writeCompactSize(new Writer(9), n).finish();
}

/** Appends the CompactSize of `n` to `writer`. Throws `TypeError` as `compactSize` does. */
export function writeCompactSize(writer: Writer, n: number | bigint): Writer {
  const safe = typeof n === "bigint" ? n <= 0xffffffffffffffffn : Number.isSafeInteger(n);
  if (!safe || n < 0) throw new TypeError(`not a CompactSize value: ${n}`);
  if (n < 0xfd) return writer.u8(Number(n));
  if (n <= 0xffff) return writer.u8(0xfd).u16(Number(n));
  if (n <= 0xffffffff) return writer.u8(0xfe).u32(Number(n));
  return writer.u8(0xff).u64(BigInt(n));
}

/**
 * Reads a CompactSize. Throws `Fault("compact-size-invalid")` when it is not in its shortest form or above
 * `MAX_COMPACT_SIZE`, as Bitcoin Core does, and `Fault("bytes-truncated")` at the end of the data.
 */
export function readCompactSize(reader: Reader): number {
  const first = reader.u8();
  if (first < 0xfd) return first;
  const value = first === 0xfd ? reader.u16() : first === 0xfe ? reader.u32() : Number(reader.u64());
  const least = first === 0xfd ? 0xfd : first === 0xfe ? 0x10000 : 0x100000000;
  if (value < least || value > MAX_COMPACT_SIZE) throw new Fault("compact-size-invalid", { value, prefix: first });
  return value;
}
