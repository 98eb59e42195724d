/** ModuleMessage: what travels in a frame, in both directions. */
import { bool, bytes, type Field, i32, string, u64 } from "./bincode.ts";
import { jsonValue, option, tableEnum, type Variant, vec } from "./compound.ts";
import { eventPayload, eventType } from "./events.ts";
import { MESSAGE_TYPES, messageType } from "./message-types.ts";
import { logLevel } from "./node-structs.ts";
import { type RequestPayload, requestPayload } from "./requests.ts";
import { responsePayload } from "./responses.ts";
import { at, everywhere, no } from "./schema.ts";

/**
 * `request_type` and `payload` of a request. The type is the payload's name over again; where the schema has no type of
 * that name (N1 forgot some), another one does as well, since the node only reads it.
 */
const request: Field<RequestPayload> = {
  kind: "RequestMessage",
  least: 8,
  variants: requestPayload.variants ?? {},
  read(reader) {
    messageType.read(reader);
    return requestPayload.read(reader);
  },
  write(writer, value) {
    const forgotten = MESSAGE_TYPES[value.name]?.[writer.schema] === null;
    messageType.write(writer, forgotten ? "GetBlock" : value.name);
    requestPayload.write(writer, value);
  },
};

/** What the node asks of us. `ModuleApi` came in v0.1.29, late in S3. */
const INVOCATIONS = {
  Cli: { index: at(no, no, no, 0, 0, 0, 0), fields: { subcommand: string, args: vec(string) } },
  Rpc: { index: at(no, no, no, 1, 1, 1, 1), fields: { method: string, params: jsonValue } },
  ModuleApi: {
    index: at(no, no, no, no, no, 2, 2),
    fields: { method: string, params: bytes, callerModuleId: string },
  },
} as const;

/** What we answer. `Rpc` cannot be: the node could not read it, so it is answered with an error and no payload. */
const INVOCATION_RESULTS = {
  Cli: { index: INVOCATIONS.Cli.index, fields: { stdout: string, stderr: string, exitCode: i32 } },
  Rpc: { index: INVOCATIONS.Rpc.index, fields: { result: jsonValue } },
  ModuleApi: { index: INVOCATIONS.ModuleApi.index, fields: { result: bytes } },
} as const;

/** Rows of ModuleMessage. A request's correlation id is its response's, an invocation's its result's. */
export const MESSAGES = {
  Request: { index: everywhere(0), fields: { correlationId: u64, request } },
  Response: {
    index: everywhere(1),
    fields: { correlationId: u64, success: bool, payload: option(responsePayload), error: option(string) },
  },
  Event: { index: everywhere(2), fields: { eventType, event: eventPayload } },
  /** `timestamp` in Unix seconds. */
  Log: {
    index: at(no, 3, 3, 3, 3, 3, 3),
    fields: { level: logLevel, moduleId: string, message: string, target: string, timestamp: u64 },
  },
  Invocation: {
    index: at(no, no, no, 4, 4, 4, 4),
    fields: { correlationId: u64, invocation: tableEnum("InvocationType", INVOCATIONS) },
  },
  InvocationResult: {
    index: at(no, no, no, 5, 5, 5, 5),
    fields: {
      correlationId: u64,
      success: bool,
      payload: option(tableEnum("InvocationResultPayload", INVOCATION_RESULTS)),
      error: option(string),
    },
  },
} as const;

/** What the node asks of us: a union that `name` discriminates. */
export type Invocation = Variant<typeof INVOCATIONS>;

/** What we answer: a union that `name` discriminates. */
export type InvocationResult = Variant<typeof INVOCATION_RESULTS>;

/** A message. */
export const moduleMessage = tableEnum("ModuleMessage", MESSAGES);
