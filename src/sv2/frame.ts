/**
 * Framing (spec section 3.2): `extension_type U16 | msg_type U8 | msg_length U24 | payload`. The highest bit of the
 * extension type says that the payload starts with a channel id; it takes no part in telling extensions apart.
 */
import { Fault } from "../kernel/fault.ts";
import type { Writer } from "../kernel/writer.ts";
import type { TransportCipher } from "./noise/ports.ts";
import { Slicer } from "./slicer.ts";

/** Bytes of a plain frame header. */
export const FRAME_HEADER_SIZE = 6;

/** Bytes of an encrypted frame header: the header and its MAC (spec 4.6). */
export const ENCRYPTED_HEADER_SIZE = 22;

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
  if (bytes.length < FRAME_HEADER_SIZE) {
    throw new Fault("bytes-truncated", { wanted: FRAME_HEADER_SIZE, remaining: bytes.length });
  }
  const at = (i: number): number => bytes[i] as number;
  return {
    extensionType: at(0) | ((at(1) & 0x7f) << 8),
    channel: (at(1) & 0x80) !== 0,
    msgType: at(2),
    length: at(3) | (at(4) << 8) | (at(5) << 16),
  };
}

/**
 * Makes frames of a byte stream that comes in pieces of any size, encrypted when a cipher is given. It keeps the bytes of
 * at most one incomplete frame, and its payload is judged by the header alone.
 */
export class FrameDecoder {
  readonly #cipher: TransportCipher | undefined;
  readonly #maxFrameSize: number;
  readonly #slicer = new Slicer();
  #header: FrameHeader | undefined;
  #fault: unknown;

  /** `maxFrameSize`: the longest payload, in plain bytes, that is taken. */
  constructor(deps: { readonly cipher?: TransportCipher | undefined }, options: { readonly maxFrameSize: number }) {
    this.#cipher = deps.cipher;
    this.#maxFrameSize = options.maxFrameSize;
  }

  /** Bytes of an incomplete frame that are held. */
  get buffered(): number {
    return this.#slicer.buffered;
  }

  /**
   * The frames that `bytes` completes, in order. Throws `Fault` (drop): `frame-too-large` as soon as a header announces
   * it, or what the cipher says of a bad MAC; from then on every call throws the same, for the stream has lost its place.
   * Frames in front of the broken one are returned first, so that a share counts whatever comes behind it in the same
   * segment: `check` then tells of the fault.
   */
  push(bytes: Uint8Array): Frame[] {
    this.check();
    const frames: Frame[] = [];
    try {
      this.#cut(bytes, frames);
    } catch (fault) {
      this.#fault = fault;
      if (frames.length === 0) throw fault;
    }
    return frames;
  }

  /** Throws the fault that broke the stream, if one did. To be called when the frames of a `push` have been dealt with. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  #cut(bytes: Uint8Array, frames: Frame[]): void {
    const cipher = this.#cipher;
    this.#slicer.feed(bytes);
    for (;;) {
      if (this.#header === undefined) {
        const piece = this.#slicer.take(cipher === undefined ? FRAME_HEADER_SIZE : ENCRYPTED_HEADER_SIZE);
        if (piece === undefined) return;
        const header = decodeFrameHeader(cipher === undefined ? piece : cipher.decryptHeader(piece));
        if (header.length > this.#maxFrameSize) {
          throw new Fault("frame-too-large", { length: header.length, max: this.#maxFrameSize });
        }
        this.#header = header;
      }
      const { extensionType, channel, msgType, length } = this.#header;
      const piece = this.#slicer.take(cipher === undefined ? length : cipher.cipherLength(length));
      if (piece === undefined) return;
      this.#header = undefined;
      const payload = cipher === undefined || length === 0 ? piece : cipher.decryptPayload(piece);
      frames.push({ extensionType, channel, msgType, payload });
    }
  }
}
