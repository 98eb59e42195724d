/**
 * What the server and its QUIC process say to each other over one pipe: messages of a type, a stream and a payload, in order, both ways.
 * Layout: type (1 byte) | stream (4, little-endian) | length (4, little-endian) | payload.
 */
import { concat } from "../../kernel/bytes.ts";

/** Types of messages to the process. Payloads are JSON where nothing else is said. */
export const TO_PROCESS = {
  /** First of all: `QuicProcessStart`. */
  start: 1,
  /** `QuicCertificate`, for connections from now on. */
  certificate: 2,
  /** Bytes for a stream. */
  data: 3,
  pause: 4,
  resume: 5,
  end: 6,
  destroy: 7,
  /** No new streams. */
  refuse: 8,
  stop: 9,
  /** Asks for `alive`. */
  ping: 10,
} as const;

/** Types of messages from the process. */
export const FROM_PROCESS = {
  /** It listens: `{ address }`. */
  ready: 1,
  /** It cannot: `{ code, data }` of the fault. */
  failed: 2,
  /** A stream was opened: `{ host, port }` of the peer. */
  opened: 3,
  /** Bytes of a stream. */
  data: 4,
  /** So many bytes of a stream left the process's hands: 4 bytes, little-endian. */
  taken: 5,
  /** A stream is over; the reason as text, empty where it ended in order. */
  closed: 6,
  /** `{ rss, connections }`: bytes of memory, QUIC connections. */
  alive: 7,
  /** What went wrong with the socket, as text. */
  trouble: 8,
  /** Whether the certificate was taken: the reason as text, empty where it was. */
  certified: 9,
  /** The peer has ended its direction of a stream. */
  ended: 10,
} as const;

/** One message. */
export interface PipeMessage {
  readonly type: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const HEAD_BYTES = 9;
/** Longest payload: both sides are ours, so a longer one is a mistake. */
const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;

const NOTHING = new Uint8Array(0);

/** The bytes of a message. */
export function encodeMessage(type: number, stream = 0, payload: Uint8Array = NOTHING): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, type);
  view.setUint32(1, stream, true);
  view.setUint32(5, payload.length, true);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** The bytes of a message with a JSON payload. */
export function encodeJson(type: number, stream: number, value: object): Uint8Array {
  return encodeMessage(type, stream, new TextEncoder().encode(JSON.stringify(value)));
}

/** The text of a payload. */
export function payloadText(payload: Uint8Array): string {
  return new TextDecoder().decode(payload);
}

/** Cuts a pipe's bytes into messages. */
export class PipeReader {
  #rest: Uint8Array = NOTHING;

  /** The messages that are complete with `bytes`. Throws `RangeError` when it cannot be one. */
  push(bytes: Uint8Array): PipeMessage[] {
    const all = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes);
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const messages: PipeMessage[] = [];
    let at = 0;
    while (all.length - at >= HEAD_BYTES) {
      const length = view.getUint32(at + 5, true);
      if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`a message of ${length} bytes`);
      const end = at + HEAD_BYTES + length;
      if (end > all.length) break;
      messages.push({
        type: view.getUint8(at),
        stream: view.getUint32(at + 1, true),
        payload: all.slice(at + HEAD_BYTES, end),
      });
      at = end;
    }
    this.#rest = all.slice(at);
    return messages;
  }
}
