/**
 * TLV fields that negotiated extensions append to a message (spec 3.4.3): `extension U16 | field U8 | length U16 | value`.
 *
 * The spec says that all integers are little-endian, yet its own TLV example is big-endian; SRI writes and reads
 * little-endian. We write little-endian and, for worker tracking, read both: `02 00 01 nn 00` and `00 02 01 00 nn` cannot be
 * mistaken for each other, because a name has at most 32 bytes and no extension 0x0200 exists.
 */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { Reader } from "../kernel/reader.ts";
import { Writer } from "../kernel/writer.ts";
import { WORKER_TRACKING_TYPE } from "./messages/extensions.ts";

/** One TLV. */
export interface Tlv {
  /** The extension that defines the field. */
  readonly extensionType: number;
  readonly field: number;
  /** A view into the message's payload. */
  readonly value: Uint8Array;
}

/** The field `user_identity` of extension 0x0002: the worker behind a share, UTF-8. */
export const USER_IDENTITY_TLV = { extensionType: WORKER_TRACKING_TYPE, field: 0x01, maxLength: 32 } as const;

/** The bytes of one TLV. Throws `TypeError` when `value` is longer than 65535 bytes. */
export function encodeTlv(extensionType: number, field: number, value: Uint8Array): Uint8Array {
  if (value.length > 0xffff) throw new TypeError(`a TLV cannot carry ${value.length} bytes`);
  return new Writer(5 + value.length).u16(extensionType).u8(field).u16(value.length).bytes(value).finish();
}

/** The TLVs in what followed a message's last field. Throws `Fault("bytes-truncated")` when the last one is not whole. */
export function decodeTlvs(bytes: Uint8Array): Tlv[] {
  const reader = new Reader(bytes);
  const tlvs: Tlv[] = [];
  while (reader.remaining > 0) {
    let extensionType = reader.u16();
    const field = reader.u8();
    let length = reader.u16();
    if (extensionType === swapped(USER_IDENTITY_TLV.extensionType) && field === USER_IDENTITY_TLV.field) {
      extensionType = USER_IDENTITY_TLV.extensionType;
      length = swapped(length);
    }
    tlvs.push({ extensionType, field, value: reader.bytes(length) });
  }
  return tlvs;
}

/** The TLV that names the worker of a share. Throws `TypeError` when `identity` takes more than 32 bytes of UTF-8. */
export function encodeUserIdentity(identity: string): Uint8Array {
  const value = utf8(identity);
  if (value.length > USER_IDENTITY_TLV.maxLength)
    throw new TypeError(`a worker's name of ${value.length} bytes exceeds 32`);
  return encodeTlv(USER_IDENTITY_TLV.extensionType, USER_IDENTITY_TLV.field, value);
}

/**
 * The worker's name among the TLVs of a share, if there is one; other TLVs are passed over. Throws `Fault` (drop):
 * `bytes-truncated`, and `field-too-long` above 32 bytes, which the spec wants rejected.
 */
export function decodeUserIdentity(tlv: Uint8Array | undefined): string | undefined {
  if (tlv === undefined) return undefined;
  const { extensionType, field, maxLength } = USER_IDENTITY_TLV;
  const found = decodeTlvs(tlv).find((one) => one.extensionType === extensionType && one.field === field);
  if (found === undefined) return undefined;
  if (found.value.length > maxLength) {
    throw new Fault("field-too-long", { kind: "user_identity", length: found.value.length, max: maxLength });
  }
  return fromUtf8(found.value);
}

function swapped(u16: number): number {
  return ((u16 & 0xff) << 8) | (u16 >>> 8);
}
