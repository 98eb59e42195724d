/** What a session of a mining server talks to: the conversation of its client and, once set up, the mining side of it. */
import type { Clock } from "../kernel/clock.ts";
import type { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Downstream } from "../mining/downstream.ts";
import type { Job } from "../mining/job.ts";
import type { Frame } from "../sv2/frame.ts";
import { type ChainStatistic, ChainSubscription } from "./chain-statistics.ts";
import { type Agreement, Conversation, type ConversationOptions } from "./conversation.ts";
import type { Peer } from "./session.ts";

/** A job and its SetNewPrevHash for one channel take 173 bytes encrypted; three of them are owed at the worst moment. */
const BYTES_OWED_PER_CHANNEL = 3 * 173;

/** Jobs for groups that are paid apart from the pool that are owed at the worst moment. */
const JOBS_OWED_APART = 3;

/** Shares that a channel may send for each one wanted: vardiff holds the mean, and shares come as they are found. */
const SHARES_PER_WANTED = 3;

/** Options of `MinerPeer`. */
export interface MinerPeerOptions extends ConversationOptions {
  /** Wanted shares a minute and channel. */
  readonly sharesPerMinute: number;
  /** Silence after which the session closes the connection, s: what a subscriber to chain statistics is told. */
  readonly silenceLimitS: number;
}

/** What a miner's side works with. */
export interface MinerPeerDeps {
  /** Takes whole plain frames for the client. */
  readonly send: (frame: Uint8Array) => void;
  /** Makes the mining side for a client that was accepted. */
  readonly downstream: (agreement: Agreement, send: (frame: Uint8Array) => void) => Downstream;
  /** Bytes that wait for the client. */
  readonly waiting: () => number;
  /** How each chain stands; left out where that is not told. */
  readonly chainStatistics?: (() => readonly ChainStatistic[]) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** One client behind a session. */
export class MinerPeer implements Peer {
  readonly #conversation: Conversation;
  readonly #messagesPerChannel: number;
  readonly #statistics: ChainSubscription | undefined;
  #downstream: Downstream | undefined;

  constructor(deps: MinerPeerDeps, options: MinerPeerOptions) {
    const { send, waiting, clock, chainStatistics: snapshot, log } = deps;
    this.#statistics =
      snapshot === undefined ? undefined : new ChainSubscription({ clock, send, waiting, snapshot }, options);
    this.#messagesPerChannel = (options.sharesPerMinute / 60) * SHARES_PER_WANTED;
    const open = (agreement: Agreement): Downstream => {
      this.#downstream = deps.downstream(agreement, send);
      return this.#downstream;
    };
    this.#conversation = new Conversation({ send, open, statistics: this.#statistics, log }, options);
  }

  get open(): boolean {
    return this.#conversation.open;
  }

  get bytesOwed(): number {
    const { channelCount = 0, bytesApart = 0 } = this.#downstream ?? {};
    return channelCount * BYTES_OWED_PER_CHANNEL + JOBS_OWED_APART * bytesApart;
  }

  get messagesWanted(): number {
    return (this.#downstream?.channelCount ?? 0) * this.#messagesPerChannel;
  }

  /** The mining side; `undefined` before SetupConnection. */
  get downstream(): Downstream | undefined {
    return this.#downstream;
  }

  receive(frame: Frame): Fault | undefined {
    return this.#conversation.receive(frame);
  }

  /** Gives a new job to the client's channels. Returns whether it is to be called again for those that did not get it yet. */
  newJob(job: Job): boolean {
    return this.#downstream?.newJob(job) ?? false;
  }

  /** Acknowledges what is due, corrects difficulties and reports on chains; about once a second. */
  tick(): void {
    this.#downstream?.tick();
    this.#statistics?.tick();
  }

  /** Acknowledges everything accepted. */
  flush(): void {
    this.#downstream?.flush();
  }

  close(): void {
    this.#downstream?.close();
  }
}
