/**
 * The mining server: accepts connections within limits, runs a session for each, hands every new job to all of them and
 * collects what they find. Blocks go to the sink from inside the share's own judgement, before anything else is done.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { sleep } from "../kernel/clock.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { ChannelKind, ChannelSnapshot } from "../mining/channel.ts";
import type { ChannelPayouts } from "../mining/channel-payouts.ts";
import type { CustomJobs } from "../mining/custom-jobs.ts";
import { Downstream } from "../mining/downstream.ts";
import type { HashedShare, MiningOptions } from "../mining/downstream-deps.ts";
import type { ExtranonceAllocator } from "../mining/extranonce.ts";
import type { Job, JobIds } from "../mining/job.ts";
import { hasRoom } from "../mining/job-handout.ts";
import type { Authoriser, BlockSink, JobFeed, ShareSink } from "../mining/ports.ts";
import type { PoolChannels, UpstreamShares } from "../mining/upstream-ports.ts";
import { Connection } from "../sv2/connection.ts";
import { CHAIN_STATISTICS_TYPE } from "../sv2/messages/chain-statistics.ts";
import { WORKER_TRACKING_TYPE } from "../sv2/messages/extensions.ts";
import { MERGE_MINING_TYPE } from "../sv2/messages/merge-mining.ts";
import type { NoiseCrypto } from "../sv2/noise/crypto.ts";
import { NoiseResponder } from "../sv2/noise/handshake.ts";
import type { EphemeralKeyPool } from "../sv2/noise/key-pool.ts";
import type { StaticIdentity } from "../sv2/noise/static-identity.ts";
import { announceShare } from "./announce-share.ts";
import { type ChainStatistic, sharedSnapshot } from "./chain-statistics.ts";
import type { Agreement } from "./conversation.ts";
import type { Admitted, Door } from "./door.ts";
import type { PoolBus } from "./events.ts";
import { FanOut } from "./fan-out.ts";
import { listen } from "./listening.ts";
import { MinerPeer } from "./miner-peer.ts";
import { SERVER_DEFAULTS, type ServerLimits, type ServerTimes } from "./server-options.ts";
import { Session } from "./session.ts";
import type { Stream, Transport } from "./transport.ts";

/** What makes connections secure. */
export interface ServerNoise {
  readonly crypto: NoiseCrypto;
  readonly identity: StaticIdentity;
  readonly ephemeralKeys: EphemeralKeyPool;
}

/** What the server works with. */
export interface MiningServerDeps {
  /** Where connections come from; started and stopped by the server. */
  readonly transports: readonly Transport[];
  /** Who is let in; shared with those transports that ask before a handshake of their own. */
  readonly door: Door;
  /** For the streams of every transport that wants Noise inside; `undefined` serves plain frames on all of them, for tests. */
  readonly noise: ServerNoise | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Started before the server and stopped after it. */
  readonly jobs: JobFeed;
  /** The counter that the job feed numbers its jobs from. */
  readonly jobIds: JobIds;
  readonly extranonces: ExtranonceAllocator;
  readonly authoriser: Authoriser;
  /** Who the blocks of channels pay, by user identity; left out, all pay the pool. */
  readonly payouts?: ChannelPayouts;
  /** Takes shares of other pools' jobs there, in pool mode. */
  readonly upstream?: UpstreamShares;
  /** Gives each channel one of its own at the pool above, in pool mode with a channel for every miner. */
  readonly poolChannels?: PoolChannels;
  /** Who keeps the tokens of custom jobs, where miners may declare their own. */
  readonly customJobs?: CustomJobs;
  readonly blockSink: BlockSink;
  readonly shareSink: ShareSink;
  readonly bus: PoolBus;
  /** Told of every header that a miner hashed, also late or refused ones: where merge mining looks for its blocks. */
  readonly onHashed?: (share: HashedShare) => void;
  /** How each chain stands, for clients that ask for it (extension 0x4353); read once a second at most. Left out, the extension is not offered. */
  readonly chainStatistics?: () => readonly ChainStatistic[];
}

/** Options of `MiningServer`. */
export interface MiningServerOptions {
  readonly limits: ServerLimits;
  /** How shares are judged and acknowledged; `maxChannels` is the limit of channels per connection. */
  readonly mining: MiningOptions;
  /** Extensions without which a client is disconnected: 1 negotiation, 2 worker-specific hashrate tracking. */
  readonly requiredExtensions: readonly number[];
  /** Whether jobs forbid version rolling (a mask of 0). Default false. */
  readonly fixedVersion?: boolean;
  readonly times?: Partial<ServerTimes>;
}

/** A connection and what is behind it. */
interface Client {
  readonly id: number;
  readonly session: Session<MinerPeer>;
}

/** Ticks a second: each client has its second's tick in one of so many slots, so that no turn of the loop does them all. */
const SLOTS = 10;

/** Ephemeral keys made in one idle slot, about 3 ms of work. */
const KEYS_PER_SLOT = 20;

/** A slot that begins later than this found the event loop busy: no time for keys. */
const BUSY_LAG_MS = 20;

/** The server. Start it after its job feed, stop it before. */
export class MiningServer implements Part {
  readonly name = "mining server";
  readonly #deps: MiningServerDeps;
  readonly #options: MiningServerOptions;
  readonly #times: ServerTimes;
  readonly #fanOut: FanOut<Client>;
  readonly #chainStatistics: (() => readonly ChainStatistic[]) | undefined;
  readonly #clients = new Set<Client>();
  readonly #slots: readonly Set<Client>[] = Array.from({ length: SLOTS }, () => new Set<Client>());
  readonly #channels: Record<ChannelKind, number> = { standard: 0, extended: 0 };
  readonly #subscriptions: Unsubscribe[] = [];
  #ticker: Timer | undefined;
  #slot = 0;
  #slotDueMs = 0;
  #lastId = 0;
  #onEmpty: (() => void) | undefined;
  /** Whether the log knows of jobs whose extranonce is too small. */
  #isCramped = false;

  constructor(deps: MiningServerDeps, options: MiningServerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#times = { ...SERVER_DEFAULTS.times, ...options.times };
    this.#fanOut = new FanOut({ clock: deps.clock }, { sliceMs: this.#times.fanOutSliceMs });
    const { chainStatistics } = deps;
    this.#chainStatistics = chainStatistics === undefined ? undefined : sharedSnapshot(deps, chainStatistics);
  }

  /** Where miners connect, `host:port` for each transport; empty before `start`. */
  get addresses(): string[] {
    return this.#deps.transports.flatMap(({ address }) => (address === undefined ? [] : [address]));
  }

  /** Open connections. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Open channels of all connections. */
  get channelCount(): number {
    return this.#channels.standard + this.#channels.extended;
  }

  /** Hashes a second of all miners: as measured, or as claimed while little is measured. */
  get hashrate(): number {
    let sum = 0;
    for (const { session } of this.#clients) sum += session.peer.downstream?.hashrate ?? 0;
    return sum;
  }

  /** Open channels as they are now, with the connection they belong to: all, or a page of them, in the order in which they came. */
  channels(first = 0, most = Number.POSITIVE_INFINITY): (ChannelSnapshot & { readonly connectionId: number })[] {
    const page: (ChannelSnapshot & { readonly connectionId: number })[] = [];
    let passedOver = 0;
    for (const { id, session } of this.#clients) {
      const { downstream } = session.peer;
      if (downstream === undefined) continue;
      if (page.length >= most) break;
      if (passedOver + downstream.channelCount <= first) {
        passedOver += downstream.channelCount;
        continue;
      }
      for (const channel of downstream.channels(Math.max(0, first - passedOver), most - page.length)) {
        page.push({ ...channel, connectionId: id });
      }
      passedOver += downstream.channelCount;
    }
    return page;
  }

  /** Prepares keys, then listens. Throws `Fault("listen-failed")`; transports that listened already are stopped again. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, jobs, noise } = this.#deps;
    noise?.identity.current();
    noise?.ephemeralKeys.refill(KEYS_PER_SLOT);
    this.#subscriptions.push(jobs.onJob((job) => this.#publish(job)));
    try {
      const accept = (stream: Stream, isSecured: boolean): void => this.#accept(stream, isSecured);
      this.#subscriptions.push(await listen({ ...this.#deps, accept }, signal));
    } catch (error) {
      this.#unsubscribe();
      throw error;
    }
    this.#slotDueMs = clock.monotonicMs() + 1000 / SLOTS;
    this.#ticker = clock.every(1000 / SLOTS, () => this.#tick());
  }

  /**
   * Stops without losing a share: takes no new connections and sends no new jobs; judges what is still coming in; sends all
   * acknowledgements and says goodbye; judges what was on its way until the miner has closed too, within a deadline; and waits
   * until every found block was submitted.
   */
  async stop(): Promise<void> {
    const { clock, blockSink, transports } = this.#deps;
    for (const transport of transports) transport.refuse();
    this.#fanOut.cancel();
    this.#unsubscribe();
    for (const { session } of this.#clients) if (!session.peer.open) session.destroy();
    if (this.#clients.size > 0) await sleep(clock, this.#times.stopGraceMs);
    for (const { session } of this.#clients) {
      session.guard(() => session.peer.flush());
      session.drain();
    }
    await this.#emptied(this.#times.stopDrainMs);
    for (const { session } of this.#clients) session.destroy();
    this.#ticker?.cancel();
    await Promise.all(transports.map((transport) => transport.stop()));
    const deadline = new AbortController();
    const timer = clock.after(this.#times.stopBlocksMs, () => deadline.abort());
    await blockSink.drained(deadline.signal);
    timer.cancel();
    this.#deps.noise?.ephemeralKeys.wipe();
  }

  #unsubscribe(): void {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
  }

  /** Resolves when no client is left, or after `ms`. */
  async #emptied(ms: number): Promise<void> {
    if (this.#clients.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.clock.after(ms, resolve);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #accept(stream: Stream, secured: boolean): void {
    const ticket = stream.admitted ?? this.#deps.door.admit(stream.remoteAddress);
    if (ticket === undefined) {
      stream.destroy();
      return;
    }
    this.#lastId += 1;
    const client = this.#client(this.#lastId, stream, ticket, secured ? this.#deps.noise : undefined);
    this.#clients.add(client);
    this.#slots[client.id % SLOTS]?.add(client);
    this.#deps.meter.gauge("connections", this.#clients.size);
  }

  #client(id: number, stream: Stream, ticket: Admitted, noise: ServerNoise | undefined): Client {
    const { clock, meter, door } = this.#deps;
    const { limits, requiredExtensions, fixedVersion = false } = this.#options;
    const { sharesPerMinute } = this.#options.mining;
    const log = this.#deps.log.child({ connection: id, peer: `${stream.remoteAddress}:${stream.remotePort}` });
    const handshake = noise === undefined ? undefined : responder(noise);
    const chainStatistics = this.#chainStatistics;
    const supported = [
      WORKER_TRACKING_TYPE,
      ...(chainStatistics === undefined ? [] : [CHAIN_STATISTICS_TYPE]),
      ...(this.#deps.customJobs === undefined ? [] : [MERGE_MINING_TYPE]),
    ];
    const extensions = { supported, required: requiredExtensions };
    const silenceLimitS = Math.floor(limits.idleTimeoutMs / 1000);
    const downstream = (agreement: Agreement, send: (frame: Uint8Array) => void): Downstream =>
      this.#downstream(id, agreement, send, log);
    const session = new Session<MinerPeer>(
      {
        stream,
        connection: new Connection({ noise: handshake }, { role: "server", maxFrameSize: limits.frameBytes }),
        peer: (send, waiting) =>
          new MinerPeer(
            { send, waiting, downstream, chainStatistics, clock, log },
            { extensions, fixedVersion, sharesPerMinute, silenceLimitS },
          ),
        costlyActSize: handshake?.expects ?? 0,
        door,
        ticket,
        clock,
        log,
        meter,
        onGone: () => this.#forget(client),
      },
      { ...limits, messageBurst: 2 * limits.messagesPerSecond, stallTimeoutMs: this.#times.stallTimeoutMs },
    );
    const client: Client = { id, session };
    return client;
  }

  #downstream(connectionId: number, agreement: Agreement, send: (frame: Uint8Array) => void, log: Log): Downstream {
    const { clock, meter, jobIds, extranonces, authoriser, payouts, shareSink, blockSink, onHashed } = this.#deps;
    const { bus, upstream, poolChannels, customJobs } = this.#deps;
    const { requiresStandardJobs, requiresWorkSelection } = agreement;
    return new Downstream(
      {
        send,
        clock,
        extranonces,
        authoriser,
        ...(payouts === undefined ? {} : { payouts }),
        ...(upstream === undefined ? {} : { upstream }),
        ...(poolChannels === undefined ? {} : { poolChannels }),
        ...(customJobs === undefined ? {} : { customJobs }),
        shares: shareSink,
        blocks: (found) => blockSink.submit(found),
        log,
        meter,
        currentJob: () => this.#currentJob(),
        nextJobId: () => jobIds.next(),
        events: {
          opened: ({ kind }) => this.#countChannel(kind, 1),
          closed: ({ kind }) => this.#countChannel(kind, -1),
          judged: (share) => announceShare(bus, connectionId, share, clock.nowMs()),
          ...(onHashed === undefined ? {} : { hashed: onHashed }),
        },
      },
      { ...this.#options.mining, requiresStandardJobs, requiresWorkSelection },
    );
  }

  #countChannel(kind: ChannelKind, step: number): void {
    this.#channels[kind] += step;
    this.#deps.meter.gauge("channels", this.#channels[kind], { kind });
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    this.#slots[client.id % SLOTS]?.delete(client);
    this.#deps.meter.gauge("connections", this.#clients.size);
    if (this.#clients.size === 0) this.#onEmpty?.();
  }

  /** The newest job that channels can share; one that has too little extranonce for that is none. */
  #currentJob(): Job | undefined {
    const job = this.#deps.jobs.current();
    return job !== undefined && hasRoom(job, this.#options.mining.rollableBytes) ? job : undefined;
  }

  /**
   * Hands a job to everybody. One that comes during the round of an older job takes over: the newest job wins. With one that has too little
   * extranonce miners stay on the last job.
   */
  #publish(job: Job): void {
    const { rollableBytes } = this.#options.mining;
    const wasCramped = this.#isCramped;
    this.#isCramped = !hasRoom(job, rollableBytes);
    if (this.#isCramped) {
      const fields = { extranonceSize: job.extranonceSize, rollableBytes, source: job.template.source };
      if (!wasCramped) this.#deps.log.error("jobs have too few extranonce bytes: miners stay on the last one", fields);
      return;
    }
    this.#fanOut.start(
      this.#clients,
      ({ session }) => {
        let more = false;
        if (session.listening) {
          session.guard(() => {
            more = session.peer.newJob(job);
          });
        }
        return more;
      },
      (elapsedMs) => this.#deps.meter.observe("job_fanout_seconds", elapsedMs / 1000),
    );
  }

  /** A tenth of the clients have their second's tick; when nothing else is to be done, keys are prepared. */
  #tick(): void {
    const { clock, noise } = this.#deps;
    const nowMs = clock.monotonicMs();
    const lagMs = nowMs - this.#slotDueMs;
    this.#slotDueMs = nowMs + 1000 / SLOTS;
    this.#slot = (this.#slot + 1) % SLOTS;
    for (const { session } of this.#slots[this.#slot] ?? []) {
      session.tick(nowMs);
      if (session.listening) session.guard(() => session.peer.tick());
    }
    if (noise === undefined) return;
    // Renews the certificate when it is time, so that no handshake has to.
    noise.identity.current();
    if (lagMs < BUSY_LAG_MS && !this.#fanOut.running) noise.ephemeralKeys.refill(KEYS_PER_SLOT);
  }
}

function responder({ crypto, identity, ephemeralKeys }: ServerNoise): NoiseResponder {
  return new NoiseResponder({ crypto, identity, ephemeral: () => ephemeralKeys.take() });
}
