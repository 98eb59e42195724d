import { describe, expect, test } from "vitest";
import type { Field, Fields, VariantTable } from "../../../../../src/node/bllvm/wire/bincode.ts";
import { wireCodec } from "../../../../../src/node/bllvm/wire/codec.ts";
import { EVENTS, eventPayload } from "../../../../../src/node/bllvm/wire/events.ts";
import { MESSAGE_TYPES } from "../../../../../src/node/bllvm/wire/message-types.ts";
import { moduleMessage } from "../../../../../src/node/bllvm/wire/messages.ts";
import { REQUESTS, requestPayload } from "../../../../../src/node/bllvm/wire/requests.ts";
import { RESPONSES, responsePayload } from "../../../../../src/node/bllvm/wire/responses.ts";
import { type Columns, SCHEMAS, type Schema } from "../../../../../src/node/bllvm/wire/schema.ts";
import vectors from "../../../../vectors/bllvm-enums.json" with { type: "json" };

type NodeFields = readonly (readonly [name: string, type: string])[];
interface NodeSchema {
  readonly enums: Readonly<Record<string, Readonly<Record<string, NodeFields>>>>;
  readonly structs: Readonly<Record<string, NodeFields>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly answers?: Readonly<Record<string, string>>;
}
const NODES = vectors.schemas as unknown as Readonly<Record<string, NodeSchema>>;
const schemas = Object.keys(NODES) as Schema[];

/** Everything that a message is made of, by its Rust type. */
const PARTS = new Map<string, Field<unknown>>();
function collect(field: Field<unknown>): void {
  if (field.fields !== undefined || field.variants !== undefined || field.units !== undefined) {
    if (PARTS.has(field.kind)) return;
    PARTS.set(field.kind, field);
  }
  if (field.of !== undefined) collect(field.of);
  for (const inner of Object.values(field.fields ?? {})) collect(inner);
  for (const { fields } of Object.values(field.variants ?? {}))
    for (const inner of Object.values(fields)) collect(inner);
}
for (const root of [moduleMessage, requestPayload, responsePayload, eventPayload]) collect(root as Field<unknown>);

/** Names by index, as `Object.keys` of a declaration of the node is in the order of its indexes. */
function indexes(rows: Readonly<Record<string, Columns>>, schema: Schema): Record<string, number> {
  const there = Object.entries(rows).filter(([, columns]) => columns[schema] !== null);
  return Object.fromEntries(there.map(([name, columns]) => [name, columns[schema] as number]));
}
const indexesOf = (rows: VariantTable, schema: Schema): Record<string, number> =>
  indexes(Object.fromEntries(Object.entries(rows).map(([name, { index }]) => [name, index])), schema);
const declared = (variants: Readonly<Record<string, NodeFields>>): Record<string, number> =>
  Object.fromEntries(Object.keys(variants).map((name, index) => [name, index]));

const camelCase = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
/** Fields of a schema as the node declares them. */
function ofNode(fields: NodeFields): [string, string][] {
  return fields.map(([name, type]) => [camelCase(name), type]);
}
/** Fields of ours that `schema` has; names left out where the node has none. */
function ofOurs(fields: Fields, schema: Schema, named: boolean): [string, string][] {
  return Object.entries(fields)
    .filter(([, field]) => field.schemas?.includes(schema) !== false)
    .map(([name, { kind }]) => [named ? name : "", kind]);
}

describe.each(schemas)("schema %s and the node's declarations", (schema) => {
  const node = NODES[schema]!;

  test("MessageType: every variant at its index, and no other", () => {
    expect(indexes(MESSAGE_TYPES, schema)).toEqual(declared(node.enums.MessageType!));
  });

  test("EventType: every variant at its index, and no other", () => {
    const types = Object.fromEntries(Object.entries(EVENTS).map(([name, { type }]) => [name, type]));
    expect(indexes(types, schema)).toEqual(declared(node.enums.EventType!));
  });

  test.each([
    ["RequestPayload", REQUESTS],
    ["ResponsePayload", RESPONSES],
    ["EventPayload", EVENTS],
  ] as const)("%s: every variant at its index with its fields, and no other", (name, table: VariantTable) => {
    const variants = node.enums[name]!;
    expect(indexesOf(table, schema)).toEqual(declared(variants));
    for (const [variant, fields] of Object.entries(variants)) {
      const named = fields.every(([field]) => field !== "");
      expect([variant, ofOurs(table[variant]!.fields, schema, named)]).toEqual([variant, ofNode(fields)]);
    }
  });

  test("ModuleMessage, InvocationType and the smaller enums", () => {
    const others = Object.entries(node.enums).filter(
      ([name]) => !["MessageType", "EventType", "RequestPayload", "ResponsePayload", "EventPayload"].includes(name),
    );
    for (const [name, variants] of others) {
      // N0 has no request that carries a module's state or health.
      if (schema === "n0" && name !== "ModuleMessage") continue;
      const part = PARTS.get(name);
      const ours = part?.variants === undefined ? indexes(part?.units ?? {}, schema) : indexesOf(part.variants, schema);
      expect([name, ours]).toEqual([name, declared(variants)]);
      if (name === "ModuleMessage") continue;
      for (const [variant, fields] of Object.entries(variants)) {
        const named = fields.every(([field]) => field !== "");
        const mine = part?.variants?.[variant]?.fields ?? {};
        expect([name, variant, ofOurs(mine, schema, named)]).toEqual([name, variant, ofNode(fields)]);
      }
    }
  });

  test("structs: every field at its place with its type", () => {
    const messages = ["ResponseMessage", "LogMessage", "EventMessage", "InvocationMessage", "InvocationResultMessage"];
    for (const [name, fields] of Object.entries(node.structs)) {
      if (messages.includes(name)) continue;
      const ours = ofOurs(PARTS.get(name)?.fields ?? {}, schema, true);
      // The one type that differs by schema shows the newer of its kinds; its bytes are tested with the structs.
      const theirs =
        name === "OutPoint"
          ? [
              ["hash", "Hash"],
              ["index", "u32"],
            ]
          : ofNode(fields);
      expect([name, ours]).toEqual([name, theirs]);
    }
  });
});

describe("requests", () => {
  test("each is answered by a response that every schema with the request has", () => {
    const lost = Object.entries(REQUESTS).flatMap(([name, { index, response }]) =>
      SCHEMAS.filter((schema) => index[schema] !== null && RESPONSES[response].index[schema] === null).map(
        (schema) => `${schema} ${name}`,
      ),
    );
    expect(lost).toEqual([]);
  });

  test("each names the node's response", () => {
    const theirs = { ...NODES.n2!.answers, ...NODES.s3!.answers };
    const ours = Object.entries(REQUESTS).filter(([name]) => name in theirs);
    expect(ours.length).toBe(Object.keys(theirs).length);
    expect(Object.fromEntries(ours.map(([name, { response }]) => [name, response]))).toEqual(theirs);
    // Those that the node's hub does not answer: the server itself does, or refuses with an error.
    expect(Object.keys(REQUESTS).filter((name) => !(name in theirs))).toEqual([
      "Handshake",
      "RegisterCliSpec",
      "RegisterTimer",
      "CancelTimer",
      "ScheduleTask",
    ]);
  });

  test("each names the node's permission", () => {
    const theirs: Record<string, string | null> = { ...NODES.n2!.permissions, ...NODES.s3!.permissions };
    // The handshake is asked for none, and the server answers RegisterCliSpec before it asks for any.
    expect(theirs.Handshake).toBeUndefined();
    expect(theirs.RegisterCliSpec).toBe("RegisterRpcEndpoint");
    const wanted = { ...theirs, Handshake: null, RegisterCliSpec: null };
    expect(Object.fromEntries(Object.entries(REQUESTS).map(([name, { permission }]) => [name, permission]))).toEqual(
      wanted,
    );
  });
});

describe("the documented rows of s4", () => {
  const s4 = wireCodec("s4");
  const s3 = wireCodec("s3");

  test("requests and responses are those that never moved, and publishing", () => {
    const core = (rows: VariantTable): string[] =>
      Object.entries(indexesOf(rows, "s3"))
        .filter(([, index]) => index < 16)
        .map(([name]) => name);
    expect(Object.keys(indexesOf(REQUESTS, "s4")).sort()).toEqual([...core(REQUESTS), "PublishEvent"].sort());
    expect(REQUESTS.PublishEvent.index.s4).toBe(41);
    expect(Object.keys(indexesOf(RESPONSES, "s4")).sort()).toEqual(
      [...core(RESPONSES), "BlockAndWitnesses", "EventPublished"].sort(),
    );
    expect(RESPONSES.BlockAndWitnesses.index.s4).toBe(16);
    expect(RESPONSES.EventPublished.index.s4).toBe(39);
  });

  test("message types moved by one behind the sixteenth", () => {
    for (const [name, columns] of Object.entries(MESSAGE_TYPES)) {
      if (columns.s3 !== null)
        expect([name, columns.s4]).toEqual([name, columns.s3 < 16 ? columns.s3 : columns.s3 + 1]);
    }
    expect(MESSAGE_TYPES.GetBlockAndWitnesses.s4).toBe(16);
    expect(MESSAGE_TYPES.Error.s4).toBe(70);
  });

  test("events of mining can be subscribed to, and those that lost their data are not published", () => {
    for (const name of ["MiningJobCreated", "ShareSubmitted", "MergeMiningReward", "MiningPoolConnected"]) {
      expect([name, s4.has("eventType", name), s4.has("event", name)]).toEqual([name, true, false]);
      expect(s3.has("event", name)).toBe(true);
    }
    expect(s4.has("event", "NewBlock")).toBe(true);
    expect(s4.has("event", "MiningDifficultyChanged")).toBe(true);
  });
});

test("has: what a schema lacks", () => {
  const has = (schema: Schema, ...[kind, name]: Parameters<ReturnType<typeof wireCodec>["has"]>): boolean =>
    wireCodec(schema).has(kind, name);
  expect(has("n0", "request", "PublishEvent")).toBe(false);
  expect(has("n1", "request", "PublishEvent")).toBe(true);
  expect(has("s2", "request", "QueueReceivedBlock")).toBe(false);
  expect(has("s3", "request", "QueueReceivedBlock")).toBe(true);
  expect(has("s3", "response", "StorageTreeId")).toBe(false);
  expect(has("n2", "response", "StorageTreeId")).toBe(true);
  expect(has("n0", "message", "Log")).toBe(false);
  expect(has("n2", "message", "Invocation")).toBe(false);
  expect(has("s1", "message", "Invocation")).toBe(true);
  // N1 and N2 know the type, and have no payload for it.
  expect(has("n2", "eventType", "StratumV2MessageReceived")).toBe(true);
  expect(has("n2", "event", "StratumV2MessageReceived")).toBe(false);
  expect(has("s3", "event", "ChainTipUpdated")).toBe(false);
  expect(has("s3", "request", "toString")).toBe(false);
});
