/**
 * ChaCha20 and Poly1305 (RFC 8439) as WebAssembly code. OpenSSL moves bytes faster, but a call of it costs 4 µs before
 * the first byte, and a share is two messages of 6 and 24 bytes: there this is ten times quicker (`test/bench/noise.ts`).
 */
import {
  add,
  add32,
  add32V,
  and,
  type Code,
  get,
  i32,
  i64,
  instantiate,
  lanes32,
  load,
  loadSplat32,
  loadV,
  ltU,
  mul,
  or,
  orV,
  repeatWhile,
  set,
  shl,
  shl32V,
  shr,
  shrU,
  shrU32V,
  shuffleV,
  splat32,
  store,
  storeV,
  sub,
  sub32,
  tee,
  type WasmExports,
  xorV,
} from "./assembler.ts";

/** Bytes of keystream that one call of `keystream` makes: four blocks of 64. */
export const KEYSTREAM = 256;

/** "expand 32-byte k" (RFC 8439, 2.3). */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

/**
 * `keystream(to, key, counter)`: four blocks with the counters `counter` to `counter + 3`, from the 32 bytes of key and 12
 * of nonce at `key`. Each of the 16 words is a vector whose lanes are the four blocks.
 */
const CHACHA = ((): { readonly params: number; readonly locals: object; readonly body: Code } => {
  const [to, key, counter, rounds, x] = [0, 1, 2, 3, 4] as const;
  const initial = x + 16;
  const word = (n: number): Code => get(x + n);
  const rotated = (value: number, bits: number): Code => {
    // Whole bytes are moved by one instruction.
    if (bits % 8 === 0) {
      const from = range(16).map((n) => (n & 12) | ((n - bits / 8) & 3));
      return shuffleV(word(value), word(value), from);
    }
    return orV(shl32V(word(value), bits), shrU32V(word(value), 32 - bits));
  };
  const step = (a: number, b: number, d: number, bits: number): Code => [
    set(x + a, add32V(word(a), word(b))),
    set(x + d, xorV(word(d), word(a))),
    set(x + d, rotated(d, bits)),
  ];
  const quarter = (a: number, b: number, c: number, d: number): Code => [
    step(a, b, d, 16),
    step(c, d, b, 12),
    step(a, b, d, 8),
    step(c, d, b, 7),
  ];
  const start = (n: number): Code => {
    if (n < 4) return lanes32(...new Array<number>(4).fill(SIGMA[n] as number));
    if (n === 12) return add32V(splat32(get(counter)), lanes32(0, 1, 2, 3));
    return loadSplat32(get(key), n < 12 ? 4 * (n - 4) : 32 + 4 * (n - 13));
  };
  const pick = (n: readonly number[]): number[] => n.flatMap((lane) => range(4).map((byte) => 4 * lane + byte));
  const transposed = (group: number): Code => {
    const [a, b, c, d] = range(4).map((n) => x + 4 * group + n) as [number, number, number, number];
    // Pairs of words, then quads: initial words are no longer needed and lend their locals.
    const [p, q, r, s] = range(4).map((n) => initial + n) as [number, number, number, number];
    const low = pick([0, 4, 1, 5]);
    const high = pick([2, 6, 3, 7]);
    const first = pick([0, 1, 4, 5]);
    const second = pick([2, 3, 6, 7]);
    const put = (block: number, value: Code): Code => storeV(get(to), 64 * block + 16 * group, value);
    return [
      set(p, shuffleV(get(a), get(b), low)),
      set(q, shuffleV(get(c), get(d), low)),
      set(r, shuffleV(get(a), get(b), high)),
      set(s, shuffleV(get(c), get(d), high)),
      put(0, shuffleV(get(p), get(q), first)),
      put(1, shuffleV(get(p), get(q), second)),
      put(2, shuffleV(get(r), get(s), first)),
      put(3, shuffleV(get(r), get(s), second)),
    ];
  };
  return {
    params: 3,
    locals: { i32: 1, v128: 32 },
    body: [
      range(16).map((n) => [set(initial + n, start(n)), set(x + n, get(initial + n))]),
      set(rounds, i32(10)),
      repeatWhile(
        [
          range(4).map((n) => quarter(n, 4 + n, 8 + n, 12 + n)),
          range(4).map((n) => quarter(n, 4 + ((n + 1) % 4), 8 + ((n + 2) % 4), 12 + ((n + 3) % 4))),
        ],
        tee(rounds, sub32(get(rounds), i32(1))),
      ),
      range(16).map((n) => set(x + n, add32V(word(n), get(initial + n)))),
      range(4).map(transposed),
    ],
  };
})();

/** `xor(data, keystream, blocks)`: 16 bytes a block, at least one. */
const XOR = {
  params: 3,
  body: repeatWhile(
    [
      storeV(get(0), 0, xorV(loadV(get(0)), loadV(get(1)))),
      set(0, add32(get(0), i32(16))),
      set(1, add32(get(1), i32(16))),
    ],
    tee(2, sub32(get(2), i32(1))),
  ),
};

const MASK_26 = (1n << 26n) - 1n;

/**
 * `poly1305(to, key, message, blocks)`: the 16-byte authenticator of whole 16-byte blocks, at least one, under the 32
 * bytes at `key`. Numbers modulo 2^130 - 5 are five words of 26 bits.
 *
 * Bounds: between blocks words are below 2^26, the second below 2^26 + 2^6. A block adds less than 2^26 to each, and words of
 * 5r are below 5 * 2^26, so a column is below (1 + 4 * 5) 2^53 (1 + 2^-20) < 2^58, the last one, without 5r, below 2^56.
 * What leaves at 2^130 is then below 2^30; five times that moves less than 2^6 into the second word.
 */
const POLY1305 = ((): { readonly params: number; readonly locals: object; readonly body: Code } => {
  const [to, key, message, blocks] = [0, 1, 2, 3] as const;
  const [r, r5, h, d, lo, hi] = [4, 9, 14, 19, 24, 25] as const;
  const words = (low: Code, high: Code, masks: readonly bigint[]): Code[] => [
    and(low, i64(masks[0] as bigint)),
    and(shrU(low, 26n), i64(masks[1] as bigint)),
    and(or(shrU(low, 52n), shl(high, 12n)), i64(masks[2] as bigint)),
    and(shrU(high, 14n), i64(masks[3] as bigint)),
    and(shrU(high, 40n), i64(masks[4] as bigint)),
  ];
  const load128 = (address: Code, offset = 0): Code => [
    set(lo, load(address, offset)),
    set(hi, load(address, offset + 8)),
  ];
  // h[n] <- d[n] with carries; what leaves at 2^130 comes back five times at 2^0.
  const carry = (from: number): Code => [
    range(4).map((n) => set(from + n + 1, add(get(from + n + 1), shrU(get(from + n), 26n)))),
    range(4).map((n) => set(h + n, and(get(from + n), i64(MASK_26)))),
    set(h, add(get(h), mul(shrU(get(from + 4), 26n), i64(5n)))),
    set(h + 4, and(get(from + 4), i64(MASK_26))),
    set(h + 1, add(get(h + 1), shrU(get(h), 26n))),
    set(h, and(get(h), i64(MASK_26))),
  ];
  const product = (n: number): Code =>
    range(5)
      .map((i): Code => mul(get(h + i), get(i <= n ? r + n - i : r5 + n - i + 5)))
      .reduce((sum, term) => add(sum, term));
  const block: Code = [
    load128(get(message)),
    words(get(lo), get(hi), [MASK_26, MASK_26, MASK_26, MASK_26, MASK_26]).map((word, n) =>
      set(h + n, add(get(h + n), n === 4 ? add(word, i64(1n << 24n)) : word)),
    ),
    range(5).map((n) => set(d + n, product(n))),
    carry(d),
    set(message, add32(get(message), i32(16))),
  ];
  const clamped = [0x3ffffffn, 0x3ffff03n, 0x3ffc0ffn, 0x3f03fffn, 0x00fffffn];
  return {
    params: 4,
    locals: { i64: 22 },
    body: [
      load128(get(key)),
      words(get(lo), get(hi), clamped).map((word, n) => [set(r + n, word), set(r5 + n, mul(get(r + n), i64(5n)))]),
      range(5).map((n) => set(h + n, i64(0n))),
      repeatWhile(block, tee(blocks, sub32(get(blocks), i32(1)))),
      // Twice: what the first brings back at 2^0 may end in the second word as a carry.
      carry(h),
      carry(h),
      // d = h - p = h + 5 - 2^130; if that is not negative, it is the value.
      set(d, add(get(h), i64(5n))),
      range(4).map((n) => [
        set(d + n + 1, add(get(h + n + 1), shrU(get(d + n), 26n))),
        set(d + n, and(get(d + n), i64(MASK_26))),
      ]),
      set(d + 4, sub(get(d + 4), i64(1n << 26n))),
      set(lo, shr(get(d + 4), 63n)), // all ones to keep h
      range(5).map((n) => set(h + n, or(and(get(h + n), get(lo)), and(get(d + n), sub(i64(-1n), get(lo)))))),
      // Modulo 2^128, plus the second half of the key.
      set(lo, or(or(get(h), shl(get(h + 1), 26n)), shl(get(h + 2), 52n))),
      set(hi, or(or(shrU(get(h + 2), 12n), shl(get(h + 3), 14n)), shl(get(h + 4), 40n))),
      set(d, add(get(lo), load(get(key), 16))),
      store(get(to), 0, get(d)),
      store(get(to), 8, add(add(get(hi), load(get(key), 24)), ltU(get(d), get(lo)))),
    ],
  };
})();

/** Assembles the module with a memory of `pages` × 64 KiB. Throws what the platform throws without WebAssembly. */
export function instantiateChaCha(pages: number): {
  readonly exports: WasmExports<"keystream" | "xor" | "poly1305">;
  readonly memory: ArrayBuffer;
} {
  return instantiate(
    [
      { name: "keystream", ...CHACHA },
      { name: "xor", ...XOR },
      { name: "poly1305", ...POLY1305 },
    ],
    pages,
  );
}
