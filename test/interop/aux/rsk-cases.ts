/**
 * RSK proofs, good ones and for each rule one in which nothing but that rule is broken. What our verifier says of each and what
 * rskj answers must be the same. Two rules cannot be broken through rskj's RPC, see below.
 */
import { concat, toHex } from "../../../src/kernel/bytes.ts";
import { RSK_TAG, rskPartialMerkle } from "../../../src/merge/rsk/proof.ts";
import type { RskFlaw } from "../../../src/merge/rsk/verify.ts";
import { filler, node, type Parent, type ParentDraft, parent } from "./parent.ts";

/** What is to be proven. */
export interface RskTask {
  readonly hash: Uint8Array;
  readonly target: bigint;
}

/** One case. Not here: `tag_position` and `coinbase_too_short`, which the compression of the coinbase in rskj itself rules out. */
export interface RskCase {
  readonly name: string;
  readonly rule: RskFlaw | undefined;
  readonly make: (task: RskTask) => Parent;
}

/** Serialised, an output of nothing but `size` bytes of script, `size` at least 1. */
const behind = (size: number): Uint8Array => filler(size - 9);

interface Draft extends Partial<Omit<ParentDraft, "target">> {
  /** The script with the tag, and what stands behind it. */
  readonly tag?: (hash: Uint8Array) => readonly Uint8Array[];
  /** What is handed over instead of the parent. */
  readonly told?: (parent: Parent) => Parent;
}

const script = (hash: Uint8Array): Uint8Array => concat(Uint8Array.of(0x6a, 41), RSK_TAG, hash);

function proof(draft: Draft): (task: RskTask) => Parent {
  return ({ hash, target }) => {
    const { tag = (bytes) => [script(bytes), behind(47)], told = (made) => made, scriptSig = filler(40) } = draft;
    return told(parent({ ...draft, scriptSig, outputs: tag(hash), target }));
  };
}

const siblings = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => node(i + 1));
const FLIP = (bytes: Uint8Array): Uint8Array => bytes.with(0, (bytes[0] ?? 0) ^ 1);

/** All cases. */
export const RSK_CASES: readonly RskCase[] = [
  { name: "a tag before one more output", rule: undefined, make: proof({}) },
  { name: "a parent of one transaction", rule: undefined, make: proof({ branch: [] }) },
  { name: "9 levels", rule: undefined, make: proof({ branch: siblings(9) }) },
  { name: "30 levels", rule: undefined, make: proof({ branch: siblings(30) }) },
  { name: "a tag as the last output", rule: undefined, make: proof({ tag: (hash) => [script(hash)] }) },
  { name: "128 bytes behind", rule: undefined, make: proof({ tag: (hash) => [script(hash), behind(124)] }) },
  {
    name: "pushed with PUSHDATA1",
    rule: undefined,
    make: proof({ tag: (hash) => [concat(Uint8Array.of(0x6a, 0x4c, 41), RSK_TAG, hash)] }),
  },
  {
    name: "not pushed at all",
    rule: undefined,
    make: proof({ tag: (hash) => [concat(Uint8Array.of(0x6a), RSK_TAG, hash)] }),
  },
  { name: "an older tag in the scriptSig", rule: undefined, make: proof({ scriptSig: concat(RSK_TAG, node(3)) }) },
  { name: "a parent with any version", rule: undefined, make: proof({ version: 0x20000100 }) },
  { name: "31 levels", rule: "merkle_proof", make: proof({ branch: siblings(31) }) },
  {
    name: "no coinbase",
    rule: "coinbase_missing",
    make: proof({ told: (made) => ({ ...made, coinbase: new Uint8Array(0) }) }),
  },
  {
    name: "a header of 79 bytes",
    rule: "header_size",
    make: proof({ told: (made) => ({ ...made, header: made.header.subarray(0, 79) }) }),
  },
  { name: "too little work", rule: "high_hash", make: proof({ weak: true }) },
  {
    name: "the hash in the other order of bytes",
    rule: "tag_missing",
    make: proof({ tag: (hash) => [script(hash.toReversed()), behind(47)] }),
  },
  { name: "no tag", rule: "tag_missing", make: proof({ tag: () => [behind(47)] }) },
  {
    name: "another tag behind",
    rule: "tag_not_last",
    // 60 bytes of scriptSig put our tag at the beginning of a block of 64, so that both are in the part that is not hashed away.
    make: proof({
      scriptSig: filler(60),
      tag: (hash) => [script(hash), concat(Uint8Array.of(0x6a, 9), RSK_TAG)],
    }),
  },
  {
    name: "another tag further behind",
    rule: "tag_missing",
    make: proof({ tag: (hash) => [script(hash), behind(60), concat(Uint8Array.of(0x6a, 9), RSK_TAG)] }),
  },
  {
    name: "129 bytes behind",
    rule: "bytes_after",
    make: proof({ tag: (hash) => [script(hash), behind(125)] }),
  },
  { name: "another root in the header", rule: "merkle_root", make: proof({ root: FLIP }) },
  {
    name: "siblings in the other order of bytes",
    rule: "merkle_root",
    make: proof({
      branch: [FLIP(node(1)), FLIP(node(2))],
      told: (made) => ({ ...made, branch: made.branch.map((hash) => hash.toReversed()) }),
    }),
  },
  { name: "the coinbase with its witness", rule: "merkle_root", make: proof({ witness: true }) },
];

/** Parameters of `mnr_submitBitcoinBlockPartialMerkle`. */
export function submitParams({ header, coinbase, branch }: Parent): string[] {
  const count = branch.length === 0 ? 1 : 2 ** (branch.length - 1) + 1;
  const merkle = rskPartialMerkle({ coinbase, merkleBranch: branch });
  return ["", toHex(header), toHex(coinbase), merkle, count.toString(16)];
}
