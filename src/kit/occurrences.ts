/** Where bytes occur in other bytes. */

/** Offset of the first `part` in `bytes`, -1 for none. */
export function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(part);
}

/** Offset of the last `part` in `bytes`, -1 for none. */
export function lastIndexOf(bytes: Uint8Array, part: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(part);
}
