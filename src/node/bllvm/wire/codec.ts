/** Encodes and decodes the frames of the module IPC in one schema. */
import { Fault } from "../../../kernel/fault.ts";
import type { RecordOf, VariantTable } from "./bincode.ts";
import type { Variant } from "./compound.ts";
import { EVENTS } from "./events.ts";
import { FRAME_HEADER_SIZE, maxPayload } from "./frames.ts";
import { MESSAGES, moduleMessage } from "./messages.ts";
import { REQUESTS } from "./requests.ts";
import { RESPONSES } from "./responses.ts";
import type { Columns, Schema } from "./schema.ts";
import { WireReader, WireWriter } from "./wire-bytes.ts";

/** A message: a union that `type` discriminates. */
export type ModuleMessage = {
  readonly [N in keyof typeof MESSAGES]: { readonly type: N } & RecordOf<(typeof MESSAGES)[N]["fields"]>;
}[keyof typeof MESSAGES];

/** What a schema may have: a kind of message, a request, a response, an event type to subscribe to, an event with its data. */
export type WireRow = "message" | "request" | "response" | "eventType" | "event";

/** Codec of one schema. */
export interface WireCodec {
  readonly schema: Schema;
  /**
   * The whole frame: u32 length in big-endian order, payload. Throws `TypeError` for a value that the type cannot carry, a
   * row that the schema lacks, and a payload longer than the node takes.
   */
  encode(message: ModuleMessage): Uint8Array;
  /**
   * The message in a payload; byte strings in it are views into `payload`. Throws `Fault("bllvm-message-invalid")` (drop).
   * Bytes behind the message are ignored, as bincode does.
   */
  decode(payload: Uint8Array): ModuleMessage;
  /** Whether this schema has the row `name`. An event counts when it can be subscribed to and carries data. */
  has(kind: WireRow, name: string): boolean;
}

type Names = ReadonlyMap<string, Columns>;
const indexesOf = (rows: VariantTable): Names =>
  new Map(Object.entries(rows).map(([name, { index }]) => [name, index]));
const eventTypes: Names = new Map(Object.entries(EVENTS).map(([name, { type }]) => [name, type]));

/** For each kind the enums that must all have a name. */
const ENUMS: Readonly<Record<WireRow, readonly Names[]>> = {
  message: [indexesOf(MESSAGES)],
  request: [indexesOf(REQUESTS)],
  response: [indexesOf(RESPONSES)],
  eventType: [eventTypes],
  event: [eventTypes, indexesOf(EVENTS)],
};

/** The codec of `schema`. */
export function wireCodec(schema: Schema): WireCodec {
  const max = maxPayload(schema);
  return {
    schema,
    encode(message) {
      const writer = new WireWriter(schema).u32(0) as WireWriter;
      moduleMessage.write(writer, { name: message.type, value: message } as Variant<typeof MESSAGES>);
      const frame = writer.finish();
      const length = frame.length - FRAME_HEADER_SIZE;
      if (length > max) throw new TypeError(`${message.type} of ${length} bytes is longer than the node takes, ${max}`);
      new DataView(frame.buffer).setUint32(0, length);
      return frame;
    },
    decode(payload) {
      try {
        const { name, value } = moduleMessage.read(new WireReader(payload, schema));
        return { type: name, ...value } as ModuleMessage;
      } catch (cause) {
        if (!(cause instanceof Fault) || cause.code === "bllvm-message-invalid") throw cause;
        throw new Fault("bllvm-message-invalid", { schema, size: payload.length }, { cause });
      }
    },
    has: (kind, name) => ENUMS[kind].every((names) => (names.get(name)?.[schema] ?? null) !== null),
  };
}
