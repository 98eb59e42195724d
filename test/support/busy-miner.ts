/**
 * A miner that follows its jobs as firmware does and keeps accounts: it sends shares without a pause, on its newest job and on the ones
 * before, and measures how long each takes to be answered. For servers that acknowledge every share.
 */
import { HeaderHasher, serializeHeader } from "../../src/bitcoin/header.ts";
import { concat } from "../../src/kernel/bytes.ts";
import { extendedMerkleRoot, targetOf } from "./grind.ts";
import type { Fields, Message } from "./messages.ts";
import { EASIEST_TARGET, type MockMiner } from "./mock-miner.ts";
import { pause } from "./until.ts";

/** Jobs that shares are sent for, the newest included. */
const JOBS_MINED = 5;

type JobFields =
  | { readonly kind: "standard"; readonly fields: Fields<"NewMiningJob"> }
  | { readonly kind: "extended"; readonly fields: Fields<"NewExtendedMiningJob"> };

type MinedJob = JobFields & {
  readonly minTime: number;
  /** As they were when the job became active. */
  readonly extranoncePrefix: Uint8Array;
  readonly target: bigint;
};

/** A channel and what it works on. */
interface BusyChannel {
  readonly channelId: number;
  readonly kind: "standard" | "extended";
  extranoncePrefix: Uint8Array;
  readonly extranonceSize: number;
  target: bigint;
  readonly future: Map<number, JobFields>;
  /** Jobs on the present previous block, the newest last. */
  jobs: MinedJob[];
  prevHash: Fields<"SetNewPrevHash"> | undefined;
  nonce: number;
  sequence: number;
  waiting:
    | { readonly sequenceNumber: number; readonly old: boolean; readonly sentMs: number; readonly done: () => void }
    | undefined;
}

/** What it chooses. */
export interface BusyOptions {
  /** `group`: standard channels whose jobs come to the group as extended jobs. */
  readonly kind: "standard" | "extended" | "group";
  readonly channels?: number;
  /** Pause between the answer to a share and the next one, ms. */
  readonly pauseMs?: number;
  readonly userIdentity?: string;
}

/** The flag of SetupConnection that a miner of `kind` needs. */
export function flagsOf(kind: BusyOptions["kind"]): number {
  return kind === "standard" ? 0b001 : 0;
}

/** A busy miner on one connection. */
export class BusyMiner {
  readonly miner: MockMiner;
  accepted = 0;
  /** Accepted shares that were not for the newest job of their channel. */
  acceptedOld = 0;
  /** Codes of refusals. */
  readonly refused: string[] = [];
  /** Ids of jobs in the order in which they came, with whether they were future jobs. */
  readonly jobs: {
    readonly jobId: number;
    readonly future: boolean;
    readonly fields: Fields<"NewMiningJob"> | Fields<"NewExtendedMiningJob">;
  }[] = [];
  prevHashes = 0;
  /** SetTarget and SetExtranoncePrefix that came. */
  targets = 0;
  prefixes = 0;
  /** Ms from sending a share to its answer; emptied by `measure`. */
  latencies: number[] = [];
  readonly #options: BusyOptions;
  readonly #channels = new Map<number, BusyChannel>();
  readonly #opening = new Map<number, (channel: BusyChannel) => void>();
  #over = false;
  #failure: Error | undefined;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(miner: MockMiner, options: BusyOptions) {
    this.miner = miner;
    this.#options = options;
  }

  /** Opens the channels on a connection that was set up with `flagsOf(kind)`, and mines until `stop`. */
  static async start(miner: MockMiner, options: BusyOptions): Promise<BusyMiner> {
    const busy = new BusyMiner(miner, options);
    void busy.#read();
    const { channels = 1 } = options;
    const open: BusyChannel[] = [];
    for (let i = 1; i <= channels; i++) open.push(await busy.#open(i));
    busy.#work = Promise.all(open.map((channel) => busy.#mine(channel)));
    busy.#work.catch((error) => {
      busy.#failure ??= error;
    });
    return busy;
  }

  /** Whether the connection and all channels are as they should be. Throws what went wrong. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Latencies of the next `shares` shares, ms. */
  async measure(shares: number, timeoutMs = 20_000): Promise<number[]> {
    this.latencies = [];
    const deadline = performance.now() + timeoutMs;
    while (this.latencies.length < shares) {
      this.check();
      if (performance.now() > deadline)
        throw new Error(`only ${this.latencies.length} of ${shares} shares were answered`);
      await pause(5);
    }
    return this.latencies;
  }

  /** Resolves once the next `shares` shares were accepted. */
  async mineOn(shares: number): Promise<void> {
    const wanted = this.accepted + shares;
    const deadline = performance.now() + 20_000;
    while (this.accepted < wanted) {
      this.check();
      if (performance.now() > deadline)
        throw new Error(`${wanted - this.accepted} of ${shares} shares were not accepted`);
      await pause(5);
    }
  }

  /** Ends after the answers to the shares under way. Throws what went wrong meanwhile. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#work;
    this.check();
  }

  /** The newest job of the first channel. */
  get newest(): JobFields | undefined {
    return [...this.#channels.values()][0]?.jobs.at(-1);
  }

  async #open(requestId: number): Promise<BusyChannel> {
    const { kind, userIdentity = "busy" } = this.#options;
    const opened = new Promise<BusyChannel>((resolve) => void this.#opening.set(requestId, resolve));
    const fields = { requestId, userIdentity, nominalHashRate: 1, maxTarget: EASIEST_TARGET };
    if (kind === "extended") this.miner.send("OpenExtendedMiningChannel", { ...fields, minExtranonceSize: 4 });
    else this.miner.send("OpenStandardMiningChannel", fields);
    const channel = await opened;
    while (channel.jobs.length === 0) {
      this.check();
      await pause(2);
    }
    return channel;
  }

  async #read(): Promise<void> {
    try {
      for (;;) this.#take(await this.miner.inbox.next(() => true, "anything", 60_000));
    } catch (error) {
      if (!this.#over) this.#failure ??= error as Error;
      for (const channel of this.#channels.values()) channel.waiting?.done();
    }
  }

  #take({ name, value }: Message): void {
    switch (name) {
      case "OpenStandardMiningChannelSuccess":
      case "OpenExtendedMiningChannelSuccess": {
        const channel: BusyChannel = {
          channelId: value.channelId,
          kind: name === "OpenStandardMiningChannelSuccess" ? "standard" : "extended",
          extranoncePrefix: value.extranoncePrefix,
          extranonceSize: "extranonceSize" in value ? value.extranonceSize : 0,
          target: targetOf(value.target),
          future: new Map(),
          jobs: [],
          prevHash: undefined,
          nonce: 0,
          sequence: 0,
          waiting: undefined,
        };
        this.#channels.set(value.channelId, channel);
        this.#opening.get(value.requestId)?.(channel);
        return;
      }
      case "NewMiningJob":
      case "NewExtendedMiningJob": {
        const future = value.minNtime === null;
        this.jobs.push({ jobId: value.jobId, future, fields: value });
        const job = { kind: name === "NewMiningJob" ? "standard" : "extended", fields: value } as JobFields;
        for (const channel of this.#addressed(value.channelId)) {
          if (value.minNtime === null) channel.future.set(value.jobId, job);
          else this.#workOn(channel, { ...job, ...stateOf(channel), minTime: value.minNtime });
        }
        return;
      }
      case "SetNewPrevHash":
        this.prevHashes += 1;
        for (const channel of this.#addressed(value.channelId)) {
          const job = channel.future.get(value.jobId);
          if (job === undefined)
            throw new Error(`SetNewPrevHash names job ${value.jobId}, which channel ${channel.channelId} never got`);
          channel.prevHash = value;
          channel.jobs = [{ ...job, ...stateOf(channel), minTime: value.minNtime }];
          channel.future.clear();
        }
        return;
      case "SetTarget":
        this.targets += 1;
        for (const channel of this.#addressed(value.channelId)) channel.target = targetOf(value.maximumTarget);
        return;
      case "SetExtranoncePrefix":
        this.prefixes += 1;
        for (const channel of this.#addressed(value.channelId)) channel.extranoncePrefix = value.extranoncePrefix;
        return;
      case "SubmitSharesSuccess":
        this.accepted += value.newSubmitsAcceptedCount;
        if (this.#channels.get(value.channelId)?.waiting?.old) this.acceptedOld += 1;
        this.#answered(value.channelId, value.lastSequenceNumber);
        return;
      case "SubmitSharesError":
        this.refused.push(value.errorCode);
        this.#answered(value.channelId, value.sequenceNumber);
        return;
      default:
        throw new Error(`the server said ${name}`);
    }
  }

  #workOn(channel: BusyChannel, job: MinedJob): void {
    channel.jobs = [...channel.jobs.slice(1 - JOBS_MINED), job];
  }

  #addressed(id: number): BusyChannel[] {
    const channel = this.#channels.get(id);
    return channel === undefined ? [...this.#channels.values()] : [channel];
  }

  #answered(channelId: number, sequenceNumber: number): void {
    const waiting = this.#channels.get(channelId)?.waiting;
    if (waiting?.sequenceNumber !== sequenceNumber) throw new Error(`share ${sequenceNumber} was answered out of turn`);
    this.latencies.push(performance.now() - waiting.sentMs);
    waiting.done();
  }

  async #mine(channel: BusyChannel): Promise<void> {
    while (!this.#over) {
      this.check();
      const old = channel.sequence % 2 === 1 && channel.jobs.length > 1;
      const job = channel.jobs.at(old ? -1 - (1 + (channel.sequence % (channel.jobs.length - 1))) : -1);
      if (job === undefined || channel.prevHash === undefined) throw new Error("there is no job");
      await this.#share(channel, job, old);
      await pause(this.#options.pauseMs ?? 1);
    }
  }

  async #share(channel: BusyChannel, job: MinedJob, old: boolean): Promise<void> {
    const { prevHash, nbits } = channel.prevHash as Fields<"SetNewPrevHash">;
    const extranonce = new Uint8Array(channel.extranonceSize);
    const merkleRoot =
      job.kind === "standard"
        ? job.fields.merkleRoot
        : extendedMerkleRoot(job.fields, concat(job.extranoncePrefix, extranonce));
    const { version, jobId } = job.fields;
    const header = { version, prevHash, merkleRoot, time: job.minTime, nBits: nbits, nonce: 0 };
    const nonce = new HeaderHasher(serializeHeader(header)).search(channel.nonce, 1 << 24, job.target);
    if (nonce === undefined) throw new Error("no share was found");
    channel.nonce = nonce + 1;
    const sequenceNumber = channel.sequence++;
    const fields = { channelId: channel.channelId, sequenceNumber, jobId, nonce, ntime: job.minTime, version };
    await new Promise<void>((done) => {
      channel.waiting = { sequenceNumber, old, sentMs: performance.now(), done };
      if (channel.kind === "standard") this.miner.send("SubmitSharesStandard", fields);
      else this.miner.send("SubmitSharesExtended", { ...fields, extranonce });
    });
    channel.waiting = undefined;
  }
}

/** The middle one of `values`. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function stateOf({ extranoncePrefix, target }: BusyChannel): Pick<MinedJob, "extranoncePrefix" | "target"> {
  return { extranoncePrefix, target };
}
