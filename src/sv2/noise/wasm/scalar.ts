/**
 * A scalar of secp256k1 as the digits that `multiply.ts` walks through, in two steps that are both textbook:
 *
 * - GLV (Gallant, Lambert, Vanstone 2001): q P = q1 P + q2 (lambda P) with q1, q2 of half the size, as lambda (x, y) =
 *   (beta x, y) costs one product.
 * - Signed all-bits-used recoding: bits read as -1 and +1 instead of 0 and 1, so that no digit is zero and the sequence of
 *   operations is the same for every scalar. Bits b of a number v stand for 2v - (2^130 - 1), hence the halving below.
 *
 * Numbers are arrays of 24-bit limbs held as doubles, little-endian. There is no branch on a value, no table index and no
 * `bigint` (whose time depends on the value) between the private key's bytes and the digits.
 */

/** Order of the group (SEC 2, section 2.4.1). */
export const GROUP_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
/** A cube root of unity modulo the group order. */
export const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n;
/** The cube root of unity modulo p with lambda (x, y) = (beta x, y). */
export const BETA = 0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501een;

/** Teeth of the comb: bits that one digit takes from a half scalar. */
export const COMB_TEETH = 5;
/** Distance of a digit's bits, which is also the number of digits of a half scalar. */
export const COMB_SPACING = 26;

const LIMB_BITS = 24;
const LIMB = 2 ** LIMB_BITS;
/** Multiplying by it is exact, as dividing by a power of two is, and quicker. */
const LIMB_INVERSE = 1 / LIMB;

type Limbs = Float64Array;

function limbs(value: bigint, length: number): Limbs {
  return Float64Array.from({ length }, (_, i) => Number((value >> BigInt(LIMB_BITS * i)) & BigInt(LIMB - 1)));
}

/** Carries in place; limbs of either sign below 2^52 become limbs in [0, 2^24), the last one keeping the rest. */
function carry(number: Limbs): void {
  for (let i = 0; i < number.length - 1; i++) {
    const limb = number[i] as number;
    const high = Math.floor(limb * LIMB_INVERSE);
    number[i] = limb - high * LIMB;
    number[i + 1] = (number[i + 1] as number) + high;
  }
}

/** Carries in place, modulo 2 to the number's size. */
function wrap(number: Limbs): void {
  carry(number);
  const top = number[number.length - 1] as number;
  number[number.length - 1] = top - Math.floor(top * LIMB_INVERSE) * LIMB;
}

/** Adds `sign * a * b` to `sum`, limbs beyond its length dropped. */
function addProduct(sum: Limbs, a: Limbs, b: Limbs, sign: 1 | -1): void {
  for (let i = 0; i < a.length; i++) {
    const factor = sign * (a[i] as number);
    const end = Math.min(b.length, sum.length - i);
    for (let j = 0; j < end; j++) sum[i + j] = (sum[i + j] as number) + factor * (b[j] as number);
  }
}

/** Short vectors (A1, -B1), (A2, A1) of the lattice of all (a, b) with a + b lambda = 0 modulo the group order. */
const A1 = 0x3086d221a7d46bcde86c90e49284eb15n;
const MINUS_B1 = 0xe4437ed6010e88286f547fa90abfe4c3n;
const A2 = A1 + MINUS_B1;
const [a1, minusB1, a2] = [limbs(A1, 6), limbs(MINUS_B1, 6), limbs(A2, 6)];

/** Multiplying by G and dividing by 2^384 is dividing by the group order with enough precision. */
const QUOTIENT_LIMBS = 384 / LIMB_BITS;
const scaled = (numerator: bigint): Limbs => limbs(((numerator << 384n) + GROUP_ORDER / 2n) / GROUP_ORDER, 11);
const [g1, g2] = [scaled(A1), scaled(MINUS_B1)];

const modOrder = (value: bigint): bigint => ((value % GROUP_ORDER) + GROUP_ORDER) % GROUP_ORDER;
const BITS = BigInt(COMB_TEETH * COMB_SPACING);
/** (2^130 - 2^129 - 1) (1 + lambda): what recoding and making both halves positive (by 2^128) adds up to. */
const OFFSET = limbs(modOrder(((1n << BITS) - (1n << 129n) - 1n) * (1n + LAMBDA)), 11);
const ORDER = limbs(GROUP_ORDER, 11);
const TWO_128 = limbs(1n << 128n, 6);

/** round(s g / 2^384) as 6 limbs, s below 2^257 and g below 2^256. A column has 11 terms below 2^48, within `carry`'s 2^52. */
function quotient(s: Limbs, g: Limbs): Limbs {
  const product = new Float64Array(23);
  product[QUOTIENT_LIMBS - 1] = LIMB / 2;
  addProduct(product, s, g, 1);
  carry(product);
  const rounded = product.slice(QUOTIENT_LIMBS, QUOTIENT_LIMBS + 6);
  product.fill(0); // its lower limbs are the scalar once more
  return rounded;
}

/**
 * The digits of the scalar in `privateKey` (32 bytes, big-endian, below the group order): for each comb position from
 * 25 down to 0 one digit of the first half, then one of the second, each of 5 bits for `select`. 52 bytes, secret.
 */
export function combDigits(privateKey: Uint8Array): Uint8Array {
  // s = (q + OFFSET) / 2 modulo the order: one of q + OFFSET and q + OFFSET + order is even.
  const s = new Float64Array(11);
  for (let i = 0; i < 11; i++) {
    const at = 31 - 3 * i;
    const high = at > 1 ? (privateKey[at - 2] as number) : 0;
    s[i] = (privateKey[at] as number) + (privateKey[at - 1] as number) * 2 ** 8 + high * 2 ** 16;
  }
  for (let i = 0; i < 11; i++) s[i] = (s[i] as number) + (OFFSET[i] as number);
  carry(s);
  const odd = (s[0] as number) & 1;
  for (let i = 0; i < 11; i++) s[i] = (s[i] as number) + odd * (ORDER[i] as number);
  carry(s);
  for (let i = 0; i < 11; i++) s[i] = Math.floor((s[i] as number) / 2) + ((s[i + 1] ?? 0) % 2) * (LIMB / 2);

  // s is below 1.5 times the order now, which is as good as below it: the two quotients are exact to 1/2 + 2^-128.
  // The lattice vector next to (s, 0) is taken off. What is left is below 0.65 * 2^128 either way (half the sum of both
  // vectors), so 6 limbs hold it, and adding 2^128 makes it positive and leaves it below 2^129.
  const c1 = quotient(s, g1);
  const c2 = quotient(s, g2);
  const first = TWO_128.slice();
  for (let i = 0; i < first.length; i++) first[i] = (first[i] as number) + (s[i] as number);
  addProduct(first, c1, a1, -1);
  addProduct(first, c2, a2, -1);
  wrap(first);
  const second = TWO_128.slice();
  addProduct(second, c1, minusB1, 1);
  addProduct(second, c2, a1, -1);
  wrap(second);

  const digits = new Uint8Array(2 * COMB_SPACING);
  comb(digits, 0, first);
  comb(digits, 1, second);
  for (const secret of [s, c1, c2, first, second]) secret.fill(0);
  return digits;
}

/** Every second digit, from `from` on, of the comb over `half`: bit i of each 26-bit word, for i from 25 down to 0. */
function comb(digits: Uint8Array, from: number, half: Limbs): void {
  const word = (n: number): number =>
    ((half[n] as number) >> (2 * n)) | ((half[n + 1] as number) << (LIMB_BITS - 2 * n));
  const [w0, w1, w2, w3, w4] = [word(0), word(1), word(2), word(3), word(4)];
  for (let n = 0; n < COMB_SPACING; n++) {
    const i = COMB_SPACING - 1 - n;
    digits[2 * n + from] =
      ((w0 >> i) & 1) |
      (((w1 >> i) & 1) << 1) |
      (((w2 >> i) & 1) << 2) |
      (((w3 >> i) & 1) << 3) |
      (((w4 >> i) & 1) << 4);
  }
}
