import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../../src/kernel/bytes.ts";
import { FIELD_ORDER as P } from "../../../../../src/sv2/noise/ellswift.ts";
import { Elements } from "../../../../../src/sv2/noise/wasm/elements.ts";
import { ELEMENT } from "../../../../../src/sv2/noise/wasm/field.ts";

const field = new Elements();
const [a, b, c] = [field.reserve(1), field.reserve(1), field.reserve(1)];
const bytes = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, "0"));
const value = (at: number): bigint => BigInt(`0x${toHex(field.read(at))}`);
const mod = (n: bigint): bigint => ((n % P) + P) % P;

/** Numbers of 256 bits, p and its neighbours and long runs of equal bits among them. */
const numbers = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
  fc.constantFrom(0n, 1n, 2n, P - 2n, P - 1n, P, P + 1n, (1n << 256n) - 1n, (1n << 255n) - 1n, 1n << 255n),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([m, n]) => mod((1n << BigInt(m)) - (1n << BigInt(n)))),
);
const properties = { numRuns: 500 };

describe("the field in WebAssembly, against bigint", () => {
  test("bytes in, bytes out, reduced", () => {
    fc.assert(
      fc.property(numbers, (n) => {
        field.write(a, bytes(n));
        expect(value(a)).toBe(mod(n));
      }),
      properties,
    );
  });

  test("products and squares of sums and differences up to the allowed magnitude", () => {
    fc.assert(
      fc.property(
        numbers,
        numbers,
        fc.integer({ min: -13, max: 13 }),
        fc.integer({ min: -13, max: 13 }),
        (x, y, m, n) => {
          const scaled = (to: number, from: number, times: number): void => {
            field.copy(to, field.zero);
            for (let i = 0; i < Math.abs(times); i++) field.op[times > 0 ? "add" : "sub"](to, to, from);
          };
          field.write(c, bytes(x));
          scaled(a, c, m);
          field.write(c, bytes(y));
          scaled(b, c, n);
          field.op.mul(c, a, b);
          expect(value(c)).toBe(mod(x * BigInt(m) * y * BigInt(n)));
          field.op.sqr(c, a);
          expect(value(c)).toBe(mod((x * BigInt(m)) ** 2n));
        },
      ),
      properties,
    );
  });

  test("words of a product stay within magnitude 1, at the largest factors too", () => {
    const words = new Elements();
    const [x, y] = [words.reserve(1), words.reserve(1)];
    words.write(x, new Uint8Array(32).fill(0xff));
    words.copy(y, words.zero);
    for (let i = 0; i < 13; i++) words.op.add(y, y, x);
    for (let i = 0; i < 20; i++) {
      words.op.mul(y, y, y);
      const twice = words.reserve(1);
      words.op.add(twice, y, y);
      words.op.mul(x, y, words.one);
      words.op.mul(twice, twice, words.one);
      expect(BigInt(`0x${toHex(words.read(twice))}`)).toBe(mod(2n * BigInt(`0x${toHex(words.read(x))}`)));
    }
  });

  test("a result may take the place of an operand", () => {
    field.write(a, bytes(7n));
    field.op.mul(a, a, a);
    field.op.sqr(a, a);
    field.op.add(a, a, a);
    field.op.sub(a, a, field.one);
    field.op.mul(a, a, field.one);
    expect(value(a)).toBe(2n * 7n ** 4n - 1n);
  });

  test("repeated squares", () => {
    field.write(a, bytes(3n));
    field.op.sqrTimes(b, a, 1);
    expect(value(b)).toBe(9n);
    field.op.sqrTimes(b, a, 8);
    expect(value(b)).toBe(mod(3n ** 256n));
  });

  test("inverses", () => {
    fc.assert(
      fc.property(numbers, (n) => {
        field.write(a, bytes(n));
        field.inverse(b, a);
        expect(mod(value(b) * n)).toBe(mod(n) === 0n ? 0n : 1n);
      }),
      { numRuns: 100 },
    );
  });

  test("roots: of each number or of its negative, as -1 is no square", () => {
    fc.assert(
      fc.property(numbers, (n) => {
        field.write(a, bytes(n));
        const found = field.root(b, a);
        if (found) expect(mod(value(b) ** 2n)).toBe(mod(n));
        field.op.sub(a, field.zero, a);
        expect(field.root(b, a)).toBe(!found || mod(n) === 0n);
      }),
      { numRuns: 100 },
    );
  });

  test("zero is seen in all its spellings", () => {
    field.write(a, bytes(P));
    expect(field.isZero(a)).toBe(true);
    field.write(a, bytes(P + 1n));
    expect(field.isZero(a)).toBe(false);
    expect(field.equal(a, field.one)).toBe(true);
  });

  test("wiping leaves nothing", () => {
    field.write(a, bytes(P - 5n));
    field.wipe(a, 1);
    expect(toHex(field.read(a))).toBe("00".repeat(32));
  });

  test("says so when its memory is full", () => {
    const small = new Elements();
    expect(() => small.reserve(64 * 1024)).toThrow("memory is full");
    expect(ELEMENT % 16).toBe(0);
  });
});
