/**
 * Field elements by their addresses in the module's memory: bytes in and out, and the powers (inverse, square root) that
 * are chains of products. Everything that is not a few products is TypeScript calling the module, as a call costs 4 ns
 * and a product 38 ns.
 */
import type { WasmExports } from "./assembler.ts";
import { type CurveFunction, FREE, instantiateCurve } from "./curve.ts";
import { ELEMENT, WORD_BITS, WORDS } from "./field.ts";

/** Address of an element in the module's memory. */
export type Address = number;

const MASK = 2 ** WORD_BITS - 1;
const TOP_BITS = 22;
const TOP_MASK = 2 ** TOP_BITS - 1;
/** 2^256 = 64 * 2^26 + 977 (mod p). */
const FOLD = [977, 64] as const;

/** The module's memory as elements of the field, and its functions. */
export class Elements {
  /** The module's functions; arguments are addresses. */
  readonly op: WasmExports<CurveFunction>;
  readonly #memory: ArrayBuffer;
  /** The same as 32-bit words; a reduced word of an element has its value in the even ones. */
  readonly #words: Int32Array;
  #free = FREE;
  /** Elements for the chain of powers: the first five behind the scratch of the module's functions. */
  readonly #x2: Address;
  readonly #x22: Address;
  readonly #x223: Address;
  readonly #t: Address;
  readonly #u: Address;
  /** The elements 0 and 1. */
  readonly zero: Address;
  readonly one: Address;

  constructor() {
    const { exports, memory } = instantiateCurve();
    this.op = exports;
    this.#memory = memory;
    this.#words = new Int32Array(memory);
    this.#x2 = this.reserve(1);
    this.#x22 = this.reserve(1);
    this.#x223 = this.reserve(1);
    this.#t = this.reserve(1);
    this.#u = this.reserve(1);
    this.zero = this.reserve(1);
    this.one = this.constant(1n);
  }

  /** The address of `count` new elements, all zero. They are never given back. */
  reserve(count: number): Address {
    const at = this.#free;
    this.#free += count * ELEMENT;
    if (this.#free > this.#memory.byteLength) throw new TypeError("the curve module's memory is full");
    return at;
  }

  /** The address of a new element with a public `value` below p. */
  constant(value: bigint): Address {
    const at = this.reserve(1);
    for (let i = 0; i < WORDS; i++) {
      this.#words[at / 4 + 2 * i] = Number((value >> BigInt(WORD_BITS * i)) & BigInt(MASK));
    }
    return at;
  }

  /** Copies `count` elements. */
  copy(to: Address, from: Address, count = 1): void {
    this.#words.copyWithin(to / 4, from / 4, (from + count * ELEMENT) / 4);
  }

  /** Overwrites `count` elements with zeros. */
  wipe(at: Address, count: number): void {
    this.#words.fill(0, at / 4, (at + count * ELEMENT) / 4);
  }

  /** Overwrites what the module's functions and the chains of powers left in their scratch elements. */
  wipeScratch(): void {
    this.wipe(0, this.zero / ELEMENT);
  }

  /** Stores the big-endian number of 32 bytes, modulo p. */
  write(to: Address, bytes: Uint8Array): void {
    const words = this.#words.subarray(to / 4, (to + ELEMENT) / 4).fill(0);
    for (let i = 0; i < 32; i++) {
      const byte = bytes[31 - i] as number;
      const word = 2 * Math.floor((8 * i) / WORD_BITS);
      const shift = (8 * i) % WORD_BITS;
      words[word] = (words[word] as number) | ((byte << shift) & MASK);
      if (shift > WORD_BITS - 8) words[word + 2] = byte >> (WORD_BITS - shift);
    }
  }

  /** The element as 32 bytes, big-endian, fully reduced. It must be of magnitude 1. */
  read(from: Address): Uint8Array {
    const digits = new Int32Array(WORDS + 1);
    for (let i = 0; i < WORDS; i++) digits[i] = this.#words[from / 4 + 2 * i] as number;
    // Twice: the first pass may leave one multiple of 2^256 (or lack one) to fold.
    for (let pass = 0; pass < 2; pass++) {
      const excess = carried(digits);
      digits[0] = (digits[0] as number) + excess * FOLD[0];
      digits[1] = (digits[1] as number) + excess * FOLD[1];
    }
    carried(digits);
    // value >= p if and only if value + (2^256 - p) reaches 2^256.
    const above = digits.slice();
    above[0] = (above[0] as number) + FOLD[0];
    above[1] = (above[1] as number) + FOLD[1];
    const mask = -carried(above);
    const bytes = new Uint8Array(32);
    for (let i = 0; i < WORDS; i++) {
      digits[i] = ((digits[i] as number) & ~mask) | ((above[i] as number) & mask);
    }
    for (let i = 0; i < 32; i++) {
      const word = Math.floor((8 * i) / WORD_BITS);
      const shift = (8 * i) % WORD_BITS;
      bytes[31 - i] = ((digits[word] as number) >> shift) | ((digits[word + 1] as number) << (WORD_BITS - shift));
    }
    for (const secret of [digits, above]) secret.fill(0);
    return bytes;
  }

  /** Whether the element of magnitude 1 is zero modulo p. */
  isZero(at: Address): boolean {
    let anyBit = 0;
    for (const byte of this.read(at)) anyBit |= byte;
    return anyBit === 0;
  }

  /** Whether two elements are the same modulo p; their magnitudes together at most 180. */
  equal(a: Address, b: Address): boolean {
    this.op.sub(this.#t, a, b);
    this.op.mul(this.#t, this.#t, this.one);
    return this.isZero(this.#t);
  }

  /**
   * Leaves a^(2^2 - 1), a^(2^22 - 1) and a^(2^223 - 1) in `#x2`, `#x22` and `#x223`. The exponents p - 2 and (p + 1) / 4
   * both begin with 223 ones, a zero and 22 ones in binary; runs of ones are joined as x^(2^(m+n) - 1) =
   * (x^(2^m - 1))^(2^n) * x^(2^n - 1).
   */
  #runs(a: Address): void {
    const { op } = this;
    const [x3, x] = [this.#t, this.#u];
    const join = (to: Address, long: Address, length: number, short: Address): void => {
      op.sqrTimes(to, long, length);
      op.mul(to, to, short);
    };
    join(this.#x2, a, 1, a);
    join(x3, this.#x2, 1, a);
    join(x, x3, 3, x3); // 6
    join(x, x, 3, x3); // 9
    join(x, x, 2, this.#x2); // 11
    join(this.#x22, x, 11, x); // 22
    join(x, this.#x22, 22, this.#x22); // 44
    join(this.#x223, x, 44, x); // 88
    for (const _length of [132, 176, 220]) join(this.#x223, this.#x223, 44, x);
    join(this.#x223, this.#x223, 3, x3);
  }

  /** 1 / a as a^(p - 2), 0 for 0; `a` of magnitude at most 13, not `to`. */
  inverse(to: Address, a: Address): void {
    const { op } = this;
    this.#runs(a);
    op.sqrTimes(to, this.#x223, 23);
    op.mul(to, to, this.#x22);
    op.sqrTimes(to, to, 5);
    op.mul(to, to, a);
    op.sqrTimes(to, to, 3);
    op.mul(to, to, this.#x2);
    op.sqrTimes(to, to, 2);
    op.mul(to, to, a);
  }

  /** A square root of a as a^((p + 1) / 4) and whether there is one; `a` of magnitude at most 13, not `to`. */
  root(to: Address, a: Address): boolean {
    const { op } = this;
    this.#runs(a);
    op.sqrTimes(to, this.#x223, 23);
    op.mul(to, to, this.#x22);
    op.sqrTimes(to, to, 6);
    op.mul(to, to, this.#x2);
    op.sqrTimes(to, to, 2);
    op.sqr(this.#u, to);
    return this.equal(this.#u, a);
  }
}

/** Carries the words of a number of 256 bits in place; returns the multiple of 2^256 that it lacked or had too many. */
function carried(digits: Int32Array): number {
  for (let i = 0; i < WORDS - 1; i++) {
    digits[i + 1] = (digits[i + 1] as number) + ((digits[i] as number) >> WORD_BITS);
    digits[i] = (digits[i] as number) & MASK;
  }
  const top = digits[WORDS - 1] as number;
  digits[WORDS - 1] = top & TOP_MASK;
  return top >> TOP_BITS;
}
