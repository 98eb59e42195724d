/**
 * The first message of a TLS client, read before the TLS library sees it (RFC 8446 §4.1.2). So a peer that cannot be served
 * is told so by an alert at the price of reading a few hundred bytes, the handshake's cost is paid only for one that said
 * all it has to say, and a client that names no protocol is refused too, which OpenSSL would let pass.
 */
import { concat } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import { Reader } from "../../kernel/reader.ts";

/** What a client offers. */
export interface ClientHello {
  /** Versions of TLS, 0x0304 for 1.3. */
  readonly versions: readonly number[];
  /** Protocols (ALPN, RFC 7301), a character a byte. */
  readonly protocols: readonly string[];
}

/** TLS 1.3. */
export const TLS_1_3 = 0x0304;

/** The longest first message that is taken, records and all; clients send 200 bytes to 2 KiB. */
export const MAX_HELLO_BYTES = 16_384;

/** Clients send one record. The message is looked at again with every piece that comes, so pieces have a bound. */
const MAX_RECORDS = 16;

const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SUPPORTED_VERSIONS = 43;
const ALPN = 16;

/**
 * Reads what came so far: `undefined` while more is to come. Throws `Fault` (`bytes-truncated`, or `tls-refused` with the
 * reason) for bytes that are no ClientHello, however many follow.
 */
export function readClientHello(bytes: Uint8Array): ClientHello | undefined {
  const message = handshakeMessage(bytes);
  return message === undefined ? undefined : parse(new Reader(message));
}

/** The body of the first handshake message, put together from its records; `undefined` while it is not whole. */
function handshakeMessage(bytes: Uint8Array): Uint8Array | undefined {
  const records = new Reader(bytes);
  const parts: Uint8Array[] = [];
  while (records.remaining >= 5) {
    if (records.u8() !== RECORD_HANDSHAKE || records.u8() !== 3) throw refused("its first bytes are no TLS");
    records.u8();
    const length = u16(records);
    if (length === 0 || length > 16_384) throw refused("a record of a forbidden length");
    if (parts.length === MAX_RECORDS) throw refused("its ClientHello is in too many pieces");
    // The rest of a record that is under way may be enough already.
    parts.push(records.bytes(Math.min(length, records.remaining)));
    const message = new Reader(concat(...parts));
    if (message.remaining < 4) continue;
    if (message.u8() !== CLIENT_HELLO) throw refused("its first message is no ClientHello");
    const size = (message.u8() << 16) | u16(message);
    if (size > MAX_HELLO_BYTES) throw refused("its ClientHello is too long");
    if (message.remaining >= size) return message.bytes(size);
  }
  if (bytes.length >= MAX_HELLO_BYTES) throw refused("its ClientHello is too long");
  return undefined;
}

function parse(hello: Reader): ClientHello {
  hello.bytes(2 + 32); // legacy_version, random
  hello.bytes(hello.u8()); // legacy_session_id
  hello.bytes(u16(hello)); // cipher_suites
  hello.bytes(hello.u8()); // legacy_compression_methods
  const versions: number[] = [];
  const protocols: string[] = [];
  const extensions = new Reader(hello.remaining === 0 ? new Uint8Array(0) : hello.bytes(u16(hello)));
  while (extensions.remaining > 0) {
    const type = u16(extensions);
    const body = new Reader(extensions.bytes(u16(extensions)));
    if (type === SUPPORTED_VERSIONS) {
      const list = new Reader(body.bytes(body.u8()));
      while (list.remaining > 0) versions.push(u16(list));
    } else if (type === ALPN) {
      const list = new Reader(body.bytes(u16(body)));
      while (list.remaining > 0) protocols.push(String.fromCharCode(...list.bytes(list.u8())));
    }
  }
  return { versions, protocols };
}

function refused(reason: string): Fault {
  return new Fault("tls-refused", { reason });
}

/** Two bytes, big-endian as all of TLS. */
function u16(reader: Reader): number {
  return (reader.u8() << 8) | reader.u8();
}
