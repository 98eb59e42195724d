/**
 * A real coinbase for a chain's work, a header that solves it and the proof: made with the very code that the server mines with,
 * on a template that looks like those of today's blocks.
 */
import { sha256d } from "../bitcoin/hash.ts";
import { HeaderHasher, serializeHeader } from "../bitcoin/header.ts";
import { opReturn, push, scriptNumber } from "../bitcoin/script.ts";
import { targetFromCompact } from "../bitcoin/target.ts";
import { concat, fromHex, utf8 } from "../kernel/bytes.ts";
import { composeJob } from "../merge/compose.ts";
import type { ChainCommitments, Dropped } from "../merge/placement.ts";
import type { Commitment, Proof } from "../merge/plugin.ts";
import { buildProof, checkProof } from "../merge/prove.ts";
import type { AuxEntry, AuxWork } from "../mining/aux.ts";
import { type Job, jobCoinbase, jobMerkleRoot } from "../mining/job.ts";
import type { Template } from "../mining/template.ts";

/** Hashes that are spent on one header: a second or so. Targets of rehearsals are a thousand times easier. */
const MAX_HASHES = 1 << 20;
const HEIGHT = 900_000;
const VALUE = 312_500_000n;
/** BIP141: OP_RETURN, then 36 bytes that begin with this. */
const WITNESS_COMMITMENT = fromHex("aa21a9ed");

/** Some hash. One of equal bytes would read the same backwards, and hide that a plugin mixed up the byte order. */
const hashFrom = (text: string): Uint8Array => sha256d(utf8(text));

/** A template of a block with five transactions. Hashes are arbitrary, sizes and places are not. */
function template(): Template {
  const nBits = 0x1702_3a04;
  return {
    id: "kit-1",
    source: "kit",
    prevHash: hashFrom("previous block"),
    height: HEIGHT,
    version: 0x2000_0000,
    nBits,
    target: targetFromCompact(nBits),
    minTime: 1_750_000_000,
    curTime: 1_750_000_600,
    coinbaseValue: VALUE,
    coinbase: {
      txVersion: 2,
      prefix: push(scriptNumber(HEIGHT)),
      sequence: 0xffff_ffff,
      lockTime: 0,
      outputs: [{ value: 0n, script: opReturn(concat(WITNESS_COMMITMENT, hashFrom("witnesses"))) }],
      witness: [new Uint8Array(32)],
    },
    merklePath: [0, 1, 2].map((level) => hashFrom(`sibling at ${level}`)),
    transactions: undefined,
    transactionCount: 5,
    coinbaseRoom: { bytes: 4000, sigops: 400 },
  };
}

/** What was made for one chain. */
export interface Composed {
  readonly job: Job;
  /** The chain's part in the job; `undefined` when it was left out. */
  readonly entry: AuxEntry | undefined;
  /** Who was left out and why. */
  readonly dropped: readonly Dropped[];
}

/** Composes a job for `chain` and, behind it in preference, for `neighbours`. */
export function compose(
  chain: { readonly name: string; readonly work: AuxWork; readonly commitments: readonly Commitment[] },
  neighbours: readonly ChainCommitments[] = [],
): Composed {
  const wanted = [{ chain: chain.name, work: chain.work, commitments: chain.commitments }, ...neighbours];
  const chainIds = new Map<string, number>();
  for (const { chain: name, commitments } of wanted) {
    for (const each of commitments) if (each.kind === "auxpow") chainIds.set(name, each.chainId);
  }
  const payout = concat(Uint8Array.of(0, 20), new Uint8Array(20).fill(0x66));
  const { job, dropped } = composeJob(
    {
      template: template(),
      payout: (value) => [{ value, script: payout }],
      tag: utf8("/kit/"),
      jobId: 1,
      nowMs: 1_750_000_600_000,
    },
    wanted,
    { generation: 1, chainIds },
  );
  return { job, dropped, entry: job.aux?.entries.find((each) => each.chain === chain.name) };
}

/** A share of `job` whose hash meets the entry's target, as proof; `undefined` when a million hashes find none. `salt`: 0 to 255, another proof for each. */
export function solve(job: Job, entry: AuxEntry, salt = 0): Proof | undefined {
  const extranonce = new Uint8Array(job.extranonceSize).fill(salt);
  const header = {
    version: job.version,
    prevHash: job.prevHash,
    merkleRoot: jobMerkleRoot(job, extranonce),
    time: job.minTime,
    nBits: job.nBits,
    nonce: 0,
  };
  const nonce = new HeaderHasher(serializeHeader(header)).search(0, MAX_HASHES, entry.work.target);
  if (nonce === undefined) return undefined;
  return buildProof(job, entry, { header: serializeHeader({ ...header, nonce }), extranonce });
}

/** What is wrong with a proof, as the server would find it before it is submitted. */
export const proofFlaw: (proof: Proof, entry: AuxEntry) => string | undefined = checkProof;

/** The coinbase of `job` without witness, for an extranonce of `fill` bytes. */
export function coinbaseOf(job: Job, fill: number): Uint8Array {
  return jobCoinbase(job, new Uint8Array(job.extranonceSize).fill(fill)).stripped;
}
