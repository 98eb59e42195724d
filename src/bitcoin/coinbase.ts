/**
 * The coinbase transaction: height (BIP34), witness commitment (BIP141), subsidy, and its halves around the extranonce
 * that miners roll.
 */
import { concat } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { Writer } from "../kernel/writer.ts";
import { writeCompactSize } from "./compact-size.ts";
import { sha256d } from "./hash.ts";
import { merkleRoot } from "./merkle.ts";
import { OP, opReturn, push, scriptNumber } from "./script.ts";
import { absorbAgain, absorbBlock, absorbRest, BLOCK_SIZE, newState, squeeze } from "./sha256.ts";
import { serializeOutputs, type TxOutput, writeWitness } from "./transaction.ts";

/** Bytes that a coinbase's scriptSig may have at most; at least 2. */
export const MAX_COINBASE_SCRIPT = 100;

/** BIP141: what the data of a witness commitment output begins with. */
const WITNESS_COMMITMENT_HEADER = Uint8Array.of(0xaa, 0x21, 0xa9, 0xed);

/**
 * What the scriptSig of the coinbase at `height` begins with (BIP34), as Core's `CScript() << nHeight` writes it: an
 * OP_n up to 16, else a push of the script number.
 */
export function heightPush(height: number): Uint8Array {
  return push(scriptNumber(height));
}

/** The height that a coinbase's scriptSig begins with, or `undefined` when it begins with no number of up to 5 bytes. */
export function readHeightPush(script: Uint8Array): number | undefined {
  const [first] = script;
  if (first === undefined) return undefined;
  if (first === OP.OP_0) return 0;
  if (first >= OP.OP_1 && first <= OP.OP_16) return first - OP.OP_1 + 1;
  if (first > 5 || script.length < 1 + first) return undefined;
  let height = 0;
  for (let i = first; i >= 1; i--) height = height * 256 + (script[i] as number);
  return (script[first] as number) & 0x80 ? undefined : height;
}

/** The merkle root over the wtxids of a block (BIP141). The first entry, the coinbase's, counts as zeros whatever it is. */
export function witnessRoot(wtxids: readonly Uint8Array[]): Uint8Array {
  return merkleRoot([new Uint8Array(32), ...wtxids.slice(1)]);
}

/**
 * The script of the witness commitment output (BIP141): OP_RETURN, 36 bytes of header and hash over `root` ‖ `nonce`,
 * both `Uint8Array(32)`; `nonce` is the coinbase's only witness item.
 */
export function witnessCommitmentScript(root: Uint8Array, nonce: Uint8Array): Uint8Array {
  return opReturn(concat(WITNESS_COMMITMENT_HEADER, sha256d(concat(root, nonce))));
}

/** The index and 32-byte hash of the commitment output that counts: the last one (BIP141); `undefined` if none. */
export function findWitnessCommitment(
  outputs: readonly TxOutput[],
): { readonly index: number; readonly commitment: Uint8Array } | undefined {
  for (let index = outputs.length - 1; index >= 0; index--) {
    const script = (outputs[index] as TxOutput).script;
    const headed = script.length >= 38 && script[0] === OP.OP_RETURN && script[1] === 36;
    if (headed && WITNESS_COMMITMENT_HEADER.every((byte, i) => script[2 + i] === byte)) {
      return { index, commitment: script.subarray(6, 38) };
    }
  }
  return undefined;
}

/** New coins of the block at `height` in sat: 50 BTC, halved every `halvingInterval` blocks, nothing after 64 halvings. */
export function subsidy(height: number, halvingInterval: number): bigint {
  const halvings = Math.floor(height / halvingInterval);
  return halvings >= 64 ? 0n : 5_000_000_000n >> BigInt(halvings);
}

/** What a coinbase is made of. Its scriptSig is prefix ‖ extranonce ‖ suffix. */
export interface CoinbaseParts {
  /** u32. */
  readonly txVersion: number;
  /** Begins with the height push. */
  readonly scriptSigPrefix: Uint8Array;
  /** Bytes of the extranonce. */
  readonly extranonceSize: number;
  readonly scriptSigSuffix?: Uint8Array;
  /** u32. */
  readonly sequence: number;
  readonly outputs: readonly TxOutput[];
  /** u32. */
  readonly lockTime: number;
}

/**
 * The bytes of a coinbase before and behind its extranonce, without witness, as SV2's NewExtendedMiningJob carries them:
 * the txid is the hash of prefix ‖ extranonce ‖ suffix. Throws `Fault("coinbase-script-too-long")` unless the scriptSig has
 * 2 to 100 bytes.
 */
export function coinbaseHalves(parts: CoinbaseParts): { prefix: Uint8Array; suffix: Uint8Array } {
  const scriptSuffix = parts.scriptSigSuffix ?? new Uint8Array(0);
  const size = parts.scriptSigPrefix.length + parts.extranonceSize + scriptSuffix.length;
  if (size < 2 || size > MAX_COINBASE_SCRIPT) {
    throw new Fault("coinbase-script-too-long", { size, atMost: MAX_COINBASE_SCRIPT });
  }
  const before = new Writer().u32(parts.txVersion).u8(1).bytes(new Uint8Array(32)).u32(0xffffffff);
  writeCompactSize(before, size).bytes(parts.scriptSigPrefix);
  return { prefix: before.finish(), suffix: coinbaseSuffix(parts) };
}

/** The half behind the extranonce alone, for a coinbase that differs from another one in its outputs only. */
export function coinbaseSuffix(
  parts: Pick<CoinbaseParts, "scriptSigSuffix" | "sequence" | "outputs" | "lockTime">,
): Uint8Array {
  const { scriptSigSuffix = new Uint8Array(0), sequence, outputs, lockTime } = parts;
  const behind = new Writer().bytes(scriptSigSuffix).u32(sequence);
  return writeCompactSize(behind, outputs.length).bytes(serializeOutputs(outputs)).u32(lockTime).finish();
}

/**
 * `stripped`, a transaction with one input and no witness, with `witness` as that input's stack (BIP144); unchanged when
 * `witness` is empty.
 */
export function withWitness(stripped: Uint8Array, witness: readonly Uint8Array[]): Uint8Array {
  if (witness.length === 0) return stripped;
  const writer = new Writer(stripped.length + 64);
  writer.bytes(stripped.subarray(0, 4)).u8(0).u8(1).bytes(stripped.subarray(4, -4));
  writeWitness(writer, witness);
  return writer.bytes(stripped.subarray(-4)).finish();
}

/**
 * Txids of one coinbase under many extranonces, for the share path: whole blocks of 64 bytes before the extranonce are
 * hashed once, and no call allocates. One a job; not to be used by two callers at a time across an `await`.
 */
export class CoinbaseHasher {
  readonly #midstate = newState();
  readonly #hashed: number;
  readonly #rest: Uint8Array;
  readonly #at: number;
  readonly #state = newState();
  readonly #extranonceSize: number;

  /** `prefix` and `suffix` as `coinbaseHalves` gives them. */
  constructor(prefix: Uint8Array, extranonceSize: number, suffix: Uint8Array) {
    this.#hashed = prefix.length - (prefix.length % BLOCK_SIZE);
    for (let at = 0; at < this.#hashed; at += BLOCK_SIZE) absorbBlock(this.#midstate, prefix, at);
    this.#rest = concat(prefix.subarray(this.#hashed), new Uint8Array(extranonceSize), suffix);
    this.#at = prefix.length - this.#hashed;
    this.#extranonceSize = extranonceSize;
  }

  /**
   * Writes the txid for the extranonce `first` ‖ `second` to `out[0..31]`, internal byte order. Throws `TypeError` when
   * the two do not have the extranonce's size together.
   */
  txidInto(out: Uint8Array, first: Uint8Array, second?: Uint8Array): void {
    const size = first.length + (second === undefined ? 0 : second.length);
    if (size !== this.#extranonceSize) throw new TypeError(`extranonce of ${size}, not ${this.#extranonceSize} bytes`);
    this.#rest.set(first, this.#at);
    if (second !== undefined) this.#rest.set(second, this.#at + first.length);
    this.#state.set(this.#midstate);
    absorbRest(this.#state, this.#rest, 0, this.#hashed);
    absorbAgain(this.#state);
    squeeze(this.#state, out);
  }
}
