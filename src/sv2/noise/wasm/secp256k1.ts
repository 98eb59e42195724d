/**
 * ElligatorSwift keys and Diffie-Hellman on the WebAssembly curve: the quick implementation of `EllswiftCurve`.
 *
 * From private key to shared x coordinate there is no branch, address or `bigint` that depends on a secret; what remains
 * is that a JavaScript engine promises nothing about time, and that copies which it makes of a secret cannot be wiped.
 */
import type { Random } from "../../../kernel/random.ts";
import { assertPrivateKey, type EllswiftCurve, type EllswiftKey, nobleCurve, randomPrivateKey } from "../curve.ts";
import { ELLSWIFT_SIZE, encodeWith } from "../ellswift.ts";
import { type Address, Elements } from "./elements.ts";
import { ELEMENT } from "./field.ts";
import { type Multiples, Multiplier } from "./multiply.ts";
import { XSwiftEC } from "./xswiftec.ts";

/** Private keys that one call of `sharedX` takes; a handshake has two. */
const MAX_KEYS = 4;

/** x coordinate and y coordinate of the group's generator (SEC 2, section 2.4.1). */
const GENERATOR = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
] as const;

/**
 * The curve in WebAssembly. Throws what the platform throws where WebAssembly or its SIMD instructions are switched off
 * (`node --jitless`): use `nobleCurve` there.
 */
export class WasmCurve implements EllswiftCurve {
  readonly #field = new Elements();
  readonly #multiplier = new Multiplier(this.#field);
  readonly #xswiftec = new XSwiftEC(this.#field);
  readonly #generator: Multiples;
  readonly #theirs: Multiples;
  readonly #point: Address;
  readonly #scale: Address;
  /** Numerators, denominators, the running products of denominators and their inverse, one behind the other. */
  readonly #x: Address;
  readonly #d: Address;
  readonly #products: Address;
  readonly #inverse: Address;

  constructor() {
    const field = this.#field;
    this.#point = field.reserve(2);
    this.#scale = field.reserve(1);
    this.#x = field.reserve(MAX_KEYS);
    this.#d = field.reserve(MAX_KEYS);
    this.#products = field.reserve(MAX_KEYS);
    this.#inverse = field.reserve(1);
    this.#generator = this.#multiplier.reserve();
    this.#theirs = this.#multiplier.reserve();
    field.copy(this.#point, field.constant(GENERATOR[0]));
    field.copy(this.#point + ELEMENT, field.constant(GENERATOR[1]));
    this.#multiplier.prepare(this.#generator, this.#point, field.one);
  }

  generateKey(random: Random): EllswiftKey {
    for (;;) {
      const privateKey = randomPrivateKey(random);
      const [x] = this.#multiply([privateKey], this.#generator) ?? [];
      if (x === undefined) continue;
      const ellswift = encodeWith((u32, way) => this.#xswiftec.encode(x, u32, way), random);
      this.#wipe();
      return { privateKey, ellswift };
    }
  }

  sharedX(privateKeys: readonly Uint8Array[], theirs: Uint8Array): Uint8Array[] {
    if (privateKeys.length > MAX_KEYS) throw new TypeError(`at most ${MAX_KEYS} keys a call`);
    for (const privateKey of privateKeys) assertPrivateKey(privateKey);
    this.#decode(theirs);
    this.#multiplier.prepare(this.#theirs, this.#point, this.#scale);
    const shared = this.#multiply(privateKeys, this.#theirs)?.map((x) => this.#field.read(x));
    this.#wipe();
    return shared ?? nobleCurve.sharedX(privateKeys, theirs);
  }

  decodeEllswift(ellswift: Uint8Array): Uint8Array {
    this.#decode(ellswift);
    this.#field.inverse(this.#inverse, this.#scale);
    this.#field.op.mul(this.#x, this.#point, this.#inverse);
    return this.#field.read(this.#x);
  }

  #decode(ellswift: Uint8Array): void {
    if (ellswift.length !== ELLSWIFT_SIZE) {
      throw new TypeError(`an ElligatorSwift key has ${ELLSWIFT_SIZE} bytes, not ${ellswift.length}`);
    }
    this.#xswiftec.decode(this.#point, this.#scale, ellswift.subarray(0, 32), ellswift.subarray(32));
  }

  /** Overwrites what the multiplications left. A denominator counts as secret: Z tells something of the scalar. */
  #wipe(): void {
    this.#field.wipe(this.#x, 3 * MAX_KEYS + 1);
    this.#field.wipeScratch();
  }

  /**
   * Addresses of the x coordinates of the point times each key, of magnitude 1; one inversion for all (Montgomery's trick).
   * `undefined` if two points met that the addition formula cannot add; see `Multiplier.multiply`.
   */
  #multiply(privateKeys: readonly Uint8Array[], point: Multiples): Address[] | undefined {
    const field = this.#field;
    const { op } = field;
    let product = field.one;
    const keys = privateKeys.map((privateKey, n) => {
      const [x, d, next] = [this.#x + n * ELEMENT, this.#d + n * ELEMENT, this.#products + n * ELEMENT];
      this.#multiplier.multiply(x, d, point, privateKey);
      op.mul(next, product, d);
      const key = { x, d, before: product };
      product = next;
      return key;
    });
    if (field.isZero(product)) return undefined;
    field.inverse(this.#inverse, product);
    for (const { x, d, before } of keys.toReversed()) {
      op.mul(x, x, this.#inverse);
      op.mul(x, x, before);
      op.mul(this.#inverse, this.#inverse, d);
    }
    return keys.map(({ x }) => x);
  }
}
