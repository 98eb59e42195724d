/**
 * Merge mining as one part: chains join and offer work, jobs take it, shares are looked at, found blocks are proved, kept and
 * submitted. It stands between the plugin host (chains), the job maker (jobs) and the mining server (shares), and knows none
 * of them. Whatever goes wrong in here, the Bitcoin job goes out and the Bitcoin share is judged.
 */
import { difficultyOfTarget, meetsTargetBytes } from "../bitcoin/target.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { AuxEntry, AuxWork } from "../mining/aux.ts";
import type { HashedShare } from "../mining/downstream-deps.ts";
import { buildJob, type Job, type JobParts } from "../mining/job.ts";
import { chainsFlaw } from "./attempt.ts";
import { Board } from "./board.ts";
import type { ChainWorkStatus } from "./chain-status.ts";
import { type Composition, composeJob, snapshot } from "./compose.ts";
import { type Find, Finds } from "./finds.ts";
import { ForeignCoinbases } from "./foreign-coinbases.ts";
import type { AuxAnswer, FoundAux, FoundAuxStore, MergeBus } from "./found-aux.ts";
import { Freshness } from "./freshness.ts";
import type { GuardedChain, JoiningChain } from "./guarded-chain.ts";
import { JobReport } from "./job-report.ts";
import type { CommitmentRoom, LiveCommitments } from "./live-commitments.ts";
import type { PlacementLimits } from "./placement.ts";
import type { Proof } from "./plugin.ts";
import { buildProof, checkProof } from "./prove.ts";
import { Spares } from "./spares.ts";
import { Submissions } from "./submissions.ts";

/** What `MergeMining` works with. */
export interface MergeMiningDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly bus: MergeBus;
  /** Keeps found blocks over a crash. */
  readonly store: FoundAuxStore;
  /** A share solved a work at this wall time, ms; told at once, from the share path, long before the block is written down. Must not throw. */
  readonly onFind?: (foundMs: number) => void;
}

/** Options of `MergeMining`; `MERGE_MINING_DEFAULTS` are sound for every network. */
export interface MergeMiningOptions {
  /** How long a chain's new work waits for that of others before a job is made, ms. */
  readonly coalesceMs: number;
  /** Least time between two jobs made for chains' new work, ms. Each channel keeps its last 32 jobs, so late shares have that many times longer. */
  readonly minGapMs: number;
  /** As `BoardOptions.manyMakers`. */
  readonly manyMakers: boolean;
  /**
   * Channel targets are kept from being harder than a chain's target only if the chain's difficulty is at least this. Of an
   * easier chain (a regtest, a dead coin) blocks are lost between the shares rather than miners made to send a flood.
   */
  readonly clampMinDifficulty: number;
  /** Bytes that the coinbase without witness may have, for miners with small buffers; no such limit when `undefined`. */
  readonly sizeLimitBytes: number | undefined;
  /** Bytes that are left free in a coinbase for a channel's own payout. */
  readonly reserveBytes: number;
  /** Solutions that may wait for their proof. */
  readonly queueSize: number;
  /** Further solutions of one aux block that are held. */
  readonly maxSpares: number;
  /** Aux blocks of one chain whose solutions are remembered. */
  readonly maxRounds: number;
  /** Found blocks of one chain that may wait for an answer. */
  readonly maxPending: number;
  /** Ms that a found block waits for the disk: one that hangs must not cost the block. */
  readonly storeWaitMs: number;
  /** Ms after which a submission that says nothing counts as failed; longer than the host's deadline. */
  readonly submitTimeoutMs: number;
  /** Ms after which a block that no daemon took is given up. */
  readonly giveUpMs: number;
}

/** Values for every network. */
export const MERGE_MINING_DEFAULTS: MergeMiningOptions = {
  coalesceMs: 20,
  minGapMs: 250,
  manyMakers: false,
  clampMinDifficulty: 1,
  sizeLimitBytes: undefined,
  reserveBytes: 0,
  queueSize: 64,
  maxSpares: 8,
  maxRounds: 64,
  maxPending: 64,
  storeWaitMs: 1000,
  submitTimeoutMs: 120_000,
  giveUpMs: 3_600_000,
};

const NO_ANSWERS: Readonly<Record<AuxAnswer["verdict"], number>> = {
  accepted: 0,
  duplicate: 0,
  stale: 0,
  rejected: 0,
  failed: 0,
};

/** The coordinator. */
export class MergeMining implements Part {
  readonly name = "merge mining";
  readonly #deps: MergeMiningDeps;
  readonly #options: MergeMiningOptions;
  readonly #board: Board;
  readonly #spares: Spares;
  readonly #finds: Finds;
  readonly #submissions: Submissions;
  readonly #report: JobReport;
  readonly #foreign: ForeignCoinbases;
  readonly #freshness = new Freshness();
  readonly #chains = new Map<string, GuardedChain>();
  readonly #answers = new Map<string, Record<AuxAnswer["verdict"], number>>();
  #generation = 0;

  constructor(deps: MergeMiningDeps, options: MergeMiningOptions) {
    const { clock, log, meter, bus, store, onFind } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#board = new Board({ clock, log, meter }, options);
    this.#spares = new Spares(
      { clock, onForgotten: (chain, spares) => this.#unneeded(chain, spares, "the room is needed for newer blocks") },
      options,
    );
    this.#finds = new Finds(
      {
        clock,
        log,
        meter,
        spares: this.#spares,
        take: (find) => this.#prove(find),
        ...(onFind === undefined ? {} : { onFind }),
      },
      options,
    );
    this.#submissions = new Submissions(
      {
        clock,
        log,
        store,
        onReady: (found) => bus.emit("AuxBlockFound", found),
        onTrouble: (found) => {
          const other = this.#spares.troubled(found);
          if (other !== undefined) this.#submit(other);
        },
        onAnswer: (found, answer) => this.#answered(found, answer),
      },
      options,
    );
    this.#report = new JobReport({ log, meter, bus });
    this.#foreign = new ForeignCoinbases({ wanted: () => this.#board.wanted(), limits: () => this.#limits() });
  }

  /**
   * Takes up blocks that an earlier run left without an answer; they are submitted when their chain joins. A store that cannot
   * be read is logged and stops nothing: Bitcoin is mined without it.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { log, store } = this.#deps;
    signal.throwIfAborted();
    let unsettled: readonly FoundAux[] = [];
    try {
      unsettled = await store.unsettled();
    } catch (error) {
      const help = error instanceof Fault ? ` ${error.help}` : "";
      log.error(`found aux blocks will not survive a crash: ${describe(error)}.${help}`, { error });
    }
    for (const found of unsettled) {
      const { chain, work } = found;
      this.#spares.resume(found);
      this.#submissions.resume(found);
      log.warn(`${chain} block ${work.id} was found before the last stop and is submitted when ${chain} runs`);
    }
  }

  /** Proves and writes down what is still queued. Blocks without an answer are taken up at the next start. */
  async stop(): Promise<void> {
    this.#finds.flush();
    this.#board.close();
    await this.#submissions.stop();
  }

  /** Resolves when no block of a running chain waits for an answer, or when `signal` aborts: to be awaited before chains are stopped. */
  async drained(signal: AbortSignal): Promise<void> {
    this.#finds.flush();
    await this.#submissions.drained(signal);
  }

  /** A chain joins; its blocks that wait for an answer are submitted. Throws `TypeError` when it takes part already. */
  addChain({ name, policy, chain }: JoiningChain): void {
    this.#board.configure(name, { policy, chainId: chain.chainId, commit: (work) => chain.commit(work) });
    this.#chains.set(name, chain);
    this.#submissions.connect(name, chain);
  }

  /** Puts the chains into the order of the configuration, whenever they joined: in a coinbase without room for all the last are left out. */
  arrange(names: readonly string[]): void {
    this.#board.arrange(names);
  }

  /** A chain leaves: the next job is made without it, and what it found waits until it joins again. */
  removeChain(name: string): void {
    this.#board.remove(name);
    this.#freshness.forget(name);
    this.#chains.delete(name);
    this.#submissions.disconnect(name);
    this.#report.left(name);
  }

  /**
   * A chain offers work, or withdraws it with `undefined`. Passed over for a chain that does not take part. Throws a `Fault` that
   * isolates the chain: `merge-work-invalid`, `merge-commitment-invalid`, `merge-commit-failed`, `merge-chain-id-twice`.
   */
  offer(name: string, work: AuxWork | undefined): void {
    this.#board.offer(name, work);
    this.#freshness.seen(name, this.#board.state(name)?.work, this.#deps.clock.monotonicMs());
    if (work === undefined || !this.#spares.offered(name, work)) return;
    this.#deps.log.warn(
      `${name}: its daemon builds on the parent of our block at height ${work.height} again, so that height is mined once more`,
      { chain: name, height: work.height, parent: work.parent },
    );
  }

  /** Calls `listener` when new work is worth a job; a burst of changes makes one call. */
  onWork(listener: () => void): Unsubscribe {
    return this.#board.onChange(() => listener());
  }

  /**
   * Makes a job that commits to as many chains as possible; without chains it is `buildJob(parts)`, and whatever goes wrong with them it
   * is that too. Throws what `buildJob` throws.
   */
  makeJob(parts: JobParts): Job {
    let composition: Composition;
    try {
      composition = this.#compose(parts);
    } catch (error) {
      const job = buildJob(parts);
      const detail = describe(error);
      this.#deps.log.error(`job ${job.jobId} goes out without any aux chain: ${detail}`, { error });
      composition = { job, dropped: [...this.#chains.keys()].map((chain) => ({ chain, reason: "failed", detail })) };
    }
    try {
      this.#foreign.made(parts, composition.job);
      this.#report.made(composition, [...this.#chains.keys()]);
      const mined = new Set(composition.job.aux?.entries.map(({ chain }) => chain));
      for (const { chain, waitedMs } of this.#board.taken()) {
        if (mined.has(chain)) this.#deps.meter.observe("aux_job_seconds", waitedMs / 1000, { chain });
      }
    } catch (error) {
      this.#deps.log.error(`a job could not be told about: ${describe(error)}`, { error });
    }
    return composition.job;
  }

  /** Why the chains of a job that `makeJob` made could not use its coinbase now that it has another payout; `undefined` when they can. */
  readonly flawOf = (job: Job): string | undefined => chainsFlaw(job, this.#options.sizeLimitBytes);

  /**
   * What a coinbase that others make must hold to count for as many chains as fit into `room`, the first configured first; nothing before our first job.
   * To be asked again when `onWork` says so. `outputsOf`: of these chains alone, and only if their commitments are outputs.
   */
  liveCommitments(room: CommitmentRoom, outputsOf?: (chain: string) => boolean): LiveCommitments {
    return this.#foreign.live(room, outputsOf);
  }

  /** Bytes that the outputs of all chains that take part, and of `expected` that will, may need in a coinbase. */
  outputBytes(expected: readonly string[]): number {
    return this.#board.outputBytes(expected);
  }

  /** How long a chain's commitment usually lasts, ms; `undefined` while too little is known. */
  freshnessMs(chain: string): number | undefined {
    return this.#freshness.of(chain, this.#deps.clock.monotonicMs());
  }

  /**
   * A job that somebody else made, with exactly those chains that it counts for: their newest work, or older work on the same parent, stands in
   * its coinbase and every rule of theirs holds for all extranonces. The same job where there are none. Never throws.
   */
  readonly recognise = (job: Job): Job => {
    try {
      const entries = this.#foreign.recognised(job);
      if (entries.length === 0) return job;
      this.#generation += 1;
      const channelTarget = (all: readonly AuxEntry[]): bigint | undefined => this.#channelTarget(all);
      return Object.freeze({ ...job, aux: snapshot(entries, { generation: this.#generation, channelTarget }) });
    } catch (error) {
      this.#deps.log.error(`a custom job counts for no chain: ${describe(error)}`, { error, jobId: job.jobId });
      return job;
    }
  };

  /**
   * Looks which chains a share solves. For every header that a miner hashed, also stale and refused ones. One comparison for a share
   * that solves nothing; never throws.
   */
  readonly hashed = (share: HashedShare): void => {
    const { aux } = share.job;
    if (aux === undefined || !meetsTargetBytes(share.hash, aux.easiest)) return;
    this.#finds.look(share, aux);
  };

  /** All chains that take part, and those that do not while blocks of theirs wait. */
  status(): ChainWorkStatus[] {
    const names = new Set([...this.#chains.keys(), ...this.#submissions.chains()]);
    return [...names].map((chain) => {
      const state = this.#board.state(chain);
      const { inJob, dropped } = this.#report.of(chain);
      return {
        chain,
        running: this.#chains.has(chain),
        work: state === undefined ? undefined : shownWork(state.work, state.ageMs),
        inJob,
        dropped,
        found: this.#finds.found(chain),
        answers: { ...(this.#answers.get(chain) ?? NO_ANSWERS) },
        pending: this.#submissions.pending(chain),
        spares: this.#spares.held(chain),
      };
    });
  }

  #compose(parts: JobParts): Composition {
    this.#generation += 1;
    return composeJob(parts, this.#board.wanted(), {
      generation: this.#generation,
      ...this.#limits(),
      channelTarget: (entries) => this.#channelTarget(entries),
    });
  }

  #limits(): PlacementLimits {
    const { sizeLimitBytes, reserveBytes } = this.#options;
    return { chainIds: this.#board.chainIds(), sizeLimitBytes, reserveBytes };
  }

  /** The easiest target among the chains that are hard enough to count. */
  #channelTarget(entries: readonly AuxEntry[]): bigint | undefined {
    let easiest = 0n;
    for (const { work } of entries) {
      if (work.target > easiest && difficultyOf(work) >= this.#options.clampMinDifficulty) easiest = work.target;
    }
    return easiest === 0n ? undefined : easiest;
  }

  /** From a find to a block that is on its way, or held. */
  #prove(find: Find): void {
    const { job, entry, headerHash, userIdentity, foundMs } = find;
    const { chain, work, slot } = entry;
    const proof = buildProof(job, entry, find);
    const found: FoundAux = Object.freeze({
      key: `${chain}:${work.id}:${headerHash}`,
      chain,
      work,
      proof,
      userIdentity,
      jobId: job.jobId,
      parentHeight: job.template.height,
      foundMs,
    });
    const flaw = checkProof(proof, entry) ?? this.#pluginsFlaw(chain, proof);
    if (flaw !== undefined) {
      this.#spares.release(chain, work, slot !== undefined);
      this.#refuse(found, flaw, job);
      return;
    }
    const claim = this.#spares.claim(found);
    if (claim === "submit") this.#submit(found);
    else if (claim === "held")
      this.#deps.log.debug(`${chain}: another solution of block ${work.id} is held`, { chain });
    else this.#unneeded(chain, 1, "its block is decided");
  }

  /** A plugin that fails to judge a proof does not cost the block: the daemon has the last word. */
  #pluginsFlaw(chain: string, proof: Proof): string | undefined {
    try {
      return this.#chains.get(chain)?.verify(proof);
    } catch (error) {
      this.#deps.log.warn(`${chain}: its plugin could not check a proof, which is submitted: ${describe(error)}`, {
        chain,
        error,
      });
      return undefined;
    }
  }

  /** A wrong proof is a bug of ours or the plugin's: it is kept for whoever mends it. */
  #refuse(found: FoundAux, flaw: string, job: Job): void {
    const { chain, work, key } = found;
    const fault = new Fault("merge-proof-wrong", { chain, flaw, work: work.id, jobId: job.jobId });
    this.#deps.log.error(`${describe(fault)}. ${fault.help}`, {
      error: fault,
      key,
      height: work.height,
      generation: job.aux?.generation,
      template: job.template.id,
      chains: job.aux?.entries.map((entry) => entry.chain).join(" "),
    });
    this.#finds.lost(chain, "proof", `a solution of block ${work.id} is kept and not submitted: ${flaw}`);
    const answer = this.#submissions.bury(found, flaw);
    this.#deps.bus.emit("AuxBlockAnswered", { found, answer });
  }

  #submit(found: FoundAux): void {
    const { chain, work, userIdentity } = found;
    this.#submissions.enter(found);
    this.#deps.log.info(`${chain} block ${work.id} found at height ${work.height} by ${JSON.stringify(userIdentity)}`, {
      chain,
      height: work.height,
      work: work.id,
      key: found.key,
    });
  }

  #answered(found: FoundAux, answer: AuxAnswer): void {
    const { log, meter, bus } = this.#deps;
    const { chain, work, key } = found;
    const { verdict, reason, blockHash, height } = answer;
    const counts = this.#answers.get(chain) ?? { ...NO_ANSWERS };
    counts[verdict] += 1;
    this.#answers.set(chain, counts);
    meter.count("aux_blocks_submitted_total", 1, { chain, verdict });
    const line = `${chain} block ${blockHash} at height ${height}`;
    const fields = { chain, key, verdict, reason, height };
    if (verdict === "accepted") log.info(`${line} was accepted`, fields);
    else if (verdict === "duplicate") log.info(`${line} was known to the daemon already`, fields);
    else if (verdict === "stale") log.warn(`${line} came too late: ${reason}`, fields);
    else if (verdict === "rejected") log.error(`${line} was REFUSED: ${reason}`, fields);
    else log.error(`${line} is given up: ${reason}`, fields);
    bus.emit("AuxBlockAnswered", { found, answer });
    if (verdict === "stale") this.#board.discard(chain, work.id);
    const { next, lost } = this.#spares.answered(found, verdict);
    if (lost > 0) this.#unneeded(chain, lost, "its block is decided");
    if (next !== undefined) this.#submit(next);
  }

  #unneeded(chain: string, spares: number, why: string): void {
    for (let i = 0; i < spares; i++) this.#finds.lost(chain, "spare", `a spare solution is dropped: ${why}`);
  }
}

function difficultyOf({ target }: AuxWork): number {
  return target === 0n ? Number.POSITIVE_INFINITY : difficultyOfTarget(target);
}

function shownWork(work: AuxWork, ageMs: number): ChainWorkStatus["work"] {
  const { id, parent, height, value } = work;
  return { id, parent, height, value, ageMs, difficulty: difficultyOf(work) };
}
