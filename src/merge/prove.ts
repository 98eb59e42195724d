/**
 * Proofs from a share and its own job, and their check by code that did not build them: a wrong proof is our bug, found here
 * and not by a daemon that only says `false`.
 */
import { sha256d } from "../bitcoin/hash.ts";
import { headerHash } from "../bitcoin/header.ts";
import { foldMerklePath } from "../bitcoin/merkle.ts";
import { meetsTarget } from "../bitcoin/target.ts";
import { equal } from "../kernel/bytes.ts";
import { describe } from "../kernel/fault.ts";
import type { AuxEntry } from "../mining/aux.ts";
import { type Job, jobCoinbase } from "../mining/job.ts";
import { parseAuxPow, serializeAuxPow } from "./auxpow/proof.ts";
import { verifyAuxPow } from "./auxpow/verify.ts";
import { closedCoinbase } from "./open-coinbase.ts";
import { brokenRule, locateOutputs } from "./output-rules.ts";
import type { Proof } from "./plugin.ts";

/** What of a share goes into a proof. */
export interface ProvingShare {
  /** The header as hashed, `Uint8Array(80)`; copied. */
  readonly header: Uint8Array;
  /** The whole extranonce; copied. */
  readonly extranonce: Uint8Array;
}

/**
 * The proof that `share` of `job` solves the work of `entry`, one of `job.aux.entries`. Throws `TypeError` when header or extranonce have a
 * wrong length.
 */
export function buildProof(job: Job, entry: AuxEntry, share: ProvingShare): Proof {
  const header = Uint8Array.from(share.header);
  const hash = headerHash(header);
  const coinbase = jobCoinbase(job, share.extranonce).stripped;
  const { work, slot } = entry;
  const auxpow =
    slot === undefined
      ? undefined
      : serializeAuxPow({
          coinbase,
          parentHash: hash,
          coinbaseBranch: job.merklePath,
          coinbaseIndex: 0,
          chainBranch: slot.branch,
          chainIndex: slot.index,
          parentHeader: header,
        });
  const { transactionCount } = job.template;
  return { work, header, headerHash: hash, coinbase, merkleBranch: job.merklePath, transactionCount, auxpow };
}

/**
 * Why `proof` does not prove the work of `entry`, as a clause for the log; `undefined` when it does. Everything but the entry's work and
 * rules is taken from the proof itself. Never throws.
 */
export function checkProof(proof: Proof, entry: AuxEntry): string | undefined {
  try {
    return checkParent(proof, entry) ?? checkAuxPow(proof, entry) ?? checkOutputs(proof, entry);
  } catch (error) {
    return `it cannot be read: ${describe(error)}`;
  }
}

function checkParent(proof: Proof, entry: AuxEntry): string | undefined {
  const { work, header, coinbase, merkleBranch, transactionCount } = proof;
  if (work.id !== entry.work.id || !equal(work.hash, entry.work.hash)) return "it is for another work";
  const hash = headerHash(header);
  if (!equal(hash, proof.headerHash)) return "its header has another hash";
  if (!meetsTarget(hash, entry.work.target)) return "its header's hash does not meet the target";
  if (!equal(foldMerklePath(sha256d(coinbase), merkleBranch), header.subarray(36, 68))) {
    return "its coinbase and merkle branch do not lead to its header's merkle root";
  }
  // A block of n transactions has a tree of ceil(log2 n) levels; RSK's nodes are told n.
  const levels = 2 ** merkleBranch.length;
  if (transactionCount <= levels && transactionCount * 2 > levels) return undefined;
  return `a block of ${transactionCount} transactions has not ${merkleBranch.length} levels`;
}

function checkAuxPow(proof: Proof, entry: AuxEntry): string | undefined {
  const { auxpow, coinbase, header, work } = proof;
  const { slot } = entry;
  if (slot === undefined) return auxpow === undefined ? undefined : "it has an AuxPoW proof for a chain without one";
  if (auxpow === undefined) return "it has no AuxPoW proof";
  const { chainId, strictChainId } = slot;
  const { hash, target } = work;
  const flaw = verifyAuxPow({ auxpow, hash, chainId, strictChainId, target, everywhere: true });
  if (flaw !== undefined) return `its AuxPoW proof breaks the rule ${flaw}`;
  const parts = parseAuxPow(auxpow);
  if (equal(parts.coinbase, coinbase) && equal(parts.parentHeader, header)) return undefined;
  return "its AuxPoW proof is of another coinbase or header";
}

function checkOutputs(proof: Proof, entry: AuxEntry): string | undefined {
  const coinbase = closedCoinbase(proof.coinbase);
  const outputs = locateOutputs(proof.coinbase);
  for (const script of entry.scripts) {
    const count = outputs.filter(({ output }) => equal(output.script, script)).length;
    if (count !== 1) return `a script of the chain stands ${count} times among the outputs`;
  }
  for (const rules of entry.rules ?? []) {
    const broken = brokenRule(coinbase, outputs, rules);
    if (broken !== undefined) return `a rule of the chain is broken (${broken.reason}): ${broken.detail}`;
  }
  return undefined;
}
