/** Pools whose connections do what a test says: no socket, every attempt kept. */

import { opReturn } from "../../src/bitcoin/script.ts";
import type { ServerAddress } from "../../src/client/url.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { buildJob, type Job } from "../../src/mining/job.ts";
import type { TemplateCause } from "../../src/mining/ports.ts";
import type { PreparedJob } from "../../src/mining/prepared-job.ts";
import type { PoolChannel, PoolChannelWish, UpstreamAnswer, UpstreamShare } from "../../src/mining/upstream-ports.ts";
import type { ConnectPool, PoolPeer } from "../../src/upstream/peer.ts";
import type {
  PoolConnectionEnd,
  PoolConnectionListener,
  PoolConnectionState,
  UpstreamPool,
} from "../../src/upstream/pool-connection.ts";
import { makeTemplate } from "./fake-chain.ts";

/** A pool as configured, by its name. */
export function poolNamed(name: string): UpstreamPool {
  const address: ServerAddress = { transport: "tcp", host: `${name}.example.com`, port: 3333, noise: true };
  return { name, url: `stratum2+tcp://${name}.example.com:3333`, address, userIdentity: "account" };
}

let lastJobId = 1000;

/** A job of a pool, on the previous block that `height` stands for. */
export function poolJobOf(pool: string, connection: number, poolJobId: number, height = 100): Job {
  const template = { ...makeTemplate({ height, prevHash: new Uint8Array(32).fill(height) }), source: pool };
  const payout = (value: bigint) => [{ value, script: opReturn(new Uint8Array(1)) }];
  const job = buildJob({ template, payout, tag: new Uint8Array(0), jobId: ++lastJobId, nowMs: 0 });
  const target = new Uint8Array(32).fill(0xff);
  return Object.freeze({ ...job, pool: { pool, connection, channelId: 1, jobId: poolJobId, target, difficulty: 1 } });
}

/** One attempt to reach a pool. */
export class FakePeer implements PoolPeer {
  readonly pool: UpstreamPool;
  readonly connection: number;
  readonly shares: UpstreamShare[] = [];
  readonly hashrates: number[] = [];
  readonly wishes: { wish: PoolChannelWish; give: (work: PreparedJob) => void; isClosed: boolean }[] = [];
  #listener: PoolConnectionListener | undefined;
  #resolve: ((end: PoolConnectionEnd) => void) | undefined;
  #job: Job | undefined;
  /** Whether it was ended by us. */
  isEnded = false;

  constructor(pool: UpstreamPool, connection: number) {
    this.pool = pool;
    this.connection = connection;
  }

  run(listener: PoolConnectionListener, signal: AbortSignal): Promise<PoolConnectionEnd> {
    this.#listener = listener;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      signal.addEventListener("abort", () => {
        this.isEnded = true;
        resolve({ reason: "stopped", fault: undefined, moveTo: undefined });
      });
    });
  }

  /** The pool is set up, with a first job unless each miner has a channel. */
  ready(hasJob = true): Job | undefined {
    const job = hasJob ? poolJobOf(this.pool.name, this.connection, 1) : undefined;
    this.#job = job;
    this.#listener?.onReady();
    if (job !== undefined) this.#listener?.onJob(job, "newBlock");
    return job;
  }

  /** Another job of it. */
  job(poolJobId: number, cause: TemplateCause = "refresh"): Job {
    const job = poolJobOf(this.pool.name, this.connection, poolJobId);
    this.#job = job;
    this.#listener?.onJob(job, cause);
    return job;
  }

  /** The pool is gone. */
  async lose(reason = "the server closed the connection", moveTo?: ServerAddress): Promise<void> {
    this.#resolve?.({ reason, fault: new Fault("server-unreachable", { reason }), moveTo });
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  currentJob(): Job | undefined {
    return this.#job;
  }

  announceHashrate(hashesPerSecond: number): void {
    this.hashrates.push(hashesPerSecond);
  }

  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    this.shares.push(share);
    answer(undefined);
    return true;
  }

  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel {
    let newest: PreparedJob | undefined;
    const kept = {
      wish,
      isClosed: false,
      give: (work: PreparedJob) => {
        newest = work;
        onWork(work);
      },
    };
    this.wishes.push(kept);
    return {
      current: () => newest,
      update: (change) => {
        kept.wish = { ...kept.wish, ...change };
      },
      close: () => {
        kept.isClosed = true;
      },
    };
  }

  state(): PoolConnectionState {
    const shares = { sent: this.shares.length, accepted: this.shares.length, refused: 0, unanswered: 0, waiting: 0 };
    return {
      stage: "ready",
      isKeyChecked: true,
      extensions: [],
      channels: 1,
      extranonceSize: 20,
      difficulty: 1,
      shares,
    };
  }
}

/** All attempts, in order, and who makes them. */
export function fakePeers(): { readonly made: FakePeer[]; readonly connect: ConnectPool } {
  const made: FakePeer[] = [];
  return {
    made,
    connect: (pool, connection) => {
      const peer = new FakePeer(pool, connection);
      made.push(peer);
      return peer;
    },
  };
}
