/**
 * Targets, difficulties and work. A target is a 256-bit number that a block hash, read as a little-endian number, must
 * not exceed. Exact arithmetic is on `bigint`; the share path compares bytes instead (`meetsTargetBytes`).
 */
import { Fault } from "../kernel/fault.ts";

/** The easiest target there can be, 2^256 - 1. */
export const MAX_TARGET = 2n ** 256n - 1n;

/** The target of difficulty 1: 0xffff * 2^208, `nBits` 0x1d00ffff. */
export const DIFFICULTY_1_TARGET = 0xffffn << 208n;

/**
 * The target that `nBits` stands for: three bytes of mantissa, one of base-256 exponent (Core's `SetCompact`). May be 0,
 * which no hash but zero meets. Throws `Fault("compact-target-invalid")` when it is negative or beyond 256 bits.
 */
export function targetFromCompact(nBits: number): bigint {
  const size = nBits >>> 24;
  const mantissa = nBits & 0x007fffff;
  const value = size <= 3 ? BigInt(mantissa) >> BigInt(8 * (3 - size)) : BigInt(mantissa) << BigInt(8 * (size - 3));
  const negative = value !== 0n && (nBits & 0x00800000) !== 0;
  if (negative || value > MAX_TARGET) {
    throw new Fault("compact-target-invalid", { nBits: nBits.toString(16).padStart(8, "0") });
  }
  return value;
}

/**
 * The `nBits` of `target`, u32, with the lower digits cut off (Core's `GetCompact`). Throws `TypeError` unless `target`
 * is from 0 to `MAX_TARGET`.
 */
export function compactFromTarget(target: bigint): number {
  checkTarget(target);
  let size = Math.ceil(target.toString(16).length / 2);
  if (target === 0n) size = 0;
  let mantissa = Number(size <= 3 ? target << BigInt(8 * (3 - size)) : target >> BigInt(8 * (size - 3)));
  // The highest bit of the mantissa is a sign, so a value that would set it moves on by one byte.
  if (mantissa & 0x00800000) {
    mantissa >>>= 8;
    size++;
  }
  return ((size << 24) | mantissa) >>> 0;
}

/** A hash, `Uint8Array(32)` in internal byte order, as the number that is compared with a target. */
export function hashToBigint(hash: Uint8Array): bigint {
  return targetFromBytes(hash);
}

/** The number in a little-endian U256, `Uint8Array(32)`, as SV2 sends targets. */
export function targetFromBytes(u256: Uint8Array): bigint {
  if (u256.length !== 32) throw new TypeError(`a U256 has 32 bytes, got ${u256.length}`);
  const view = new DataView(u256.buffer, u256.byteOffset, 32);
  return (
    (view.getBigUint64(24, true) << 192n) |
    (view.getBigUint64(16, true) << 128n) |
    (view.getBigUint64(8, true) << 64n) |
    view.getBigUint64(0, true)
  );
}

/** `target` as a little-endian U256, a new `Uint8Array(32)`. Throws `TypeError` unless it is from 0 to `MAX_TARGET`. */
export function targetToBytes(target: bigint): Uint8Array {
  checkTarget(target);
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) view.setBigUint64(8 * i, (target >> BigInt(64 * i)) & 0xffffffffffffffffn, true);
  return bytes;
}

/** Whether `hash`, `Uint8Array(32)` in internal byte order, meets `target`. */
export function meetsTarget(hash: Uint8Array, target: bigint): boolean {
  return hashToBigint(hash) <= target;
}

/**
 * As `meetsTarget` without a `bigint`, for the share path: both `Uint8Array(32)`, little-endian (`targetToBytes` made
 * the target once).
 */
export function meetsTargetBytes(hash: Uint8Array, target: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (hash[i] as number) - (target[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/**
 * How many times harder `target` is than difficulty 1, to double precision; below 1 for easier ones. Throws `TypeError`
 * for targets outside of 1 to `MAX_TARGET`.
 */
export function difficultyOfTarget(target: bigint): number {
  checkTarget(target);
  if (target === 0n) throw new TypeError("target 0 has no difficulty");
  return Number(DIFFICULTY_1_TARGET) / Number(target);
}

/**
 * The target of `difficulty`, rounded down from the exact quotient and kept within 1 to `MAX_TARGET`. Throws `TypeError`
 * unless `difficulty` is positive and finite.
 */
export function targetOfDifficulty(difficulty: number): bigint {
  const [numerator, denominator] = fraction(difficulty);
  return clamp((DIFFICULTY_1_TARGET * denominator) / numerator);
}

/**
 * The target that `hashesPerSecond` meets `sharesPerMinute` times a minute on average: (target + 1) / 2^256 is one over
 * the hashes tried per share. Kept within 1 to `MAX_TARGET`. Throws `TypeError` unless both are positive and finite.
 */
export function targetOfHashrate(hashesPerSecond: number, sharesPerMinute: number): bigint {
  const [hashes, hashesDivisor] = fraction(hashesPerSecond);
  const [shares, sharesDivisor] = fraction(sharesPerMinute);
  return clamp((2n ** 256n * shares * hashesDivisor) / (hashes * 60n * sharesDivisor) - 1n);
}

/** Hashes that a block of `target` takes on average, 2^256 / (target + 1): what chains are compared by. */
export function workOfTarget(target: bigint): bigint {
  checkTarget(target);
  return 2n ** 256n / (target + 1n);
}

function checkTarget(target: bigint): void {
  if (target < 0n || target > MAX_TARGET) throw new TypeError(`a target is from 0 to 2^256 - 1, got ${target}`);
}

function clamp(target: bigint): bigint {
  if (target < 1n) return 1n;
  return target > MAX_TARGET ? MAX_TARGET : target;
}

/** The exact numerator and denominator of a positive double. */
function fraction(value: number): [bigint, bigint] {
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`expected a positive number, got ${value}`);
  let numerator = value;
  let denominator = 1n;
  while (!Number.isInteger(numerator)) {
    numerator *= 2;
    denominator *= 2n;
  }
  return [BigInt(numerator), denominator];
}
