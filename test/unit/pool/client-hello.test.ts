import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, fromHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { isClientHello, plainText } from "../../../src/pool/foreign-protocol.ts";
import { MAX_HELLO_BYTES, readClientHello } from "../../../src/pool/transports/client-hello.ts";

/** RFC 8448 §3, the client's first message, 196 bytes; it offers TLS 1.3 and names no protocol. */
const RFC_8448 = fromHex(
  "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7" +
    "000006130113031302010000910000000b0009000006736572766572ff01000100000a0014001200" +
    "1d0017001800190100010101020103010400230000003300260024001d002099381de560e4bd43d2" +
    "3d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e04030503" +
    "0603020308040805080604010501060102010402050206020202002d00020101001c00024001",
);

/** The same with an ALPN extension (RFC 7301 §3.1) behind the others. */
function withProtocols(...names: readonly string[]): Uint8Array {
  const list = concat(...names.map((name) => Uint8Array.of(name.length, ...new TextEncoder().encode(name))));
  const body = Uint8Array.of(list.length >> 8, list.length & 0xff, ...list);
  const extension = Uint8Array.of(0, 16, body.length >> 8, body.length & 0xff, ...body);
  const message = concat(RFC_8448, extension);
  const view = new DataView(message.buffer);
  view.setUint16(2, message.length - 4);
  // Its extensions are the last 145 bytes, their length before them.
  view.setUint16(RFC_8448.length - 147, 145 + extension.length);
  return message;
}

/** A message in records of `size` bytes. */
function records(message: Uint8Array, size = 16_384): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Uint8Array.of(22, 3, 1, part.length >> 8, part.length & 0xff), part);
  }
  return concat(...parts);
}

describe("a ClientHello", () => {
  test("of RFC 8448: TLS 1.3, no protocol", () => {
    expect(readClientHello(records(RFC_8448))).toEqual({ versions: [0x0304], protocols: [] });
  });

  test("with protocols, in one record or many, and with bytes behind it", () => {
    const message = withProtocols("http/1.1", "sv2");
    for (const size of [16_384, 100, 14]) {
      // What follows, early data here, is none of its business.
      const bytes = concat(records(message, size), Uint8Array.of(23, 3, 3, 0, 1, 0));
      expect(readClientHello(bytes)).toEqual({ versions: [0x0304], protocols: ["http/1.1", "sv2"] });
    }
  });

  test("is waited for until its last byte", () => {
    const bytes = records(withProtocols("sv2"), 50);
    for (let size = 0; size < bytes.length; size++) expect(readClientHello(bytes.subarray(0, size))).toBeUndefined();
    expect(readClientHello(bytes)).toBeDefined();
  });

  test("without extensions is one of a TLS before 1.3", () => {
    const bare = RFC_8448.slice(0, RFC_8448.length - 147);
    new DataView(bare.buffer).setUint16(2, bare.length - 4);
    expect(readClientHello(records(bare))).toEqual({ versions: [], protocols: [] });
  });

  test.each([
    ["another kind of record", Uint8Array.of(23, 3, 3, 0, 1, 0)],
    ["another version", Uint8Array.of(22, 2, 0, 0, 1, 1)],
    ["an empty record", Uint8Array.of(22, 3, 1, 0, 0)],
    ["a record that is too long", Uint8Array.of(22, 3, 1, 0x40, 1)],
    ["another message", Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0)],
    ["a message that is too long", Uint8Array.of(22, 3, 1, 0, 4, 1, 0, 0x40, 1)],
    ["a length that ends inside", records(concat(Uint8Array.of(1, 0, 0, 3), new Uint8Array(3)))],
  ])("is refused for %s", (_, bytes) => {
    expect(() => readClientHello(bytes)).toThrow(Fault);
  });

  test("in many pieces is refused, before they cost as many looks", () => {
    expect(() => readClientHello(records(RFC_8448, 11))).toThrow(expect.objectContaining({ code: "tls-refused" }));
    expect(readClientHello(records(RFC_8448, 13))).toBeDefined();
  });

  test("that never ends is given up at the bound", () => {
    const message = concat(Uint8Array.of(1, 0, 0x3f, 0xff), new Uint8Array(MAX_HELLO_BYTES));
    const bytes = records(message);
    expect(readClientHello(bytes.subarray(0, MAX_HELLO_BYTES - 1))).toBeUndefined();
    expect(() => readClientHello(bytes.subarray(0, MAX_HELLO_BYTES))).toThrow(
      expect.objectContaining({ code: "tls-refused" }),
    );
  });

  test("of any bytes is read, waited for or refused, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(RFC_8448.length - 1), (noise, at) => {
        const changed = withProtocols("sv2");
        changed.set(noise.subarray(0, changed.length - at), at);
        for (const bytes of [noise, records(changed)]) {
          try {
            readClientHello(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
          }
        }
      }),
    );
  });
});

describe("who came to the wrong port", () => {
  test("a TLS client is known by its first bytes", () => {
    expect(isClientHello(records(RFC_8448))).toBe(true);
    expect(isClientHello(records(RFC_8448).subarray(0, 10))).toBe(false);
    expect(isClientHello(new Uint8Array(64).fill(22))).toBe(false);
  });

  test("text is known by its first line, and Stratum V1 by its brace", () => {
    const text = (line: string): string | undefined => plainText(new TextEncoder().encode(line));
    expect(text('{"id": 1, "method": "mining.subscribe", "params": []}\n')).toBe("Stratum V1");
    expect(text("GET / HTTP/1.1\r\nHost: pool.example.com\r\n\r\n")).toBe("text");
    expect(text("GET /")).toBeUndefined();
    expect(plainText(new Uint8Array(64).fill(0x80))).toBeUndefined();
  });
});
