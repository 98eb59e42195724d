/**
 * Which chains a coinbase that somebody else made counts for: those whose live commitment really stands in it, by the very rules that our own jobs keep,
 * judged on the bytes for all extranonces at once. The same proofs are made of such a job as of ours.
 */
import { targetToBytes } from "../bitcoin/target.ts";
import { equal } from "../kernel/bytes.ts";
import type { AuxEntry } from "../mining/aux.ts";
import type { Job } from "../mining/job.ts";
import { AUX_COMMITMENT_SIZE, AUXPOW_MAGIC } from "./auxpow/tree.ts";
import { type CommittedWorks, isLive } from "./committed-works.ts";
import { findOpen, type OpenCoinbase, openCoinbase } from "./open-coinbase.ts";
import { brokenRule, locateOutputs } from "./output-rules.ts";
import type { ChainCommitments } from "./placement.ts";

/** What of a job says what it commits to. */
export type ForeignCoinbase = Pick<Job, "coinbasePrefix" | "coinbaseSuffix" | "extranonceSize">;

/**
 * The chains of `wanted`, in their order, that `job` counts for. Throws as `parseTransaction` for a coinbase that is none.
 */
export function recognisedEntries(
  job: ForeignCoinbase,
  wanted: readonly ChainCommitments[],
  works: CommittedWorks,
): readonly AuxEntry[] {
  const coinbase = openCoinbase(job);
  const outputs = locateOutputs(coinbase.bytes);
  const tree = treeOf(coinbase, works);
  return wanted.flatMap((each) => {
    const found = candidates(each, tree, works).find((entry) => keepsRules(coinbase, outputs, entry));
    return found === undefined ? [] : [found];
  });
}

/** What a chain may be committed to by; one with a leaf by the tree alone. */
function candidates(wanted: ChainCommitments, tree: readonly AuxEntry[], works: CommittedWorks): readonly AuxEntry[] {
  const { chain, work, commitments } = wanted;
  if (commitments.some(({ kind }) => kind === "auxpow")) {
    return tree.filter((entry) => entry.chain === chain && isLive(entry.work, work));
  }
  const rules = commitments.flatMap((each) => (each.kind === "output" ? [each] : []));
  const scripts = rules.map(({ script }) => script);
  const newest: AuxEntry = { chain, work, target: targetToBytes(work.target), slot: undefined, scripts, rules };
  return [newest, ...works.live(chain, work)];
}

/**
 * The chains of the tree whose commitment stands in the scriptSig before the extranonce. Verifiers search the whole scriptSig, some of them the
 * whole transaction, for the magic: it must not be possible that it stands anywhere else.
 */
function treeOf(coinbase: OpenCoinbase, works: CommittedWorks): readonly AuxEntry[] {
  const at = findOpen(coinbase, AUXPOW_MAGIC);
  const end = at + AUX_COMMITMENT_SIZE;
  if (at === -1 || end > coinbase.from || findOpen(coinbase, AUXPOW_MAGIC, at + 1) !== -1) return [];
  return works.tree(coinbase.bytes.subarray(at, end));
}

function keepsRules(
  coinbase: OpenCoinbase,
  outputs: ReturnType<typeof locateOutputs>,
  { scripts, rules = [] }: AuxEntry,
): boolean {
  const isThere = scripts.every((script) => outputs.filter(({ output }) => equal(output.script, script)).length === 1);
  return isThere && rules.every((rule) => brokenRule(coinbase, outputs, rule) === undefined);
}
