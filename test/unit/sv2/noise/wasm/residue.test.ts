import { describe, expect, test, vi } from "vitest";
import { toHex } from "../../../../../src/kernel/bytes.ts";
import { combDigits } from "../../../../../src/sv2/noise/wasm/scalar.ts";
import { WasmCurve } from "../../../../../src/sv2/noise/wasm/secp256k1.ts";
import { WasmSha256 } from "../../../../../src/sv2/noise/wasm/sha256.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

type Constructor = new (module: object) => { readonly exports: { readonly memory: { readonly buffer: ArrayBuffer } } };

/** What `make` makes, and the memory of the WebAssembly module that it instantiated. */
function withMemory<T>(make: () => T): { readonly made: T; hex(): string } {
  const real = (globalThis as unknown as { WebAssembly: { Module: unknown; Instance: Constructor } }).WebAssembly;
  const memories: ArrayBuffer[] = [];
  class Instance {
    readonly exports: object;
    constructor(module: object) {
      const { exports } = new real.Instance(module);
      memories.push(exports.memory.buffer);
      this.exports = exports;
    }
  }
  vi.stubGlobal("WebAssembly", { Module: real.Module, Instance });
  try {
    const made = make();
    expect(memories).toHaveLength(1);
    return { made, hex: () => toHex(new Uint8Array(memories[0] as ArrayBuffer)) };
  } finally {
    vi.unstubAllGlobals();
  }
}

// The curve's memory is compared after two runs that differ in nothing but the secret: a difference is something of it.
describe("nothing of a secret is left behind by", () => {
  const { made: curve, hex } = withMemory(() => new WasmCurve());

  test.each([1, 2, 4])("shared secrets of %i keys", (count) => {
    const random = seededRandom(71);
    const theirs = random.bytes(64);
    const memoryAfter = (): string => {
      curve.sharedX(
        Array.from({ length: count }, () => random.bytes(32)),
        theirs,
      );
      return hex();
    };
    expect(memoryAfter()).toBe(memoryAfter());
  });

  test("a generated key, once the public values beside it are overwritten", () => {
    const random = seededRandom(72);
    const theirs = random.bytes(64);
    const memoryAfter = (): string => {
      curve.generateKey(random);
      curve.decodeEllswift(theirs);
      return hex();
    };
    expect(memoryAfter()).toBe(memoryAfter());
  });

  test("a hash and a MAC", () => {
    const { made: hash, hex: bytes } = withMemory(() => new WasmSha256());
    const random = seededRandom(73);
    for (const size of [300, 120, 119, 64, 63, 56, 55, 54, 32, 0]) {
      hash.sha256([random.bytes(size)]);
      expect(bytes()).toMatch(/^0+$/);
      hash.hmacSha256(random.bytes(32), [random.bytes(size)]);
      expect(bytes()).toMatch(/^0+$/);
    }
  });

  test("numbers on the way from a private key to its digits", () => {
    const seen: Float64Array[] = [];
    const Real = Float64Array;
    class Watched extends Real {
      constructor(size: number) {
        super(size);
        seen.push(this);
      }
    }
    vi.stubGlobal("Float64Array", Watched);
    try {
      combDigits(seededRandom(74).bytes(32));
    } finally {
      vi.unstubAllGlobals();
    }
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.filter((numbers) => numbers.some((number) => number !== 0))).toEqual([]);
  });
});
