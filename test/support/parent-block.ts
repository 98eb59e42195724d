/** Parent blocks and proofs for auxiliary chains, put together byte by byte with `node:crypto` and nothing of `src`. */
import { createHash } from "node:crypto";

/** SHA-256 twice. */
export function dsha(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(createHash("sha256").update(bytes).digest()).digest();
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const size = (n: number): Buffer => (n < 0xfd ? Buffer.of(n) : Buffer.of(0xfd, n & 0xff, n >> 8));
const sized = (bytes: Uint8Array): Buffer => Buffer.concat([size(bytes.length), bytes]);

/** Hex in display order to bytes in internal order. */
export function internal(display: string): Buffer {
  return Buffer.from(display.replace(/^0x/, ""), "hex").reverse();
}

/** The magic and what goes behind it: root in display order, size and nonce. */
export function tag(root: Uint8Array, treeSize = 1, nonce = 0, magic = true): Buffer {
  return Buffer.concat([Buffer.from(magic ? "fabe6d6d" : "", "hex"), root, u32(treeSize), u32(nonce)]);
}

/** How a parent is made. */
export interface ParentRecipe {
  readonly scriptSig: Uint8Array;
  /** Scripts of the outputs; one of one byte. */
  readonly outputs?: readonly Uint8Array[];
  /** Siblings on the coinbase's way to the merkle root, internal order. */
  readonly branch?: readonly Uint8Array[];
  readonly version?: number;
  /** The nonce is searched for a hash at most this; with `weak` for one above it. */
  readonly target: bigint;
  readonly weak?: boolean;
  /** First nonce tried: another one gives another solution. */
  readonly firstNonce?: number;
}

/** A parent block, as far as proofs need it. */
export interface Parent {
  readonly header: Buffer;
  /** Header hash, display hex. */
  readonly hash: string;
  /** Without witness. */
  readonly coinbase: Buffer;
  readonly txid: Buffer;
  readonly branch: readonly Uint8Array[];
  /** The same coinbase as blocks carry it. */
  readonly coinbaseWithWitness: Buffer;
}

/** Makes a parent block and searches its nonce. */
export function parentBlock(recipe: ParentRecipe): Parent {
  const { scriptSig, outputs = [Buffer.of(0x51)], branch = [], version = 0x20000000, target } = recipe;
  const input = Buffer.concat([Buffer.alloc(32), u32(0xffffffff), sized(scriptSig), u32(0xffffffff)]);
  const output = (script: Uint8Array): Buffer => Buffer.concat([Buffer.alloc(8), sized(script)]);
  const body = Buffer.concat([Buffer.of(1), input, size(outputs.length), ...outputs.map(output)]);
  const coinbase = Buffer.concat([u32(2), body, u32(0)]);
  const witness = Buffer.concat([Buffer.of(1, 32), Buffer.alloc(32)]);
  const txid = dsha(coinbase);
  const root = branch.reduce<Buffer>((hash, sibling) => dsha(Buffer.concat([hash, sibling])), txid);
  const header = Buffer.concat([u32(version), Buffer.alloc(32, 7), root, u32(1_700_000_000), u32(0x207fffff), u32(0)]);
  for (let nonce = recipe.firstNonce ?? 0; ; nonce++) {
    header.writeUInt32LE(nonce, 76);
    const hash = Buffer.from(dsha(header)).reverse().toString("hex");
    if (BigInt(`0x${hash}`) <= target === !recipe.weak) {
      const coinbaseWithWitness = Buffer.concat([u32(2), Buffer.of(0, 1), body, witness, u32(0)]);
      return { header, hash, coinbase, txid, branch, coinbaseWithWitness };
    }
  }
}

/** Siblings in a tree of 2^`height` leaves in which only `leaves` are not zero, and the root; all in internal order. */
export function tree(
  leaves: ReadonlyMap<number, Uint8Array>,
  height: number,
  slot: number,
): { root: Buffer; branch: Buffer[] } {
  let level: Buffer[] = Array.from({ length: 2 ** height }, (_, i) => Buffer.from(leaves.get(i) ?? Buffer.alloc(32)));
  const branch: Buffer[] = [];
  for (let at = slot; level.length > 1; at >>= 1) {
    branch.push(level[at ^ 1]!);
    level = level.flatMap((left, i) => (i % 2 === 0 ? [dsha(Buffer.concat([left, level[i + 1]!]))] : []));
  }
  return { root: level[0]!, branch };
}

/** What goes into a CAuxPow besides the parent. */
export interface ProofRecipe {
  readonly chainBranch?: readonly Uint8Array[];
  readonly chainIndex?: number;
  readonly hashBlock?: Uint8Array;
  readonly nIndex?: number;
  readonly withWitness?: boolean;
}

/** A CAuxPow as hex. */
export function auxPowHex(parent: Parent, recipe: ProofRecipe = {}): string {
  const { chainBranch = [], chainIndex = 0, hashBlock = Buffer.alloc(32), nIndex = 0, withWitness = false } = recipe;
  const list = (hashes: readonly Uint8Array[]): Buffer => Buffer.concat([size(hashes.length), ...hashes]);
  return Buffer.concat([
    withWitness ? parent.coinbaseWithWitness : parent.coinbase,
    hashBlock,
    list(parent.branch),
    u32(nIndex),
    list(chainBranch),
    u32(chainIndex),
    parent.header,
  ]).toString("hex");
}

/** The proof of one chain's block alone: the simplest one that a daemon takes. */
export function simpleProof(hash: string, target: bigint, more: Partial<ParentRecipe> = {}): string {
  const scriptSig = Buffer.concat([Buffer.from("03010203", "hex"), tag(Buffer.from(hash, "hex"))]);
  return auxPowHex(parentBlock({ scriptSig, target, ...more }));
}
