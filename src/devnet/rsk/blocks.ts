/** How the embedded RSK makes its blocks and the hashes that name them. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { concat, fromHex, toHex, utf8 } from "../../kernel/bytes.ts";
import type { RskBlock, RskChain } from "./chain.ts";
import { data } from "./hex.ts";
import type { HeaderProof } from "./proof.ts";

/** From this height on the hash to be mined carries what RSKIP-110 put there. */
const FORK_DETECTION_FROM = 450;
const CPV_BYTES = 7;
const CPV_STEP = 64;
const GENESIS_TIME = 1_704_067_200;
const NOBODY = `0x${"00".repeat(20)}`;

/** A block to be solved: everything but the proof and what depends on it. */
export type WorkBlock = Omit<RskBlock, "hash" | "remasc" | "proof">;

/** What is chosen about a new block. */
export interface NewWork {
  readonly miner: string;
  readonly difficulty: bigint;
  /** Unix seconds; later than the parent's in any case. */
  readonly now: number;
  /** Fees of all transactions that there have been, wei; those of earlier blocks are taken off. */
  readonly feesSoFar: bigint;
}

/** A block on `parent`, with all uncles that it can name. */
export function newWork(chain: RskChain, parent: RskBlock, work: NewWork): WorkBlock {
  const uncles = chain.unclesFor(parent);
  const number = parent.number + 1;
  const paidFees = work.feesSoFar > parent.feesSoFar ? work.feesSoFar - parent.feesSoFar : 0n;
  let totalDifficulty = parent.totalDifficulty + work.difficulty;
  for (const uncle of uncles) totalDifficulty += uncle.difficulty;
  const block = {
    number,
    parentHash: parent.hash,
    difficulty: work.difficulty,
    totalDifficulty,
    timestamp: Math.max(work.now, parent.timestamp + 1),
    miner: work.miner,
    paidFees,
    feesSoFar: parent.feesSoFar + paidFees,
    uncles: uncles.map(({ hash }) => hash),
  };
  const hash = digest(
    "work",
    JSON.stringify(block, (_key, value) => (typeof value === "bigint" ? `${value}` : value)),
  );
  return { ...block, hashForMergedMining: withForkDetection(chain, hash, number, uncles.length) };
}

/** `work` solved by `proof`, or by nothing: a block of the node's own. As in rskj the hash covers the parent's header, not the rest of the proof. */
export function sealed(work: WorkBlock, proof: HeaderProof | undefined): RskBlock {
  const mined = toHex(work.hashForMergedMining);
  const hash = data(digest("block", mined, toHex(proof?.header ?? new Uint8Array(0))));
  return { ...work, hash, remasc: data(digest("remasc", hash)), proof };
}

/** Block 0 of this devnet; it is no real network's. */
export function genesis(difficulty: bigint): RskBlock {
  return sealed(
    {
      number: 0,
      parentHash: data(new Uint8Array(32)),
      hashForMergedMining: digest("genesis"),
      difficulty,
      totalDifficulty: difficulty,
      timestamp: GENESIS_TIME,
      miner: NOBODY,
      paidFees: 0n,
      feesSoFar: 0n,
      uncles: [],
    },
    undefined,
  );
}

/** RSKIP-110: 20 bytes of hash, 7 that commit to earlier blocks, the number of uncles, 4 bytes of height. */
function withForkDetection(chain: RskChain, hash: Uint8Array, number: number, uncles: number): Uint8Array {
  if (number < FORK_DETECTION_FROM) return hash;
  const cpv = Uint8Array.from({ length: CPV_BYTES }, (_, i) => {
    const at = (Math.floor((number - 1) / CPV_STEP) - i) * CPV_STEP;
    return chain.at(at)?.hashForMergedMining[31] ?? 0;
  });
  const height = fromHex(number.toString(16).padStart(8, "0"));
  return concat(hash.subarray(0, 20), cpv, Uint8Array.of(uncles), height);
}

function digest(...parts: readonly string[]): Uint8Array {
  return keccak_256(utf8(parts.join("|")));
}
