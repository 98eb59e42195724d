/**
 * A WebAssembly assembler for the hot arithmetic of the handshake (WebAssembly core specification 2.0, chapter 5).
 *
 * JavaScript has no 64-bit product, which makes curve arithmetic over `bigint` ten times slower than native code.
 * WebAssembly has one, and it has no branch or memory access that depends on a value unless it is written down. The
 * module is assembled from the formulas when the program starts, so no compiler and no binary file is involved.
 *
 * Code is an expression tree of bytes: `add(get(0), i64(3n))` is the code that leaves their sum on the stack.
 */

/** Instructions in order; nesting only groups them. */
export type Code = number | readonly Code[];

/** A function of a module; all parameters are `i32`, parameters and locals share one numbering, parameters first. */
export interface WasmFunction {
  /** Name under which it is exported. */
  readonly name: string;
  /** Number of `i32` parameters. */
  readonly params: number;
  /** Number of locals of each kind, which follow the parameters in this order. */
  readonly locals?: { readonly i32?: number; readonly i64?: number; readonly v128?: number };
  readonly body: Code;
}

/** An instance's exported functions by name; addresses and counts go in, nothing comes out. */
export type WasmExports<Name extends string> = Readonly<Record<Name, (...args: number[]) => void>>;

/** The part of the platform's WebAssembly interface used here; the ES library does not declare it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

const TYPE_I32 = 0x7f;
const TYPE_I64 = 0x7e;
const TYPE_V128 = 0x7b;
const EMPTY_BLOCK = 0x40;

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return out;
}

/** Signed LEB128. */
function signed(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && byte < 0x40) || (rest === -1n && byte >= 0x40);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
}

/** The value of local `index`. */
export const get = (index: number): Code => [0x20, unsigned(index)];
/** Stores `value` in local `index`. */
export const set = (index: number, value: Code): Code => [value, 0x21, unsigned(index)];
/** Stores `value` in local `index` and leaves it on the stack. */
export const tee = (index: number, value: Code): Code => [value, 0x22, unsigned(index)];
/** Calls the function number `index` of the module. */
export const call = (index: number, ...args: readonly Code[]): Code => [args, 0x10, unsigned(index)];

/** A 32-bit constant. */
export const i32 = (value: number): Code => [0x41, signed(BigInt(value | 0))];
/** `a + b` modulo 2^32. */
export const add32 = (a: Code, b: Code): Code => [a, b, 0x6a];
/** `a - b` modulo 2^32. */
export const sub32 = (a: Code, b: Code): Code => [a, b, 0x6b];
/** `a & b`. */
export const and32 = (a: Code, b: Code): Code => [a, b, 0x71];
/** `a ^ b`. */
export const xor32 = (a: Code, b: Code): Code => [a, b, 0x73];
/** `a >>> b`, zeros moving in. */
export const shrU32 = (a: Code, b: number): Code => [a, i32(b), 0x76];
/** `a` turned right by `b` bits. */
export const rotr32 = (a: Code, b: number): Code => [a, i32(b), 0x78];
/** The 32-bit word at `address + offset`, little-endian. */
export const load32 = (address: Code, offset = 0): Code => [address, 0x28, 2, unsigned(offset)];
/** Stores the 32-bit word `value` at `address + offset`. */
export const store32 = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  0x36,
  2,
  unsigned(offset),
];
/** `a >> b`, the sign moving in. */
export const shr32 = (a: Code, b: number): Code => [a, i32(b), 0x75];
/** 1 if `a` equals `b`, else 0. */
export const eq32 = (a: Code, b: Code): Code => [a, b, 0x46];

/** A 64-bit constant. */
export const i64 = (value: bigint): Code => [0x42, signed(value)];
/** `a + b` modulo 2^64. */
export const add = (a: Code, b: Code): Code => [a, b, 0x7c];
/** `a * b` modulo 2^64. */
export const mul = (a: Code, b: Code): Code => [a, b, 0x7e];
/** `a & b`. */
export const and = (a: Code, b: Code): Code => [a, b, 0x83];
/** `a - b` modulo 2^64. */
export const sub = (a: Code, b: Code): Code => [a, b, 0x7d];
/** `a | b`. */
export const or = (a: Code, b: Code): Code => [a, b, 0x84];
/** `a >> bits`, zeros moving in. */
export const shrU = (a: Code, bits: bigint): Code => [a, i64(bits), 0x88];
/** 1 as a 64-bit number if `a` is below `b`, both unsigned, else 0. */
export const ltU = (a: Code, b: Code): Code => [a, b, 0x54, 0xad];
/** `a << bits`. */
export const shl = (a: Code, bits: bigint): Code => [a, i64(bits), 0x86];
/** `a >> bits`, the sign moving in. */
export const shr = (a: Code, bits: bigint): Code => [a, i64(bits), 0x87];
/** The 64-bit word at `address + offset`, little-endian. */
export const load = (address: Code, offset = 0): Code => [address, 0x29, 3, unsigned(offset)];
/** Stores the 64-bit word `value` at `address + offset`. */
export const store = (address: Code, offset: number, value: Code): Code => [address, value, 0x37, 3, unsigned(offset)];

const simd = (opcode: number): Code => [0xfd, unsigned(opcode)];
/** The 128 bits at `address + offset`. */
export const loadV = (address: Code, offset = 0): Code => [address, simd(0), 4, unsigned(offset)];
/** Stores 128 bits at `address + offset`. */
export const storeV = (address: Code, offset: number, value: Code): Code => [
  address,
  value,
  simd(11),
  4,
  unsigned(offset),
];
/** 128 zero bits. */
export const zeroV: Code = [simd(12), new Array<number>(16).fill(0)];
/** Four lanes holding the 32-bit `value`. */
export const splat32 = (value: Code): Code => [value, simd(17)];
/** `a & b`. */
export const andV = (a: Code, b: Code): Code => [a, b, simd(78)];
/** `a | b`. */
export const orV = (a: Code, b: Code): Code => [a, b, simd(80)];
/** `a ^ b`. */
export const xorV = (a: Code, b: Code): Code => [a, b, simd(81)];
/** Four lanes of the 32-bit word at `address + offset`. */
export const loadSplat32 = (address: Code, offset: number): Code => [address, simd(9), 2, unsigned(offset)];
/** A constant of four 32-bit lanes. */
export const lanes32 = (...lanes: readonly number[]): Code => [
  simd(12),
  lanes.flatMap((lane) => [lane & 255, (lane >> 8) & 255, (lane >> 16) & 255, lane >>> 24]),
];
/** The 16 bytes of `a` and `b`, numbered 0 to 31, that `bytes` names. */
export const shuffleV = (a: Code, b: Code, bytes: readonly number[]): Code => [a, b, simd(13), bytes];
/** The 32-bit lane number `lane` of `a`. */
export const lane32 = (a: Code, lane: number): Code => [a, simd(27), lane];
/** `a << bits` in four 32-bit lanes. */
export const shl32V = (a: Code, bits: number): Code => [a, i32(bits), simd(171)];
/** `a >> bits` in four 32-bit lanes, zeros moving in. */
export const shrU32V = (a: Code, bits: number): Code => [a, i32(bits), simd(173)];
/** `a + b` in four 32-bit lanes. */
export const add32V = (a: Code, b: Code): Code => [a, b, simd(174)];
/** `a + b` in both 64-bit lanes. */
export const addV = (a: Code, b: Code): Code => [a, b, simd(206)];
/** `a - b` in both 64-bit lanes. */
export const subV = (a: Code, b: Code): Code => [a, b, simd(209)];

/** Runs `body` again and again while `condition` leaves something but zero. */
export const repeatWhile = (body: Code, condition: Code): Code => [0x03, EMPTY_BLOCK, body, condition, 0x0d, 0, 0x0b];

function flatten(code: Code, into: number[]): void {
  if (typeof code === "number") into.push(code);
  else for (const part of code) flatten(part, into);
}

const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];

function sized(code: Code): Code {
  const bytes: number[] = [];
  flatten(code, bytes);
  return [unsigned(bytes.length), bytes];
}

const section = (id: number, content: Code): Code => [id, sized(content)];

const name = (text: string): Code => vector(Array.from(text, (letter) => letter.charCodeAt(0)));

function assemble(functions: readonly WasmFunction[], pages: number): Uint8Array {
  const body = ({ locals = {}, body }: WasmFunction): Code => {
    const groups: Code[] = [];
    for (const [count, type] of [
      [locals.i32, TYPE_I32],
      [locals.i64, TYPE_I64],
      [locals.v128, TYPE_V128],
    ] as const) {
      if (count !== undefined) groups.push([unsigned(count), type]);
    }
    return sized([vector(groups), body, 0x0b]);
  };
  const bytes: number[] = [];
  flatten(
    [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, vector(functions.map(({ params }) => [0x60, vector(new Array<number>(params).fill(TYPE_I32)), 0]))),
      section(3, vector(functions.map((_, index) => unsigned(index)))),
      section(5, vector([[0x01, unsigned(pages), unsigned(pages)]])),
      section(
        7,
        vector([
          [name("memory"), 0x02, 0],
          ...functions.map((f, index): Code => [name(f.name), 0x00, unsigned(index)]),
        ]),
      ),
      section(10, vector(functions.map(body))),
    ],
    bytes,
  );
  return Uint8Array.from(bytes);
}

/**
 * Assembles and instantiates a module of `functions` with `pages` × 64 KiB of memory that never grows. Function number
 * `i` for `call` is `functions[i]`. Throws what the platform throws when it has no WebAssembly or no SIMD.
 */
export function instantiate<Name extends string>(
  functions: readonly (WasmFunction & { readonly name: Name })[],
  pages: number,
): { readonly exports: WasmExports<Name>; readonly memory: ArrayBuffer } {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(assemble(functions, pages)));
  const { memory, ...exports } = instance.exports;
  return { exports: exports as WasmExports<Name>, memory: (memory as { readonly buffer: ArrayBuffer }).buffer };
}
