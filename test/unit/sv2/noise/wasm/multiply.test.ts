import { secp256k1 } from "@noble/curves/secp256k1.js";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../../src/kernel/bytes.ts";
import { JACOBIAN, TABLE_ENTRIES } from "../../../../../src/sv2/noise/wasm/curve.ts";
import { Elements } from "../../../../../src/sv2/noise/wasm/elements.ts";
import { ELEMENT } from "../../../../../src/sv2/noise/wasm/field.ts";
import { Multiplier } from "../../../../../src/sv2/noise/wasm/multiply.ts";
import { WasmCurve } from "../../../../../src/sv2/noise/wasm/secp256k1.ts";
import { EXCEPTIONAL_SCALAR } from "../../../../support/noise-crypto-table.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const G = secp256k1.Point.BASE;
type Point = typeof G;
const field = new Elements();
const [p, q, table, s] = [field.reserve(3), field.reserve(2), field.reserve(2 * TABLE_ENTRIES), field.reserve(2)];
const bytes = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, "0"));
const at = (address: number): bigint => BigInt(`0x${toHex(field.read(address))}`);

function putAffine(to: number, point: Point): void {
  const { x, y } = point.toAffine();
  field.write(to, bytes(x));
  field.write(to + ELEMENT, bytes(y));
}

function putJacobian(to: number, point: Point, z: bigint): void {
  putAffine(to, point);
  const zAt = to + 2 * ELEMENT;
  field.write(zAt, bytes(z));
  for (const [coordinate, power] of [
    [to, 2],
    [to + ELEMENT, 3],
  ] as const) {
    for (let n = 0; n < power; n++) field.op.mul(coordinate, coordinate, zAt);
  }
}

function readJacobian(from: number): { x: bigint; y: bigint } {
  const inverse = q;
  field.inverse(inverse, from + 2 * ELEMENT);
  const [x, y] = [s, s + ELEMENT];
  field.op.sqr(x, inverse);
  field.op.mul(y, x, inverse);
  field.op.mul(x, x, from);
  field.op.mul(y, y, from + ELEMENT);
  return { x: at(x), y: at(y) };
}

describe("point operations in WebAssembly, against noble", () => {
  test("doubling, in any frame", () => {
    for (const n of [1n, 2n, 3n, 12345n]) {
      putJacobian(p, G.multiply(n), 7n * n);
      field.op.double(p);
      expect(readJacobian(p)).toEqual(G.multiply(2n * n).toAffine());
    }
  });

  test("adding an affine point", () => {
    for (const [m, n] of [
      [1n, 2n],
      [5n, 3n],
      [1n << 200n, 1n],
    ] as const) {
      putJacobian(p, G.multiply(m), 11n);
      putAffine(q, G.multiply(n));
      field.op.addMixed(p, q);
      expect(readJacobian(p)).toEqual(G.multiply(m + n).toAffine());
    }
  });

  test("a long chain keeps magnitudes in bounds", () => {
    putJacobian(p, G.multiply(3n), 1n);
    let expected = 3n;
    for (let n = 0; n < 40; n++) {
      putAffine(q, G);
      field.op.double(p);
      field.op.addMixed(p, q);
      field.op.addMixed(p, q);
      expected = 2n * expected + 2n;
    }
    expect(readJacobian(p)).toEqual(G.multiply(expected).toAffine());
  });

  test("equal or opposite points leave Z at 0, and 0 stays 0", () => {
    for (const sum of [G.multiply(5n), G.multiply(5n).negate()]) {
      putJacobian(p, sum, 9n);
      putAffine(q, G.multiply(5n));
      field.op.addMixed(p, q);
      expect(at(p + 2 * ELEMENT)).toBe(0n);
      putAffine(q, G);
      field.op.double(p);
      field.op.addMixed(p, q);
      expect(at(p + 2 * ELEMENT)).toBe(0n);
    }
    expect(JACOBIAN).toBe(240);
  });

  test("the look-up gives entry or negative for all 32 digits", () => {
    for (let n = 0; n < TABLE_ENTRIES; n++) putAffine(table + n * 2 * ELEMENT, G.multiply(BigInt(n + 1)));
    for (let digit = 0; digit < 32; digit++) {
      field.op.select(q, table, digit);
      const entry = G.multiply(BigInt((digit & 16 ? digit & 15 : ~digit & 15) + 1));
      field.op.mul(s, q, field.one);
      field.op.mul(s + ELEMENT, q + ELEMENT, field.one);
      expect({ x: at(s), y: at(s + ELEMENT) }).toEqual((digit & 16 ? entry : entry.negate()).toAffine());
    }
  });
});

describe("the scalar that the comb cannot multiply by", () => {
  test("leaves a denominator of 0, its neighbours do not", () => {
    const multiplier = new Multiplier(field);
    const multiples = multiplier.reserve();
    putAffine(q, G);
    multiplier.prepare(multiples, q, field.one);
    for (const [step, zero] of [
      [-1n, false],
      [0n, true],
      [1n, false],
    ] as const) {
      multiplier.multiply(s, s + ELEMENT, multiples, bytes(EXCEPTIONAL_SCALAR + step));
      expect(field.isZero(s + ELEMENT)).toBe(zero);
    }
  });

  test("is not taken for a new key", () => {
    const random = seededRandom(31);
    const given = [bytes(EXCEPTIONAL_SCALAR), bytes(5n)];
    const { privateKey } = new WasmCurve().generateKey({ bytes: (size) => given.shift() ?? random.bytes(size) });
    expect(toHex(privateKey)).toBe(toHex(bytes(5n)));
  });
});
