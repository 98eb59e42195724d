/**
 * Which transactions of the bllvm node's template go into the block: those that can be mined from the bytes given
 * (`candidate.ts`), each behind all of the template that it spends from. What the node leaves to hope is settled here: parents it
 * may list behind their children or not at all, two transactions may spend one output, and limits are its own.
 *
 * What cannot be checked without the coins is the node's word: that outputs spent which the template does not make exist, that
 * scripts are satisfied, relative lock times and the maturity of coinbases, and the fees.
 */
import { MAX_BLOCK_WEIGHT } from "../../../bitcoin/block.ts";
import { toDisplayHex } from "../../../kernel/bytes.ts";
import { type BlockPlace, type Candidate, type Omission, outpointOf, readCandidate } from "./candidate.ts";

/** Weight left to header, coinbase and merge-mining commitments (Core's `blockreservedweight`). */
const RESERVED_WEIGHT = 8_000;

/** Signature operation cost that a block may have, and what is left of it to the coinbase as Core does. */
const MOST_SIGOPS_COST = 80_000 - 400;

/** What was chosen. */
export interface Choice {
  /** In the order of the block, parents before children. */
  readonly chosen: readonly Candidate[];
  /** Sum of their fees, sat. */
  readonly fees: bigint;
  /** Why others were left out, with how many. */
  readonly omitted: Readonly<Partial<Record<Omission | "parent" | "double spend" | "no room", number>>>;
  /** An entry could not even be named, so that others may spend from it unseen: nothing may be chosen. */
  readonly isBlind: boolean;
}

/** Chooses from `entries`, the template's `transactions`, for the block at `place`. */
export function chooseTransactions(entries: readonly unknown[], place: BlockPlace): Choice {
  const counts = new Map<string, number>();
  const omit = (reason: string): void => void counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const candidates = new Map<string, Candidate>();
  const excluded = new Set<string>();
  let isBlind = false;
  for (const entry of entries) {
    const reading = readCandidate(entry, place);
    if ("candidate" in reading) candidates.set(reading.candidate.txid, reading.candidate);
    else {
      omit(reading.omitted);
      isBlind ||= reading.ids === undefined;
      for (const id of reading.ids ?? []) excluded.add(id);
    }
  }
  for (const id of excluded) candidates.delete(id);

  const chosen = new Map<string, Candidate>();
  const spent = new Set<string>();
  let fees = 0n;
  let weight = RESERVED_WEIGHT;
  let sigopsCost = 0;
  if (!isBlind) {
    for (const candidate of parentsFirst(candidates)) {
      const outpoints = candidate.tx.inputs.map(outpointOf);
      const parents = parentsOf(candidate);
      const fee = feeOf(candidate, chosen);
      if (parents.some((id) => excluded.has(id) || (candidates.has(id) && !chosen.has(id)))) omit("parent");
      else if (makesUpOutputs(candidate, chosen)) omit("parent");
      else if (outpoints.some((outpoint) => spent.has(outpoint))) omit("double spend");
      else if (fee < 0n) omit("fee");
      else if (weight + candidate.weight > MAX_BLOCK_WEIGHT) omit("no room");
      else if (sigopsCost + candidate.sigopsCost > MOST_SIGOPS_COST) omit("no room");
      else {
        chosen.set(candidate.txid, candidate);
        for (const outpoint of outpoints) spent.add(outpoint);
        fees += fee;
        weight += candidate.weight;
        sigopsCost += candidate.sigopsCost;
      }
    }
  }
  return { chosen: [...chosen.values()], fees, omitted: Object.fromEntries(counts), isBlind };
}

function parentsOf({ tx }: Candidate): string[] {
  return tx.inputs.map(({ prevHash }) => toDisplayHex(prevHash));
}

/** Whether an input spends an output that its chosen parent does not have. */
function makesUpOutputs({ tx }: Candidate, chosen: ReadonlyMap<string, Candidate>): boolean {
  return tx.inputs.some(({ prevHash, prevIndex }) => {
    const parent = chosen.get(toDisplayHex(prevHash));
    return parent !== undefined && parent.tx.outputs[prevIndex] === undefined;
  });
}

/** The node's word, or less where every output spent is in the template and says so. */
function feeOf({ tx, fee }: Candidate, chosen: ReadonlyMap<string, Candidate>): bigint {
  let left = 0n;
  for (const { prevHash, prevIndex } of tx.inputs) {
    const output = chosen.get(toDisplayHex(prevHash))?.tx.outputs[prevIndex];
    if (output === undefined) return fee;
    left += output.value;
  }
  for (const { value } of tx.outputs) left -= value;
  return left < fee ? left : fee;
}

/** `candidates` with each behind those it spends from, else in their order. Without recursion: a chain may be long. */
function parentsFirst(candidates: ReadonlyMap<string, Candidate>): Candidate[] {
  const ordered: Candidate[] = [];
  const seen = new Set<string>();
  for (const first of candidates.values()) {
    const path: { readonly candidate: Candidate; readonly isReady: boolean }[] = [{ candidate: first, isReady: false }];
    for (let step = path.pop(); step !== undefined; step = path.pop()) {
      const { candidate, isReady } = step;
      if (isReady) {
        ordered.push(candidate);
        continue;
      }
      if (seen.has(candidate.txid)) continue;
      seen.add(candidate.txid);
      path.push({ candidate, isReady: true });
      for (const id of parentsOf(candidate)) {
        const parent = candidates.get(id);
        if (parent !== undefined && !seen.has(id)) path.push({ candidate: parent, isReady: false });
      }
    }
  }
  return ordered;
}
