/**
 * XSwiftEC, the map behind ElligatorSwift public keys (BIP324, "ElligatorSwift encoding of curve X coordinates"), both
 * ways over the WebAssembly field. The decoder keeps its result as a fraction: one square root test or two and no
 * inversion. `ellswift.ts` is the readable version of the same over `bigint`.
 *
 * Both run on public values only (an encoding is sent as it is, and it is uniformly random), so branches are no leak.
 */
import { FIELD_ORDER, SQRT_MINUS_3 } from "../ellswift.ts";
import type { Address, Elements } from "./elements.ts";
import { ELEMENT } from "./field.ts";

/** The encoding's arithmetic in the module's memory. Addresses given to it must be of elements of magnitude 1. */
export class XSwiftEC {
  readonly #field: Elements;
  readonly #c: Address;
  readonly #seven: Address;
  readonly #half: Address;
  readonly #slots: readonly Address[];

  constructor(field: Elements) {
    this.#field = field;
    this.#c = field.constant(SQRT_MINUS_3);
    this.#seven = field.constant(7n);
    this.#half = field.constant((FIELD_ORDER + 1n) / 2n);
    this.#slots = Array.from({ length: 8 }, () => field.reserve(1));
  }

  /** n^3 + 7 d^3 to `to`: a square if and only if d is, for n / d to be an x coordinate of the curve. */
  #curve(to: Address, n: Address, d: Address, scratch: Address): void {
    const { op } = this.#field;
    op.sqr(scratch, d);
    op.mul(scratch, scratch, d);
    op.mul(scratch, scratch, this.#seven);
    op.sqr(to, n);
    op.mul(to, to, n);
    op.add(to, to, scratch);
  }

  /**
   * Decodes (u, t), each 32 bytes, to a point with the x coordinate that it stands for: the point's coordinates go to the
   * two elements at `point`, on the curve whose x coordinates are `scale` times those of secp256k1. Every (u, t) decodes.
   */
  decode(point: Address, scale: Address, u32: Uint8Array, t32: Uint8Array): void {
    const field = this.#field;
    const { op } = field;
    const [u, t, g, plus, minus, n, d, a] = this.#slots as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    field.write(u, u32);
    field.write(t, t32);
    if (field.isZero(u)) field.copy(u, field.one);
    if (field.isZero(t)) field.copy(t, field.one);
    this.#curve(g, u, field.one, a);
    op.sqr(a, t);
    op.add(plus, g, a);
    op.mul(plus, plus, field.one);
    // With t doubled it is g + 4 t^2 = 3 t^2 of the old t: not zero, and so neither is a denominator below.
    if (field.isZero(plus)) {
      op.add(t, t, t); //       magnitude 2
      op.sqr(a, t);
      op.add(plus, g, a); //    magnitude 3, g being of 2
    }
    op.sub(minus, g, a); //     magnitude 3

    // With X = (g - t^2) / 2t and Y = (g + t^2) / 2tuc:  u + 4 Y^2 = (3 t^2 u^3 - (g + t^2)^2) / 3 t^2 u^2.
    op.mul(a, t, u);
    op.sqr(a, a);
    op.add(d, a, a);
    op.add(d, d, a);
    op.mul(n, d, u);
    op.sqr(a, plus);
    op.sub(n, n, a);
    if (this.#lift(point, scale, n, d)) return;

    // X / Y = cu (g - t^2) / (g + t^2), which gives (-X / Y - u) / 2, and if that is no x coordinate (X / Y - u) / 2.
    op.mul(n, minus, this.#c);
    op.add(n, n, plus);
    op.mul(n, n, u);
    op.sub(n, field.zero, n);
    op.add(d, plus, plus);
    if (this.#lift(point, scale, n, d)) return;
    // The last two add up to -u, so the third one is -u - n / d.
    op.mul(a, u, d);
    op.add(n, n, a);
    op.sub(n, field.zero, n);
    this.#lift(point, scale, n, d);
  }

  /**
   * Whether n / d is an x coordinate of secp256k1, and if it is, the point (n h, h^2) with h = n^3 + 7 d^3, which is on
   * y^2 = x^3 + 7 (d h)^3, the curve scaled by d h: it needs no square root. (After libsecp256k1's doc of the same trick.)
   * h is never 0, as -7 has no cube root. Magnitudes: n at most 2, d at most 6, so h at most 2.
   */
  #lift(point: Address, scale: Address, n: Address, d: Address): boolean {
    const field = this.#field;
    const { op } = field;
    const h = point + ELEMENT;
    this.#curve(h, n, d, scale);
    op.mul(scale, h, d);
    if (!field.root(point, scale)) return false;
    op.mul(point, n, h);
    op.sqr(h, h);
    return true;
  }

  /**
   * Finds the t that encodes the x coordinate at `x` together with u in one of eight ways, and returns its 32 bytes, or
   * `undefined` if that way has none (BIP324 `xswiftec_inv`; three times of four).
   */
  encode(x: Address, u32: Uint8Array, way: number): Uint8Array | undefined {
    const field = this.#field;
    const { op } = field;
    const [u, g, v, s, w, a, b] = this.#slots as [number, number, number, number, number, number, number];
    field.write(u, u32);
    this.#curve(g, u, field.one, a);
    if ((way & 2) === 0) {
      // v = x, s = -g / (u^2 + uv + v^2), unless -x - u is an x coordinate too.
      op.add(a, x, u);
      op.sub(a, field.zero, a);
      this.#curve(b, a, field.one, w);
      if (field.root(w, b)) return undefined;
      field.copy(v, x);
      op.mul(a, u, v);
      op.sqr(b, u);
      op.add(a, a, b);
      op.sqr(b, v);
      op.add(a, a, b);
      field.inverse(s, a);
      op.mul(s, s, g);
      op.sub(s, field.zero, s);
    } else {
      // s = x - u, v = (r / s - u) / 2 with r^2 = -s (4g + 3 s u^2).
      op.sub(s, x, u);
      op.mul(s, s, field.one);
      if (field.isZero(s)) return undefined;
      op.sqr(a, u);
      op.mul(a, a, s);
      op.add(b, a, a);
      op.add(b, b, a);
      op.add(a, g, g);
      op.add(a, a, a);
      op.add(a, a, b);
      op.mul(a, a, s);
      op.sub(a, field.zero, a);
      if (!field.root(b, a)) return undefined;
      if ((way & 1) !== 0 && field.isZero(b)) return undefined;
      field.inverse(v, s);
      op.mul(v, v, b);
      op.sub(v, v, u);
      op.mul(v, v, this.#half);
    }
    if (!field.root(w, s)) return undefined;
    // t = ±w (u (1 ± c) / 2 + v)
    const sum = (way & 1) !== 0;
    op[sum ? "add" : "sub"](a, field.one, this.#c);
    op.mul(a, a, u);
    op.mul(a, a, this.#half);
    op.add(a, a, v);
    op.mul(a, a, w);
    const negative = (way & 5) === 0 || (way & 5) === 5;
    if (negative) {
      op.sub(a, field.zero, a);
      op.mul(a, a, field.one);
    }
    return field.read(a);
  }
}
