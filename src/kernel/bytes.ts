/**
 * Byte strings and their hex spellings. Hashes are kept in internal byte order everywhere inside the program;
 * `toDisplayHex` and `fromDisplayHex` are the only two places where the order is turned, at the edges (RPC, logs, UI).
 */

const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Lower-case hex of `bytes`, two digits a byte, no prefix. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** Bytes of an even-length hex string of either case. Throws `TypeError` when `hex` is anything else. */
export function fromHex(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw new TypeError(`expected an even number of hex digits, got ${JSON.stringify(hex.slice(0, 80))}`);
  }
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A new array with the bytes of `parts` one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Whether `a` and `b` have the same length and content. Not constant time: for public data only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A reversed copy: internal byte order to display order and back. */
export function reversed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes).reverse();
}

/** Display-order hex of a hash held in internal byte order, as explorers and Bitcoin Core's RPC print it. */
export function toDisplayHex(hash: Uint8Array): string {
  return toHex(reversed(hash));
}

/** Internal byte order of a hash given in display-order hex. Throws `TypeError` on anything but hex. */
export function fromDisplayHex(hex: string): Uint8Array {
  return fromHex(hex).reverse();
}

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text of UTF-8 `bytes`; an invalid sequence becomes U+FFFD, so it never throws. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
