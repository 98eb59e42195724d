import { elligatorSwift } from "@scure/btc-signer/p2p.js";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../src/kernel/bytes.ts";
import {
  decodeEllswift,
  encodeEllswift,
  FIELD_ORDER,
  SQRT_MINUS_3,
  xswiftec,
  xswiftecInverse,
} from "../../../../src/sv2/noise/ellswift.ts";
import { Elements } from "../../../../src/sv2/noise/wasm/elements.ts";
import { XSwiftEC } from "../../../../src/sv2/noise/wasm/xswiftec.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import vectors from "../../../vectors/bip324-ellswift.json" with { type: "json" };

const big = (hex: string): bigint => BigInt(`0x${hex}`);
const hex32 = (value: bigint | undefined): string | null =>
  value === undefined ? null : value.toString(16).padStart(64, "0");

describe("XSwiftEC", () => {
  test("c is the root of -3 that BIP324 takes, the one that is a square", () => {
    expect((SQRT_MINUS_3 * SQRT_MINUS_3 + 3n) % FIELD_ORDER).toBe(0n);
    expect(modPow(SQRT_MINUS_3, (FIELD_ORDER - 1n) / 2n)).toBe(1n);
  });

  const field = new Elements();
  const wasm = new XSwiftEC(field);
  const x = field.reserve(1);

  test.each(vectors.xswiftecInv)("BIP324 xswiftec_inv of u $u: all eight ways", (vector) => {
    for (let way = 0; way < 8; way++) {
      const expected = vector.t[way] ?? null;
      expect(hex32(xswiftecInverse(big(vector.x), big(vector.u), way))).toBe(expected);
      field.write(x, fromHex(vector.x));
      const t = wasm.encode(x, fromHex(vector.u), way);
      expect(t === undefined ? null : toHex(t)).toBe(expected);
      if (expected !== null) expect(hex32(xswiftec(big(vector.u), big(expected)))).toBe(vector.x);
    }
  });

  test("has 256 such results in the vectors", () => {
    expect(vectors.xswiftecInv.flatMap(({ t }) => t)).toHaveLength(256);
    expect(vectors.decode).toHaveLength(76);
    expect(vectors.xdh).toHaveLength(7);
  });

  test("decodes as the p2p module of @scure/btc-signer, and each reads what the other encodes", () => {
    const random = seededRandom(11);
    for (let i = 0; i < 40; i++) {
      const bytes = random.bytes(64);
      const x32 = decodeEllswift(bytes);
      expect(toHex(x32)).toBe(toHex(elligatorSwift.decode(bytes)));
      expect(toHex(elligatorSwift.decode(encodeEllswift(x32, random)))).toBe(toHex(x32));
    }
  });
});

function modPow(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let power = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * power) % FIELD_ORDER;
    power = (power * power) % FIELD_ORDER;
  }
  return result;
}
