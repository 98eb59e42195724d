import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import {
  decodeTlvs,
  decodeUserIdentity,
  encodeTlv,
  encodeUserIdentity,
  USER_IDENTITY_TLV,
} from "../../../src/sv2/tlv.ts";

/** The example of spec 3.4.3, big-endian as printed there. */
const SPEC_EXAMPLE = "000201000a576f726b65725f303031";
/** The same field as SRI writes it (parsers-sv2 tlv/codec.rs at 2680220): little-endian. */
const LITTLE_ENDIAN = "0200010a00576f726b65725f303031";

describe("TLV fields (spec 3.4.3)", () => {
  test("are written little-endian, as SRI does", () => {
    expect(toHex(encodeUserIdentity("Worker_001"))).toBe(LITTLE_ENDIAN);
  });

  test("of worker tracking are read in both byte orders", () => {
    for (const hex of [SPEC_EXAMPLE, LITTLE_ENDIAN]) {
      expect(decodeTlvs(fromHex(hex))).toEqual([{ extensionType: 2, field: 1, value: utf8("Worker_001") }]);
      expect(decodeUserIdentity(fromHex(hex))).toBe("Worker_001");
    }
    expect(decodeUserIdentity(fromHex("0002010000"))).toBe("");
    expect(decodeUserIdentity(fromHex("0200010000"))).toBe("");
  });

  test("of other extensions are passed over", () => {
    const other = encodeTlv(0x4001, 7, Uint8Array.of(1, 2, 3));
    const first = encodeTlv(0x0001, 1, new Uint8Array(0));
    expect(decodeUserIdentity(concat(first, encodeUserIdentity("ann"), other))).toBe("ann");
    expect(decodeUserIdentity(concat(first, other))).toBeUndefined();
    expect(decodeUserIdentity(encodeTlv(2, 2, utf8("ann")))).toBeUndefined();
    expect(decodeUserIdentity(undefined)).toBeUndefined();
  });

  test("a name of 32 bytes is taken, one of 33 rejected, in both orders", () => {
    const name = "é".repeat(16);
    expect(decodeUserIdentity(encodeUserIdentity(name))).toBe(name);
    expect(() => encodeUserIdentity(`${name}x`)).toThrow(TypeError);
    const value = "61".repeat(33);
    for (const hex of [`0200012100${value}`, `0002010021${value}`]) {
      expect(() => decodeUserIdentity(fromHex(hex))).toThrow(/longer than its type allows/);
    }
  });

  test("one that is cut anywhere is a fault", () => {
    for (let size = 1; size < LITTLE_ENDIAN.length / 2; size++) {
      for (const hex of [SPEC_EXAMPLE, LITTLE_ENDIAN]) {
        expect(() => decodeTlvs(fromHex(hex).subarray(0, size))).toThrow(Fault);
      }
    }
  });

  test("round trip in a list", () => {
    const one = fc.record({
      extensionType: fc.integer({ min: 0, max: 0x7fff }).filter((type) => type !== 0x0200),
      field: fc.integer({ min: 0, max: 255 }),
      value: fc.uint8Array({ maxLength: 50 }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), (tlvs) => {
        const bytes = concat(...tlvs.map(({ extensionType, field, value }) => encodeTlv(extensionType, field, value)));
        expect(decodeTlvs(bytes)).toEqual(tlvs);
      }),
      { seed: 4 },
    );
  });

  test("a value of more than 65535 bytes is a programming error", () => {
    const { extensionType, field } = USER_IDENTITY_TLV;
    expect(() => encodeTlv(extensionType, field, new Uint8Array(0x10000))).toThrow(TypeError);
  });
});
