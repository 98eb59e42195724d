/**
 * ElligatorSwift, the 64-byte spelling of a public key that looks like random bytes (BIP324, "ElligatorSwift encoding of
 * curve X coordinates"; SV2 specification 4.3.1.1), over `bigint`. This is the version to read: `wasm/xswiftec.ts` does
 * the same 100 times quicker, and the tests hold both against BIP324's vectors.
 *
 * `bigint` arithmetic is not constant time. Here it runs on x coordinates and encodings, which are public.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concat } from "../../kernel/bytes.ts";
import type { Random } from "../../kernel/random.ts";

const Fp = secp256k1.Point.Fp;

/** Bytes of an ElligatorSwift public key: u (32, big-endian) and t (32, big-endian). */
export const ELLSWIFT_SIZE = 64;
/** Order p of the field of secp256k1 (SEC 2, section 2.4.1). */
export const FIELD_ORDER = Fp.ORDER;
/** The square root of -3 modulo p that is a square itself, BIP324's choice. */
export const SQRT_MINUS_3 = 0x0a2d2ba93507f1df233770c2a797962cc61f6d15da14ecd47d8d27ae1cd5f852n;
const HALF = Fp.inv(2n);

/** x^3 + 7. */
const curve = (x: bigint): bigint => Fp.add(Fp.mul(Fp.sqr(x), x), 7n);

/** A square root of `n`, the one that is a square itself, or `undefined`. */
function root(n: bigint): bigint | undefined {
  const candidate = Fp.pow(n, (FIELD_ORDER + 1n) / 4n);
  return Fp.eql(Fp.sqr(candidate), n) ? candidate : undefined;
}

/** Whether `x`, below p, is an x coordinate of a point of the curve. */
export function isCurveX(x: bigint): boolean {
  return root(curve(x)) !== undefined;
}

/** BIP324 `xswiftec(u, t)`: the x coordinate that (u, t) stands for. Every pair of field elements has one. */
export function xswiftec(u0: bigint, t0: bigint): bigint {
  const u = Fp.is0(u0) ? 1n : u0;
  let t = Fp.is0(t0) ? 1n : t0;
  const g = curve(u);
  if (Fp.is0(Fp.add(g, Fp.sqr(t)))) t = Fp.add(t, t);
  const X = Fp.div(Fp.sub(g, Fp.sqr(t)), Fp.add(t, t));
  const Y = Fp.div(Fp.add(X, t), Fp.mul(SQRT_MINUS_3, u));
  const x3 = Fp.add(u, Fp.mul(4n, Fp.sqr(Y)));
  if (isCurveX(x3)) return x3;
  const ratio = Fp.div(X, Y);
  const x2 = Fp.mul(Fp.sub(Fp.neg(ratio), u), HALF);
  return isCurveX(x2) ? x2 : Fp.mul(Fp.sub(ratio, u), HALF);
}

/** BIP324 `xswiftec_inv(x, u, case)`: the t with xswiftec(u, t) = x in one of eight ways, if that way has one. */
export function xswiftecInverse(x: bigint, u: bigint, way: number): bigint | undefined {
  let v: bigint;
  let s: bigint;
  const g = curve(u);
  if ((way & 2) === 0) {
    if (isCurveX(Fp.neg(Fp.add(x, u)))) return undefined;
    v = x;
    s = Fp.neg(Fp.div(g, Fp.add(Fp.add(Fp.sqr(u), Fp.mul(u, v)), Fp.sqr(v))));
  } else {
    s = Fp.sub(x, u);
    if (Fp.is0(s)) return undefined;
    const r = root(Fp.neg(Fp.mul(s, Fp.add(Fp.mul(4n, g), Fp.mul(3n, Fp.mul(s, Fp.sqr(u)))))));
    if (r === undefined || ((way & 1) !== 0 && Fp.is0(r))) return undefined;
    v = Fp.mul(Fp.sub(Fp.div(r, s), u), HALF);
  }
  const w = root(s);
  if (w === undefined) return undefined;
  const c = (way & 1) === 0 ? Fp.neg(SQRT_MINUS_3) : SQRT_MINUS_3;
  const t = Fp.mul(w, Fp.add(Fp.mul(Fp.mul(u, Fp.add(1n, c)), HALF), v));
  return (way & 5) === 0 || (way & 5) === 5 ? Fp.neg(t) : t;
}

/** The 32-byte x coordinate that the 64 bytes of an ElligatorSwift key stand for. */
export function decodeEllswift(ellswift: Uint8Array): Uint8Array {
  if (ellswift.length !== ELLSWIFT_SIZE)
    throw new TypeError(`an ElligatorSwift key has 64 bytes, not ${ellswift.length}`);
  return toBytes(xswiftec(toField(ellswift.subarray(0, 32)), toField(ellswift.subarray(32))));
}

/** A random one of the about 2^256 encodings of the x coordinate in `x32`, 64 bytes. */
export function encodeEllswift(x32: Uint8Array, random: Random): Uint8Array {
  const x = toField(x32);
  return encodeWith((u32, way) => {
    const t = xswiftecInverse(x, toField(u32), way);
    return t === undefined ? undefined : toBytes(t);
  }, random);
}

/**
 * BIP324's way to a random encoding: random u and way until `inverse(u, way)` gives a t; one try of four does. Returns the
 * 64 bytes u, t.
 */
export function encodeWith(
  inverse: (u32: Uint8Array, way: number) => Uint8Array | undefined,
  random: Random,
): Uint8Array {
  for (;;) {
    const u32 = random.bytes(32);
    const [way = 0] = random.bytes(1);
    const t32 = inverse(u32, way & 7);
    if (t32 !== undefined) return concat(u32, t32);
  }
}

const toField = (bytes: Uint8Array): bigint => {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value % FIELD_ORDER;
};

const toBytes = (value: bigint): Uint8Array => Fp.toBytes(value);
