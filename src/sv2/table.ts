/**
 * A message is a row: type byte, direction, channel bit, spec section and fields in wire order. What a subprotocol needs
 * is derived from its table: TypeScript types, codec, direction check, reference page and per-row tests.
 */
import { Fault } from "../kernel/fault.ts";
import { Reader } from "../kernel/reader.ts";
import { Writer } from "../kernel/writer.ts";
import { FRAME_HEADER_SIZE, MAX_PAYLOAD_SIZE, writeFrameHeader } from "./frame.ts";
import type { Field, FieldValue } from "./primitives.ts";

/** Who may receive a message. In job declaration the JDS, in template distribution the template provider is the server. */
export type Receiver = "server" | "client";

/** Fields by name, in wire order. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** One message of a table. */
export interface Message<F extends Fields = Fields> {
  /** The `msg_type` byte. */
  readonly type: number;
  /** Who receives it. */
  readonly to: Receiver | "both";
  /** Whether it is sent with the channel bit, its first field being the channel id (spec 3.2). */
  readonly channel: boolean;
  /** Whether TLVs of negotiated extensions may follow the last field (spec 3.4.3). */
  readonly tlv?: boolean;
  /** Section of the specification. */
  readonly spec: string;
  /** What it is for, as a sentence. */
  readonly doc: string;
  readonly fields: F;
}

/** Messages by name. */
export type MessageTable = Readonly<Record<string, Message>>;

/** TypeScript type of the values of a message: `Value<typeof MINING.SubmitSharesExtended>`. */
export type Value<M extends Message> = { readonly [K in keyof M["fields"]]: FieldValue<M["fields"][K]> };

/** A decoded message of table `T`: a union that `name` discriminates. */
export type Decoded<T extends MessageTable> = {
  [N in keyof T & string]: {
    readonly name: N;
    readonly value: Value<T[N]>;
    /** What followed the last field, for rows with `tlv`; a view, never empty. */
    readonly tlv: Uint8Array | undefined;
  };
}[keyof T & string];

/** States a row; keeps the types of its fields. */
export function message<F extends Fields>(row: Message<F>): Message<F> {
  return row;
}

/** Encoder and decoder of one table. */
export interface Codec<T extends MessageTable> {
  readonly table: T;
  /** The extension type that the messages travel under; 0 for the core protocols. */
  readonly extensionType: number;
  /** Names by `msg_type`. */
  readonly byType: ReadonlyMap<number, keyof T & string>;
  /** The row of a name. */
  row<N extends keyof T & string>(name: N): T[N];
  /**
   * The whole plain frame: 6 bytes of header, payload, then `tlv` if given (only for rows with `tlv`).
   * Throws `TypeError` when a field cannot carry its value or the payload exceeds 2^24 - 1 bytes.
   */
  encode<N extends keyof T & string>(name: N, value: Value<T[N]>, tlv?: Uint8Array): Uint8Array;
  /** The payload alone. Throws `TypeError` as `encode` does. */
  encodePayload<N extends keyof T & string>(name: N, value: Value<T[N]>, tlv?: Uint8Array): Uint8Array;
  /**
   * The message in a payload. Byte strings in it are views into `payload`. Throws `Fault` (all drop): `message-unknown`,
   * `bytes-truncated`, `bytes-trailing`, `field-too-long`.
   */
  decode(type: number, payload: Uint8Array): Decoded<T>;
}

/** A row prepared for the loops below: parallel arrays instead of a record. */
interface Compiled {
  readonly name: string;
  readonly row: Message;
  readonly keys: readonly string[];
  readonly fields: readonly Field<unknown>[];
}

/** Derives the codec of `table`. Throws `TypeError` when the table is wrong: a type used twice, a channel row without channel id. */
export function codec<const T extends MessageTable>(table: T, extensionType = 0): Codec<T> {
  type Name = keyof T & string;
  const byName = new Map<string, Compiled>();
  const byNumber: (Compiled | undefined)[] = [];
  const byType = new Map<number, Name>();
  for (const name of Object.keys(table) as Name[]) {
    const row: Message = table[name] as Message;
    const compiled = { name, row, keys: Object.keys(row.fields), fields: Object.values(row.fields) };
    if (byType.has(row.type))
      throw new TypeError(`message type ${row.type} is used twice: ${byType.get(row.type)}, ${name}`);
    if (row.channel && row.fields[compiled.keys[0] ?? ""]?.kind !== "u32") {
      throw new TypeError(`${name} has the channel bit but its first field is no channel id`);
    }
    byName.set(name, compiled);
    byNumber[row.type] = compiled;
    byType.set(row.type, name);
  }

  // One buffer for all messages of the table: allocating one for each took most of the time of encoding a share.
  const writer = new Writer(1024);

  function compiledOf(name: string): Compiled {
    const compiled = byName.get(name);
    if (compiled === undefined) throw new TypeError(`no message is called ${name}`);
    return compiled;
  }

  function write(compiled: Compiled, value: Readonly<Record<string, unknown>>, tlv?: Uint8Array): void {
    const { keys, fields } = compiled;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      (fields[i] as Field<unknown>).write(writer, value[key]);
    }
    if (tlv !== undefined) {
      if (compiled.row.tlv !== true) throw new TypeError(`${compiled.name} takes no TLV`);
      writer.bytes(tlv);
    }
  }

  return {
    table,
    extensionType,
    byType,
    row: (name) => table[name],
    encode(name, value, tlv) {
      const compiled = compiledOf(name);
      writeFrameHeader(writer.reset(), extensionType, compiled.row.channel, compiled.row.type, 0);
      write(compiled, value, tlv);
      const frame = writer.finish();
      const length = frame.length - FRAME_HEADER_SIZE;
      if (length > MAX_PAYLOAD_SIZE) throw new TypeError(`${name} of ${length} bytes does not fit a frame`);
      frame[3] = length;
      frame[4] = length >>> 8;
      frame[5] = length >>> 16;
      return frame;
    },
    encodePayload(name, value, tlv) {
      writer.reset();
      write(compiledOf(name), value, tlv);
      return writer.finish();
    },
    decode(type, payload) {
      const compiled = byNumber[type];
      if (compiled === undefined) throw new Fault("message-unknown", { extensionType, type });
      const { keys, fields } = compiled;
      const reader = new Reader(payload);
      const value: Record<string, unknown> = {};
      for (let i = 0; i < keys.length; i++) value[keys[i] as string] = (fields[i] as Field<unknown>).read(reader);
      let tlv: Uint8Array | undefined;
      if (reader.remaining > 0) {
        if (compiled.row.tlv === true) tlv = reader.rest();
        else reader.end();
      }
      return { name: compiled.name, value, tlv } as Decoded<T>;
    },
  };
}

/**
 * Whether `receiver` may get a message of this row. The other way round is a peer's violation: throws
 * `Fault("message-direction")`.
 */
export function checkDirection(name: string, row: Message, receiver: Receiver): void {
  if (row.to !== "both" && row.to !== receiver) throw new Fault("message-direction", { message: name, receiver });
}
