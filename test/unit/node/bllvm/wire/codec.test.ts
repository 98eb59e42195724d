import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { Writer } from "../../../../../src/kernel/writer.ts";
import { type ModuleMessage, wireCodec } from "../../../../../src/node/bllvm/wire/codec.ts";
import { EVENTS } from "../../../../../src/node/bllvm/wire/events.ts";
import { FRAME_HEADER_SIZE, maxPayload } from "../../../../../src/node/bllvm/wire/frames.ts";
import { MESSAGES } from "../../../../../src/node/bllvm/wire/messages.ts";
import { REQUESTS } from "../../../../../src/node/bllvm/wire/requests.ts";
import { RESPONSES } from "../../../../../src/node/bllvm/wire/responses.ts";
import { SCHEMAS } from "../../../../../src/node/bllvm/wire/schema.ts";
import { MAX_ELEMENTS } from "../../../../../src/node/bllvm/wire/wire-bytes.ts";
import {
  arbitraryOf,
  arbitraryRecord,
  eventOf,
  GOLDEN,
  requestOf,
  responseOf,
} from "../../../../support/bllvm-wire.ts";

const INVALID = expect.objectContaining({ code: "bllvm-message-invalid", act: "drop" });

/** Decodes, and lets faults that cost the connection pass. */
function survives(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error).toEqual(INVALID);
  }
}

describe.each(SCHEMAS)("schema %s", (schema) => {
  const codec = wireCodec(schema);
  const roundTrip = (message: ModuleMessage): void => {
    const frame = codec.encode(message);
    const payload = frame.subarray(FRAME_HEADER_SIZE);
    expect(new DataView(frame.buffer).getUint32(0)).toBe(payload.length);
    expect(codec.decode(payload)).toEqual(message);
  };
  /** Messages around the payloads of a table, one table row after the other. */
  const rows = [
    ...Object.entries(REQUESTS).map(([name, row]) => ["request", name, row, requestOf] as const),
    ...Object.entries(RESPONSES).map(([name, row]) => ["response", name, row, responseOf] as const),
    ...Object.entries(EVENTS).map(([name, row]) => ["event", name, row, eventOf] as const),
  ];

  test("what is written of every row is read again", () => {
    for (const [kind, name, row, messageOf] of rows) {
      if (!codec.has(kind, name)) continue;
      const values = arbitraryRecord(row.fields, schema);
      fc.assert(
        fc.property(values, (value) => roundTrip(messageOf(name, value))),
        { numRuns: 15 },
      );
    }
  });

  test("what the schema lacks cannot be written", () => {
    for (const [kind, name, row, messageOf] of rows) {
      if (codec.has(kind, name)) continue;
      const [value] = fc.sample(arbitraryRecord(row.fields, schema), 1);
      expect(() => codec.encode(messageOf(name, value))).toThrow(TypeError);
    }
  });

  test.each(Object.entries(MESSAGES))("%s", (name, { index, fields }) => {
    if (index[schema] === null) {
      expect(codec.has("message", name)).toBe(false);
      expect(() => codec.decode(Uint8Array.of(MESSAGES[name as "Log"].index.s3 as number, 0, 0, 0))).toThrow(INVALID);
      return;
    }
    const messages = fc.record(
      Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, arbitraryOf(field, schema)])),
    );
    fc.assert(fc.property(messages, (value) => roundTrip({ type: name, ...value } as unknown as ModuleMessage)));
  });

  test("random bytes are a message or a fault", () => {
    fc.assert(
      fc.property(fc.nat(7), fc.uint8Array({ maxLength: 300 }), (index, bytes) => {
        survives(() => codec.decode(bytes));
        survives(() => codec.decode(concat(Uint8Array.of(index, 0, 0, 0), bytes)));
      }),
      { numRuns: 500 },
    );
  });

  test("frames of the node with bytes changed are a message or a fault, and what was read can be written", () => {
    const changed = fc.tuple(
      fc.constantFrom(...GOLDEN),
      fc.array(fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 2, 0x7f, 0xff), fc.nat(0xff))), {
        minLength: 1,
        maxLength: 6,
      }),
    );
    fc.assert(
      fc.property(changed, ([{ payload }, changes]) => {
        const bytes = Uint8Array.from(payload);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        survives(() => {
          const message = codec.decode(bytes);
          if (message.type !== "Invocation" || message.invocation.name !== "Rpc") codec.encode(message);
        });
      }),
      { numRuns: 1000 },
    );
  });

  test("a payload longer than the node takes is not written", () => {
    const name = codec.has("message", "Log") ? "Log" : "Request";
    const long = "x".repeat(maxPayload(schema));
    const message = { moduleId: long, message: "", target: "", level: "Info", timestamp: 0n };
    const request = { name: "Handshake", value: { moduleId: long, moduleName: "", version: "" } };
    expect(() =>
      codec.encode({ type: name, ...message, correlationId: 0n, request } as unknown as ModuleMessage),
    ).toThrow(/longer than the node takes/);
  });
});

describe("a list longer than it can be", () => {
  const codec = wireCodec("s3");
  /** A response with the payload of `index` up to a count, and `rest`. */
  const response = (index: number, count: bigint, rest: Uint8Array): Uint8Array =>
    concat(new Writer().u32(1).u64(1n).u8(1).u8(1).u32(index).u64(count).finish(), rest);
  const hashes = RESPONSES.MempoolTransactions.index.s3 as number;
  const listing = RESPONSES.DirectoryListing.index.s3 as number;

  test.each([
    ["one more than there are bytes for", 4n, new Uint8Array(3 * 32 + 31)],
    ["as many as a u64 can say", 0xffffffffffffffffn, new Uint8Array(64)],
    ["more than a number can count", 1n << 60n, new Uint8Array(64)],
  ])("%s: a fault before the first element", (_, count, rest) => {
    expect(() => codec.decode(response(hashes, count, rest))).toThrow(/count/);
    expect(() => codec.decode(response(hashes, count, rest))).toThrow(INVALID);
  });

  test("texts and byte strings longer than what is left are a fault", () => {
    for (const length of [2n, 0xffffffffffffffffn]) {
      const text = new Writer().u64(length).u8(0x61).finish();
      expect(() => codec.decode(response(listing, 1n, text))).toThrow(/String, length/);
    }
  });

  test("elements of all lists together are bounded", () => {
    const full = codec.decode(
      response(listing, BigInt(MAX_ELEMENTS), concat(new Uint8Array(8 * MAX_ELEMENTS), Uint8Array.of(0))),
    );
    expect(full).toMatchObject({ payload: { value: { entries: { length: MAX_ELEMENTS } } } });
    const more = new Uint8Array(8 * (MAX_ELEMENTS + 1) + 1);
    expect(() => codec.decode(response(listing, BigInt(MAX_ELEMENTS) + 1n, more))).toThrow(/elements/);

    // Two lists in one message: transactions with as many inputs as fit, the second one too many.
    const block = new Writer().bytes(new Uint8Array(96)).u64(2n);
    for (let i = 0; i < 2; i++) {
      block
        .u64(1n)
        .u64(BigInt(MAX_ELEMENTS / 2))
        .bytes(new Uint8Array((MAX_ELEMENTS / 2) * 52))
        .u64(0n)
        .u64(0n);
    }
    const bytes = concat(new Writer().u32(1).u64(1n).u8(1).u8(1).u32(1).u8(1).finish(), block.u8(0).finish());
    expect(() => codec.decode(bytes)).toThrow(/elements/);
  });
});

describe("types that differ by schema", () => {
  const outpoint = { hash: new Uint8Array(32).fill(7), index: 0xffffffff };
  const message = requestOf("GetUtxo", { outpoint });

  test("the index of an output is a u64 in the N schemas, a u32 behind them", () => {
    for (const schema of SCHEMAS) {
      const tail = schema.startsWith("n") ? "07ffffffff00000000" : "07ffffffff";
      const frame = wireCodec(schema).encode(message);
      expect([schema, Buffer.from(frame).toString("hex").endsWith(tail)]).toEqual([schema, true]);
      expect(wireCodec(schema).decode(frame.subarray(4))).toEqual(message);
    }
  });

  test("an index that no transaction can have is a fault", () => {
    const frame = wireCodec("n2").encode(message);
    frame[frame.length - 1] = 1;
    expect(() => wireCodec("n2").decode(frame.subarray(4))).toThrow(INVALID);
  });

  test("PeerConnected: a node before v0.1.29 leaves the node id out", () => {
    const value = { peerAddr: "1.2.3.4:8333", transportType: "tcp", services: 9n, version: 70016 };
    const known = { ...value, peerNodeId: Uint8Array.of(1, 2) };
    const unknown = { ...value, peerNodeId: null };
    const s3 = wireCodec("s3");
    expect(s3.decode(s3.encode(eventOf("PeerConnected", known)).subarray(4))).toEqual(eventOf("PeerConnected", known));
    const late = s3.encode(eventOf("PeerConnected", unknown)).subarray(4);
    expect(s3.decode(late)).toEqual(eventOf("PeerConnected", unknown));
    expect(s3.decode(late.subarray(0, -1))).toEqual(eventOf("PeerConnected", unknown));
    // A node id that breaks off is not one that was left out.
    expect(() => s3.decode(concat(late.subarray(0, -1), Uint8Array.of(1, 9)))).toThrow(INVALID);
    const s2 = wireCodec("s2");
    expect(s2.encode(eventOf("PeerConnected", unknown)).length).toBe(late.length - 1 + 4);
    expect(() => s2.encode(eventOf("PeerConnected", known))).toThrow(TypeError);
  });

  test("calls of other modules came with v0.1.29", () => {
    const call: ModuleMessage = {
      type: "Invocation",
      correlationId: 1n,
      invocation: { name: "ModuleApi", value: { method: "m", params: new Uint8Array(0), callerModuleId: "c" } },
    };
    const frame = wireCodec("s3").encode(call);
    expect(wireCodec("s3").decode(frame.subarray(4))).toEqual(call);
    expect(() => wireCodec("s2").decode(frame.subarray(4))).toThrow(INVALID);
  });

  test("a request whose message type the schema forgot goes under another one", () => {
    const frame = wireCodec("n1").encode(requestOf("ReadFile", { path: "" }));
    expect(Buffer.from(frame.subarray(16, 24)).toString("hex")).toBe("0000000015000000");
    expect(() => wireCodec("n1").decode(frame.fill(43, 16, 17).subarray(4))).toThrow(/MessageType, index 43/);
  });
});
