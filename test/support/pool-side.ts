/**
 * Pools above a server, as its mining core sees them: tests decide what they send and when they answer. What comes up is put together by the pool's own
 * fields, as a pool would, and shares nothing with the code under test but the hash.
 */
import { coinbaseHalves, heightPush } from "../../src/bitcoin/coinbase.ts";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { serializeHeader } from "../../src/bitcoin/header.ts";
import { foldMerklePath } from "../../src/bitcoin/merkle.ts";
import { difficultyOfTarget, targetToBytes } from "../../src/bitcoin/target.ts";
import { concat, utf8 } from "../../src/kernel/bytes.ts";
import type { Unsubscribe } from "../../src/kernel/events.ts";
import type { Job } from "../../src/mining/job.ts";
import { type PoolJobParts, poolJob } from "../../src/mining/pool-job.ts";
import type { JobFeed, TemplateCause } from "../../src/mining/ports.ts";
import { type PreparedJob, prepared } from "../../src/mining/prepared-job.ts";
import type {
  PoolChannel,
  PoolChannels,
  PoolChannelWish,
  UpstreamAnswer,
  UpstreamShare,
  UpstreamShares,
} from "../../src/mining/upstream-ports.ts";
import { HARD_BITS } from "./fake-chain.ts";
import { seededRandom } from "./seeded-random.ts";

/** Share target of pools, about that of a test's channel: nearly every share is the pool's too. */
export const POOL_TARGET = 2n ** 256n / 100n;

/** What a test may say about a pool's job. */
export interface PoolJobWish {
  readonly jobId: number;
  readonly prevHash: Uint8Array;
  /** Share target. */
  readonly target?: bigint;
  readonly nBits?: number;
  readonly minTime?: number;
  readonly extranonceSize?: number;
  /** The pool's own prefix. */
  readonly extranoncePrefix?: Uint8Array;
  readonly channelId?: number;
  readonly versionRollingAllowed?: boolean;
}

/** A share that came up and waits for its answer. */
export interface SentShare {
  readonly share: UpstreamShare;
  answer(said: UpstreamAnswer): void;
}

/** One connection to one pool. */
export class PoolSide {
  readonly name: string;
  readonly connection: number;
  readonly extranonceSize: number;
  /** Whether shares can be sent there. */
  isThere = true;
  /** All that were sent. */
  readonly shares: UpstreamShare[] = [];
  /** Those that wait, the oldest first. */
  readonly waiting: SentShare[] = [];
  readonly #announced = new Map<number, PoolJobParts>();
  #jobId = 0;

  constructor(name: string, connection: number, extranonceSize: number) {
    this.name = name;
    this.connection = connection;
    this.extranonceSize = extranonceSize;
  }

  /** A job of this pool. */
  job(wish: PoolJobWish): Job {
    const { prevHash, target = POOL_TARGET, nBits = HARD_BITS, minTime = 1_700_000_000, channelId = 4 } = wish;
    const { extranonceSize = this.extranonceSize, extranoncePrefix = Uint8Array.of(0xaa, this.connection) } = wish;
    this.#jobId += 1;
    const random = seededRandom(1000 * this.connection + this.#jobId);
    const tag = utf8(`/${this.name}/`);
    const { prefix: coinbaseTxPrefix, suffix: coinbaseTxSuffix } = coinbaseHalves({
      txVersion: 2,
      scriptSigPrefix: concat(heightPush(500), Uint8Array.of(tag.length), tag),
      extranonceSize: extranoncePrefix.length + extranonceSize,
      sequence: 0xffffffff,
      outputs: [{ value: 5n, script: random.bytes(22) }],
      lockTime: 0,
    });
    const work = Object.freeze({
      pool: this.name,
      connection: this.connection,
      channelId,
      jobId: this.#jobId,
      target: targetToBytes(target),
      difficulty: difficultyOfTarget(target),
    });
    const { versionRollingAllowed = true } = wish;
    const merklePath = [random.bytes(32), random.bytes(32)];
    const version = 0x20000000;
    const announced = {
      minNtime: null,
      version,
      versionRollingAllowed,
      merklePath,
      coinbaseTxPrefix,
      coinbaseTxSuffix,
    };
    const parts: PoolJobParts = {
      announced,
      tip: { prevHash, minNtime: minTime, nbits: nBits },
      extranoncePrefix,
      extranonceSize,
      work,
      jobId: wish.jobId,
      nowMs: minTime * 1000,
    };
    this.#announced.set(this.#jobId, parts);
    return poolJob(parts);
  }

  /** The header hash that a share comes to here, internal byte order. */
  hashOf({ work, version, ntime, nonce, extranonce }: UpstreamShare): Uint8Array {
    const parts = this.#announced.get(work.jobId);
    if (parts === undefined) throw new Error(`${this.name} has no job ${work.jobId}`);
    const { announced, tip, extranoncePrefix } = parts;
    const { coinbaseTxPrefix, coinbaseTxSuffix, merklePath } = announced;
    const coinbase = concat(coinbaseTxPrefix, extranoncePrefix, extranonce, coinbaseTxSuffix);
    const merkleRoot = foldMerklePath(sha256d(coinbase), merklePath);
    const header = { version, prevHash: tip.prevHash, merkleRoot, time: ntime, nBits: tip.nbits, nonce };
    return sha256d(serializeHeader(header));
  }

  /** Answers the oldest waiting share, or the one at `at`. */
  answer(said: UpstreamAnswer, at = 0): void {
    this.waiting.splice(at, 1)[0]?.answer(said);
  }

  /** The connection ends: nobody will answer any more. */
  end(): void {
    this.isThere = false;
    for (const { answer } of this.waiting.splice(0)) answer(null);
  }
}

/** All pools. Each share must go to the connection of its job. */
export class PoolSides implements UpstreamShares {
  readonly #sides: readonly PoolSide[];

  constructor(...sides: readonly PoolSide[]) {
    this.#sides = sides;
  }

  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    const side = this.#sides.find(({ connection }) => connection === share.work.connection);
    if (side?.isThere !== true) return false;
    side.shares.push(share);
    side.waiting.push({ share, answer });
    return true;
  }
}

/** Jobs on command, as the mining server takes them. */
export class FakeJobFeed implements JobFeed {
  readonly #listeners = new Set<(job: Job, cause: TemplateCause) => void>();
  #current: Job | undefined;

  current(): Job | undefined {
    return this.#current;
  }

  onJob(listener: (job: Job, cause: TemplateCause) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Offers a job. */
  give(job: Job): void {
    this.#current = job;
    for (const listener of this.#listeners) listener(job, "newBlock");
  }
}

/** A channel at the pool as the server asked for it. */
export class FakePoolChannel implements PoolChannel {
  readonly wish: PoolChannelWish;
  readonly updates: Pick<PoolChannelWish, "nominalHashrate" | "maxTarget">[] = [];
  readonly #onWork: (work: PreparedJob) => void;
  isClosed = false;
  #work: PreparedJob | undefined;

  constructor(wish: PoolChannelWish, onWork: (work: PreparedJob) => void) {
    this.wish = wish;
    this.#onWork = onWork;
  }

  current(): PreparedJob | undefined {
    return this.#work;
  }

  update(wish: Pick<PoolChannelWish, "nominalHashrate" | "maxTarget">): void {
    this.updates.push(wish);
  }

  close(): void {
    this.isClosed = true;
  }

  /** The pool gives this channel a job. */
  give(job: Job): void {
    this.#work = prepared(job);
    this.#onWork(this.#work);
  }

  /** It has this job already when it is opened. */
  has(job: Job): void {
    this.#work = prepared(job);
  }
}

/** A pool where each channel below has one of its own. */
export class FakePoolChannels implements PoolChannels {
  readonly opened: FakePoolChannel[] = [];
  /** What a new channel has at once. */
  first: (() => Job) | undefined;

  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): FakePoolChannel {
    const channel = new FakePoolChannel(wish, onWork);
    if (this.first !== undefined) channel.has(this.first());
    this.opened.push(channel);
    return channel;
  }
}
