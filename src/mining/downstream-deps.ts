/** What a mining conversation needs of its surroundings, and what it tells them. */
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { ChannelSnapshot } from "./channel.ts";
import type { ChannelPayouts } from "./channel-payouts.ts";
import type { DifficultyRange } from "./channel-target.ts";
import type { CustomJobs } from "./custom-jobs.ts";
import { type ExtranonceAllocator, ROLLABLE_EXTRANONCE_SIZE } from "./extranonce.ts";
import type { Job } from "./job.ts";
import type { Authoriser, FoundBlock, ShareSink } from "./ports.ts";
import type { PoolChannels, UpstreamShares } from "./upstream-ports.ts";

/** A share after it was judged, and settled where another pool had the last word. */
export interface JudgedShare {
  readonly channelId: number;
  /** Who it is attributed to: the worker that it names (extension 0x0002), else the channel's user. */
  readonly userIdentity: string;
  /** `undefined` for an accepted share, else the error code that the client was sent. */
  readonly errorCode: string | undefined;
  /** Difficulty that an accepted share counts, 0 for a refused one. */
  readonly difficulty: number;
  /** Whether it solves a Bitcoin block. */
  readonly block: boolean;
  /** Its job; `undefined` when the channel never got it. */
  readonly job: Job | undefined;
  /** Hash of its header, `Uint8Array(32)`, internal byte order, valid during the call only; `undefined` when it could not be hashed. */
  readonly hash: Uint8Array | undefined;
}

/** A header that a miner hashed, whatever became of the share. Its byte arrays are valid during the call only. */
export interface HashedShare {
  readonly job: Job;
  /** `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
  /** The 80 bytes of the header. */
  readonly header: Uint8Array;
  /** The whole extranonce, for the coinbase of a proof; made when asked for. */
  extranonce(): Uint8Array;
  readonly userIdentity: string;
  /** Whether the share counts for Bitcoin. */
  readonly accepted: boolean;
}

/** What a conversation tells. Listeners must return at once and not throw. */
export interface DownstreamEvents {
  /** A channel was opened. */
  opened?(channel: ChannelSnapshot): void;
  /** A channel was closed, by either side or with the connection. */
  closed?(channel: ChannelSnapshot): void;
  /**
   * A share was judged, whatever came out; one that another pool is asked about when its answer is known, which may be after its channel was closed. An
   * accepted one was credited just before.
   */
  judged?(share: JudgedShare): void;
  /**
   * A share could be hashed, be it stale or refused: merge-mined chains check their own targets here, for a share that is
   * late for Bitcoin may be in time for them.
   */
  hashed?(share: HashedShare): void;
}

/** What a conversation works with. All but `send` is shared by all conversations of a server. */
export interface DownstreamDeps {
  /** Takes whole plain frames for the client, in order. Must not throw. */
  readonly send: (frame: Uint8Array) => void;
  readonly clock: Clock;
  readonly extranonces: ExtranonceAllocator;
  readonly authoriser: Authoriser;
  /** Who the blocks of channels pay, by user identity; left out, all pay the pool. */
  readonly payouts?: ChannelPayouts;
  readonly shares: ShareSink;
  /** Takes shares of other pools' jobs to those pools. Left out, such shares stay here and are credited as if nobody had answered. */
  readonly upstream?: UpstreamShares;
  /**
   * Opens a channel at the pool above for each channel here, whose jobs then come from there. `currentJob` is `undefined` while a pool is mined for;
   * a job of `newJob` takes its place until the pool's next. Left out, all channels share the jobs of `currentJob` and `newJob`.
   */
  readonly poolChannels?: PoolChannels;
  /** Who keeps the tokens of custom jobs; left out, SetCustomMiningJob is refused. */
  readonly customJobs?: CustomJobs;
  /** Takes found blocks, but for those of other pools' jobs; called before the client is answered. Must not throw. */
  readonly blocks: (found: FoundBlock) => void;
  readonly log: Log;
  readonly meter: Meter;
  /** The newest job; `undefined` before the first, and while there is none that all channels share. */
  readonly currentJob: () => Job | undefined;
  /** An id of the pool's one counter, for a job that is repeated on one channel. */
  readonly nextJobId: () => number;
  readonly events?: DownstreamEvents;
}

/** The operator's choices about channels and shares, the same for all conversations of a server. */
export interface MiningOptions extends DifficultyRange {
  /** Open channels of one connection. */
  readonly maxChannels: number;
  /** Accepted shares are acknowledged in batches of this many … */
  readonly ackBatchSize: number;
  /** … or when the first of them is this old, ms. More saves bandwidth, less shows miners their shares sooner. */
  readonly ackMaxDelayMs: number;
  /** Accepted shares of a channel that are remembered against duplicates between two blocks; 8 to 22 bytes each. */
  readonly duplicateCapacity: number;
  /** How far header times may be ahead of our clock, seconds. */
  readonly maxFutureS: number;
  /**
   * Bytes that miners of extended channels roll, 4 to 16, the same for all jobs whatever the size of their extranonce. A job that has
   * less than 4 bytes besides is not given out.
   */
  readonly rollableBytes: number;
  /** A custom job must pay the pool at least this much of what our own job pays, percent, and never less than the subsidy. */
  readonly customLeastPercent: number;
  /** Worker names that one connection may have (extension 0x0002), 170 to 670 bytes each; work under further names is the channel user's. */
  readonly workerCapacity: number;
}

/** What holds unless the operator says otherwise. */
export const MINING_DEFAULTS: MiningOptions = {
  sharesPerMinute: 6,
  minDifficulty: 1e-6,
  maxDifficulty: 1e15,
  maxChannels: 10_000,
  ackBatchSize: 10,
  ackMaxDelayMs: 5000,
  duplicateCapacity: 65_536,
  maxFutureS: 7200,
  rollableBytes: ROLLABLE_EXTRANONCE_SIZE,
  customLeastPercent: 90,
  workerCapacity: 16_384,
};

/** What one client agreed on in SetupConnection, and the operator's choices. */
export interface DownstreamOptions extends MiningOptions {
  /** Its channels must be standard channels, get jobs of their own and are never grouped (spec 5.3.1). */
  readonly requiresStandardJobs: boolean;
  /** It will send SetCustomMiningJob: it must open extended channels, and gets jobs only where custom jobs are served. */
  readonly requiresWorkSelection: boolean;
}
