/**
 * Multiplying a point by scalars: a signed comb (Lim and Lee 1994; Hamburg 2012, section 3.3) over the two half scalars
 * of `scalar.ts`. A table of 16 multiples is made once for a point and serves every scalar: in a handshake the responder
 * multiplies the initiator's ephemeral key by both of its own keys. 104 doublings and 19 additions make the table, 25
 * doublings and 51 additions multiply by one scalar.
 *
 * Points stay on curves isomorphic to secp256k1 ("frames"): a Jacobian point (X, Y, Z) is read as the affine point (X, Y)
 * of the curve scaled by Z, so that every addition has an affine operand and no inversion is needed before the end.
 */
import { AFFINE, JACOBIAN, TABLE, TABLE_ENTRIES, Z_RATIO } from "./curve.ts";
import type { Address, Elements } from "./elements.ts";
import { ELEMENT } from "./field.ts";
import { BETA, COMB_SPACING, COMB_TEETH, combDigits } from "./scalar.ts";

/** Affine points met on the way through the comb: P, 2P, 2^26 P, 2 * 2^26 P, ..., 2^104 P. */
const WAYPOINTS = 2 * COMB_TEETH - 1;

/** A point's multiples, in memory of the module that is used again for the next point made in it. */
export interface Multiples {
  /** 16 affine points: the sums of ±2^(26 j) P, j = 0 to 3, and +2^104 P; bit j of an entry's number is the sign of j. */
  readonly direct: Address;
  /** The same for lambda P. */
  readonly rotated: Address;
  /** x coordinates are to be divided by this element to get back to secp256k1. */
  readonly scale: Address;
}

/** Scalar multiplication in the module's memory. */
export class Multiplier {
  readonly #field: Elements;
  readonly #waypoints: Address;
  readonly #waypointRatios: Address;
  readonly #entryRatios: Address;
  readonly #point: Address;
  readonly #operand: Address;
  readonly #a: Address;
  readonly #b: Address;
  readonly #beta: Address;

  constructor(field: Elements) {
    this.#field = field;
    this.#waypoints = field.reserve(2 * WAYPOINTS);
    this.#waypointRatios = field.reserve(WAYPOINTS);
    this.#entryRatios = field.reserve(TABLE_ENTRIES);
    this.#point = field.reserve(3);
    this.#operand = field.reserve(2);
    this.#a = field.reserve(1);
    this.#b = field.reserve(1);
    this.#beta = field.constant(BETA);
  }

  /** Room for the multiples of a point. */
  reserve(): Multiples {
    const table = 2 * TABLE_ENTRIES;
    return { direct: this.#field.reserve(table), rotated: this.#field.reserve(table), scale: this.#field.reserve(1) };
  }

  /**
   * Fills `into` with the multiples of the point whose coordinates are the two elements at `point`, on the curve whose x
   * coordinates are `scale` times those of secp256k1. No addition here meets its exception: the points are multiples of P
   * by numbers below 2^106, far below the order, and a sum, about 2^104, is never equal or opposite to what is added, at
   * most 2^79.
   */
  prepare(into: Multiples, point: Address, scale: Address): void {
    const { op } = this.#field;
    const ratio = this.#walk(point);
    op.sqr(this.#a, ratio);
    op.mul(into.scale, scale, this.#a);
    this.#sumUp(into.direct);
    op.sqr(this.#a, this.#rescale(into.direct, this.#entryRatios, TABLE_ENTRIES, gray));
    op.mul(into.scale, into.scale, this.#a);
    this.#field.copy(into.rotated, into.direct, 2 * TABLE_ENTRIES);
    for (let at = into.rotated; at < into.rotated + TABLE; at += AFFINE) op.mul(at, at, this.#beta);
  }

  /** Fills the waypoints, all in the frame of the last; returns the element by which that frame's Z exceeds the first's. */
  #walk(point: Address): Address {
    const field = this.#field;
    const at = this.#point;
    field.copy(at, point, 2);
    field.copy(this.#waypointRatios, field.one);
    for (let n = 0; n < WAYPOINTS; n++) {
      field.copy(this.#waypoints + n * AFFINE, at, 2);
      if (n === WAYPOINTS - 1) break;
      field.copy(at + 2 * ELEMENT, field.one);
      for (let doublings = n % 2 === 0 ? 1 : COMB_SPACING - 1; doublings > 0; doublings--) field.op.double(at);
      field.copy(this.#waypointRatios + (n + 1) * ELEMENT, at + 2 * ELEMENT);
    }
    return this.#rescale(this.#waypoints, this.#waypointRatios, WAYPOINTS, (n) => n);
  }

  /** Fills the table: each entry is the last with one sign turned (Gray code), and Z grows by a known ratio each time. */
  #sumUp(table: Address): void {
    const field = this.#field;
    const at = this.#point;
    const addMultiple = (waypoint: number, negative: boolean): void => {
      const from = this.#waypoints + waypoint * AFFINE;
      field.copy(this.#operand, from, 2);
      if (negative) field.op.sub(this.#operand + ELEMENT, field.zero, from + ELEMENT);
      field.op.addMixed(at, this.#operand);
    };
    field.copy(at, this.#waypoints + (WAYPOINTS - 1) * AFFINE, 2);
    field.copy(at + 2 * ELEMENT, field.one);
    for (let tooth = 0; tooth < COMB_TEETH - 1; tooth++) addMultiple(2 * tooth, true);
    // The first entry's own Z counts as a ratio too: the frame before it is that of the waypoints.
    field.copy(this.#entryRatios, at + 2 * ELEMENT);
    for (let n = 0; n < TABLE_ENTRIES; n++) {
      if (n > 0) {
        const tooth = 31 - Math.clz32(n & -n);
        addMultiple(2 * tooth + 1, (gray(n) & (1 << tooth)) === 0);
        field.copy(this.#entryRatios + n * ELEMENT, Z_RATIO);
      }
      field.copy(table + gray(n) * AFFINE, at, 2);
    }
  }

  /**
   * Brings `count` affine points into the frame of the last one. They were made in the order that `place` gives their places
   * in, each in a frame whose Z exceeds that of the one made before it by its element of `ratios`. Returns the product of
   * all ratios, by which the last frame's Z exceeds the one before the first.
   */
  #rescale(points: Address, ratios: Address, count: number, place: (n: number) => number): Address {
    const { op, one } = this.#field;
    const r = this.#b;
    this.#field.copy(r, one);
    for (let n = count - 1; n >= 0; n--) {
      const x = points + place(n) * AFFINE;
      op.sqr(this.#a, r);
      op.mul(x, x, this.#a);
      op.mul(this.#a, this.#a, r);
      op.mul(x + ELEMENT, x + ELEMENT, this.#a);
      op.mul(r, r, ratios + n * ELEMENT);
    }
    return r;
  }

  /**
   * x coordinate of the point times the scalar in `privateKey` (32 bytes, big-endian, 1 to order - 1) as a fraction: the
   * numerator to `x`, the denominator to `denominator`. A denominator of 0 means that two points met that this addition
   * cannot add, which the scalar alone decides, not the point, and which never happens to a random one.
   *
   * For a P + b lambda P and c P or c lambda P to meet, their coefficients must differ by a vector of the lattice in
   * `scalar.ts`, or add up to one. It is not (0, 0), as the coefficient that c is not added to is never 0, and all others have
   * a coordinate of 0.89 * 2^128 or more. Before the last three positions of the comb a and b are within 2^127 and c is
   * always within 2^105. In the last three, c and the digits that follow decide the scalar: fewer than 2^32 scalars of 2^256.
   */
  multiply(x: Address, denominator: Address, { direct, rotated, scale }: Multiples, privateKey: Uint8Array): void {
    const field = this.#field;
    const { op } = field;
    const at = this.#point;
    const digits = combDigits(privateKey);
    op.select(at, direct, digits[0] as number);
    field.copy(at + 2 * ELEMENT, field.one);
    for (let n = 1; n < digits.length; n++) {
      if (n % 2 === 0) op.double(at);
      op.select(this.#operand, n % 2 === 0 ? direct : rotated, digits[n] as number);
      op.addMixed(at, this.#operand);
    }
    op.sqr(this.#a, at + 2 * ELEMENT);
    op.mul(denominator, this.#a, scale);
    op.mul(x, at, field.one);
    digits.fill(0);
    field.wipe(at, JACOBIAN / ELEMENT);
    field.wipe(this.#operand, 2);
    field.wipe(this.#a, 1);
  }
}

const gray = (n: number): number => n ^ (n >> 1);
