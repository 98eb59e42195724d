import { describe, expect, test } from "vitest";
import { FIELD_ORDER as P } from "../../../../../src/sv2/noise/ellswift.ts";
import { FREE, instantiateCurve } from "../../../../../src/sv2/noise/wasm/curve.ts";
import { ELEMENT, WORDS } from "../../../../../src/sv2/noise/wasm/field.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const { exports: op, memory } = instantiateCurve();
const words = new BigInt64Array(memory);
const [a, b, to] = [FREE, FREE + ELEMENT, FREE + 2 * ELEMENT] as const;

const wordsAt = (at: number): bigint[] => [...words.subarray(at / 8, at / 8 + WORDS)];
const value = (at: number): bigint => wordsAt(at).reduceRight((sum, word) => (sum << 26n) + word, 0n);
const mod = (n: bigint): bigint => ((n % P) + P) % P;

const random = seededRandom(81);
const below = (limit: number): number => (random.bytes(1)[0] as number) % limit;
/** Which of its extremes a word takes, by its number: all positive, all negative, by turns, at random, or in between. */
const SHAPES: readonly ((i: number, max: bigint) => bigint)[] = [
  (_, max) => max,
  (_, max) => -max,
  (i, max) => (i % 2 === 0 ? max : -max),
  (_, max) => (below(2) === 0 ? max : -max),
  (_, max) => (max * BigInt(below(256) - 128)) / 128n,
];

/** Puts an element of magnitude `m` whose words are at its limits. */
function put(at: number, m: number, shape: number): bigint {
  for (let i = 0; i < WORDS; i++) {
    const max = BigInt(m) * (i === WORDS - 1 ? 1n << 22n : (1n << 26n) + (1n << 22n)) - 1n;
    words[at / 8 + i] = SHAPES[shape]?.(i, max) as bigint;
  }
  return value(at);
}

function expectProduct(expected: bigint): void {
  expect(mod(value(to))).toBe(mod(expected));
  const stray = wordsAt(to).filter((word, i) => {
    const slack = i === 2 ? 1n << 22n : 0n;
    return word < -slack || word >= (i === WORDS - 1 ? 1n << 22n : (1n << 26n) + slack);
  });
  expect(stray).toEqual([]);
}

describe("words at the limits of their magnitude", () => {
  test("products up to magnitude 180 are right, of magnitude 1, and tidy but for the third word", () => {
    const pairs = Array.from({ length: 180 }, (_, n) => [n + 1, Math.floor(180 / (n + 1))] as const);
    for (const [m, n] of pairs) {
      for (let shape = 0; shape < SHAPES.length ** 2; shape++) {
        const [x, y] = [put(a, m, shape % SHAPES.length), put(b, n, Math.floor(shape / SHAPES.length))];
        op.mul(to, a, b);
        expectProduct(x * y);
      }
    }
  });

  test("squares up to magnitude 13 are", () => {
    for (let m = 1; m <= 13; m++) {
      for (let shape = 0; shape < 20; shape++) {
        const x = put(a, m, shape % SHAPES.length);
        op.sqr(to, a);
        expectProduct(x * x);
      }
    }
  });
});
