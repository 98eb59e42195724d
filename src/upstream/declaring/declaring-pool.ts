/**
 * One connection to a pool that is mined for with jobs of ours (Job Declaration Client, spec 6): templates of our own source, the outputs that the pool wants,
 * and the commitments of every chain. It is a pool like any other to those who choose among pools: jobs come out of it, shares go in.
 *
 * - After a new block a job is mined at once, and its shares wait until the pool has said how it calls the job. All others are mined when it has.
 * - What the pool refuses is not mined: its own job is, if it sends some on this connection; else the connection is left, and the pool is mined for with
 *   its own jobs for a while (`choice.ts`).
 * - A block goes to the pool, to its job declaration server and to our own nodes, all at once.
 */

import { sha256d } from "../../bitcoin/hash.ts";
import { headerHash, serializeHeader } from "../../bitcoin/header.ts";
import { foldMerklePath } from "../../bitcoin/merkle.ts";
import type { ServerAddress } from "../../client/url.ts";
import { concat, equal } from "../../kernel/bytes.ts";
import { sleep, type Timer } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { LiveCommitments } from "../../merge/live-commitments.ts";
import { foundBlock } from "../../mining/found-block.ts";
import type { Job } from "../../mining/job.ts";
import type { PoolWork } from "../../mining/pool-work.ts";
import type { FoundBlock, TemplateCause } from "../../mining/ports.ts";
import type { PreparedJob } from "../../mining/prepared-job.ts";
import type { Template } from "../../mining/template.ts";
import type { PoolChannel, PoolChannelWish, UpstreamAnswer, UpstreamShare } from "../../mining/upstream-ports.ts";
import type { CustomJobAnswer } from "../channels.ts";
import { Declarator, type DeclaratorOptions, type Token } from "../declaration/declarator.ts";
import { countedOutputs, declaredHalves, scriptBeforeExtranonce } from "../declaration/declared-coinbase.ts";
import type { PoolPeer } from "../peer.ts";
import {
  PoolConnection,
  type PoolConnectionDeps,
  type PoolConnectionEnd,
  type PoolConnectionListener,
  type PoolConnectionOptions,
  type UpstreamPool,
} from "../pool-connection.ts";
import type { UpstreamChannel } from "../upstream-channel.ts";
import { type Declared, declaredJob, type OwnWork } from "./declared-job.ts";

/** Shares of one job that wait for the pool's word on it. */
const MAX_WAITING_SHARES = 512;

/** Jobs that shares may come for. */
const MAX_JOBS = 32;

/** New work of chains, and other transactions, are declared this often at most, ms: each costs the pool a validation. */
const LEAST_GAP_MS = 1_000;

/** Pauses between two attempts to reach the job declaration server, ms. */
const FIRST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;

/** A pool that has not seen a block of ours is asked again after this time, ms. */
const ASK_AGAIN_MS = 500;

/** What our coinbases leave for the pool's own chains, where it names some. */
const ROOM = { scriptSigBytes: 45, outputBytes: 400 } as const;

const NO_SCRIPT = new Uint8Array(0);

/** What `DeclaringPool` works with. */
export interface DeclaringPoolDeps extends PoolConnectionDeps {
  readonly work: OwnWork;
  /** Takes blocks that pay the pool, for our own nodes. */
  readonly blocks: (found: FoundBlock) => void;
  /** The pool does not take our jobs. */
  readonly onRefused: (reason: string) => void;
}

/** Options of `DeclaringPool`. */
export interface DeclaringPoolOptions extends PoolConnectionOptions {
  /** The pool's job declaration server. */
  readonly jds: ServerAddress;
  readonly mode: DeclaratorOptions["mode"];
  /** Bytes in the coinbase script that name us. */
  readonly tag: Uint8Array;
}

/** The connection. */
export class DeclaringPool implements PoolPeer {
  readonly #deps: DeclaringPoolDeps;
  readonly #pool: UpstreamPool;
  readonly #options: DeclaringPoolOptions;
  readonly #connection: PoolConnection;
  /** By their work, the oldest first. */
  readonly #jobs = new Map<PoolWork, Declared>();
  /** What waits for an answer to SetCustomMiningJob, by request id. */
  readonly #requests = new Map<number, Declared>();
  #declarator: Declarator | undefined;
  #channel: UpstreamChannel | undefined;
  #poolJob: Job | undefined;
  #foreign: LiveCommitments | undefined;
  #requestId = 0;
  /** The previous block of the newest job that miners were given. */
  #mined: Uint8Array | undefined;
  #declaredMs = Number.NEGATIVE_INFINITY;
  #later: Timer | undefined;
  #isOver = false;
  #trouble: string | undefined;

  constructor(deps: DeclaringPoolDeps, pool: UpstreamPool, options: DeclaringPoolOptions) {
    this.#deps = deps;
    this.#pool = pool;
    this.#options = options;
    this.#connection = new PoolConnection(deps, pool, {
      ...options,
      channels: "aggregated",
      custom: {
        onChannel: (channel) => this.#onChannel(channel),
        onPoolJob: (job, cause) => this.#onPoolJob(job, cause),
        onAnswer: (answer) => this.#onAnswer(answer),
      },
    });
  }

  /** As the port says. */
  async run(listener: PoolConnectionListener, signal: AbortSignal): Promise<PoolConnectionEnd> {
    const { work, log } = this.#deps;
    const over = new AbortController();
    const subscriptions = [
      work.onTemplate((_, cause) => this.#declare(cause)),
      work.onWork(() => this.#declare("aux")),
    ];
    const declaring = this.#keepDeclarator(over.signal);
    const end = await this.#connection.run(listener, signal);
    this.#isOver = true;
    for (const unsubscribe of subscriptions) unsubscribe();
    this.#later?.cancel();
    over.abort();
    await declaring.catch((error) => log.error(`declaring failed: ${describe(error)}`, { error }));
    for (const declared of this.#jobs.values()) this.#drop(declared, null);
    return end;
  }

  /** As the port says. */
  currentJob(): Job | undefined {
    return this.#connection.currentJob();
  }

  /** As the port says. */
  announceHashrate(hashesPerSecond: number): void {
    this.#connection.announceHashrate(hashesPerSecond);
  }

  /** As the port says. */
  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const declared = this.#jobs.get(share.work);
    if (declared === undefined) return this.#connection.submit(share, answer);
    if (share.block) this.#block(share, declared);
    if (declared.state === "set") return this.#relay(declared, share, answer);
    if (declared.state === "refused" || declared.waiting.length >= MAX_WAITING_SHARES) return false;
    declared.waiting.push({ share, answer });
    return true;
  }

  /** One channel serves everybody below: throws as `PoolConnection.open`. */
  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel {
    return this.#connection.open(wish, onWork);
  }

  /** What `doctor` and `status` show. */
  state(): ReturnType<PoolConnection["state"]> & { readonly declaring: object } {
    const chains = this.currentJob()?.aux?.chains ?? [];
    const isOurs = this.currentJob()?.pool !== undefined && this.#jobs.has(this.currentJob()?.pool as PoolWork);
    const declaring = { isReady: this.#declarator?.isReady ?? false, isOurs, chains, trouble: this.#trouble };
    return { ...this.#connection.state(), declaring };
  }

  // The job declaration server

  async #keepDeclarator(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const { name, userIdentity: userIdentifier } = this.#pool;
    const { jds: address, mode, connectTimeoutMs } = this.#options;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const declarator = new Declarator(this.#deps, {
        pool: name,
        address,
        userIdentifier,
        mode,
        connectTimeoutMs,
        answerTimeoutMs: 30_000,
        room: ROOM,
      });
      this.#declarator = declarator;
      const sinceMs = clock.monotonicMs();
      const end = await declarator.run(
        {
          onToken: () => {
            this.#trouble = undefined;
            if (this.#isBehind()) this.#declare("newBlock");
          },
          onCommitments: (now) => {
            this.#foreign = now;
            if (!this.#deps.work.hasChains()) this.#declare("aux");
          },
        },
        signal,
      );
      this.#foreign = undefined;
      if (signal.aborted) return;
      if (clock.monotonicMs() - sinceMs > MOST_PAUSE_MS) pauseMs = FIRST_PAUSE_MS;
      this.#trouble = end.reason;
      log.warn(`pool ${name}: job declaration: ${end.reason}${end.fault === undefined ? "" : `. ${end.fault.help}`}`, {
        pool: name,
        error: end.fault,
      });
      // Whatever the pool gives itself is better than nothing to mine.
      this.#fallBack(end.reason, end.fault?.code === "upstream-declaration-refused");
      await sleep(clock, pauseMs, signal).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, MOST_PAUSE_MS);
    }
  }

  // Jobs

  #onChannel(channel: UpstreamChannel): void {
    this.#channel = channel;
    this.#declare("newBlock");
  }

  #onPoolJob(job: Job, cause: TemplateCause): void {
    this.#poolJob = job;
    // Ours come first; the pool's is mined while there are none, or when ours are of an older block and no better can be declared.
    const current = this.currentJob();
    const isOurs = current?.pool !== undefined && this.#jobs.has(current.pool);
    if (!isOurs && this.#declarator?.isReady !== true) this.#mine(job, cause);
  }

  /** Whether miners lack a job of ours on the newest block. */
  #isBehind(): boolean {
    const template = this.#deps.work.current();
    if (template === undefined) return false;
    const current = this.currentJob();
    const isOurs = current?.pool !== undefined && this.#jobs.has(current.pool);
    return !isOurs || this.#mined === undefined || !equal(this.#mined, template.prevHash);
  }

  /** Declares a job of the newest template, at once after a new block, else when enough time has passed. */
  #declare(cause: TemplateCause): void {
    if (this.#isOver || this.#channel === undefined || this.#channel.isClosed) return;
    const isUrgent = cause === "newBlock" || this.#isBehind();
    const waitMs = this.#declaredMs + LEAST_GAP_MS - this.#deps.clock.monotonicMs();
    if (!isUrgent && waitMs > 0) {
      this.#later ??= this.#deps.clock.after(waitMs, () => {
        this.#later = undefined;
        this.#declare(cause);
      });
      return;
    }
    const template = this.#deps.work.current();
    const declarator = this.#declarator;
    if (template === undefined || declarator?.isReady !== true) return;
    const token = declarator.takeToken();
    if (token === undefined) return;
    this.#declaredMs = this.#deps.clock.monotonicMs();
    this.#declareUnder(declarator, token, template, this.#channel, isUrgent ? "newBlock" : cause).catch(
      (error: unknown) => this.#deps.log.error(`a job could not be declared: ${describe(error)}`, { error }),
    );
  }

  async #declareUnder(
    declarator: Declarator,
    token: Token,
    template: Template,
    channel: UpstreamChannel,
    cause: TemplateCause,
  ): Promise<void> {
    const isNewBlock = this.#mined === undefined || !equal(this.#mined, template.prevHash);
    const declared = this.#build(template, token, channel, isNewBlock ? "refresh" : cause);
    if (declared === undefined) return;
    this.#remember(declared);
    // A block later than what is mined is not waited for.
    if (isNewBlock) this.#mine(declared.job, cause);
    await this.#ask(declarator, token, declared);
  }

  /** Declares a job and sets it. */
  async #ask(declarator: Declarator, { token }: Token, declared: Declared): Promise<void> {
    const { whole, template, job } = declared;
    let jobToken = token;
    if (this.#options.mode === "full_template") {
      const transactions = template.transactions ?? (await this.#deps.work.transactionsOf(template));
      if (transactions === undefined) {
        this.#refused(declared, "the template's transactions are not here any more", "");
        return;
      }
      const { prefix: coinbasePrefix, suffix: coinbaseSuffix } = declaredHalves(whole);
      const wtxids = template.wtxids ?? transactions.map((raw) => sha256d(raw));
      const { version } = whole;
      const answer = await declarator.declare({ token, version, coinbasePrefix, coinbaseSuffix, wtxids, transactions });
      if (this.#isOver) return;
      if ("errorCode" in answer) {
        this.#refused(declared, answer.errorCode, answer.details);
        return;
      }
      jobToken = answer.token;
    }
    this.#requestId += 1;
    this.#requests.set(this.#requestId, declared);
    const { coinbase } = template;
    this.#connection.setCustomJob({
      channelId: (job.pool as PoolWork).channelId,
      requestId: this.#requestId,
      miningJobToken: jobToken,
      version: whole.version,
      prevHash: whole.prevHash,
      minNtime: whole.minTime,
      nbits: whole.nBits,
      coinbaseTxVersion: coinbase.txVersion,
      coinbasePrefix: scriptBeforeExtranonce(whole),
      coinbaseTxInputNSequence: coinbase.sequence,
      coinbaseTxOutputs: countedOutputs([...declared.outputs, ...whole.commitmentOutputs, ...coinbase.outputs]),
      coinbaseTxLocktime: coinbase.lockTime,
      merklePath: whole.merklePath,
    });
  }

  /** Asks for a job that is mined and that the pool has given no word on: it has its block later than we, or was out of reach. */
  #askAgain(declared: Declared): void {
    const declarator = this.#declarator;
    if (this.#isOver || declared.state !== "waiting") return;
    if (!this.#isMinedOnTip(declared) || this.#deps.clock.monotonicMs() >= declared.askUntilMs) {
      this.#drop(declared, null);
      if (this.currentJob() === declared.job) this.#fallBack("its job declaration server is away", false);
      return;
    }
    const token = declarator?.takeToken();
    if (declarator === undefined || token === undefined) {
      this.#deps.clock.after(ASK_AGAIN_MS, () => this.#askAgain(declared));
      return;
    }
    const isSame =
      token.outputs.length === declared.outputs.length &&
      token.outputs.every(({ script }, i) => equal(script, declared.outputs[i]?.script ?? NO_SCRIPT));
    if (!isSame) {
      // Its coinbase does not fit this token.
      this.#drop(declared, null);
      this.#declare("newBlock");
      return;
    }
    this.#ask(declarator, token, declared).catch((error: unknown) =>
      this.#deps.log.error(`a job could not be declared: ${describe(error)}`, { error }),
    );
  }

  #isMinedOnTip({ job }: Declared): boolean {
    const newest = this.#deps.work.current();
    return this.currentJob() === job && newest !== undefined && equal(newest.prevHash, job.prevHash);
  }

  /** `undefined`, with a word in the log, when there is none. */
  #build(template: Template, token: Token, channel: UpstreamChannel, cause: TemplateCause): Declared | undefined {
    const { name: pool } = this.#pool;
    try {
      return declaredJob(
        { ...this.#deps, foreign: this.#foreign },
        { ...this.#options, pool, template, token, channel, cause },
      );
    } catch (error) {
      this.#deps.log.error(`no job could be made for pool ${pool}: ${describe(error)}`, { error });
      return undefined;
    }
  }

  #remember(declared: Declared): void {
    this.#jobs.set(declared.job.pool as PoolWork, declared);
    for (const [work, oldest] of this.#jobs) {
      if (this.#jobs.size <= MAX_JOBS) return;
      this.#jobs.delete(work);
      this.#drop(oldest, null);
    }
  }

  #onAnswer(answer: CustomJobAnswer): void {
    const declared = this.#requests.get(answer.requestId);
    if (declared === undefined) return;
    this.#requests.delete(answer.requestId);
    if ("errorCode" in answer) {
      this.#refused(declared, answer.errorCode, "");
      return;
    }
    declared.state = "set";
    declared.poolJobId = answer.jobId;
    for (const { share, answer: say } of declared.waiting.splice(0)) {
      if (!this.#relay(declared, share, say)) say(null);
    }
    const newest = this.#deps.work.current();
    const isLate = newest !== undefined && !equal(newest.prevHash, declared.job.prevHash);
    if (!isLate && this.currentJob() !== declared.job) this.#mine(declared.job, declared.cause);
  }

  /** The pool does not take a job. */
  #refused(declared: Declared, errorCode: string, details: string): void {
    const { log, clock } = this.#deps;
    // Behind us, or out of reach for a moment: no word on the job itself.
    const isStale = errorCode === "stale-chain-tip" || errorCode === "connection-lost" || errorCode === "too-many";
    if (isStale && this.#isMinedOnTip(declared) && clock.monotonicMs() < declared.askUntilMs) {
      const { height } = declared.template;
      log.debug(`pool ${this.#pool.name} is asked for our job again: ${errorCode}`, { height });
      clock.after(ASK_AGAIN_MS, () => this.#askAgain(declared));
      return;
    }
    this.#drop(declared, null);
    const words = `pool ${this.#pool.name} does not take a job of ours: ${errorCode}${details === "" ? "" : ` (${details})`}`;
    log[isStale ? "info" : "warn"](words, { pool: this.#pool.name, errorCode, details });
    this.#trouble = words;
    if (isStale) {
      // The next template, or its next token, mends it; until then what was mined goes on.
      if (this.currentJob() === declared.job) this.#fallBack(words, false);
      return;
    }
    this.#fallBack(words, true);
  }

  /** Mines the pool's own job, if there is one; else the connection is of no use, where `isFinal`, or where nothing was ever mined on it. */
  #fallBack(reason: string, isFinal: boolean): void {
    const job = this.#poolJob;
    const template = this.#deps.work.current();
    if (job !== undefined && (template === undefined || equal(job.prevHash, template.prevHash))) {
      if (this.currentJob() !== job) this.#mine(job, "newBlock");
      return;
    }
    if (!isFinal && this.currentJob() !== undefined && !this.#isBehind()) return;
    if (!isFinal && this.currentJob() === undefined) return;
    if (this.#isOver) return;
    this.#deps.onRefused(reason);
    this.#connection.leave(
      new Fault("upstream-declaration-refused", { pool: this.#pool.name, errorCode: "", details: reason }),
    );
  }

  #mine(job: Job, cause: TemplateCause): void {
    const isSame = this.#mined !== undefined && equal(this.#mined, job.prevHash);
    this.#mined = job.prevHash;
    this.#connection.mine(job, isSame ? cause : "newBlock");
  }

  // Shares

  #relay(declared: Declared, share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const work: PoolWork = { ...share.work, jobId: declared.poolJobId };
    return this.#connection.submit({ ...share, work }, answer);
  }

  /** A job that will never have a name at the pool: its shares get no answer. */
  #drop(declared: Declared, said: UpstreamAnswer): void {
    if (declared.state === "waiting") declared.state = "refused";
    for (const { answer } of declared.waiting.splice(0)) answer(said);
  }

  #block(share: UpstreamShare, { job, extranoncePrefix }: Declared): void {
    const { version, ntime, nonce, extranonce } = share;
    const { prevHash, nBits: nbits } = job;
    const stripped = concat(job.coinbasePrefix, extranonce, job.coinbaseSuffix);
    const merkleRoot = foldMerklePath(sha256d(stripped), job.merklePath);
    const header = serializeHeader({ version, prevHash, merkleRoot, time: ntime, nBits: nbits, nonce });
    const found = { job, header, hash: headerHash(header), extranonce, nowMs: this.#deps.clock.nowMs() };
    this.#declarator?.pushSolution({
      extranonce: concat(extranoncePrefix, extranonce),
      prevHash,
      nonce,
      ntime,
      nbits,
      version,
    });
    this.#deps.blocks(foundBlock({ ...found, userIdentity: share.userIdentity }));
  }
}
