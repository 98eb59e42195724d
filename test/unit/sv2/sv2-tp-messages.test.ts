import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { decodeFrameHeader, encodeFrameHeader } from "../../../src/sv2/frame.ts";
import { plain, unplain } from "../../support/arbitraries.ts";
import { CODECS } from "../../support/sv2-tables.ts";
import vectors from "../../vectors/sv2-tp-messages.json" with { type: "json" };

describe("messages of sv2-tp, the C++ template provider", () => {
  test.each(vectors.messages)("$test", ({ protocol, name, type, payload, value }) => {
    const codec = CODECS[protocol]!;
    const decoded = codec.decode(type, fromHex(payload));
    expect(decoded.name).toBe(name);
    expect(plain(decoded.value)).toEqual(value);
    expect(toHex(codec.encodePayload(name, unplain(codec.row(name)!, value) as never))).toBe(payload);
  });

  test("bytes after the last field are refused where sv2-tp leaves them unread", () => {
    const { payload, surplus, type } = vectors.messages.find((one) => one.surplus !== undefined)!;
    expect(() => CODECS.templates!.decode(type, fromHex(payload + surplus))).toThrow(/goes on after its last field/);
  });

  test.each(vectors.headers)("$test", ({ header, value }) => {
    expect(decodeFrameHeader(fromHex(header))).toEqual(value);
    expect(toHex(encodeFrameHeader(value))).toBe(header);
  });
});
