/** The module API on real conversations, with jobs and the rest of the server scripted. */
import { moduleConversations } from "../../src/app/module/api/conversation.ts";
import { serializeHeader } from "../../src/bitcoin/header.ts";
import { targetToBytes } from "../../src/bitcoin/target.ts";
import { concat, fromDisplayHex, fromHex, fromUtf8, toHex, utf8 } from "../../src/kernel/bytes.ts";
import { Bus } from "../../src/kernel/events.ts";
import type { AuxEntry, AuxSnapshot, AuxWork } from "../../src/mining/aux.ts";
import { type HashedShare, MINING_DEFAULTS } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { buildJob, type Job, JobIds } from "../../src/mining/job.ts";
import type { Authoriser, FoundBlock, ShareCredit } from "../../src/mining/ports.ts";
import {
  MERGE_CHANNELS_DEFAULTS,
  MergeChannels,
  type MergeChannelsOptions,
} from "../../src/node/bllvm/module-api/merge-channels.ts";
import { MODULE_API_DEFAULTS, ModuleApi, type ModuleApiOptions } from "../../src/node/bllvm/module-api/module-api.ts";
import type { ApiChain, ConnectedMiner, ModuleApiPorts, RewardsQuery } from "../../src/node/bllvm/module-api/ports.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import type { PoolEvents, ShareSubmitted } from "../../src/pool/events.ts";
import { auxWork } from "./aux-work.ts";
import { makeTemplate, type TemplateWish } from "./fake-chain.ts";
import { FakeClock } from "./fake-clock.ts";
import { extendedMerkleRoot, grind } from "./grind.ts";
import { recordingLog } from "./recording-log.ts";

/** Where the test's clock begins, Unix seconds. */
const START_S = 1_700_000_000;
/** Some sixteen hashes a share. */
const EASY = 2n ** 252n - 1n;

/** Work in an answer of `get_merge_mining_template` with a channel. */
export interface ToldTemplate {
  readonly chain_id: string;
  readonly aux_hash: string;
  readonly job_id: number;
  readonly target: string;
  readonly mining: {
    readonly channel_id: number;
    readonly job_id: number;
    readonly version: number;
    readonly prev_hash: string;
    readonly bits: number;
    readonly min_ntime: number;
    readonly coinbase_prefix: string;
    readonly extranonce_prefix: string;
    readonly extranonce_size: number;
    readonly coinbase_suffix: string;
    readonly merkle_path: readonly string[];
    readonly share_target: string;
  };
}

/**
 * A share of told work, found as any caller could: from the answer alone. `above` and `atMost` choose its hash. Returns the parameters of
 * `submit_merge_mining_share`.
 */
export function findShare(
  { mining }: ToldTemplate,
  wish: { readonly above?: bigint; readonly atMost?: bigint; readonly from?: number; readonly fill?: number } = {},
) {
  const extranonce = new Uint8Array(mining.extranonce_size).fill(wish.fill ?? 5);
  const merkleRoot = extendedMerkleRoot(
    {
      channelId: 0,
      jobId: mining.job_id,
      minNtime: null,
      version: mining.version,
      versionRollingAllowed: true,
      merklePath: mining.merkle_path.map(fromHex),
      coinbaseTxPrefix: fromHex(mining.coinbase_prefix),
      coinbaseTxSuffix: fromHex(mining.coinbase_suffix),
    },
    concat(fromHex(mining.extranonce_prefix), extranonce),
  );
  const work = {
    version: mining.version,
    prevHash: fromHex(mining.prev_hash),
    merkleRoot,
    time: mining.min_ntime,
    nBits: mining.bits,
  };
  const atMost = wish.atMost ?? BigInt(`0x${mining.share_target}`);
  const { nonce, hash } = grind(work, atMost, wish.above, wish.from);
  const { channel_id, job_id } = mining;
  const params = {
    channel_id,
    job_id,
    nonce,
    ntime: mining.min_ntime,
    version: mining.version,
    extranonce: toHex(extranonce),
  };
  return { params, hash, header: serializeHeader({ ...work, nonce }) };
}

/** What a stage may be told. */
export interface StageOptions {
  readonly channels?: Partial<MergeChannelsOptions>;
  readonly api?: Partial<ModuleApiOptions>;
  readonly authoriser?: Authoriser;
  /** Bytes that channels roll; 16 when left out. */
  readonly rollableBytes?: number;
}

/** The API and its surroundings. */
export class ModuleApiStage {
  readonly clock = new FakeClock(START_S * 1000);
  readonly log = recordingLog();
  readonly meter = new MemoryMeter();
  readonly extranonces = new ExtranonceAllocator({}, { serverId: 3, capacity: 100 });
  readonly credits: ShareCredit[] = [];
  readonly blocks: FoundBlock[] = [];
  readonly announced: ShareSubmitted[] = [];
  readonly hashed: (Pick<HashedShare, "job" | "userIdentity" | "accepted"> & { readonly header: Uint8Array })[] = [];
  readonly channels: MergeChannels;
  readonly api: ModuleApi;
  readonly miners: ConnectedMiner[] = [];
  chains: ApiChain[] = [{ name: "namecoin", state: "running", trouble: undefined }];
  rewards: ModuleApiPorts["rewards"] = async () => ({ rewards: [], next: undefined });
  readonly asked: RewardsQuery[] = [];
  job: Job | undefined;
  readonly #jobIds = new JobIds();
  readonly #listeners = new Set<(job: Job) => void>();

  constructor({ channels, api, authoriser, rollableBytes = MINING_DEFAULTS.rollableBytes }: StageOptions = {}) {
    const { clock, log, meter, extranonces } = this;
    const bus = new Bus<PoolEvents>({
      onError(error) {
        throw error;
      },
    });
    bus.on("ShareSubmitted", (share) => void this.announced.push({ ...share, hash: share.hash?.slice() }));
    const open = moduleConversations(
      {
        clock,
        log,
        meter,
        extranonces,
        bus,
        authoriser: authoriser ?? { authorise: () => ({ allowed: true }) },
        shares: { credit: (share) => void this.credits.push(share) },
        blocks: (block) => void this.blocks.push(block),
        currentJob: () => this.job,
        nextJobId: () => this.#jobIds.next(),
        onHashed: ({ job, userIdentity, accepted, header }) =>
          void this.hashed.push({ job, userIdentity, accepted, header: header.slice() }),
      },
      { ...MINING_DEFAULTS, minDifficulty: 2 ** -28, maxDifficulty: 2 ** -26, rollableBytes },
    );
    const jobs = {
      onJob: (listener: (job: Job) => void) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
    };
    this.channels = new MergeChannels({ clock, log, jobs, open }, { ...MERGE_CHANNELS_DEFAULTS, ...channels });
    const ports: ModuleApiPorts = {
      job: () => this.job,
      miners: (first, most) => this.miners.slice(first, first + most),
      stats: () => ({
        channels: this.miners.length,
        acceptedShares: 7,
        rejectedShares: 2,
        status: { uptimeMs: 5, value: 2n ** 70n },
      }),
      chains: () => this.chains,
      rewards: (query) => {
        this.asked.push(query);
        return this.rewards(query);
      },
      channels: this.channels,
    };
    this.api = new ModuleApi({ ports, clock, log, meter }, { ...MODULE_API_DEFAULTS, ...api });
  }

  static async started(options: StageOptions = {}): Promise<ModuleApiStage> {
    const stage = new ModuleApiStage(options);
    await stage.channels.start(new AbortController().signal);
    return stage;
  }

  /** A job on another block, which commits to these works (`namecoin` by default). */
  newJob(works: readonly AuxWork[] = [auxWork({ id: "w1", target: EASY })], wish: Partial<TemplateWish> = {}): Job {
    const jobId = this.#jobIds.next();
    const nowMs = this.clock.nowMs();
    const curTime = Math.floor(nowMs / 1000);
    const template = makeTemplate({
      height: 100 + jobId,
      prevHash: Uint8Array.from({ length: 32 }, (_, i) => i + jobId),
      curTime,
      ...wish,
    });
    const payout = (value: bigint) => [{ value, script: Uint8Array.of(0x51) }];
    const aux = works.length === 0 ? undefined : snapshot(works);
    const job = buildJob({ template, payout, tag: utf8("/t/"), jobId, nowMs, ...(aux === undefined ? {} : { aux }) });
    this.job = job;
    for (const listener of this.#listeners) listener(job);
    return job;
  }

  /** Calls a method; throws what the caller would be told. */
  async call<T = Record<string, unknown>>(method: string, params: unknown = {}, caller = "other_0a"): Promise<T> {
    const bytes = params instanceof Uint8Array ? params : utf8(JSON.stringify(params));
    const answer = await this.api.handle(method, bytes, caller);
    if (answer.type === "error") throw new Error(answer.error);
    if (answer.type !== "ModuleApi") throw new Error(`answered as ${answer.type}`);
    return JSON.parse(fromUtf8(answer.result)) as T;
  }

  /** Registers a channel and gets its work. */
  async channel(params: object = { chain_id: "namecoin" }, caller = "other_0a"): Promise<ToldTemplate> {
    const { channel_id } = await this.call<{ channel_id: number }>("register_merge_mining_channel", params, caller);
    return await this.template(channel_id, caller);
  }

  /** The work of a channel. */
  async template(channel_id: number, caller = "other_0a"): Promise<ToldTemplate> {
    const { template } = await this.call<{ template: ToldTemplate }>(
      "get_merge_mining_template",
      { channel_id },
      caller,
    );
    return template;
  }
}

function snapshot(works: readonly AuxWork[]): AuxSnapshot {
  const entries = works.map(
    (work, index): AuxEntry => ({
      chain: ["namecoin", "rsk"][index] ?? `chain${index}`,
      work,
      target: targetToBytes(work.target),
      slot:
        index === 0
          ? { chainId: 1, strictChainId: true, index: 0, branch: [fromDisplayHex("11".repeat(32))] }
          : undefined,
      scripts: index === 0 ? [] : [Uint8Array.of(0x6a, 1, index)],
    }),
  );
  const chains = entries.map(({ chain }) => chain);
  const easiest = works.reduce((most, { target }) => (target > most ? target : most), 0n);
  return { generation: 1, entries, chains, easiest: targetToBytes(easiest), channelTarget: undefined };
}
