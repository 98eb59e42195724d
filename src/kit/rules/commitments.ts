/** Rules about commitments, and about their place in a coinbase. */
import { isDeepStrictEqual } from "node:util";
import { parseTransaction } from "../../bitcoin/transaction.ts";
import { describe } from "../../kernel/fault.ts";
import type { Commitment, OutputCommitment } from "../../merge/plugin.ts";
import type { AuxWork } from "../../mining/aux.ts";
import type { Job } from "../../mining/job.ts";
import type { Bench, Session } from "../bench.ts";
import { Broken } from "../broken.ts";
import { pause } from "../deadline.ts";
import { type Composed, coinbaseOf, compose, proofFlaw } from "../mined.ts";
import { neighboursOf } from "../neighbours.ts";
import { indexOf, lastIndexOf } from "../occurrences.ts";
import type { Rule } from "./rule.ts";

/** Calls of `commit` whose time is taken, up to three times. */
const CALLS = 50;
/** Ms that one call may take on average; a job is made for every change of every chain. */
const COMMIT_MS = 1;

/** The rules, in the order in which they are checked. */
export const COMMITMENT_RULES: readonly Rule[] = [
  {
    id: "commit",
    says: "commit answers at once with commitments of the right shape, and one chain ID for all work",
    advice:
      "Compare what it returns with Commitment in docs/plugin-contract.md; whatever needs a daemon belongs into the work's details.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const chainIds = new Set<number>();
        for (const work of await worksOf(bench, session)) {
          const { count } = bench.footprint;
          for (const each of session.commit(work)) if (each.kind === "auxpow") chainIds.add(each.chainId);
          const [made] = bench.footprint.madeSince(count);
          if (made !== undefined) throw new Broken("commit", `commit made ${made.what} (${made.where})`);
        }
        if (chainIds.size > 1) throw new Broken("commit", `the chain ID changed: ${[...chainIds].join(", ")}`);
      }),
  },
  {
    id: "chain-id",
    says: "chainId, where the chain has one, is the ID in its auxpow commitments",
    advice: "Leave chainId out when it is not known before the first work; it is learned from the commitment then.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const { chainId } = session.chain;
        if (chainId === undefined) return;
        const leaf = session.commit(await session.begin()).find((each) => each.kind === "auxpow");
        if (leaf?.chainId === chainId && session.chain.chainId === chainId) return;
        throw new Broken("chain-id", `chainId is ${chainId}, but ${leaf?.chainId ?? "none"} in the commitment`);
      }),
  },
  {
    id: "commit-pure",
    says: "commit depends on the work alone and leaves it as it was",
    advice: "Use nothing but the argument and the configuration: the work may be an old one, or one read from disk.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const work = await session.begin();
        const before = structuredClone(work);
        const first = structuredClone(session.commit(work));
        const same = (of: AuxWork, what: string): void => {
          let again: readonly Commitment[];
          try {
            again = session.commit(of);
          } catch (error) {
            throw new Broken("commit-pure", `commit fails for ${what}: ${describe(error)}`);
          }
          if (!isDeepStrictEqual(structuredClone(again), first))
            throw new Broken("commit-pure", `commit differs for ${what}`);
        };
        same(work, "the same work a second time");
        if (!isDeepStrictEqual(work, before)) throw new Broken("commit-pure", "commit changed the work");
        same(frozen(structuredClone(before)), "a copy of the work that cannot be written to");
        if (bench.has("newBlock")) {
          await session.stage.newBlock();
          await session.nextWork(
            ({ parent }) => parent !== before.parent,
            "offers-new-block",
            "no work on the new block",
          );
          same(structuredClone(before), "work that is no longer current");
        }
      }),
  },
  {
    id: "commit-fast",
    says: "commit takes less than a millisecond",
    advice: "Compute what is costly when the work comes, and keep it in the work's details.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const work = await session.begin();
        let bestMs = Number.POSITIVE_INFINITY;
        for (let round = 0; round < 3; round++) {
          const startedMs = performance.now();
          for (let i = 0; i < CALLS; i++) session.commit(work);
          bestMs = Math.min(bestMs, (performance.now() - startedMs) / CALLS);
          if (bestMs <= COMMIT_MS) return;
          await pause(1);
        }
        throw new Broken("commit-fast", `commit takes ${bestMs.toFixed(1)} ms`);
      }),
  },
  {
    id: "placed",
    says: "the commitments fit into a real coinbase and are found there again by an independent verifier",
    advice: "See what the reason says; docs/merge-mining.md draws the coinbase with all its offsets.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const work = await session.begin();
        const solvable = bench.has("submit") && work.target > 0n;
        if (solvable) {
          const { proof, entry, job, commitments } = session.solve(work);
          const flaw = proofFlaw(proof, entry);
          if (flaw !== undefined) throw new Broken("placed", `the proof does not hold: ${flaw}`);
          outputsHold(job, commitments, "placed");
        } else {
          const commitments = session.commit(work);
          const composed = compose({ name: bench.options.chain, work, commitments });
          if (composed.entry === undefined) throw new Broken("placed", `no job can carry it: ${reasonIn(composed)}`);
          outputsHold(composed.job, commitments, "placed");
        }
      }),
  },
  {
    id: "placed-among-others",
    says: "the commitments stand beside those of other chains, and every chain's rules hold",
    advice: "Declare only the rules that your chain really has, and no tighter: each takes room from other chains.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const work = await session.begin();
        const commitments = session.commit(work);
        const own = { name: bench.options.chain, work, commitments };
        const alone = compose(own);
        if (alone.entry === undefined) throw new Broken("placed", `no job can carry it: ${reasonIn(alone)}`);
        const neighbours = neighboursOf(commitments);
        const { job, entry, dropped } = compose(own, neighbours);
        const [first] = dropped;
        if (entry === undefined || first !== undefined) {
          const who = first?.chain ?? own.name;
          throw new Broken("placed-among-others", `${who} finds no place: ${reasonIn({ dropped })}`);
        }
        outputsHold(job, [...commitments, ...neighbours.flatMap((each) => each.commitments)], "placed-among-others");
      }),
  },
  {
    id: "verify",
    says: "verify, where there is one, has nothing against a right proof",
    advice: "verify returns a reason or undefined, does not throw, and need not repeat what the server has checked.",
    needs: ["submit"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const { proof } = await session.beginAndSolve();
        let reason: unknown;
        try {
          reason = session.run(() => session.chain.verify?.(structuredClone(proof)));
        } catch (error) {
          throw new Broken("verify", `verify threw: ${describe(error)}`);
        }
        if (reason !== undefined) throw new Broken("verify", `verify refuses a right proof: ${String(reason)}`);
      }),
  },
];

function reasonIn({ dropped }: Pick<Composed, "dropped">): string {
  const [first] = dropped;
  return first === undefined ? "it was left out without a reason" : `${first.detail} (${first.reason})`;
}

/** Work of two blocks where the chain has blocks. */
async function worksOf(bench: Bench, session: Session): Promise<readonly AuxWork[]> {
  const first = await session.begin();
  if (!bench.has("newBlock")) return [first];
  await session.stage.newBlock();
  const moved = await session.host.until(
    () => ![undefined, first.parent].includes(session.host.work?.parent),
    session.withinMs,
  );
  const second = session.host.work;
  return moved && second !== undefined ? [first, second] : [first];
}

/** Checks declared rules of outputs on the bytes of a coinbase, for two extranonces. */
function outputsHold(job: Job, commitments: readonly Commitment[], rule: string): void {
  for (const fill of [0, 0xff]) {
    const coinbase = coinbaseOf(job, fill);
    const outputs = parseTransaction(coinbase).outputs;
    for (const each of commitments) {
      if (each.kind !== "output") continue;
      const flaw = outputFlaw(coinbase, outputs, each);
      if (flaw !== undefined) throw new Broken(rule, flaw);
    }
  }
}

function outputFlaw(
  coinbase: Uint8Array,
  outputs: ReturnType<typeof parseTransaction>["outputs"],
  { script, maxBytesAfter, first, last, forbid }: OutputCommitment,
): string | undefined {
  const mine = outputs.filter((output) => isDeepStrictEqual(Uint8Array.from(output.script), Uint8Array.from(script)));
  if (mine.length !== 1) return `its script stands ${mine.length} times in the coinbase`;
  const at = indexOf(coinbase, script);
  const after = coinbase.length - at - script.length;
  if (maxBytesAfter !== undefined && after > maxBytesAfter)
    return `${after} bytes stand behind its script, more than ${maxBytesAfter}`;
  if (first !== undefined && indexOf(coinbase, first) < at) return "its first bytes also stand before its script";
  if (last !== undefined && lastIndexOf(coinbase, last) >= at + script.length)
    return "its last bytes also stand behind its script";
  const others = outputs.filter((output) => !mine.includes(output));
  if (forbid !== undefined && others.some((output) => indexOf(output.script, forbid) >= 0)) {
    return "another output holds the bytes that it forbids";
  }
  return undefined;
}

function frozen(work: AuxWork): AuxWork {
  return Object.freeze({ ...work, details: Object.freeze(work.details) });
}
