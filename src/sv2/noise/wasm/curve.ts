/**
 * The functions of the WebAssembly module: field operations, and on them the two point operations and the table look-up
 * of which `multiply.ts` makes scalar multiplication. Points are on a curve y^2 = x^3 + b; no formula uses b, which lets
 * the callers work on any curve isomorphic to secp256k1 and so save inversions and square roots.
 *
 * A Jacobian point is three elements X, Y, Z with x = X / Z^2, y = Y / Z^3; an affine point is two elements x, y.
 * Magnitudes (see `field.ts`) at entry: X at most 4, Y at most 2, Z 1; x and y 1. They are the same or less at exit.
 */
import {
  add32,
  and32,
  andV,
  type Code,
  call,
  eq32,
  get,
  i32,
  instantiate,
  loadV,
  orV,
  repeatWhile,
  set,
  shr32,
  splat32,
  storeV,
  sub32,
  subV,
  tee,
  type WasmExports,
  type WasmFunction,
  xor32,
  xorV,
  zeroV,
} from "./assembler.ts";
import { ADD, ELEMENT, MUL, SQR, SUB } from "./field.ts";

/** Bytes of an affine point. */
export const AFFINE = 2 * ELEMENT;
/** Bytes of a Jacobian point. */
export const JACOBIAN = 3 * ELEMENT;
/** Affine points in a look-up table. */
export const TABLE_ENTRIES = 16;
/** Bytes of a look-up table. */
export const TABLE = TABLE_ENTRIES * AFFINE;

/** Scratch elements of the point operations at the start of the memory; `T1` holds H after `addMixed`. */
const [T0, T1, T2, T3, T4] = [0, 1, 2, 3, 4].map((n) => i32(n * ELEMENT)) as [Code, Code, Code, Code, Code];
/** Address of the factor by which the last `addMixed` multiplied Z. */
export const Z_RATIO = ELEMENT;
/** First address that the module's functions do not use. */
export const FREE = 5 * ELEMENT;

/** A function's number in the module is its position here. */
const NAMES = ["mul", "sqr", "add", "sub", "sqrTimes", "double", "addMixed", "select"] as const;
/** Names of the module's functions. */
export type CurveFunction = (typeof NAMES)[number];

const op =
  (name: CurveFunction) =>
  (...args: readonly Code[]): Code =>
    call(NAMES.indexOf(name), ...args);
const [mul, sqr, add, sub] = [op("mul"), op("sqr"), op("add"), op("sub")];

const X = get(0);
const Y = add32(get(0), i32(ELEMENT));
const Z = add32(get(0), i32(2 * ELEMENT));

/** `double(p)`: the Jacobian point at `p` becomes its double; 3 products, 4 squares. */
const DOUBLE: Code = [
  sqr(T0, Y),
  add(T0, T0, T0), //    2S, S = Y^2
  add(T2, T0, T0), //    4S
  sqr(T1, X),
  add(T3, T1, T1),
  add(T1, T1, T3), //    M = 3 X^2                      magnitude 3
  mul(T3, X, T2), //     T = 4 X S
  add(T4, Y, Y),
  mul(Z, T4, Z), //      Z' = 2 Y Z
  sqr(X, T1),
  sub(X, X, T3),
  sub(X, X, T3), //      X' = M^2 - 2T                  magnitude 3
  sub(T3, T3, X),
  mul(Y, T1, T3),
  mul(T0, T0, T2), //    8 S^2
  sub(Y, Y, T0), //      Y' = M (T - X') - 8 S^2        magnitude 2
];

const x2 = get(1);
const y2 = add32(get(1), i32(ELEMENT));

/**
 * `addMixed(p, q)`: adds the affine point at `q` to the Jacobian point at `p`; 8 products, 3 squares. Wrong when the
 * points are equal or opposite: Z becomes 0 then and stays 0, which callers notice at the end.
 */
const ADD_MIXED: Code = [
  sqr(T0, Z),
  mul(T1, x2, T0),
  mul(T0, T0, Z),
  mul(T0, y2, T0),
  sub(T1, T1, X), //     H = x2 Z^2 - X                 magnitude 5
  sub(T0, T0, Y), //     R = y2 Z^3 - Y                 magnitude 3
  mul(Z, Z, T1), //      Z' = Z H
  sqr(T2, T1),
  mul(T3, T1, T2), //    H^3
  mul(T2, X, T2), //     V = X H^2
  sqr(X, T0),
  sub(X, X, T3),
  sub(X, X, T2),
  sub(X, X, T2), //      X' = R^2 - H^3 - 2V            magnitude 4
  sub(T2, T2, X),
  mul(T2, T0, T2),
  mul(T3, Y, T3),
  sub(Y, T2, T3), //     Y' = R (V - X') - Y H^3        magnitude 2
];

/**
 * `select(to, table, digit)`: copies an entry of `table`, or its negative, to the affine point at `to`. The low four
 * bits of `digit` name the entry if bit 4 is set; if not, their complement names the one to negate. Every entry is read
 * whatever the digit is, so the caches do not learn it either.
 */
const SELECT: Omit<WasmFunction, "name"> = ((): Omit<WasmFunction, "name"> => {
  const [to, table, digit, sign, entry, accumulators] = [0, 1, 2, 3, 4, 5] as const;
  const lanes = AFFINE / 16;
  const matches = accumulators + lanes;
  const code: Code[] = [
    set(sign, sub32(shr32(get(digit), 4), i32(1))), // -1 to negate, else 0
    set(digit, and32(xor32(get(digit), get(sign)), i32(TABLE_ENTRIES - 1))),
  ];
  for (let n = 0; n < lanes; n++) code.push(set(accumulators + n, zeroV));
  const scan: Code[] = [set(matches, splat32(sub32(i32(0), eq32(get(entry), get(digit)))))];
  for (let n = 0; n < lanes; n++) {
    scan.push(set(accumulators + n, orV(get(accumulators + n), andV(loadV(get(table), 16 * n), get(matches)))));
  }
  scan.push(set(table, add32(get(table), i32(AFFINE))));
  const next = tee(entry, add32(get(entry), i32(1)));
  code.push(repeatWhile(scan, sub32(next, i32(TABLE_ENTRIES))));
  code.push(set(matches, splat32(get(sign))));
  for (let n = 0; n < lanes; n++) {
    const value = get(accumulators + n);
    const negatable = n >= lanes / 2;
    code.push(storeV(get(to), 16 * n, negatable ? subV(xorV(value, get(matches)), get(matches)) : value));
  }
  return { params: 3, locals: { i32: 2, v128: lanes + 1 }, body: code };
})();

/** `sqrTimes(to, a, n)`: a^(2^n), n at least 1. */
const SQR_TIMES: Code = repeatWhile([sqr(get(0), get(1)), set(1, get(0))], tee(2, sub32(get(2), i32(1))));

const FUNCTIONS: Readonly<Record<CurveFunction, Omit<WasmFunction, "name">>> = {
  mul: MUL,
  sqr: SQR,
  add: ADD,
  sub: SUB,
  sqrTimes: { params: 3, body: SQR_TIMES },
  double: { params: 1, body: DOUBLE },
  addMixed: { params: 2, body: ADD_MIXED },
  select: SELECT,
};

/** Assembles the module; its memory is one page of 64 KiB. Throws what the platform throws without WebAssembly. */
export function instantiateCurve(): { readonly exports: WasmExports<CurveFunction>; readonly memory: ArrayBuffer } {
  return instantiate(
    NAMES.map((name) => ({ name, ...FUNCTIONS[name] })),
    1,
  );
}
