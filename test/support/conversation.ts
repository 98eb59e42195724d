/** A mining conversation without a socket: a test says what the client sends and reads what it is answered. */
import { expect } from "vitest";
import { serializeHeader } from "../../src/bitcoin/header.ts";
import { targetFromCompact, targetOfDifficulty, targetToBytes } from "../../src/bitcoin/target.ts";
import type { TxOutput } from "../../src/bitcoin/transaction.ts";
import { concat, utf8 } from "../../src/kernel/bytes.ts";
import type { ChannelSnapshot } from "../../src/mining/channel.ts";
import type { ChannelPayouts } from "../../src/mining/channel-payouts.ts";
import type { CustomJobs } from "../../src/mining/custom-jobs.ts";
import { Downstream } from "../../src/mining/downstream.ts";
import {
  type DownstreamDeps,
  type DownstreamOptions,
  type HashedShare,
  type JudgedShare,
  MINING_DEFAULTS,
} from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { buildJob, type Job, JobIds } from "../../src/mining/job.ts";
import type { FoundBlock, ShareCredit } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import type { PoolChannels, UpstreamShares } from "../../src/mining/upstream-ports.ts";
import { FrameDecoder } from "../../src/sv2/frame.ts";
import { type MINING, mining } from "../../src/sv2/messages/mining.ts";
import type { Decoded, Value } from "../../src/sv2/table.ts";
import { makeTemplate, type TemplateWish } from "./fake-chain.ts";
import { FakeClock } from "./fake-clock.ts";
import { extendedMerkleRoot, grind, type Work } from "./grind.ts";
import { recordingLog } from "./recording-log.ts";
import { recordingMeter } from "./recording-meter.ts";
import { seededRandom } from "./seeded-random.ts";

/** A decoded mining message. */
export type Message = Decoded<typeof MINING>;
type Name = keyof typeof MINING & string;
type Fields<N extends Name> = Value<(typeof MINING)[N]>;

/** The easiest target there is. */
export const ANY_TARGET = new Uint8Array(32).fill(0xff);

/** A claim whose shares take about a hundred hashes. */
const NOMINAL = 10;

/** Where the test's clock begins, Unix seconds. */
export const START_S = 1_700_000_000;

/** Pays everything to one script. */
export function payout(value: bigint): TxOutput[] {
  return [{ value, script: Uint8Array.of(0x51) }];
}

/** What a test may say about a template. */
export type Wish = Partial<TemplateWish>;

/** A pool of one process as far as conversations see it. */
export class TestPool {
  readonly clock = new FakeClock(START_S * 1000);
  readonly log = recordingLog();
  readonly meter = recordingMeter();
  readonly extranonces: ExtranonceAllocator;
  readonly jobIds = new JobIds();
  readonly credits: ShareCredit[] = [];
  readonly blocks: FoundBlock[] = [];
  readonly judged: JudgedShare[] = [];
  readonly hashed: (Omit<HashedShare, "extranonce"> & { extranonce: Uint8Array })[] = [];
  readonly opened: ChannelSnapshot[] = [];
  readonly closed: ChannelSnapshot[] = [];
  readonly peers: Peer[] = [];
  /** Given when coinbases pay identities. */
  readonly payouts: ChannelPayouts | undefined;
  /** Given in pool mode. */
  readonly upstream: UpstreamShares | undefined;
  /** Given in pool mode with a channel at the pool for each. */
  readonly poolChannels: PoolChannels | undefined;
  /** Given where miners may set jobs of their own. */
  readonly customJobs: CustomJobs | undefined;
  /** What the authoriser says; a test may replace it. */
  authorise: DownstreamDeps["authoriser"]["authorise"] = () => ({ allowed: true });
  job: Job | undefined;
  #height = 100;
  #tip = 0;

  constructor(
    options: {
      readonly serverId?: number;
      readonly capacity?: number;
      readonly payouts?: ChannelPayouts;
      readonly upstream?: UpstreamShares;
      readonly poolChannels?: PoolChannels;
      readonly customJobs?: CustomJobs;
    } = {},
  ) {
    const { serverId = 7, capacity = 1000 } = options;
    this.payouts = options.payouts;
    this.upstream = options.upstream;
    this.poolChannels = options.poolChannels;
    this.customJobs = options.customJobs;
    this.extranonces = new ExtranonceAllocator({}, { serverId, capacity });
  }

  /** A client that went through SetupConnection. */
  connect(options: Partial<DownstreamOptions> = {}): Peer {
    const peer = new Peer(this, options);
    this.peers.push(peer);
    return peer;
  }

  /** Another block came. */
  newBlock(wish: Wish = {}): Job {
    this.#height += 1;
    this.#tip += 1;
    return this.refresh(wish);
  }

  /** Another template on the same block. */
  refresh(wish: Wish = {}): Job {
    const prevHash = seededRandom(this.#tip).bytes(32);
    return this.offer(makeTemplate({ height: this.#height, prevHash, curTime: this.nowS, ...wish }));
  }

  /** A job of any template to everybody. */
  offer(template: Template, parts: Partial<Parameters<typeof buildJob>[0]> = {}): Job {
    const nowMs = this.clock.nowMs();
    return this.give(buildJob({ template, payout, tag: utf8("/test/"), jobId: this.jobIds.next(), nowMs, ...parts }));
  }

  /** Any job to everybody. */
  give(job: Job): Job {
    this.job = job;
    for (const { downstream } of this.peers) while (downstream.newJob(job));
    return job;
  }

  /** Unix seconds by the test's clock. */
  get nowS(): number {
    return Math.floor(this.clock.nowMs() / 1000);
  }

  /** Lets time pass in steps of a second, with a tick after each. */
  pass(seconds: number): void {
    for (let s = 0; s < seconds; s++) {
      this.clock.advance(1000);
      for (const peer of this.peers) peer.downstream.tick();
    }
  }
}

/** One client and its conversation. */
export class Peer {
  readonly downstream: Downstream;
  /** Frames of extensions, as they came. */
  readonly extended: { readonly extensionType: number; readonly msgType: number; readonly payload: Uint8Array }[] = [];
  readonly #pool: TestPool;
  readonly #decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
  #inbox: Message[] = [];

  constructor(pool: TestPool, options: Partial<DownstreamOptions>) {
    this.#pool = pool;
    const { clock, log, extranonces, jobIds, credits, blocks, judged, opened, closed, hashed } = pool;
    const deps: DownstreamDeps = {
      clock,
      log,
      extranonces,
      meter: pool.meter,
      authoriser: { authorise: (user) => pool.authorise(user) },
      ...(pool.payouts === undefined ? {} : { payouts: pool.payouts }),
      ...(pool.upstream === undefined ? {} : { upstream: pool.upstream }),
      ...(pool.poolChannels === undefined ? {} : { poolChannels: pool.poolChannels }),
      ...(pool.customJobs === undefined ? {} : { customJobs: pool.customJobs }),
      shares: { credit: (share) => void credits.push(share) },
      blocks: (block) => void blocks.push(block),
      currentJob: () => pool.job,
      nextJobId: () => jobIds.next(),
      send: (frame) => this.#take(frame),
      events: {
        opened: (channel) => void opened.push(channel),
        closed: (channel) => void closed.push(channel),
        judged: (share) => void judged.push({ ...share, hash: share.hash?.slice() }),
        hashed: (share) => {
          const { job, userIdentity, accepted, hash, header } = share;
          const copies = { hash: hash.slice(), header: header.slice(), extranonce: share.extranonce().slice() };
          hashed.push({ job, userIdentity, accepted, ...copies });
        },
      },
    };
    const flags = { requiresStandardJobs: false, requiresWorkSelection: false };
    this.downstream = new Downstream(deps, { ...MINING_DEFAULTS, minDifficulty: 1e-9, ...flags, ...options });
  }

  #take(frame: Uint8Array): void {
    for (const { extensionType, msgType, payload } of this.#decoder.push(frame)) {
      if ((extensionType & 0x7fff) === 0) this.#inbox.push(mining.decode(msgType, payload));
      else this.extended.push({ extensionType: extensionType & 0x7fff, msgType, payload: payload.slice() });
    }
  }

  /** Sends a message the way it comes off the wire. */
  send<N extends Name>(name: N, value: Fields<N>, tlv?: Uint8Array): void {
    const frame = mining.encode(name, value, tlv);
    this.downstream.receive(mining.decode(frame[2] as number, frame.subarray(6)));
  }

  /** What came since it was last asked. */
  received(): Message[] {
    const messages = this.#inbox;
    this.#inbox = [];
    return messages;
  }

  /** The names of what came. */
  names(): string[] {
    return this.received().map(({ name }) => name);
  }

  /** The next message, which must be a `name`. */
  next<N extends Name>(name: N): Fields<N> {
    const message = this.#inbox.shift();
    expect(message?.name).toBe(name);
    return message?.value as unknown as Fields<N>;
  }

  /** Nothing more came. */
  nothing(): void {
    expect(this.names()).toEqual([]);
  }

  /** Opens a standard channel and reads what follows. */
  openStandard(wish: Partial<Fields<"OpenStandardMiningChannel">> = {}): TestChannel {
    const { requestId = 9, userIdentity = "alice", nominalHashRate = NOMINAL, maxTarget = ANY_TARGET } = wish;
    this.send("OpenStandardMiningChannel", { requestId, userIdentity, nominalHashRate, maxTarget });
    const opened = this.next("OpenStandardMiningChannelSuccess");
    return new TestChannel(this, "standard", { ...opened, extranonceSize: 0 }).catchUp();
  }

  /** Opens an extended channel and reads what follows. */
  openExtended(wish: Partial<Fields<"OpenExtendedMiningChannel">> = {}): TestChannel {
    const { requestId = 9, userIdentity = "alice", nominalHashRate = NOMINAL, maxTarget = ANY_TARGET } = wish;
    const { minExtranonceSize = 4 } = wish;
    this.send("OpenExtendedMiningChannel", { requestId, userIdentity, nominalHashRate, maxTarget, minExtranonceSize });
    return new TestChannel(this, "extended", this.next("OpenExtendedMiningChannelSuccess")).catchUp();
  }

  /** The pool. */
  get pool(): TestPool {
    return this.#pool;
  }
}

/** What a miner makes a share of. */
export interface Mined {
  readonly jobId: number;
  readonly nonce: number;
  readonly ntime: number;
  readonly version: number;
  readonly extranonce: Uint8Array | undefined;
  /** The header's hash, internal byte order. */
  readonly hash: Uint8Array;
  /** The 80 bytes. */
  readonly header: Uint8Array;
}

/** What a test may say of a share. */
export interface MineWish {
  readonly atMost?: bigint;
  /** The hash must be greater than this. */
  readonly above?: bigint;
  readonly ntime?: number;
  readonly version?: number;
  readonly extranonce?: Uint8Array;
  readonly from?: number;
}

/** A channel from the miner's side: it follows job messages as firmware does. */
export class TestChannel {
  readonly peer: Peer;
  readonly channelId: number;
  readonly groupChannelId: number;
  readonly kind: "standard" | "extended";
  readonly extranonceSize: number;
  target: Uint8Array;
  extranoncePrefix: Uint8Array;
  #job: Fields<"NewMiningJob"> | Fields<"NewExtendedMiningJob"> | undefined;
  #tip: Fields<"SetNewPrevHash"> | undefined;
  #sequence = 0;
  #nonce = 0;

  constructor(peer: Peer, kind: "standard" | "extended", opened: Fields<"OpenExtendedMiningChannelSuccess">) {
    this.peer = peer;
    this.channelId = opened.channelId;
    this.groupChannelId = opened.groupChannelId;
    this.kind = kind;
    this.target = opened.target;
    this.extranoncePrefix = opened.extranoncePrefix;
    this.extranonceSize = opened.extranonceSize;
  }

  /** Reads all messages that came and keeps the jobs among them. */
  catchUp(): this {
    for (const message of this.peer.received()) this.follow(message);
    return this;
  }

  /** Takes one message as the miner would. */
  follow(message: Message): void {
    const ours = (id: number): boolean => id === this.channelId || id === this.groupChannelId;
    if (message.name === "NewMiningJob" && ours(message.value.channelId)) this.#job = message.value;
    if (message.name === "NewExtendedMiningJob" && ours(message.value.channelId)) this.#job = message.value;
    if (message.name === "SetNewPrevHash" && ours(message.value.channelId)) this.#tip = message.value;
    if (message.name === "SetTarget" && ours(message.value.channelId)) this.target = message.value.maximumTarget;
    if (message.name === "SetExtranoncePrefix" && ours(message.value.channelId)) {
      this.extranoncePrefix = message.value.extranoncePrefix;
    }
  }

  /** The job that the miner works on. */
  get jobId(): number {
    return this.#job?.jobId ?? -1;
  }

  /** `nbits` of the miner's tip. */
  get nBits(): number {
    return this.#tip?.nbits ?? 0;
  }

  /** Finds a share of the newest job. */
  mine(wish: MineWish = {}): Mined {
    const job = this.#job;
    const tip = this.#tip;
    if (job === undefined || tip === undefined) throw new Error("the miner has no work");
    const version = wish.version ?? job.version;
    const ntime = wish.ntime ?? job.minNtime ?? tip.minNtime;
    const extranonce =
      this.kind === "standard" ? undefined : (wish.extranonce ?? new Uint8Array(this.extranonceSize).fill(5));
    const whole = extranonce === undefined ? this.extranoncePrefix : concat(this.extranoncePrefix, extranonce);
    const merkleRoot = "merkleRoot" in job ? job.merkleRoot : extendedMerkleRoot(job, whole);
    const work: Work = { version, prevHash: tip.prevHash, merkleRoot, time: ntime, nBits: tip.nbits };
    const { nonce, hash } = grind(
      work,
      wish.atMost ?? toNumber(this.target),
      wish.above ?? 0n,
      wish.from ?? this.#nonce,
    );
    this.#nonce = nonce + 1;
    return { jobId: job.jobId, nonce, ntime, version, extranonce, hash, header: serializeHeader({ ...work, nonce }) };
  }

  /** Sends a share; what it holds may differ from what was mined. Returns its sequence number. */
  submit(mined: Mined, tlv?: Uint8Array): number {
    const sequenceNumber = this.#sequence++;
    const { channelId } = this;
    const { jobId, nonce, ntime, version, extranonce } = mined;
    const share = { channelId, sequenceNumber, jobId, nonce, ntime, version };
    if (extranonce === undefined) this.peer.send("SubmitSharesStandard", share);
    else this.peer.send("SubmitSharesExtended", { ...share, extranonce }, tlv);
    return sequenceNumber;
  }
}

/** A little-endian U256 as a number. */
export function toNumber(u256: Uint8Array): bigint {
  return u256.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The target of a difficulty, as on the wire. */
export function targetBytes(difficulty: number): Uint8Array {
  return targetToBytes(targetOfDifficulty(difficulty));
}

/** The network target of compact bits. */
export function networkTarget(nBits: number): bigint {
  return targetFromCompact(nBits);
}
