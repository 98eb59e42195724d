/**
 * The CPU miner: a genuine Stratum V2 client with Noise, for trying any server, for `demo` and for tests. It dials, opens a
 * channel, searches its jobs and sends its shares, and comes back whenever the connection ends.
 */
import { dialTcp } from "../../client/dial-tcp.ts";
import type { Dial } from "../../client/link.ts";
import { runSession } from "../../client/session.ts";
import type { ServerAddress } from "../../client/url.ts";
import { type Clock, sleep, type Timer } from "../../kernel/clock.ts";
import { Bus, type Unsubscribe } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { Random } from "../../kernel/random.ts";
import type { NoiseCrypto } from "../../sv2/noise/crypto.ts";
import { NoiseInitiator } from "../../sv2/noise/handshake.ts";
import { Backoff } from "./backoff.ts";
import { BIP320_VERSION_MASK, MinerClient } from "./client.ts";
import type { MinerEvents } from "./events.ts";
import { type Hasher, InlineHasher, ThreadHasher } from "./hasher.ts";

/** What a miner is made of. */
export interface CpuMinerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly crypto: NoiseCrypto;
  /** How streams are opened. Default: TCP. */
  readonly dial?: Dial;
  /** What searches. Default: worker threads, or the caller's thread with `threads: 0`. */
  readonly hasher?: Hasher;
}

/** Where and how to mine. Only host and port have to be given. */
export interface CpuMinerOptions extends Pick<ServerAddress, "host" | "port" | "certSha256"> {
  /** What carries the connection. Default TCP. */
  readonly transport?: ServerAddress["transport"];
  /** x-only key (32 bytes) that vouches for the server; without it the certificate goes unchecked. */
  readonly authorityPublicKey?: Uint8Array | undefined;
  /** No Noise: for tests, and servers that offer it. Default false. */
  readonly plain?: boolean;
  /** Default "extended". */
  readonly channel?: "standard" | "extended";
  /** REQUIRES_STANDARD_JOBS: take no extended jobs, not even a group's. Default false. */
  readonly requiresStandardJobs?: boolean;
  /** Default "cpu". */
  readonly userIdentity?: string;
  /** Asks for extension 0x0002 and names this worker in every extended share. Default: not asked for. */
  readonly workerIdentity?: string | undefined;
  /** Hashes a second announced to the server. Default: `maxHashrate` if it is finite, else 1.5 million a thread. */
  readonly nominalHashrate?: number;
  /** The easiest target taken, `Uint8Array(32)` little-endian. Default: any. */
  readonly maxTarget?: Uint8Array;
  /** Extranonce bytes asked for on an extended channel. Default 4. */
  readonly minExtranonceSize?: number;
  /** Version bits to roll. Default: BIP320's, 0x1fffe000. */
  readonly versionMask?: number;
  /** Hashing threads; 0 hashes in the caller's thread, a few milliseconds at a time. Default 1. */
  readonly threads?: number;
  /** Hashes a second over all threads that are not exceeded. Default: as fast as it goes. */
  readonly maxHashrate?: number;
  /** Shares a second that are not exceeded, so that a very easy target floods nobody. Default 20. */
  readonly maxSharesPerSecond?: number;
  /** Connect again when the connection ends. Default true. */
  readonly reconnect?: boolean;
  /** Bounds of the wait between attempts, ms. Default 1,000 to 60,000. */
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
  /** Silence after which the server is taken for gone, ms. Default 180,000, as bitaxe. */
  readonly idleTimeoutMs?: number;
  /** Distance of `hashrate` events, ms. Default 5,000. */
  readonly hashrateIntervalMs?: number;
  /** What SetupConnection says of the device. Default: this program and no id. */
  readonly vendor?: string;
  readonly hardwareVersion?: string;
  readonly firmware?: string;
  readonly deviceId?: string;
}

/** Counters since the start. */
export interface CpuMinerCounts {
  readonly hashes: number;
  readonly sharesFound: number;
  readonly sharesAccepted: number;
  readonly sharesRejected: number;
  readonly sharesStale: number;
  readonly blocksFound: number;
}

/** Handshakes and answers may take this long, ms: SRI's figure for the handshake. */
const SETUP_TIMEOUT_MS = 10_000;

/** What a miner takes from a server, bytes: above every job, below what would hurt. */
const MAX_FRAME_SIZE = 0x40000;

/** What one thread is expected to do, for the announced hash rate. */
const HASHES_PER_THREAD = 1_500_000;

/** In the caller's thread hashing takes this long at a time, ms, so that the server beside it stays quick. */
const INLINE_SLICE_MS = 4;

/** One miner with one connection and one channel. */
export class CpuMiner implements Part {
  readonly name = "cpu miner";
  readonly #deps: CpuMinerDeps;
  readonly #options: CpuMinerOptions;
  readonly #events: Bus<MinerEvents>;
  readonly #hasher: Hasher;
  readonly #stopping = new AbortController();
  readonly #counts = {
    hashes: 0,
    sharesFound: 0,
    sharesAccepted: 0,
    sharesRejected: 0,
    sharesStale: 0,
    blocksFound: 0,
  };
  #client: MinerClient | undefined;
  #running: Promise<void> | undefined;
  #rateTimer: Timer | undefined;

  constructor(deps: CpuMinerDeps, options: CpuMinerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#events = new Bus({
      onError: (error, event) =>
        deps.log.error(`a listener of the miner's ${event} failed: ${describe(error)}`, { error }),
    });
    this.#hasher = deps.hasher ?? defaultHasher(deps.clock, options);
    this.#count();
  }

  /** Calls `listener` for every later event `name`. */
  on<N extends keyof MinerEvents>(name: N, listener: (event: MinerEvents[N]) => void): Unsubscribe {
    return this.#events.on(name, listener);
  }

  /** What was done since the start. */
  get counts(): CpuMinerCounts {
    return { ...this.#counts };
  }

  /** The present conversation, e.g. to announce another hash rate; `undefined` between connections. */
  get client(): MinerClient | undefined {
    return this.#client;
  }

  /** Resolves once the hashing threads run; connecting goes on in the background. Throws `Fault("hash-thread-failed")`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#hasher.start({
      onSolution: (solution) => this.#client?.submit(solution),
      onHashes: (count) => {
        this.#counts.hashes += count;
      },
      onFault: (fault) => this.#deps.log.error(describe(fault), { error: fault }),
    });
    this.#reportHashrate();
    this.#running = this.#run();
  }

  /** Closes the channel, hangs up and ends the threads. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the miner stops"));
    this.#rateTimer?.cancel();
    await this.#running;
    await this.#hasher.stop();
  }

  /** Resolves when the miner gives up for good: stopped, or disconnected without `reconnect`. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#deps;
    const { signal } = this.#stopping;
    const { reconnect = true, backoffMinMs = 1_000, backoffMaxMs = 60_000 } = this.#options;
    const backoff = new Backoff({ random }, { minMs: backoffMinMs, maxMs: backoffMaxMs });
    let { host, port } = this.#options;
    for (;;) {
      let moved = false;
      const settled = [
        this.#events.on("channel", () => backoff.reset()),
        this.#events.on("reconnect", (to) => {
          moved = this.#mayFollow(to.host);
          if (!moved) return;
          if (to.host !== "") host = to.host;
          if (to.port !== 0) port = to.port;
        }),
      ];
      let error: unknown;
      const reason = await this.#connect(host, port, (failure) => {
        error = failure;
      });
      for (const unsubscribe of settled) unsubscribe();
      this.#hasher.search(undefined);
      this.#client = undefined;
      const over = signal.aborted || !(reconnect || moved);
      const retryMs = over ? undefined : backoff.next();
      log.info(`disconnected: ${reason}`, { host, port, retryMs });
      this.#events.emit("disconnected", { reason, retryMs, ...(error === undefined ? {} : { error }) });
      if (retryMs === undefined) return;
      try {
        await sleep(clock, retryMs, signal);
      } catch {
        return;
      }
    }
  }

  /** A server whose key nobody checked must not send the miner to another host (spec 3.6.5). */
  #mayFollow(host: string): boolean {
    return host === "" || this.#options.plain === true || this.#options.authorityPublicKey !== undefined;
  }

  #connect(host: string, port: number, onFailure: (error: unknown) => void): Promise<string> {
    const { clock, random, crypto, log, dial = dialTcp } = this.#deps;
    const { transport = "tcp", plain = false, authorityPublicKey, certSha256, idleTimeoutMs = 180_000 } = this.#options;
    const vouched = {
      ...(authorityPublicKey === undefined ? {} : { authorityPublicKey }),
      ...(certSha256 === undefined ? {} : { certSha256 }),
    };
    return runSession(
      {
        clock,
        dial,
        noise: plain ? undefined : new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey }),
        client: (send, onEnd) => {
          this.#client = new MinerClient(
            { clock, log, events: this.#events, send, onEnd, onWork: (work) => this.#hasher.search(work) },
            this.#introduction(host, port),
          );
          return this.#client;
        },
        onEstablished: () => {
          log.info("connected", { host, port, certificateChecked: authorityPublicKey !== undefined });
          this.#events.emit("connected", { host, port });
        },
        onFailure,
      },
      {
        server: { transport, host, port, noise: !plain, ...vouched },
        goodbye: "the miner stops",
        maxFrameSize: MAX_FRAME_SIZE,
        handshakeTimeoutMs: SETUP_TIMEOUT_MS,
        idleTimeoutMs,
      },
      this.#stopping.signal,
    );
  }

  #introduction(endpointHost: string, endpointPort: number): ConstructorParameters<typeof MinerClient>[1] {
    const o = this.#options;
    const { maxHashrate = Number.POSITIVE_INFINITY } = o;
    return {
      channel: o.channel ?? "extended",
      requiresStandardJobs: o.requiresStandardJobs ?? false,
      userIdentity: o.userIdentity ?? "cpu",
      workerIdentity: o.workerIdentity,
      nominalHashrate: o.nominalHashrate ?? Math.min(maxHashrate, HASHES_PER_THREAD * Math.max(1, o.threads ?? 1)),
      ...(o.maxTarget === undefined ? {} : { maxTarget: o.maxTarget }),
      minExtranonceSize: o.minExtranonceSize ?? 4,
      versionMask: o.versionMask ?? BIP320_VERSION_MASK,
      endpointHost,
      endpointPort,
      vendor: o.vendor ?? "bllvm-stratum-v2",
      hardwareVersion: o.hardwareVersion ?? "CPU",
      firmware: o.firmware ?? "",
      deviceId: o.deviceId ?? "",
      setupTimeoutMs: SETUP_TIMEOUT_MS,
    };
  }

  /** Before anybody else can listen, so that `counts` has what an event tells of. */
  #count(): void {
    const counts = this.#counts;
    this.#events.on("shareFound", ({ block }) => {
      counts.sharesFound += 1;
      if (block) counts.blocksFound += 1;
    });
    this.#events.on("shareAccepted", ({ count }) => {
      counts.sharesAccepted += count;
    });
    this.#events.on("shareRejected", () => {
      counts.sharesRejected += 1;
    });
    this.#events.on("shareStale", () => {
      counts.sharesStale += 1;
    });
  }

  #reportHashrate(): void {
    const { clock } = this.#deps;
    let before = { hashes: this.#counts.hashes, ms: clock.monotonicMs() };
    this.#rateTimer = clock.every(this.#options.hashrateIntervalMs ?? 5_000, () => {
      const now = { hashes: this.#counts.hashes, ms: clock.monotonicMs() };
      const hashesPerSecond = ((now.hashes - before.hashes) * 1000) / (now.ms - before.ms);
      before = now;
      this.#events.emit("hashrate", { hashesPerSecond });
    });
  }
}

function defaultHasher(clock: Clock, options: CpuMinerOptions): Hasher {
  const { threads = 1, maxHashrate = Number.POSITIVE_INFINITY, maxSharesPerSecond = 20 } = options;
  const limits = { maxHashrate, maxSolutionsPerSecond: maxSharesPerSecond };
  if (threads === 0) return new InlineHasher({ clock }, { ...limits, sliceMs: INLINE_SLICE_MS });
  // The compiler does not rewrite this path: what runs is the compiled file beside this one.
  return new ThreadHasher({}, { ...limits, threads, script: new URL("./hash-worker.js", import.meta.url) });
}
