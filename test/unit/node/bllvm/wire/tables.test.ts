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
    .map(([name, field]) => [named ? name : "", (field.pick?.(schema) ?? field).kind]);
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
      expect([name, ours]).toEqual([name, ofNode(fields)]);
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
    const theirs = { ...NODES.n2!.answers, ...NODES.s3!.answers, ...NODES.s4!.answers, ...NODES.s5!.answers };
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
    const theirs: Record<string, string | null> = {
      ...NODES.n2!.permissions,
      ...NODES.s3!.permissions,
      ...NODES.s4!.permissions,
      ...NODES.s5!.permissions,
    };
    // The handshake is asked for none, and the server answers RegisterCliSpec before it asks for any.
    expect(theirs.Handshake).toBeUndefined();
    expect(theirs.RegisterCliSpec).toBe("RegisterRpcEndpoint");
    const wanted = { ...theirs, Handshake: null, RegisterCliSpec: null };
    expect(Object.fromEntries(Object.entries(REQUESTS).map(([name, { permission }]) => [name, permission]))).toEqual(
      wanted,
    );
  });
});

test("vectors are there for every schema", () => expect(schemas).toEqual(SCHEMAS));

describe("what changed after s3", () => {
  /** Names of `schema` in the order of their indexes. */
  const order = (rows: VariantTable, schema: Schema): string[] =>
    Object.entries(indexesOf(rows, schema))
      .sort(([, a], [, b]) => a - b)
      .map(([name]) => name);

  test("s4 has one request and one response more in the middle, and some at the ends", () => {
    const withBlock = (names: string[], name: string): string[] => names.toSpliced(16, 0, name);
    expect(order(REQUESTS, "s4")).toEqual([
      ...withBlock(order(REQUESTS, "s3"), "GetBlockAndWitnesses"),
      "GetBlockTemplateWithOutputs",
      "GetBlockTemplateDeclared",
      "SubmitMempoolTransaction",
    ]);
    expect(order(RESPONSES, "s4")).toEqual([
      ...withBlock(order(RESPONSES, "s3"), "BlockAndWitnesses"),
      "MempoolTransactionSubmitted",
    ]);
    expect(order(EVENTS, "s4")).toEqual(order(EVENTS, "s3"));
  });

  test("s5 has only more at the ends", () => {
    const more = ["GetTxMetadata", "GetMempoolFeeRateSummary"];
    expect(order(REQUESTS, "s5")).toEqual([...order(REQUESTS, "s4"), ...more]);
    expect(order(RESPONSES, "s5")).toEqual([...order(RESPONSES, "s4"), "TxMetadata", "MempoolFeeRateSummary"]);
    expect(order(EVENTS, "s5")).toEqual([...order(EVENTS, "s4"), "PeerPayment"]);
  });

  test("modules publish the events of mining with their contents", () => {
    for (const name of ["MiningJobCreated", "ShareSubmitted", "MergeMiningReward", "MiningPoolDisconnected"]) {
      for (const schema of ["s3", "s4", "s5"] as const) {
        expect([schema, name, wireCodec(schema).has("event", name)]).toEqual([schema, name, true]);
      }
    }
  });
});

test("has: what a schema lacks", () => {
  const has = (schema: Schema, ...[kind, name]: Parameters<ReturnType<typeof wireCodec>["has"]>): boolean =>
    wireCodec(schema).has(kind, name);
  expect(has("n0", "request", "PublishEvent")).toBe(false);
  expect(has("n1", "request", "PublishEvent")).toBe(true);
  expect(has("s2", "request", "QueueReceivedBlock")).toBe(false);
  expect(has("s3", "request", "QueueReceivedBlock")).toBe(true);
  expect(has("s3", "request", "GetBlockAndWitnesses")).toBe(false);
  expect(has("s4", "request", "GetBlockAndWitnesses")).toBe(true);
  expect(has("s4", "event", "PeerPayment")).toBe(false);
  expect(has("s5", "event", "PeerPayment")).toBe(true);
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
