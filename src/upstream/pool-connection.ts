/**
 * One connection to one pool, from dialling to its end: it is set up, its channels are opened, the pool's jobs come in as ours and shares
 * go up. Which pool is connected to, and when again, is decided elsewhere (`pools.ts`).
 */
import type { Dial } from "../client/link.ts";
import { runSession } from "../client/session.ts";
import type { ServerAddress } from "../client/url.ts";
import { withSignals } from "../kernel/abort.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { peerText } from "../kernel/peer-text.ts";
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
import { WORKER_TRACKING_TYPE } from "../sv2/messages/extensions.ts";
import { type MINING, mining } from "../sv2/messages/mining.ts";
import type { NoiseCrypto } from "../sv2/noise/crypto.ts";
import { NoiseInitiator } from "../sv2/noise/handshake.ts";
import type { Value } from "../sv2/table.ts";
import { type CustomJobAnswer, UpstreamChannels } from "./channels.ts";
import { UpstreamConversation } from "./conversation.ts";
import { Ending } from "./ending.ts";
import { FarmChannel } from "./farm-channel.ts";
import { MinerChannels } from "./miner-channels.ts";
import { reconnectAddress } from "./reconnects.ts";
import { PoolSetup } from "./setup.ts";
import { type ShareCounts, ShareTally } from "./share-tally.ts";
import { Silence } from "./silence.ts";
import type { UpstreamChannel } from "./upstream-channel.ts";

/** A pool to connect to. */
export interface UpstreamPool {
  /** Name in jobs, logs and metrics. */
  readonly name: string;
  /** The address as configured. */
  readonly url: string;
  readonly address: ServerAddress;
  /** Whom the pool credits. */
  readonly userIdentity: string;
  /** Its job declaration server, where jobs of ours are to be mined for it. */
  readonly jds?: ServerAddress;
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
  /** Silence after which the pool is taken for gone, ms; it is asked for a sign of life before. */
  readonly idleTimeoutMs: number;
  /** A share's answer is waited for so long, ms; then it gets `null`. 10 seconds when left out. */
  readonly answerTimeoutMs?: number;
  /** Who makes jobs of our own for the pool's one channel (`aggregated`), and is told of it; left out, the pool's jobs are mined. */
  readonly custom?: CustomSide;
}

/** The side that sets jobs of our own at a pool (SetCustomMiningJob). */
export interface CustomSide {
  /** The pool opened a channel, the first or another one. */
  onChannel(channel: UpstreamChannel): void;
  /** The pool has a job of its own, to fall back on. */
  onPoolJob(job: Job, cause: TemplateCause): void;
  onAnswer(answer: CustomJobAnswer): void;
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
  /** `setup`: the handshake is done. `opening`: a channel was asked for. `waiting`: it is open, and has no job yet. */
  readonly stage: "new" | "dialling" | "setup" | "extensions" | "opening" | "waiting" | "ready" | "ended";
  /** Whether the pool had to prove the authority key of its address. */
  readonly isKeyChecked: boolean;
  /** Extensions in use. */
  readonly extensions: readonly number[];
  /** Channels that are open at the pool. */
  readonly channels: number;
  /** `aggregated`: extranonce bytes that the pool left to us. */
  readonly extranonceSize: number | undefined;
  /** `aggregated`: difficulty of shares that the pool wants for its next job. */
  readonly difficulty: number | undefined;
  readonly shares: ShareCounts;
}

/** Frames of a pool may be so long, bytes: above every job, below what would hurt. */
const MAX_FRAME_SIZE = 0x40000;

/** A handshake may take this long, ms: SRI's figure. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The longest time that timers take, ms. */
const NEVER_MS = 0x7fffffff;

/** A share's answer is waited for so long, ms: refusals come at once, acknowledgements of a slow miner's shares when ten came together. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Said with CloseChannel at the end. */
const GOODBYE = "the proxy leaves";

/** Bytes by which our channels are told apart within the pool's extranonce. */
const CHANNEL_BYTES = 4;

/** One connection; one object serves one. */
export class PoolConnection implements UpstreamShares, PoolChannels {
  readonly #deps: PoolConnectionDeps;
  readonly #pool: UpstreamPool;
  readonly #options: PoolConnectionOptions;
  readonly #log: Log;
  readonly #tally: ShareTally;
  readonly #setup: PoolSetup;
  readonly #channels: UpstreamChannels;
  readonly #farm: FarmChannel | undefined;
  readonly #miners: MinerChannels | undefined;
  readonly #ending: Ending;
  readonly #silence: Silence;
  /** Job of the last line about a block, and whether it was sent: the pool says what a block is, and may make one of every share. */
  #toldBlock = "";
  #stage: PoolConnectionState["stage"] = "new";
  /** With `custom`: what is mined. */
  #mined: Job | undefined;
  #listener: PoolConnectionListener | undefined;
  #deadline: Timer | undefined;
  #send: (frame: Uint8Array) => void = () => undefined;
  #end: (reason: string) => void = () => undefined;

  constructor(deps: PoolConnectionDeps, pool: UpstreamPool, options: PoolConnectionOptions) {
    this.#deps = deps;
    this.#pool = pool;
    this.#options = options;
    const { clock, random, meter } = deps;
    const { name, userIdentity, address } = pool;
    const log = deps.log.child({ pool: name, connection: options.connection });
    const send = (frame: Uint8Array): void => this.#send(frame);
    const minExtranonceSize = options.rollableBytes + CHANNEL_BYTES;
    this.#log = log;
    this.#ending = new Ending({ clock, log, dial: deps.dial }, { pool: name, address });
    this.#silence = new Silence({ clock }, { limitMs: options.idleTimeoutMs });
    this.#tally = new ShareTally({ meter }, { pool: name });
    this.#setup = new PoolSetup(
      { clock, log, send, onSetUp: () => this.#onSetUp(), onDone: () => this.#onSetupDone() },
      {
        pool: name,
        host: address.host,
        port: address.port,
        requiresVersionRolling: options.versionRollingMask !== 0,
        requiresWorkSelection: options.custom !== undefined,
        workerNames: options.workerNames,
      },
    );
    this.#channels = new UpstreamChannels(
      {
        clock,
        log,
        send,
        tally: this.#tally,
        namesWorkers: () => this.#setup.extensions.includes(WORKER_TRACKING_TYPE),
        onCount: (open) => meter.gauge("upstream_channels", open, { pool: name }),
        onCustomJob: options.custom === undefined ? undefined : (answer) => options.custom?.onAnswer(answer),
      },
      { pool: name, answerTimeoutMs: options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS },
    );
    const shared = {
      clock,
      log,
      channels: this.#channels,
      makeJob: (channel: UpstreamChannel) => this.#makeJob(channel),
      fail: (error: unknown) => this.#fail(error),
    };
    if (options.channels === "aggregated") {
      this.#farm = new FarmChannel(
        {
          ...shared,
          onOpened: () => {
            if (this.#stage === "opening") this.#stage = "waiting";
            const channel = this.#farm?.channel;
            if (channel !== undefined) options.custom?.onChannel(channel);
          },
          onJob: (job, cause) => {
            if (options.custom === undefined) this.#onJob(job, cause);
            else options.custom.onPoolJob(job, cause);
          },
        },
        { pool: name, userIdentity, minExtranonceSize, workTimeoutMs: options.connectTimeoutMs },
      );
    } else {
      this.#miners = new MinerChannels({ ...shared, random }, { pool: name, userIdentity, minExtranonceSize });
    }
  }

  /** Connects and serves until the end; `signal` ends it with CloseChannel. Never rejects. */
  async run(listener: PoolConnectionListener, signal: AbortSignal): Promise<PoolConnectionEnd> {
    const { clock } = this.#deps;
    const { connectTimeoutMs } = this.#options;
    this.#listener = listener;
    this.#stage = "dialling";
    const late = new AbortController();
    this.#deadline = clock.after(connectTimeoutMs, () => {
      this.#ending.failed(
        new Fault("upstream-timeout", { pool: this.#pool.name, stage: this.#stage, connectTimeoutMs }),
      );
      late.abort(new Error("the pool is too slow"));
    });
    await withSignals([signal, late.signal], (over) => this.#session(over));
    this.#deadline.cancel();
    const end = await this.#ending.explain(this.#stage, signal);
    this.#stage = "ended";
    return end;
  }

  /** `aggregated`: the newest job; `undefined` before the first and after the end. */
  currentJob(): Job | undefined {
    return this.#options.custom === undefined ? this.#farm?.job : this.#mined;
  }

  /** `aggregated`: tells the pool what is below, when it changed by more than 20 %. May be called at any time. */
  announceHashrate(hashesPerSecond: number): void {
    this.#farm?.announce(hashesPerSecond);
  }

  /** As the port says. */
  submit(share: UpstreamShare, answer: (said: UpstreamAnswer) => void): boolean {
    if (share.work.connection !== this.#options.connection) {
      this.#tally.unsent("gone");
      return false;
    }
    const isSent = this.#channels.submit(share, answer);
    if (share.block) this.#block(share, isSent);
    return isSent;
  }

  /** As the port says; `per_miner` only: throws `TypeError` where everybody shares one channel. */
  open(wish: PoolChannelWish, onWork: (work: PreparedJob) => void): PoolChannel {
    if (this.#miners === undefined) throw new TypeError("this connection has one channel for everybody below");
    return this.#miners.open(wish, onWork);
  }

  /** With `custom`: sets a job of ours at the pool. Returns whether it was sent. */
  setCustomJob(job: Value<typeof MINING.SetCustomMiningJob>): boolean {
    if (this.#stage === "ended") return false;
    this.#send(mining.encode("SetCustomMiningJob", job));
    return true;
  }

  /** With `custom`: what is mined for the pool from now on; the first makes the connection usable. */
  mine(job: Job, cause: TemplateCause): void {
    if (this.#stage === "ended" || this.#stage === "new") return;
    this.#mined = job;
    this.#onJob(job, cause);
  }

  /** Ends the connection: the pool cannot be worked for in this way. */
  leave(fault: Fault): void {
    this.#fail(fault);
  }

  /** What `doctor` and `status` show. */
  state(): PoolConnectionState {
    const channel = this.#farm?.channel;
    return {
      stage: this.#stage,
      isKeyChecked: this.#pool.address.noise && this.#pool.address.authorityPublicKey !== undefined,
      extensions: this.#setup.extensions,
      channels: this.#channels.size,
      extranonceSize: channel?.extranonceSize,
      difficulty: channel?.difficulty,
      shares: this.#tally.counts,
    };
  }

  async #session(over: AbortSignal): Promise<void> {
    if (over.aborted) return;
    const { clock, random, crypto } = this.#deps;
    const { address } = this.#pool;
    const { authorityPublicKey } = address;
    await runSession(
      {
        clock,
        dial: this.#ending.dial,
        noise: address.noise ? new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey }) : undefined,
        client: (send, end) => {
          this.#send = send;
          this.#end = end;
          return this.#conversation();
        },
        onEstablished: () => {
          this.#ending.established();
          this.#silence.broken();
          this.#stage = "setup";
        },
        onFailure: (error) => this.#ending.failed(error),
      },
      {
        server: address,
        goodbye: GOODBYE,
        maxFrameSize: MAX_FRAME_SIZE,
        handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
        // How long a pool may be silent depends on what it was asked: see #listen.
        idleTimeoutMs: NEVER_MS,
      },
      over,
    );
  }

  #conversation(): UpstreamConversation {
    const { clock, meter } = this.#deps;
    return new UpstreamConversation({
      clock,
      log: this.#log,
      setup: this.#setup,
      channels: this.#channels,
      onTick: () => {
        // Another connection to the same pool, which was still waiting for answers, may have ended meanwhile.
        if (this.#stage === "ready") meter.gauge("upstream_connected", 1, { pool: this.#pool.name });
        this.#farm?.tick();
        this.#miners?.tick();
        this.#listen();
      },
      onFrame: () => this.#silence.broken(),
      onReconnect: (host, port) => this.#reconnect(host, port),
      onOver: () => {
        this.#send = () => undefined;
        this.#farm?.abandon();
        this.#miners?.abandon();
        meter.gauge("upstream_connected", 0, { pool: this.#pool.name });
      },
    });
  }

  /** Looks whether the pool is still there. With no channel open or asked for it has no reason to speak. */
  #listen(): void {
    if (this.#miners !== undefined && this.#channels.size === 0 && !this.#miners.isAsking) this.#silence.broken();
    const verdict = this.#silence.judge();
    if (verdict === "ask") {
      this.#farm?.ask();
      this.#miners?.ask();
    } else if (verdict === "leave") {
      const { idleTimeoutMs } = this.#options;
      this.#fail(new Fault("upstream-silent", { pool: this.#pool.name, idleTimeoutMs }));
    }
  }

  #onSetUp(): void {
    this.#stage = "extensions";
    if (this.#miners !== undefined) this.#deadline?.cancel();
  }

  #onSetupDone(): void {
    this.#stage = "opening";
    this.#farm?.open();
    if (this.#miners === undefined) return;
    this.#ready();
    this.#miners.start();
  }

  #onJob(job: Job, cause: TemplateCause): void {
    if (this.#stage !== "ready") this.#ready();
    this.#listener?.onJob(job, cause);
  }

  #ready(): void {
    this.#deadline?.cancel();
    this.#stage = "ready";
    this.#deps.meter.gauge("upstream_connected", 1, { pool: this.#pool.name });
    this.#listener?.onReady();
  }

  #makeJob(channel: UpstreamChannel): Job | undefined {
    const { clock, jobIds, meter } = this.#deps;
    const { connection, versionRollingMask } = this.#options;
    const pool = this.#pool.name;
    meter.count("upstream_jobs_total", 1, { pool });
    return channel.makeJob({
      pool,
      connection,
      jobId: jobIds.next(),
      nowMs: clock.nowMs(),
      versionRollingMask: this.#setup.requiresFixedVersion ? 0 : versionRollingMask,
    });
  }

  #block(share: UpstreamShare, isSent: boolean): void {
    const { userIdentity, work } = share;
    const facts = { userIdentity, channelId: work.channelId, jobId: work.jobId };
    const news = `${work.channelId} ${work.jobId} ${isSent}`;
    const level = this.#toldBlock === news ? "debug" : isSent ? "info" : "error";
    this.#toldBlock = news;
    this.#log[level](
      isSent
        ? "a share that solves a Bitcoin block went to the pool"
        : "a share that solves a Bitcoin block could not be sent: its channel at the pool is gone, or too many shares wait there",
      facts,
    );
    this.#listener?.onBlock?.(share);
  }

  #reconnect(host: string, port: number): void {
    const pool = this.#pool.name;
    const to = reconnectAddress(this.#pool.address, host, port);
    if (to === undefined)
      this.#ending.failed(new Fault("upstream-reconnect-refused", { pool, host: peerText(host), port }));
    else this.#ending.moves(to);
    this.#end("the pool asks us to connect elsewhere");
  }

  #fail(error: unknown): void {
    this.#ending.failed(error);
    this.#end("the pool cannot be worked for");
  }
}
