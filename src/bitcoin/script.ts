/** Script: opcodes, pushes, script numbers and the count of signature operations. Nothing is ever executed here. */
import { concat } from "../kernel/bytes.ts";

/** The opcodes that this program writes or looks for, by Bitcoin Core's names. */
export const OP = {
  OP_0: 0x00,
  OP_PUSHDATA1: 0x4c,
  OP_PUSHDATA2: 0x4d,
  OP_PUSHDATA4: 0x4e,
  OP_1NEGATE: 0x4f,
  OP_1: 0x51,
  OP_16: 0x60,
  OP_RETURN: 0x6a,
  OP_DUP: 0x76,
  OP_EQUAL: 0x87,
  OP_EQUALVERIFY: 0x88,
  OP_HASH160: 0xa9,
  OP_CHECKSIG: 0xac,
  OP_CHECKSIGVERIFY: 0xad,
  OP_CHECKMULTISIG: 0xae,
  OP_CHECKMULTISIGVERIFY: 0xaf,
} as const;

/** Keys that an OP_CHECKMULTISIG counts as when its number of keys is not looked at. */
const MAX_PUBKEYS_PER_MULTISIG = 20;

/**
 * The shortest script that puts `data` on the stack (BIP62 rule 3): OP_0, OP_1 to OP_16 and OP_1NEGATE for what they
 * stand for, else a length and the bytes.
 */
export function push(data: Uint8Array): Uint8Array {
  const [first = 0] = data;
  if (data.length === 0) return Uint8Array.of(OP.OP_0);
  if (data.length === 1 && first >= 1 && first <= 16) return Uint8Array.of(OP.OP_1 + first - 1);
  if (data.length === 1 && first === 0x81) return Uint8Array.of(OP.OP_1NEGATE);
  return pushBytes(data);
}

/** A length and `data`, never an opcode that stands for a number: what Bitcoin Core writes for a byte string. */
export function pushBytes(data: Uint8Array): Uint8Array {
  const size = data.length;
  if (size < OP.OP_PUSHDATA1) return concat(Uint8Array.of(size), data);
  if (size <= 0xff) return concat(Uint8Array.of(OP.OP_PUSHDATA1, size), data);
  if (size <= 0xffff) return concat(Uint8Array.of(OP.OP_PUSHDATA2, size, size >>> 8), data);
  return concat(Uint8Array.of(OP.OP_PUSHDATA4, size, size >>> 8, size >>> 16, size >>> 24), data);
}

/**
 * The bytes of `n` as a script number (Core's CScriptNum): little-endian, highest bit is the sign, as few as possible,
 * none for 0. Without the push. Throws `TypeError` unless `n` is a safe integer.
 */
export function scriptNumber(n: number): Uint8Array {
  if (!Number.isSafeInteger(n)) throw new TypeError(`not a script number: ${n}`);
  const bytes: number[] = [];
  for (let rest = Math.abs(n); rest > 0; rest = Math.floor(rest / 256)) bytes.push(rest % 256);
  const last = bytes[bytes.length - 1] ?? 0;
  if (last & 0x80) bytes.push(n < 0 ? 0x80 : 0);
  else if (n < 0) bytes[bytes.length - 1] = last | 0x80;
  return Uint8Array.from(bytes);
}

/** A script that nobody can spend and that carries each of `data` in a push: OP_RETURN ‖ pushes. */
export function opReturn(...data: readonly Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(OP.OP_RETURN), ...data.map(pushBytes));
}

/** One step of a script. */
export interface ScriptOp {
  readonly opcode: number;
  /** What a push opcode pushes; `undefined` for all others. */
  readonly data: Uint8Array | undefined;
}

/** The steps of `script` up to its end or up to a push that goes past it, where Core stops reading too. */
export function* scriptOps(script: Uint8Array): Generator<ScriptOp, void> {
  let at = 0;
  while (at < script.length) {
    const opcode = script[at++] as number;
    if (opcode > OP.OP_PUSHDATA4) {
      yield { opcode, data: undefined };
      continue;
    }
    const lengthBytes = opcode < OP.OP_PUSHDATA1 ? 0 : 1 << (opcode - OP.OP_PUSHDATA1);
    if (at + lengthBytes > script.length) return;
    let size = lengthBytes === 0 ? opcode : 0;
    for (let i = lengthBytes - 1; i >= 0; i--) size = size * 256 + (script[at + i] as number);
    at += lengthBytes;
    if (size > script.length - at) return;
    yield { opcode, data: script.subarray(at, at + size) };
    at += size;
  }
}

/**
 * Signature operations in `script`, counted as Bitcoin counts them for the block limit: an OP_CHECKMULTISIG counts 20.
 * With `accurate`, as for P2SH and P2WSH scripts, it counts the OP_n before it.
 */
export function sigops(script: Uint8Array, accurate = false): number {
  let count = 0;
  let previous = 0xff;
  for (const { opcode } of scriptOps(script)) {
    if (opcode === OP.OP_CHECKSIG || opcode === OP.OP_CHECKSIGVERIFY) count += 1;
    if (opcode === OP.OP_CHECKMULTISIG || opcode === OP.OP_CHECKMULTISIGVERIFY) {
      const known = accurate && previous >= OP.OP_1 && previous <= OP.OP_16;
      count += known ? previous - OP.OP_1 + 1 : MAX_PUBKEYS_PER_MULTISIG;
    }
    previous = opcode;
  }
  return count;
}

/** The version and program of a witness output (BIP141): OP_n and one push of 2 to 40 bytes; else `undefined`. */
export function witnessProgram(script: Uint8Array): { version: number; program: Uint8Array } | undefined {
  const [first = 0, size = 0] = script;
  if (script.length < 4 || script.length > 42 || size !== script.length - 2) return undefined;
  if (first !== OP.OP_0 && (first < OP.OP_1 || first > OP.OP_16)) return undefined;
  return { version: first === OP.OP_0 ? 0 : first - OP.OP_1 + 1, program: script.subarray(2) };
}

/** The 20-byte hash in OP_HASH160 hash OP_EQUAL (BIP16); `undefined` for every other script. */
export function scriptHash(script: Uint8Array): Uint8Array | undefined {
  const is = script.length === 23 && script[0] === OP.OP_HASH160 && script[1] === 20 && script[22] === OP.OP_EQUAL;
  return is ? script.subarray(2, 22) : undefined;
}

/** The 20-byte hash in OP_DUP OP_HASH160 hash OP_EQUALVERIFY OP_CHECKSIG; `undefined` for every other script. */
export function publicKeyHash(script: Uint8Array): Uint8Array | undefined {
  const is =
    script.length === 25 &&
    script[0] === OP.OP_DUP &&
    script[1] === OP.OP_HASH160 &&
    script[2] === 20 &&
    script[23] === OP.OP_EQUALVERIFY &&
    script[24] === OP.OP_CHECKSIG;
  return is ? script.subarray(3, 23) : undefined;
}
