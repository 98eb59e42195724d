/** A tag: bytes behind OP_RETURN, and the work that stands for them. */
import { type AuxWork, concat, fromHex, opReturn, sha256d, toHex, utf8 } from "bllvm-stratum-v2/plugin";

/** Bytes of a script that the contract allows in an output. */
const MAX_SCRIPT = 100;
/** Bytes that fit behind OP_RETURN and a length: from 76 on the length takes two. */
export const MAX_DATA = MAX_SCRIPT - 3;

const OP_RETURN = 0x6a;
const OP_PUSHDATA1 = 0x4c;
const OP_PUSHDATA2 = 0x4d;

/** OP_RETURN and one push of prefix and data. Throws a sentence when that is nothing or too much. */
export function tagScript(prefix: string, data: Uint8Array): Uint8Array {
  const payload = concat(utf8(prefix), data);
  if (payload.length === 0) throw new Error("the tag is empty");
  if (payload.length > MAX_DATA) throw new Error(`the tag has ${payload.length} bytes; at most ${MAX_DATA} fit`);
  return opReturn(payload);
}

/**
 * Why `script` is no tag, in a clause; `undefined` when it is one: OP_RETURN and pushes to the end. Anything else could be money
 * burnt, or opcodes that count as signature operations of the block.
 */
export function scriptFlaw(script: Uint8Array): string | undefined {
  if (script.length > MAX_SCRIPT) return `it has ${script.length} bytes, and at most ${MAX_SCRIPT} are allowed`;
  if (script[0] !== OP_RETURN) return "it does not begin with 6a (OP_RETURN)";
  let at = 1;
  while (at < script.length) {
    const opcode = script[at] ?? 0;
    if (opcode > OP_PUSHDATA2) return `its byte ${at} is no push`;
    const long = opcode < OP_PUSHDATA1 ? 0 : opcode - OP_PUSHDATA1 + 1;
    const size = long === 0 ? opcode : (script[at + 1] ?? 0) + (long === 2 ? 256 * (script[at + 2] ?? 0) : 0);
    at += 1 + long + size;
  }
  return at === script.length ? undefined : "its last push goes past its end";
}

/** Work that nothing solves: the script is all there is to it. */
export function tagWork(script: Uint8Array): AuxWork {
  return {
    id: toHex(script),
    hash: sha256d(script),
    parent: "tag",
    height: 0,
    target: 0n,
    value: undefined,
    details: {},
  };
}

/** The script of a work. */
export function scriptOf(work: AuxWork): Uint8Array {
  return fromHex(work.id);
}
