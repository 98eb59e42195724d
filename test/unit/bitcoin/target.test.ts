/** Compact targets by Bitcoin Core's vectors, difficulties by known blocks, and the arithmetic around them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compactFromTarget,
  DIFFICULTY_1_TARGET,
  difficultyOfTarget,
  hashToBigint,
  MAX_TARGET,
  meetsTarget,
  meetsTargetBytes,
  targetFromBytes,
  targetFromCompact,
  targetOfDifficulty,
  targetOfHashrate,
  targetToBytes,
  workOfTarget,
} from "../../../src/bitcoin/target.ts";
import { fromDisplayHex } from "../../../src/kernel/bytes.ts";
import compact from "../../vectors/bitcoin-compact-targets.json" with { type: "json" };

const u256 = fc.bigInt({ min: 0n, max: MAX_TARGET });

describe("compact targets", () => {
  test.each(compact.vectors)("nBits $nBits", (vector) => {
    if (vector.negative || vector.overflow) {
      expect(() => targetFromCompact(vector.nBits)).toThrow(
        expect.objectContaining({ code: "compact-target-invalid" }),
      );
      return;
    }
    const target = targetFromCompact(vector.nBits);
    expect(target).toBe(BigInt(`0x${vector.hex}`));
    expect(compactFromTarget(target)).toBe(vector.compact);
  });

  test.each(compact.fromValue)("value $hex", (vector) => {
    expect(compactFromTarget(BigInt(`0x${vector.hex}`))).toBe(vector.compact);
  });

  test("loses digits only downwards, and nothing the second time", () => {
    fc.assert(
      fc.property(u256, (target) => {
        const cut = targetFromCompact(compactFromTarget(target));
        expect(cut).toBeLessThanOrEqual(target);
        expect(target - cut).toBeLessThanOrEqual(target >> 15n);
        expect(compactFromTarget(cut)).toBe(compactFromTarget(target));
      }),
    );
  });
});

describe("hashes against targets", () => {
  // Bitcoin mainnet block 170 and its difficulty 1 target.
  const hash = fromDisplayHex("00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee");

  test("reads a hash as a little-endian number", () => {
    expect(hashToBigint(hash)).toBe(0xd1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2een);
    expect(meetsTarget(hash, targetFromCompact(0x1d00ffff))).toBe(true);
    expect(meetsTarget(hash, hashToBigint(hash))).toBe(true);
    expect(meetsTarget(hash, hashToBigint(hash) - 1n)).toBe(false);
  });

  test("the comparison of bytes is the comparison of numbers", () => {
    const near = fc.tuple(u256, fc.integer({ min: -2, max: 2 })).map(([a, by]): [bigint, bigint] => {
      const b = a + BigInt(by);
      return [a, b < 0n || b > MAX_TARGET ? a : b];
    });
    fc.assert(
      fc.property(fc.oneof(fc.tuple(u256, u256), near), ([a, b]) => {
        expect(meetsTargetBytes(targetToBytes(a), targetToBytes(b))).toBe(a <= b);
        expect(meetsTarget(targetToBytes(a), b)).toBe(a <= b);
      }),
    );
  });

  test("U256 bytes are little-endian and 32 long", () => {
    expect([...targetToBytes(1n)].slice(0, 2)).toEqual([1, 0]);
    expect(targetToBytes(MAX_TARGET).every((byte) => byte === 0xff)).toBe(true);
    fc.assert(fc.property(u256, (target) => targetFromBytes(targetToBytes(target)) === target));
    expect(() => targetFromBytes(new Uint8Array(31))).toThrow(TypeError);
    expect(() => targetToBytes(MAX_TARGET + 1n)).toThrow(TypeError);
    expect(() => targetToBytes(-1n)).toThrow(TypeError);
  });
});

describe("difficulty", () => {
  // Bitcoin Core's blockchain_tests.cpp, GetDifficulty (those whose nBits has no sign bit), to its tolerance.
  test.each([
    [0x1f111111, 0.000001],
    [0x12345678, 5913134931067755000000000],
  ])("of nBits %i is %d", (nBits, difficulty) => {
    const got = difficultyOfTarget(targetFromCompact(nBits));
    expect(Math.abs(got - difficulty)).toBeLessThanOrEqual(0.00001);
  });

  // Core prints 16 digits. The Bitcoin wiki's example ("Difficulty") and the regtest limit.
  test.each([
    [0x1b0404cb, "16307.42093852398"],
    [0x207fffff, "4.656542373906925e-10"],
  ])("of nBits %i is printed as %s", (nBits, printed) => {
    expect(difficultyOfTarget(targetFromCompact(nBits)).toPrecision(16)).toBe(printed);
  });

  test("1 is 0xffff * 2^208, and extremes stay inside", () => {
    expect(targetOfDifficulty(1)).toBe(DIFFICULTY_1_TARGET);
    expect(targetOfDifficulty(2)).toBe(DIFFICULTY_1_TARGET / 2n);
    expect(targetOfDifficulty(0.5)).toBe(DIFFICULTY_1_TARGET * 2n);
    expect(targetOfDifficulty(1e300)).toBe(1n);
    expect(targetOfDifficulty(Number.MIN_VALUE)).toBe(MAX_TARGET);
  });

  test("comes back from its target to double precision", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e50, noNaN: true }), (difficulty) => {
        expect(difficultyOfTarget(targetOfDifficulty(difficulty)) / difficulty).toBeCloseTo(1, 12);
      }),
    );
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("has no target for %d", (difficulty) => {
    expect(() => targetOfDifficulty(difficulty)).toThrow(TypeError);
  });

  test("has no value for target 0", () => expect(() => difficultyOfTarget(0n)).toThrow(TypeError));
});

describe("work and hashrate", () => {
  test("regtest blocks weigh 2, as Core's chainwork e8 for 116 blocks says", () => {
    expect(workOfTarget(targetFromCompact(0x207fffff)) * 116n).toBe(0xe8n);
  });

  test("mainnet's genesis weighs 0x100010001, as Core's nMinimumChainWork arithmetic has it", () => {
    expect(workOfTarget(targetFromCompact(0x1d00ffff))).toBe(0x100010001n);
  });

  test("a target for a hashrate is met as often as asked", () => {
    // 2^256 / (target + 1) hashes a share; 1 TH/s at 6 shares a minute is 10^13 hashes a share.
    expect(workOfTarget(targetOfHashrate(1e12, 6))).toBe(10_000_000_000_000n);
    expect(targetOfHashrate(0.001, 60)).toBe(MAX_TARGET);
    expect(targetOfHashrate(1e300, 0.001)).toBe(1n);
    expect(() => targetOfHashrate(Number.NaN, 1)).toThrow(TypeError);
    expect(() => targetOfHashrate(1, 0)).toThrow(TypeError);
  });
});
