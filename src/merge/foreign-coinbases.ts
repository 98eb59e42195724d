/**
 * Merge mining in coinbases that others make: what they must hold, and which chains those that came count for. What is handed out is placed as in a job of
 * our own on the newest template, so that it keeps every rule of every chain wherever outputs stand as they were told.
 */
import { outputSize } from "../bitcoin/transaction.ts";
import type { AuxEntry, AuxRules } from "../mining/aux.ts";
import type { Job, JobParts } from "../mining/job.ts";
import { AUX_COMMITMENT_SIZE, AUXPOW_MAGIC } from "./auxpow/tree.ts";
import { CommittedWorks } from "./committed-works.ts";
import { type CommitmentRoom, type LiveCommitments, pushOfCommitment } from "./live-commitments.ts";
import { closedCoinbase, findOpen } from "./open-coinbase.ts";
import { type ChainCommitments, type Placement, type PlacementLimits, place } from "./placement.ts";
import { recognisedEntries } from "./recognise.ts";

/** Rooms that answers are kept for until work changes: clients ask for what their own coinbase has left, mostly the same. */
const MAX_ROOMS = 64;

/** What `ForeignCoinbases` works with. */
export interface ForeignCoinbasesDeps {
  /** All work that coinbases should commit to, in order. */
  readonly wanted: () => readonly ChainCommitments[];
  readonly limits: () => PlacementLimits;
}

/** The part. */
export class ForeignCoinbases {
  readonly #deps: ForeignCoinbasesDeps;
  readonly #works = new CommittedWorks();
  /** What our newest job was made of. */
  #parts: JobParts | undefined;
  /** Work that `#answers` are about. */
  #wanted: readonly ChainCommitments[] = [];
  readonly #answers = new Map<string, LiveCommitments>();
  #lastId = 0n;

  constructor(deps: ForeignCoinbasesDeps) {
    this.#deps = deps;
  }

  /** A job of ours was made of `parts`. */
  made(parts: JobParts, job: Job): void {
    this.#parts = parts;
    if (job.aux !== undefined) this.#works.remember(job.aux.entries, commitmentIn(job.coinbasePrefix));
  }

  /** What a coinbase with so much room must hold; nothing before our first job. `outputsOf`: of these chains alone, if they have no leaf in the AuxPoW tree. */
  live(room: CommitmentRoom, outputsOf?: (chain: string) => boolean): LiveCommitments {
    const wanted = this.#deps.wanted();
    const chosen = outputsOf === undefined ? wanted : wanted.filter((each) => isOutputs(each) && outputsOf(each.chain));
    if (wanted.length !== this.#wanted.length || wanted.some((each, i) => each !== this.#wanted[i])) {
      this.#wanted = wanted;
      this.#answers.clear();
    }
    const key = `${room.scriptSigBytes} ${room.outputBytes} ${chosen.map(({ chain }) => chain).join(" ")}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#fit(chosen, room);
    if (this.#parts === undefined) return answer;
    if (this.#answers.size >= MAX_ROOMS) this.#answers.clear();
    this.#answers.set(key, answer);
    return answer;
  }

  /** The chains that `job`, which somebody else made, counts for. Throws for a coinbase that is none. */
  recognised(job: Job): readonly AuxEntry[] {
    return recognisedEntries(job, this.#deps.wanted(), this.#works);
  }

  /** As many of `wanted` as fit, the first first. */
  #fit(wanted: readonly ChainCommitments[], room: CommitmentRoom): LiveCommitments {
    for (let kept = wanted; kept.length > 0 && this.#parts !== undefined; kept = kept.slice(0, -1)) {
      const placement = place(kept, this.#parts, this.#deps.limits());
      const { scriptSig, outputs = [] } = placement.commitments;
      const push = scriptSig === undefined ? new Uint8Array(0) : pushOfCommitment(scriptSig);
      const size = outputs.reduce((sum, output) => sum + outputSize(output), 0);
      if (push.length > room.scriptSigBytes || size > room.outputBytes) continue;
      this.#works.remember(placement.entries, scriptSig);
      return this.#commitments(placement, push);
    }
    return this.#commitments({ entries: [], commitments: {} }, new Uint8Array(0));
  }

  #commitments(
    { entries, commitments }: Pick<Placement, "entries" | "commitments">,
    scriptSig: Uint8Array,
  ): LiveCommitments {
    this.#lastId += 1n;
    const rules = new Map(entries.flatMap(({ rules: own = [] }) => own.map((rule) => [rule.script, rule] as const)));
    return Object.freeze({
      id: this.#lastId,
      chains: Object.freeze(entries.map(({ chain }) => chain)),
      scriptSig,
      outputs: Object.freeze(
        (commitments.outputs ?? []).map(({ script }) => rulesAlone(rules.get(script) ?? { script })),
      ),
    });
  }
}

const isOutputs = ({ commitments }: ChainCommitments): boolean => commitments.every(({ kind }) => kind === "output");

/** Rules without what else a plugin's commitment says of itself. */
function rulesAlone({ script, maxBytesAfter, first, last, forbid }: AuxRules): AuxRules {
  return Object.freeze({
    script,
    ...(maxBytesAfter === undefined ? {} : { maxBytesAfter }),
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    ...(forbid === undefined ? {} : { forbid }),
  });
}

/** The 44 bytes of an AuxPoW commitment in front of the extranonce. */
function commitmentIn(coinbasePrefix: Uint8Array): Uint8Array | undefined {
  const at = findOpen(closedCoinbase(coinbasePrefix), AUXPOW_MAGIC);
  const end = at + AUX_COMMITMENT_SIZE;
  return at === -1 || end > coinbasePrefix.length ? undefined : coinbasePrefix.slice(at, end);
}
