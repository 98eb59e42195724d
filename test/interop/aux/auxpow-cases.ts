/**
 * AuxPoW proofs, good ones and for each rule one in which nothing but that rule is broken, made for a real template. What our
 * verifier says of each and what a daemon answers must be the same; where a daemon lets more pass, the case says why.
 */
import { foldMerkleBranch } from "../../../src/bitcoin/merkle.ts";
import { concat, fromHex, reversed } from "../../../src/kernel/bytes.ts";
import { serializeAuxPow } from "../../../src/merge/auxpow/proof.ts";
import type { AuxPowFlaw } from "../../../src/merge/auxpow/verify.ts";
import { filler, node, type ParentDraft, parent, u32 } from "./parent.ts";

/** Whose answer it is. */
export type AuxPowDaemon = "namecoin" | "elastos";

/** What is to be proven. */
export interface AuxPowTask {
  /** As the daemon prints it. */
  readonly hash: Uint8Array;
  readonly chainId: number;
  readonly target: bigint;
}

/** One case. */
export interface AuxPowCase {
  readonly name: string;
  /** The rule that our verifier names, `undefined` for a good proof. */
  readonly rule: AuxPowFlaw | undefined;
  readonly make: (task: AuxPowTask) => Uint8Array;
  /** Daemons that take it although a rule is broken, and why. */
  readonly lenient?: Partial<Record<AuxPowDaemon, string>>;
  /** The rule is none of this daemon's chain. */
  readonly without?: AuxPowDaemon;
}

/** Everything that can be chosen about a proof. */
interface Draft extends Partial<Omit<ParentDraft, "target">> {
  /** Levels of the tree of chains, 4. */
  readonly levels?: number;
  readonly nonce?: number;
  /** The scriptSig around the commitment. */
  readonly script?: (parts: Parts) => Uint8Array;
  readonly coinbaseIndex?: number;
  readonly chainIndex?: (index: number) => number;
  /** The branch that goes into the proof. */
  readonly told?: (branch: readonly Uint8Array[]) => readonly Uint8Array[];
}

/** What a commitment is put together of. */
interface Parts {
  /** In display order. */
  readonly root: Uint8Array;
  readonly size: Uint8Array;
  readonly nonce: Uint8Array;
  /** All of it. */
  readonly whole: Uint8Array;
}

const MAGIC = fromHex("fabe6d6d");
/** A push of a height. */
const START = Uint8Array.of(3, 0x40, 0xd1, 0x0c);

function proof(draft: Draft): (task: AuxPowTask) => Uint8Array {
  return ({ hash, chainId, target }) => {
    const {
      levels = 4,
      nonce = 0,
      coinbaseIndex = 0,
      chainIndex = (index) => index,
      told = (branch) => branch,
    } = draft;
    const { script = ({ whole }) => concat(START, whole, filler(20)) } = draft;
    const chainBranch = Array.from({ length: levels }, (_, level) => node(0x80 + level));
    const index = slot(nonce, chainId, levels);
    const root = reversed(foldMerkleBranch(reversed(hash), chainBranch, index));
    const [size, mark] = [u32(2 ** levels), u32(nonce)];
    const whole = concat(MAGIC, root, size, mark);
    const made = parent({ ...draft, scriptSig: script({ root, size, nonce: mark, whole }), target });
    return serializeAuxPow({
      coinbase: made.coinbase,
      parentHash: node(0),
      coinbaseBranch: told(made.branch),
      coinbaseIndex,
      chainBranch,
      chainIndex: chainIndex(index),
      parentHeader: made.header,
    });
  };
}

/** The slot by its definition (Bitcoin wiki, "Merged mining specification"). */
function slot(nonce: number, chainId: number, levels: number): number {
  const step = (n: bigint): bigint => n * 1103515245n + 12345n;
  return Number(step(step(BigInt(nonce)) + BigInt(chainId)) % 2n ** BigInt(levels));
}

const good = (name: string, draft: Draft): AuxPowCase => ({ name, rule: undefined, make: proof(draft) });
const bad = (rule: AuxPowFlaw, name: string, draft: Draft, more: Partial<AuxPowCase> = {}): AuxPowCase => ({
  name,
  rule,
  make: proof(draft),
  ...more,
});

const FLIP = (bytes: Uint8Array): Uint8Array => bytes.with(0, (bytes[0] ?? 0) ^ 1);

/** All cases. */
export const AUXPOW_CASES: readonly AuxPowCase[] = [
  good("a chain alone", { levels: 0 }),
  good("a tree of 16", {}),
  good("a tree of 16 with F2Pool's nonce", { nonce: 2677055472 }),
  good("a tree of 1024 with a nonce", { levels: 10, nonce: 7 }),
  good("a parent of one transaction", { branch: [] }),
  good("12 levels to the parent's root", { branch: Array.from({ length: 12 }, (_, i) => node(i)) }),
  good("all bits of BIP320 rolled", { version: 0x3fffe000 }),
  good("the commitment far into a scriptSig of 150 bytes", { script: ({ whole }) => concat(filler(106), whole) }),
  good("nothing behind the nonce", { script: ({ whole }) => concat(START, whole) }),
  bad(
    "magic_missing",
    "no magic, root at 20",
    { script: bare(20) },
    {
      lenient: { namecoin: "it still takes the form of before the magic" },
    },
  ),
  bad(
    "coinbase_index",
    "a coinbase index of 5",
    { coinbaseIndex: 5 },
    {
      lenient: { namecoin: "it does not look at the index" },
    },
  ),
  bad(
    "witness",
    "the coinbase with its witness",
    { witness: true },
    {
      lenient: { namecoin: "it reads both forms of a transaction" },
    },
  ),
  {
    name: "cut short by a byte",
    rule: "malformed",
    make: (task) => proof({})(task).slice(0, -1),
  },
  {
    name: "a byte too many",
    rule: "malformed",
    make: (task) => concat(proof({})(task), Uint8Array.of(0)),
    lenient: { namecoin: "it reads no further than it must", elastos: "it reads no further than it must" },
  },
  bad(
    "parent_version",
    "the flag of AuxPoW in the parent's version",
    { version: 0x20000100 },
    {
      lenient: { elastos: "it does not look at the parent's version" },
    },
  ),
  {
    name: "the chain's own ID in the parent's version",
    rule: "parent_chain_id",
    make: (task) => proof({ version: task.chainId << 16 })(task),
    without: "elastos",
  },
  bad("high_hash", "too little work", { weak: true }),
  bad(
    "chain_branch_too_long",
    "a tree of 31 levels",
    { levels: 31 },
    { lenient: { elastos: "it knows no such bound" } },
  ),
  bad("merkle_root", "another root in the header", { root: FLIP }),
  bad("merkle_root", "another sibling", { told: ([first = node(0), ...rest]) => [FLIP(first), ...rest] }),
  bad("merkle_root", "siblings in the other order of bytes", {
    branch: [FLIP(node(0xb1)), FLIP(node(0xb2))],
    told: (branch) => branch.map(reversed),
  }),
  bad("root_missing", "the root in the other order of bytes", {
    script: ({ root, size, nonce }) => concat(START, MAGIC, reversed(root), size, nonce, filler(20)),
  }),
  bad("root_missing", "another root", {
    script: ({ root, size, nonce }) => concat(START, MAGIC, FLIP(root), size, nonce, filler(20)),
  }),
  bad("magic_twice", "a second magic behind", { script: ({ whole }) => concat(START, whole, MAGIC) }),
  bad("magic_twice", "a second magic before", { script: ({ whole }) => concat(START, MAGIC, filler(2), whole) }),
  bad("magic_not_before_root", "a byte between magic and root", {
    script: ({ root, size, nonce }) => concat(START, MAGIC, filler(1), root, size, nonce),
  }),
  bad("root_too_late", "no magic, root at 21", { script: bare(21) }),
  bad("size_missing", "7 bytes behind the root", { script: ({ whole }) => concat(START, whole.subarray(0, -1)) }),
  bad("size", "half the tree's size", {
    script: ({ root, nonce }) => concat(START, MAGIC, root, u32(8), nonce, filler(20)),
  }),
  bad("index", "another nonce than the slot is for", {
    script: ({ root, size }) => concat(START, MAGIC, root, size, u32(1), filler(20)),
  }),
  bad("root_missing", "the next slot", { chainIndex: (index) => index ^ 1 }),
  bad("no_inputs", "a coinbase without inputs", { inputs: 0 }),
];

function bare(offset: number): (parts: Parts) => Uint8Array {
  return ({ root, size, nonce }) => concat(filler(offset), root, size, nonce);
}

/** The proof that a template wants, without anything special. */
export const plainProof = proof({});
/** Another good one that is not the first. */
export const otherProof = proof({ nonce: 7 });
/** A proof whose coinbase is not that of the header. */
export const wrongProof = proof({ root: FLIP });
