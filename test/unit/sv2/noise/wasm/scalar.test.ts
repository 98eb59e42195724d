import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex } from "../../../../../src/kernel/bytes.ts";
import { FIELD_ORDER } from "../../../../../src/sv2/noise/ellswift.ts";
import {
  BETA,
  COMB_SPACING,
  COMB_TEETH,
  combDigits,
  GROUP_ORDER,
  LAMBDA,
} from "../../../../../src/sv2/noise/wasm/scalar.ts";
import { EDGE_SCALARS } from "../../../../support/noise-crypto-table.ts";

/** What the comb adds up for these digits: a bit counts +1 or -1, tooth j at position i counts 2^(26 j + i). */
function sumOf(digits: Uint8Array): bigint {
  const halves = [0n, 0n];
  digits.forEach((digit, n) => {
    const position = COMB_SPACING - 1 - (n >> 1);
    for (let tooth = 0; tooth < COMB_TEETH; tooth++) {
      const sign = (digit >> tooth) & 1 ? 1n : -1n;
      halves[n & 1] = (halves[n & 1] as bigint) + sign * (1n << BigInt(position + COMB_SPACING * tooth));
    }
  });
  const value = (halves[0] as bigint) + LAMBDA * (halves[1] as bigint);
  return ((value % GROUP_ORDER) + GROUP_ORDER) % GROUP_ORDER;
}

const digitsOf = (scalar: bigint): Uint8Array => combDigits(fromHex(scalar.toString(16).padStart(64, "0")));

describe("digits of a scalar", () => {
  test("lambda and beta are cube roots of unity", () => {
    expect(LAMBDA ** 3n % GROUP_ORDER).toBe(1n);
    expect(BETA ** 3n % FIELD_ORDER).toBe(1n);
  });

  test("add up to the scalar", () => {
    const scalars = fc.bigInt({ min: 1n, max: GROUP_ORDER - 1n });
    fc.assert(
      fc.property(scalars, (scalar) => {
        const digits = digitsOf(scalar);
        expect(digits).toHaveLength(52);
        expect(sumOf(digits)).toBe(scalar);
      }),
      { numRuns: 2000 },
    );
  });

  test.each(EDGE_SCALARS)("add up to %s", (scalar) => {
    const digits = digitsOf(scalar);
    expect(sumOf(digits)).toBe(scalar);
    expect(digits.every((digit) => digit < 32)).toBe(true);
  });
});
