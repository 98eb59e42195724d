/**
 * Copies of what a plugin handed over, after its shape was looked at: a plugin may keep what it gave and change it later,
 * and what stands in a job must not change.
 */
import { equal } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { AuxWork } from "../mining/aux.ts";
import type { Commitment } from "./plugin.ts";
import { commitmentsFlaw, workFlaw } from "./shapes.ts";

/** A frozen copy of offered work. Throws `Fault("merge-work-invalid")` with the reason when its shape is wrong. */
export function takeWork(chain: string, offered: AuxWork): AuxWork {
  const why = workFlaw(offered);
  if (why !== undefined) throw new Fault("merge-work-invalid", { chain, why });
  const { id, hash, parent, height, target, value, details } = offered;
  const copy = { id, hash: hash.slice(), parent, height, target, value, details: Object.freeze({ ...details }) };
  return Object.freeze(copy);
}

/** Whether two works differ in nothing: the later one is no news. */
export function isSameOffer(a: AuxWork, b: AuxWork): boolean {
  return isSameAuxWork(a, b) && a.value === b.value && JSON.stringify(a.details) === JSON.stringify(b.details);
}

/** Whether two works are the same block with the same target. */
export function isSameAuxWork(a: AuxWork, b: AuxWork): boolean {
  return a.id === b.id && a.target === b.target && equal(a.hash, b.hash);
}

/**
 * Frozen copies of the commitments that a plugin made for `work`. Throws `Fault("merge-commitment-invalid")` with the reason
 * when their shape is wrong, or a leaf is not the work's own hash.
 */
export function takeCommitments(chain: string, work: AuxWork, made: unknown): readonly Commitment[] {
  const flaw = commitmentsFlaw(made);
  if (flaw !== undefined) throw new Fault("merge-commitment-invalid", { chain, work: work.id, why: flaw });
  const list = (Array.isArray(made) ? made : [made]) as readonly Commitment[];
  return Object.freeze(list.map((commitment) => copyOf(chain, work, commitment)));
}

function copyOf(chain: string, work: AuxWork, commitment: Commitment): Commitment {
  if (commitment.kind === "auxpow") {
    const { kind, chainId, hash, strictChainId } = commitment;
    // Proofs are checked against the work's hash, so another one in the tree would lose every block.
    const why = "the commitment's hash is not the hash of the work";
    if (!equal(hash, work.hash)) throw new Fault("merge-commitment-invalid", { chain, work: work.id, why });
    return Object.freeze({ kind, chainId, hash: work.hash, strictChainId });
  }
  const { kind, script, maxBytesAfter, first, last, forbid } = commitment;
  return Object.freeze({
    kind,
    script: script.slice(),
    ...(maxBytesAfter === undefined ? {} : { maxBytesAfter }),
    ...(first === undefined ? {} : { first: first.slice() }),
    ...(last === undefined ? {} : { last: last.slice() }),
    ...(forbid === undefined ? {} : { forbid: forbid.slice() }),
  });
}
