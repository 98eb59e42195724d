/**
 * One connection to one pool, from dialling to its end: it is set up, its channels are opened, the pool's jobs come in as ours and shares
 * go up. Which pool is connected to, and when again, is decided elsewhere (`pools.ts`).
 */
import type { Dial } from "../client/link.ts";
import type { ServerAddress } from "../client/url.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Random } from "../kernel/random.ts";
import type { Job } from "../mining/job.ts";
import type { TemplateCause } from "../mining/ports.ts";
import type { PreparedJob } from "../mining/prepared-job.ts";
import type {
  PoolChannel,
  PoolChannels,
  PoolChannelWish,
  UpstreamAnswer,
  UpstreamShare,
  UpstreamShares,
} from "../mining/upstream-ports.ts";
import type { NoiseCrypto } from "../sv2/noise/crypto.ts";

/** A pool to connect to. */
export interface UpstreamPool {
  /** Name in jobs, logs and metrics. */
  readonly name: string;
  /** The address as configured. */
  readonly url: string;
  readonly address: ServerAddress;
  /** Whom the pool credits. */
  readonly userIdentity: string;
}

/** What a connection works with. */
export interface PoolConnectionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly crypto: NoiseCrypto;
  readonly dial: Dial;
  /** The one source of job ids of the process. */
  readonly jobIds: { next(): number };
}

/** How a connection behaves. */
export interface PoolConnectionOptions {
  /** Its number, unique in the process. */
  readonly connection: number;
  /** One channel for everybody below, or one for each channel below. */
  readonly channels: "aggregated" | "per_miner";
  /** Extranonce bytes that channels below roll; pools are asked for 4 more. */
  readonly rollableBytes: number;
  /** Whether to ask for extension 0x0002 and to name the worker of every share. */
  readonly workerNames: boolean;
  /** Version bits that miners roll where a job allows it; with 0 version rolling is not required. */
  readonly versionRollingMask: number;
  /** From dialling to the first active job, or with `per_miner` to SetupConnection.Success, ms. */
  readonly connectTimeoutMs: number;
  /** Silence after which the pool is taken for gone, ms. */
  readonly idleTimeoutMs: number;
}

/** What a connection tells. */
export interface PoolConnectionListener {
  /** It is usable: with `aggregated` the channel is open and has a job, with `per_miner` it is set up. Called once at most. */
  onReady(): void;
  /** `aggregated`: another job; the first right after `onReady`. */
  onJob(job: Job, cause: TemplateCause): void;
  /** A share that was sent up solves a Bitcoin block. */
  onBlock?(share: UpstreamShare): void;
}

/** How a connection ended. */
export interface PoolConnectionEnd {
  /** In a few words. */
  readonly reason: string;
  /** What went wrong; `undefined` where the pool just closed the connection, or we did. */
  readonly fault: Fault | undefined;
  /** Where the pool sent us (Reconnect, spec 3.6.5), judged already; its key stays the same. */
  readonly moveTo: ServerAddress | undefined;
}

/** What `doctor` and `status` show. */
export interface PoolConnectionState {
  readonly stage: "new" | "dialling" | "setup" | "extensions" | "opening" | "waiting" | "ready" | "ended";
  /** Extensions in use. */
  readonly extensions: readonly number[];
  /** Channels that are open at the pool. */
  readonly channels: number;
  /** `aggregated`: extranonce bytes that the pool left to us. */
  readonly extranonceSize: number | undefined;
  /** `aggregated`: difficulty of shares that the pool wants for its next job. */
  readonly difficulty: number | undefined;
  readonly shares: {
    readonly sent: number;
    readonly accepted: number;
    readonly refused: number;
    readonly unanswered: number;
    readonly waiting: number;
  };
}

/** One connection; one object serves one. */
export class PoolConnection implements UpstreamShares, PoolChannels {
  readonly #deps: PoolConnectionDeps;
  readonly #pool: UpstreamPool;
  readonly #options: PoolConnectionOptions;

  constructor(deps: PoolConnectionDeps, pool: UpstreamPool, options: PoolConnectionOptions) {
    this.#deps = deps;
    this.#pool = pool;
    this.#options = options;
  }

  /** Connects and serves until the end; `signal` ends it with CloseChannel. Never rejects. */
  async run(_listener: PoolConnectionListener, _signal: AbortSignal): Promise<PoolConnectionEnd> {
    this.#deps.log.debug("a connection to a pool begins", { pool: this.#pool.name, ...this.#options });
    return { reason: "not connected", fault: undefined, moveTo: undefined };
  }

  /** `aggregated`: the newest job; `undefined` before the first and after the end. */
  currentJob(): Job | undefined {
    return undefined;
  }

  /** `aggregated`: tells the pool what is below, when it changed by more than 20 %. May be called at any time. */
  announceHashrate(_hashesPerSecond: number): void {}

  /** As the port says. */
  submit(_share: UpstreamShare, _answer: (said: UpstreamAnswer) => void): boolean {
    return false;
  }

  /** As the port says; `per_miner` only. */
  open(_wish: PoolChannelWish, _onWork: (work: PreparedJob) => void): PoolChannel {
    return { current: () => undefined, update() {}, close() {} };
  }

  /** What `doctor` and `status` show. */
  state(): PoolConnectionState {
    return {
      stage: "new",
      extensions: [],
      channels: 0,
      extranonceSize: undefined,
      difficulty: undefined,
      shares: { sent: 0, accepted: 0, refused: 0, unanswered: 0, waiting: 0 },
    };
  }
}
