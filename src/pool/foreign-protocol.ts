/** Telling by their first bytes those who came to the wrong port, so that the log can say which protocol they speak. */

/** Fewer bytes than this are too few to call a first act plain text: random bytes look so once in 10^13. */
const PLAIN_TEXT_SURE = 32;

/** `{`, with which every line of Stratum V1 begins. */
const BRACE = 0x7b;

/** What text on a connection probably is; `undefined` for bytes that may be half an ElligatorSwift key. */
export function plainText(bytes: Uint8Array): string | undefined {
  if (bytes.length < PLAIN_TEXT_SURE) return undefined;
  const text = bytes.subarray(0, 64).every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d);
  if (!text) return undefined;
  return bytes[0] === BRACE ? "Stratum V1" : "text";
}

/**
 * Whether a connection begins with a TLS ClientHello: a record of type 22 and version 3.x, and in it a handshake message of
 * type 1 with legacy_version 3.3 (RFC 8446 §4.1.2, §5.1). Random bytes look so once in 10^16.
 */
export function isClientHello(bytes: Uint8Array): boolean {
  const [type, major, minor = 0xff, , , message, lengthHigh, , , majorInside, minorInside] = bytes;
  const record = type === 0x16 && major === 0x03 && minor <= 0x04;
  return record && message === 0x01 && lengthHigh === 0 && majorInside === 0x03 && minorInside === 0x03;
}
