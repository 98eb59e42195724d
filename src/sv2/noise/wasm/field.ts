/**
 * Arithmetic modulo p = 2^256 - 2^32 - 977, the field of secp256k1 (SEC 2, section 2.4.1), as WebAssembly code.
 *
 * An element is ten signed 64-bit words in memory, the number being the sum of word[i] * 2^(26 i). "Magnitude m" means
 * that words are within ±m (2^26 + 2^22), the last within ±m 2^22. `mul` and `sqr` leave magnitude 1, and no word but the
 * third outside of [0, 2^26). Sums and differences are taken word by word without carrying, so magnitudes add up.
 *
 * A product is right as long as the product of its factors' magnitudes is at most 180. Its largest column is then number
 * 8, nine terms within 180 (17/16)^2 2^52, in all 1829 * 2^52 (two of number 9's ten terms have a last word, 1/16 of the
 * others); what is folded and carried in is below 2^41, and the limit is 2^63 = 2048 * 2^52. The formulas in `curve.ts` and
 * `xswiftec.ts` note magnitudes.
 *
 * Nothing here branches on a value or uses one as an address, so the time taken does not depend on secrets.
 */
import {
  add,
  addV,
  and,
  type Code,
  get,
  i64,
  load,
  loadV,
  mul,
  set,
  shl,
  shr,
  store,
  storeV,
  subV,
} from "./assembler.ts";

/** Words of an element. */
export const WORDS = 10;
/** Bytes of an element. */
export const ELEMENT = 8 * WORDS;
/** Bits of a word after a carry. */
export const WORD_BITS = 26;

const MASK = (1n << BigInt(WORD_BITS)) - 1n;
/** Bits of the last word: 9 * 26 + 22 = 256. */
const TOP_BITS = 22n;
/** 2^256 = 2^32 + 977 = 2^6 * 2^26 + 977 (mod p). */
const FOLD_LOW = 977n;
const FOLD_HIGH_BITS = 6n;
/** 2^260, the weight of column 10, = 2^10 * 2^26 + 15632 (mod p). */
const COLUMN_FOLD_LOW = FOLD_LOW << 4n;
const COLUMN_FOLD_HIGH_BITS = FOLD_HIGH_BITS + 4n;

/** i64 locals that `reduced` uses: the 20 columns. */
const COLUMN_LOCALS = 20;

/**
 * Code that computes the 19 columns of a product by `column(k)` into the locals from `c` on, reduces them to magnitude 1
 * and stores them at the address in local 0.
 */
function reduced(c: number, column: (k: number) => Code): Code {
  const code: Code[] = [];
  const low = (k: number): Code => and(get(c + k), i64(MASK));
  const carry = (k: number): Code => shr(get(c + k), 26n);
  // Columns 10 to 18 are carried first, for 2^260's multiples to be small enough to fold.
  for (let k = 10; k <= 18; k++) {
    code.push(set(c + k, k === 10 ? column(k) : add(column(k), carry(k - 1))));
    if (k > 10) code.push(set(c + k - 1, low(k - 1)));
  }
  code.push(set(c + 19, carry(18)), set(c + 18, low(18)));
  for (let k = 0; k <= 9; k++) {
    let sum = add(column(k), mul(get(c + k + 10), i64(COLUMN_FOLD_LOW)));
    if (k > 0) sum = add(add(sum, shl(get(c + k + 9), COLUMN_FOLD_HIGH_BITS)), carry(k - 1));
    code.push(set(c + k, sum));
    if (k > 0) code.push(set(c + k - 1, low(k - 1)));
  }
  // What is left above 2^256: bits of the last word, and column 19 at 2^(9 * 26 + 36) = 2^14 * 2^256. The former are
  // within 2^(63 - 22), the latter within 2^(26 + 14), as column 18 is one product of last words, 180 * 2^44. Word 1 gets
  // 2^6 times their sum, so that no more than 2^22 is carried on to word 2, which keeps it.
  const excess = c + 10;
  code.push(
    set(excess, add(shr(get(c + 9), TOP_BITS), shl(get(c + 19), COLUMN_FOLD_HIGH_BITS + 4n))),
    set(c + 9, and(get(c + 9), i64((1n << TOP_BITS) - 1n))),
    set(c, add(get(c), mul(get(excess), i64(FOLD_LOW)))),
    set(c + 1, add(add(get(c + 1), shl(get(excess), FOLD_HIGH_BITS)), carry(0))),
    set(c, low(0)),
    set(c + 2, add(get(c + 2), carry(1))),
    set(c + 1, low(1)),
  );
  for (let k = 0; k < WORDS; k++) code.push(store(get(0), 8 * k, get(c + k)));
  return code;
}

const sum = (terms: readonly Code[]): Code => terms.reduce((total, term) => add(total, term));

/** `mul(to, a, b)`, addresses of elements, which may be the same: the words of `a` and `b` in locals 3 to 22, columns behind them. */
export const MUL = {
  params: 3,
  locals: { i64: 2 * WORDS + COLUMN_LOCALS },
  body: ((): Code => {
    const code: Code[] = [];
    for (let i = 0; i < WORDS; i++) code.push(set(3 + i, load(get(1), 8 * i)), set(13 + i, load(get(2), 8 * i)));
    const column = (k: number): Code => {
      const terms: Code[] = [];
      for (let i = Math.max(0, k - 9); i <= Math.min(9, k); i++) terms.push(mul(get(3 + i), get(13 + k - i)));
      return sum(terms);
    };
    return [code, reduced(23, column)];
  })(),
} as const;

/** `sqr(to, a)`: the words of `a` in locals 2 to 11, their doubles behind them. */
export const SQR = {
  params: 2,
  locals: { i64: 2 * WORDS + COLUMN_LOCALS },
  body: ((): Code => {
    const code: Code[] = [];
    for (let i = 0; i < WORDS; i++) code.push(set(2 + i, load(get(1), 8 * i)), set(12 + i, shl(get(2 + i), 1n)));
    const column = (k: number): Code => {
      const terms: Code[] = [];
      for (let i = Math.max(0, k - 9); 2 * i < k; i++) terms.push(mul(get(12 + i), get(2 + k - i)));
      if (k % 2 === 0) terms.push(mul(get(2 + k / 2), get(2 + k / 2)));
      return sum(terms);
    };
    return [code, reduced(22, column)];
  })(),
} as const;

const wordwise = (operation: (a: Code, b: Code) => Code): Code =>
  Array.from({ length: ELEMENT / 16 }, (_, i) =>
    storeV(get(0), 16 * i, operation(loadV(get(1), 16 * i), loadV(get(2), 16 * i))),
  );

/** `add(to, a, b)`: a sum whose magnitude is the sum of both. */
export const ADD = { params: 3, body: wordwise(addV) } as const;
/** `sub(to, a, b)`: a difference whose magnitude is the sum of both. */
export const SUB = { params: 3, body: wordwise(subV) } as const;
