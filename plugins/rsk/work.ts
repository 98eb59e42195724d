/**
 * Work as rskj hands it out (`mnr_getWork`), and the output that commits to it. The height stands in the hash itself since RSKIP-110:
 * 20 bytes of hash, 7 of fork detection, 1 count of uncles, 4 of height. Chains of less than about 450 blocks, such as a fresh
 * regtest, have none of it there yet: then those bytes are hash, and the parent's height has to be asked for.
 */
import { type AuxWork, concat, fromHex, type OutputCommitment, utf8, z } from "bllvm-stratum-v2/plugin";

/** 32 bytes as rskj prints them. */
const hash32 = z.string().regex(/^0x[0-9a-f]{64}$/i, "expected 0x and 64 hex digits");

/** The answer to `mnr_getWork`; `null` while the node has made no block to mine. */
export const getWorkAnswer = z
  .object({
    blockHashForMergedMining: hash32,
    target: hash32.refine((text) => /[1-9a-f]/i.test(text.slice(2)), "expected a target above 0"),
    // Wei, in decimal.
    feesPaidToMiner: z.string().regex(/^\d{1,78}$/, "expected a decimal number"),
    parentBlockHash: hash32,
  })
  .nullable();

/** Work as the node said it. */
export type NodeWork = NonNullable<z.output<typeof getWorkAnswer>>;

/** The AuxWork of an answer. `node`: the daemon whose cache holds it. */
export function auxWork(answer: NodeWork, height: number, node: string): AuxWork {
  return {
    id: answer.blockHashForMergedMining,
    hash: fromHex(answer.blockHashForMergedMining.slice(2)),
    parent: answer.parentBlockHash,
    height,
    target: BigInt(answer.target),
    value: minersPart(BigInt(answer.feesPaidToMiner)),
    details: { node },
  };
}

/** What REMASC leaves of a block's fees to its miner: a fifth goes to RSK Labs, a hundredth of the rest to the federation. */
function minersPart(fees: bigint): bigint {
  const rest = fees - fees / 5n;
  return rest - rest / 100n;
}

/**
 * The height that the last 4 bytes of the hash tell, if it is one to be believed: near `lastHeight`, that of the work before. A hash that
 * only looks like it is 1 in 4 million.
 */
export function heightInHash(answer: NodeWork, lastHeight: number | undefined): number | undefined {
  if (lastHeight === undefined) return undefined;
  const told = Number.parseInt(answer.blockHashForMergedMining.slice(-8), 16);
  return told > lastHeight - 24 && told < lastHeight + 1000 ? told : undefined;
}

const TAG = utf8("RSKBLOCK:");
const OP_RETURN = 0x6a;

/**
 * `6a 29 "RSKBLOCK:" hash`: OP_RETURN and a push of 41 bytes. rskj wants the tag's last place in the coinbase to be this one and
 * at most 128 bytes behind it (`ProofOfWorkRule`).
 */
export function tagOutput(hash: Uint8Array): OutputCommitment {
  const script = concat(Uint8Array.of(OP_RETURN, TAG.length + hash.length), TAG, hash);
  return { kind: "output", script, maxBytesAfter: 128, last: TAG };
}
