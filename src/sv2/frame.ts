/**
 * Framing (spec section 3.2): `extension_type U16 | msg_type U8 | msg_length U24 | payload`. The highest bit of the
 * extension type says that the payload starts with a channel id; it takes no part in telling extensions apart.
 */
import { Fault } from "../kernel/fault.ts";
import type { Writer } from "../kernel/writer.ts";

/** Bytes of a plain frame header. */
export const FRAME_HEADER_SIZE = 6;

/** The longest payload that `msg_length` can announce, in bytes. */
export const MAX_PAYLOAD_SIZE = 0xffffff;

/** The channel bit of `extension_type`. The spec's text calls bit 15 the least significant one; its example shows the highest. */
export const CHANNEL_BIT = 0x8000;

/** A frame header in plain values. */
export interface FrameHeader {
  /** Extension type without the channel bit; 0 for the core protocols. */
  readonly extensionType: number;
  /** The channel bit. */
  readonly channel: boolean;
  readonly msgType: number;
  /** Bytes of payload that follow the header. */
  readonly length: number;
}

/** A whole frame. */
export interface Frame {
  /** Extension type without the channel bit; 0 for the core protocols. */
  readonly extensionType: number;
  /** The channel bit as received: peers get it wrong, so nothing is refused for it. */
  readonly channel: boolean;
  readonly msgType: number;
  /** May be a view into the received bytes. */
  readonly payload: Uint8Array;
}

/** Appends the 6 bytes of a header. */
export function writeFrameHeader(
  writer: Writer,
  extensionType: number,
  channel: boolean,
  msgType: number,
  length: number,
): void {
  writer
    .u16(channel ? extensionType | CHANNEL_BIT : extensionType)
    .u8(msgType)
    .u24(length);
}

/** The 6 bytes of a header. Throws `TypeError` when a value is out of range. */
export function encodeFrameHeader(header: FrameHeader): Uint8Array {
  const { extensionType, channel, msgType, length } = header;
  if ((extensionType & 0x7fff) !== extensionType) throw new TypeError(`extension type ${extensionType} is not 15 bits`);
  if ((msgType & 0xff) !== msgType) throw new TypeError(`message type ${msgType} is not a byte`);
  if ((length & MAX_PAYLOAD_SIZE) !== length) throw new TypeError(`a payload of ${length} bytes does not fit a frame`);
  const high = channel ? 0x80 : 0;
  return Uint8Array.of(
    extensionType & 0xff,
    (extensionType >>> 8) | high,
    msgType,
    length & 0xff,
    (length >>> 8) & 0xff,
    length >>> 16,
  );
}

/** The header in 6 bytes; every 6 bytes are one. Throws `Fault("bytes-truncated")` when there are fewer. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader {
  const [e0, e1, msgType, l0, l1, l2] = bytes;
  if (
    e0 === undefined ||
    e1 === undefined ||
    msgType === undefined ||
    l0 === undefined ||
    l1 === undefined ||
    l2 === undefined
  ) {
    throw new Fault("bytes-truncated", { wanted: FRAME_HEADER_SIZE, remaining: bytes.length });
  }
  return {
    extensionType: e0 | ((e1 & 0x7f) << 8),
    channel: (e1 & 0x80) !== 0,
    msgType,
    length: l0 | (l1 << 8) | (l2 << 16),
  };
}
