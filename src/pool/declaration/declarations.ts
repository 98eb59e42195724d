/**
 * The job declaration server's memory and judgement, shared by all its connections: tokens, declared jobs with their transactions, and what the mining
 * server asks of custom jobs (`CustomJobs`). Declarations are judged one at a time for each client and a few at a time in all.
 */
import type { TxOutput } from "../../bitcoin/transaction.ts";
import { equal, toHex } from "../../kernel/bytes.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { Random } from "../../kernel/random.ts";
import type { CustomJobs, CustomTip } from "../../mining/custom-jobs.ts";
import type { CustomWork, DeclaredJob } from "../../mining/custom-work.ts";
import type { Job } from "../../mining/job.ts";
import type { Template } from "../../mining/template.ts";
import { type DeclareMiningJobErrorCode, DECLARE_MINING_JOB_ERROR as ERROR } from "../../sv2/codes.ts";
import { ByteBudget } from "./byte-budget.ts";
import { type DeclaredBody, declaredJob, proposal, structureFlaw } from "./declared-block.ts";
import type { DeclaredCoinbase } from "./declared-coinbase.ts";
import { type Allocation, MiningJobTokens } from "./tokens.ts";
import { type KnownTransaction, TransactionStore } from "./transaction-store.ts";

/** Declarations that are judged at a time: each may have a node check a whole block. */
const AT_A_TIME = 2;

/** Declared jobs of one client that are kept: those of the last minutes, for a late solution. */
const JOBS_PER_CLIENT = 16;

/** Memory for the wtxid of one transaction of a declaration that is under way: its bytes, its hex, and lists of both. */
export const WTXID_BYTES = 300;

/** The same of a job that is kept; 73 were measured (`npm run bench -- declaration`). */
const KEPT_WTXID_BYTES = 100;

/** Work is done in slices of this, ms. */
const SLICE_MS = 4;

/** A node's word on a block that nobody has solved yet (BIP23). */
export type ProposalAnswer =
  | { readonly verdict: "valid" }
  | { readonly verdict: "stale" | "invalid"; readonly reason: string }
  /** No node could say. */
  | { readonly verdict: "unknown"; readonly reason: string };

/** What `Declarations` works with. */
export interface DeclarationsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** The newest template of ours; `undefined` while there is none. */
  readonly template: () => Template | undefined;
  /** Subsidy of the block at a height, sat. */
  readonly subsidy: (height: number) => bigint;
  /** Asks a node about a whole block; left out, no node is asked. */
  readonly propose?: (block: Uint8Array) => Promise<ProposalAnswer>;
  /** The pool's payout script. */
  readonly payoutScript: Uint8Array;
  /** Outputs of 0 sat that tokens bring beside the payout. */
  readonly outputs: () => readonly TxOutput[];
  /** As `CustomJobs.recognise`. */
  readonly recognise: (job: Job) => Job;
}

/** Options of `Declarations`. */
export interface DeclarationsOptions {
  /** `none`: the coinbase alone is looked at; `structure`: whatever can be seen without a node; `node`: a node checks the block. */
  readonly validation: "node" | "structure" | "none";
  /** As `MiningOptions.customLeastPercent`. */
  readonly leastValuePercent: number;
  readonly tokenLifetimeMs: number;
  readonly tokensPerClient: number;
  /** Bytes of the transactions of all declared jobs. */
  readonly declaredBytes: number;
}

/** A declaration whose transactions are all there. */
export interface Declaration extends Pick<DeclaredBody, "version" | "wtxids"> {
  readonly allocation: Allocation;
  readonly coinbase: DeclaredCoinbase;
  /** Those that the client sent, by wtxid in hex. */
  readonly provided: ReadonlyMap<string, KnownTransaction>;
}

/** What becomes of one. */
export type DeclarationVerdict =
  | { readonly token: Uint8Array }
  | { readonly errorCode: DeclareMiningJobErrorCode; readonly details: string };

/** A job that was found good. */
export interface KeptJob {
  readonly client: number;
  readonly work: CustomWork;
  readonly job: DeclaredJob;
  readonly extranonceSize: number;
  readonly height: number;
  readonly nBits: number;
  readonly payoutValue: bigint;
  readonly wtxids: readonly string[];
}

/** The part. */
export class Declarations implements CustomJobs {
  /** All transactions that are known. */
  readonly transactions = new TransactionStore();
  readonly #deps: DeclarationsDeps;
  readonly #options: DeclarationsOptions;
  readonly #tokens: MiningJobTokens;
  /** What declarations under way hold. */
  readonly underWay: ByteBudget;
  /** The oldest first. */
  readonly #jobs: KeptJob[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Of the lists of wtxids of declared jobs. */
  #listBytes = 0;

  constructor(deps: DeclarationsDeps, options: DeclarationsOptions) {
    this.#deps = deps;
    this.#options = options;
    this.underWay = new ByteBudget({ limit: options.declaredBytes });
    const { tokenLifetimeMs: lifetimeMs, tokensPerClient: perClient } = options;
    this.#tokens = new MiningJobTokens(deps, { lifetimeMs, perClient });
  }

  /** Bytes that declared jobs hold, of `declared_bytes`. */
  get declaredBytes(): number {
    return this.transactions.bytes + this.#listBytes;
  }

  /** A token for a client, and the outputs that come with it. */
  allocate(
    client: number,
    userIdentifier: string,
    coinbaseOnly: boolean,
  ): { token: Uint8Array; outputs: readonly TxOutput[] } {
    const outputs = [{ value: 0n, script: this.#deps.payoutScript }, ...this.#deps.outputs()];
    this.#deps.meter.count("declaration_tokens_total", 1);
    return { token: this.#tokens.allocate({ client, userIdentifier, outputs, coinbaseOnly }), outputs };
  }

  /** Uses a token; `undefined` for one that this client does not hold. */
  take(client: number, token: Uint8Array): Allocation | undefined {
    return this.#tokens.take(client, token);
  }

  /** Why no block can be made with such a coinbase now, before any transaction is looked at; `undefined` for nothing. */
  coinbaseFlaw(
    coinbase: DeclaredCoinbase,
    { outputs }: Allocation,
  ): Exclude<DeclarationVerdict, { token: Uint8Array }> | undefined {
    const tip = this.tip();
    if (tip === undefined || coinbase.height !== tip.height) {
      return { errorCode: ERROR.staleChainTip, details: `blocks of height ${tip?.height ?? "?"} are mined` };
    }
    const script = outputs[0]?.script ?? this.#deps.payoutScript;
    const others = coinbase.outputs.find((output) => output.value > 0n && !equal(output.script, script));
    if (others !== undefined) {
      return { errorCode: ERROR.invalidCoinbaseTx, details: "an output pays somebody else than the pool" };
    }
    const value = paid(coinbase);
    const least = (tip.coinbaseValue * BigInt(Math.round(this.#options.leastValuePercent * 10_000))) / 1_000_000n;
    if (value >= least && value >= tip.subsidy) return undefined;
    return {
      errorCode: ERROR.invalidCoinbaseTx,
      details: `it pays the pool ${value} sat, of ${least > tip.subsidy ? least : tip.subsidy} at least`,
    };
  }

  /** Judges a declaration when its turn comes. Never rejects. */
  async judge(client: number, declaration: Declaration): Promise<DeclarationVerdict> {
    const { clock, log, meter } = this.#deps;
    const beganMs = clock.monotonicMs();
    await this.#turn();
    let verdict: DeclarationVerdict;
    try {
      verdict = await this.#judge(client, declaration);
    } catch (error) {
      log.error(`a declared job could not be judged: ${describe(error)}`, { error });
      verdict = { errorCode: ERROR.internalError, details: "" };
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
    meter.count("declarations_total", 1, { result: "token" in verdict ? "accepted" : verdict.errorCode });
    meter.observe("declaration_seconds", (clock.monotonicMs() - beganMs) / 1000);
    return verdict;
  }

  /** Declared jobs of a client on `prevHash`, the newest first. */
  jobsOf(client: number, prevHash: Uint8Array): readonly KeptJob[] {
    return this.#jobs.filter((kept) => kept.client === client && equal(kept.job.prevHash, prevHash)).reverse();
  }

  /** A client is gone. */
  leave(client: number): void {
    this.#tokens.leave(client);
  }

  /** A template of ours came. */
  useTemplate(template: Template): void {
    this.transactions.useTemplate(template);
  }

  /** Forgets what is void, and tells its figures. To be called about once a second. */
  tick(): void {
    this.#tokens.sweep();
    const { meter } = this.#deps;
    meter.gauge("declared_jobs", this.#jobs.length);
    meter.gauge("declared_bytes", this.declaredBytes);
    meter.gauge("declaring_bytes", this.underWay.taken);
  }

  redeem(token: Uint8Array): ReturnType<CustomJobs["redeem"]> {
    return this.#tokens.redeem(token);
  }

  tip(): CustomTip | undefined {
    const template = this.#deps.template();
    if (template === undefined) return undefined;
    const { prevHash, height, nBits, target, minTime, coinbaseValue } = template;
    return { prevHash, height, nBits, target, minTime, coinbaseValue, subsidy: this.#deps.subsidy(height) };
  }

  recognise(job: Job): Job {
    return this.#deps.recognise(job);
  }

  async #turn(): Promise<void> {
    if (this.#running >= AT_A_TIME) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }

  async #judge(client: number, declaration: Declaration): Promise<DeclarationVerdict> {
    const { template, propose } = this.#deps;
    const { allocation, coinbase, provided, wtxids, version } = declaration;
    const before = template();
    const flaw = this.coinbaseFlaw(coinbase, allocation);
    if (flaw !== undefined || before === undefined) {
      return flaw ?? { errorCode: ERROR.staleChainTip, details: "" };
    }
    const all = new Map<string, KnownTransaction>();
    const transactions: KnownTransaction[] = [];
    const pause = slices(this.#deps.clock);
    for (const wtxid of wtxids) {
      const key = toHex(wtxid);
      const found = provided.get(key) ?? this.transactions.find(key);
      if (found === undefined) return { errorCode: ERROR.missingTxs, details: `${key} is not here any more` };
      transactions.push(found);
      all.set(key, found);
      await pause();
    }
    const body: DeclaredBody = { prevHash: before.prevHash, version, transactions, wtxids };
    const { validation } = this.#options;
    const structure = validation === "none" ? undefined : structureFlaw(coinbase, body);
    if (structure !== undefined) return { errorCode: ERROR.invalidJob, details: structure };
    const job = declaredJob(coinbase, body);
    if (validation === "node") {
      const time = Math.max(before.curTime, before.minTime);
      const answer = (await propose?.(proposal(job, coinbase.extranonceSize, { time, nBits: before.nBits }))) ?? {
        verdict: "unknown",
        reason: "no node is configured",
      };
      const refused = refusalOf(answer);
      if (refused !== undefined) return refused;
    }
    if (!equal(template()?.prevHash ?? before.prevHash, before.prevHash)) {
      return { errorCode: ERROR.staleChainTip, details: "another block came meanwhile" };
    }
    return this.#keep(client, declaration, job, all, before);
  }

  #keep(
    client: number,
    { allocation, coinbase }: Declaration,
    job: DeclaredJob,
    all: ReadonlyMap<string, KnownTransaction>,
    { height, nBits }: Template,
  ): DeclarationVerdict {
    const { declaredBytes } = this.#options;
    const own = this.#jobs.filter((kept) => kept.client === client);
    if (own.length >= JOBS_PER_CLIENT) this.#forget(own[0] as KeptJob);
    const listBytes = all.size * KEPT_WTXID_BYTES;
    while (this.declaredBytes + this.transactions.added(all) + listBytes > declaredBytes) {
      const [oldest] = this.#jobs;
      if (oldest === undefined) return { errorCode: ERROR.internalError, details: "no room for its transactions" };
      this.#forget(oldest);
    }
    this.transactions.hold(all);
    this.#listBytes += listBytes;
    const { userIdentifier, outputs } = allocation;
    const work: CustomWork = Object.freeze({ userIdentifier, outputs, declared: job });
    const { extranonceSize } = coinbase;
    const wtxids = [...all.keys()];
    this.#jobs.push({ client, work, job, extranonceSize, height, nBits, payoutValue: paid(coinbase), wtxids });
    return { token: this.#tokens.declared(client, work) };
  }

  #forget(kept: KeptJob): void {
    this.#jobs.splice(this.#jobs.indexOf(kept), 1);
    this.transactions.release(kept.wtxids);
    this.#listBytes -= kept.wtxids.length * KEPT_WTXID_BYTES;
    this.#tokens.void(kept.work);
  }
}

function refusalOf(answer: ProposalAnswer): Exclude<DeclarationVerdict, { token: Uint8Array }> | undefined {
  switch (answer.verdict) {
    case "valid":
      return undefined;
    case "stale":
      return { errorCode: ERROR.staleChainTip, details: answer.reason };
    case "invalid":
      return { errorCode: ERROR.invalidJob, details: answer.reason };
    case "unknown":
      return { errorCode: ERROR.internalError, details: answer.reason };
  }
}

function paid({ outputs }: DeclaredCoinbase): bigint {
  return outputs.reduce((sum, { value }) => sum + value, 0n);
}

/** Gives others their turn whenever a slice is over. */
export function slices(clock: Clock): () => Promise<void> | undefined {
  let sinceMs = clock.monotonicMs();
  return () => {
    if (clock.monotonicMs() - sinceMs < SLICE_MS) return undefined;
    return sleep(clock, 0).then(() => {
      sinceMs = clock.monotonicMs();
    });
  };
}
