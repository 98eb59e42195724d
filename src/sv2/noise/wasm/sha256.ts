/**
 * SHA-256 (FIPS 180-4) and HMAC as WebAssembly. A handshake hashes 50 blocks in 15 short messages. OpenSSL's blocks are
 * quicker, but each call makes an object with a finaliser, which costs more than the blocks (`test/bench/noise.ts`).
 */
import {
  add32,
  and32,
  type Code,
  get,
  i32,
  instantiate,
  lane32,
  load32,
  loadV,
  repeatWhile,
  rotr32,
  set,
  shrU32,
  shuffleV,
  store32,
  storeV,
  sub32,
  tee,
  type WasmExports,
  xor32,
} from "./assembler.ts";

const PRIMES = ((): readonly number[] => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
})();

/** First 32 bits of the fractional part of the square or cube root of `n`: how the standard defines its constants. */
function rootFraction(n: number, degree: 2 | 3): number {
  const target = BigInt(n) << BigInt(32 * degree);
  let [low, high] = [0n, BigInt(n) << 32n];
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** BigInt(degree) <= target) low = middle;
    else high = middle - 1n;
  }
  return Number(low & 0xffffffffn);
}

/** H(0) (FIPS 180-4, 5.3.3) and K (4.2.2). */
const INITIAL = Uint32Array.from(PRIMES.slice(0, 8), (prime) => rootFraction(prime, 2));
const K = PRIMES.map((prime) => rootFraction(prime, 3));

/** Turns the bytes of four 32-bit words round. */
const BIG_ENDIAN = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

const xor = (a: Code, b: Code, c: Code): Code => xor32(xor32(a, b), c);

/** `compress(state, data, blocks)`: the eight words at `state` after `blocks` blocks of 64 bytes at `data`, at least one. */
const COMPRESS = ((): { readonly params: number; readonly locals: object; readonly body: Code } => {
  const [state, data, blocks, v, w] = [0, 1, 2, 3, 11] as const;
  const vector = w + 16;
  const code: Code[] = [];
  for (let n = 0; n < 8; n++) code.push(set(v + n, load32(get(state), 4 * n)));
  for (let quad = 0; quad < 4; quad++) {
    const words = loadV(get(data), 16 * quad);
    code.push(set(vector, words), set(vector, shuffleV(get(vector), get(vector), BIG_ENDIAN)));
    for (let lane = 0; lane < 4; lane++) code.push(set(w + 4 * quad + lane, lane32(get(vector), lane)));
  }
  for (let t = 0; t < 64; t++) {
    // The working variables move on by one place a round: their names turn, their values stay.
    const variable = (n: number): number => v + ((n + 64 - t) % 8);
    const [a, b, c, d] = [variable(0), variable(1), variable(2), variable(3)];
    const [e, f, g, h] = [variable(4), variable(5), variable(6), variable(7)];
    const word = (back: number): Code => get(w + ((t - back + 64) % 16));
    if (t >= 16) {
      const [w15, w2] = [word(15), word(2)];
      const sigma0 = xor(rotr32(w15, 7), rotr32(w15, 18), shrU32(w15, 3));
      const sigma1 = xor(rotr32(w2, 17), rotr32(w2, 19), shrU32(w2, 10));
      code.push(set(w + (t % 16), add32(add32(word(16), sigma0), add32(word(7), sigma1))));
    }
    const sum1 = xor(rotr32(get(e), 6), rotr32(get(e), 11), rotr32(get(e), 25));
    const choice = xor32(get(g), and32(get(e), xor32(get(f), get(g))));
    const sum0 = xor(rotr32(get(a), 2), rotr32(get(a), 13), rotr32(get(a), 22));
    const majority = xor32(and32(get(a), get(b)), and32(get(c), xor32(get(a), get(b))));
    code.push(
      set(h, add32(add32(get(h), add32(sum1, choice)), add32(word(0), i32(K[t] as number)))),
      set(d, add32(get(d), get(h))),
      set(h, add32(get(h), add32(sum0, majority))),
    );
  }
  for (let n = 0; n < 8; n++) code.push(store32(get(state), 4 * n, add32(get(v + n), load32(get(state), 4 * n))));
  code.push(set(data, add32(get(data), i32(64))));
  return {
    params: 3,
    locals: { i32: 24, v128: 1 },
    body: repeatWhile(code, tee(blocks, sub32(get(blocks), i32(1)))),
  };
})();

/** `swap(to, from)`: eight words with the bytes of each turned round. */
const SWAP = {
  params: 2,
  body: [0, 16].map((at) => storeV(get(0), at, shuffleV(loadV(get(1), at), loadV(get(1), at), BIG_ENDIAN))),
};

const BLOCK = 64;
const HASH = 32;
/** Bytes behind a message at most: a one, 63 zeros, and its length in 8 bytes. */
const MAX_PADDING = 72;
/** Addresses in the module's memory. */
const STATE = 0;
const DIGEST = STATE + HASH;
const DATA = DIGEST + HASH;
/** Bytes of a message at most: the module has one page of memory. */
export const MAX_HASH_BYTES = 60 * 1024;

/** SHA-256 and HMAC-SHA256 for short messages. Throws as `WasmCurve` does where there is no WebAssembly. */
export class WasmSha256 {
  readonly #op: WasmExports<"compress" | "swap">;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #state: Uint32Array;

  constructor() {
    const { exports, memory } = instantiate(
      [
        { name: "compress", ...COMPRESS },
        { name: "swap", ...SWAP },
      ],
      1,
    );
    this.#op = exports;
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#state = new Uint32Array(memory, STATE, INITIAL.length);
  }

  /** SHA-256 of `parts` one after the other: 32 bytes. */
  sha256(parts: readonly Uint8Array[]): Uint8Array {
    const length = this.#append(0, parts);
    this.#finish(length);
    return this.#result(length);
  }

  /** HMAC-SHA256 (RFC 2104) of `parts` under a `key` of at most 64 bytes: 32 bytes. */
  hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
    this.#pad(key, 0x36);
    const length = this.#append(BLOCK, parts);
    this.#finish(length);
    this.#pad(key, 0x5c);
    this.#bytes.copyWithin(DATA + BLOCK, DIGEST, DIGEST + HASH);
    this.#finish(BLOCK + HASH);
    return this.#result(Math.max(length, BLOCK + HASH));
  }

  /** A copy of the hash; what led to it is overwritten, for keys and secrets are hashed here. */
  #result(length: number): Uint8Array {
    const hash = this.#bytes.slice(DIGEST, DIGEST + HASH);
    this.#bytes.fill(0, STATE, DATA + length + MAX_PADDING);
    return hash;
  }

  #pad(key: Uint8Array, pad: number): void {
    if (key.length > BLOCK) throw new TypeError(`a key of ${key.length} bytes would have to be hashed first`);
    this.#bytes.fill(pad, DATA, DATA + BLOCK);
    for (let i = 0; i < key.length; i++) this.#bytes[DATA + i] = (key[i] as number) ^ pad;
  }

  /** Puts `parts` behind the first `length` bytes of data; returns the new length. */
  #append(length: number, parts: readonly Uint8Array[]): number {
    let end = length;
    for (const part of parts) {
      if (end + part.length > MAX_HASH_BYTES) throw new TypeError(`at most ${MAX_HASH_BYTES} bytes are hashed here`);
      this.#bytes.set(part, DATA + end);
      end += part.length;
    }
    return end;
  }

  /** Leaves the hash of the first `length` bytes of data at `DIGEST`. */
  #finish(length: number): void {
    const end = (length + 1 + 8 + BLOCK - 1) & -BLOCK;
    this.#bytes.fill(0, DATA + length, DATA + end);
    this.#bytes[DATA + length] = 0x80;
    this.#view.setUint32(DATA + end - 4, 8 * length);
    this.#state.set(INITIAL);
    this.#op.compress(STATE, DATA, end / BLOCK);
    this.#op.swap(DIGEST, STATE);
  }
}
