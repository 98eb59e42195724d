/**
 * The methods that other modules of the node may call (`CallModule`, reference 2.8), under upstream's names, JSON both ways. An error is a sentence
 * with what to do. Reads are of what is in memory, but for rewards, which the ledger is asked for within its own bounds.
 */
import { fromHex, utf8 } from "../../../kernel/bytes.ts";
import { type Clock, sleep } from "../../../kernel/clock.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { BllvmInvocationAnswer } from "../bllvm-node.ts";
import {
  auxTemplateAnswer,
  channelAnswer,
  minerAnswer,
  miningAnswer,
  rewardAnswer,
  shareAnswer,
  templateAnswer,
} from "./answers.ts";
import { errorText } from "./error-text.ts";
import { MERGE_CHANNELS_DEFAULTS } from "./merge-channels.ts";
import { type MethodName, PARAMS, type ParamsOf, paramsOf } from "./params.ts";
import type { ModuleApiPorts } from "./ports.ts";

/** Version that is registered with the methods. */
export const API_VERSION = 1;

/** Names of all methods. */
export const METHODS = Object.keys(PARAMS) as MethodName[];

/** What the API works with. */
export interface ModuleApiDeps {
  readonly ports: ModuleApiPorts;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}

/** Options of `ModuleApi`. */
export interface ModuleApiOptions {
  /** Calls under way; more are refused. */
  readonly maxCalls: number;
  /** Ms after which a call is answered with an error; the node waits 60 s. */
  readonly timeoutMs: number;
  /** As the channels' own: callers are told. */
  readonly idleMs: number;
}

/** Values for every node. */
export const MODULE_API_DEFAULTS: ModuleApiOptions = {
  maxCalls: 16,
  timeoutMs: 25_000,
  idleMs: MERGE_CHANNELS_DEFAULTS.idleMs,
};

/** One call of a method. */
type Run<M extends MethodName> = (params: ParamsOf<M>, caller: string) => object | Promise<object>;

/** The API. */
export class ModuleApi {
  readonly #deps: ModuleApiDeps;
  readonly #options: ModuleApiOptions;
  readonly #methods: { readonly [M in MethodName]: Run<M> };
  #calls = 0;

  constructor(deps: ModuleApiDeps, options: ModuleApiOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#methods = {
      get_template: () => this.#template(),
      get_connected_miners: (params) => this.#miners(params),
      get_pool_stats: () => this.#stats(),
      register_merge_mining_channel: (params, caller) => this.#register(params, caller),
      get_merge_mining_template: (params, caller) => this.#auxTemplate(params, caller),
      submit_merge_mining_share: (params, caller) => this.#submit(params, caller),
      get_block_merge_mining_rewards: (params) => this.#rewards(params),
    };
  }

  /** Answers a call. Never rejects: what goes wrong is an answer too. */
  async handle(method: string, params: Uint8Array, callerModuleId: string): Promise<BllvmInvocationAnswer> {
    const { log, meter } = this.#deps;
    const name = METHODS.find((each) => each === method);
    try {
      if (name === undefined) {
        throw new Fault("bllvm-api-method", { method: method.slice(0, 60), known: METHODS.join(" ") });
      }
      const answer = await this.#bounded(() => this.#run(name, params, callerModuleId.slice(0, 200)));
      meter.count("bllvm_api_calls_total", 1, { method: name, answer: "ok" });
      return { type: "ModuleApi", result: utf8(JSON.stringify(answer, plain)) };
    } catch (error) {
      meter.count("bllvm_api_calls_total", 1, { method: name ?? "unknown", answer: "error" });
      return { type: "error", error: errorText(error, method.slice(0, 60), log) };
    }
  }

  #run<M extends MethodName>(name: M, params: Uint8Array, caller: string): object | Promise<object> {
    return this.#methods[name](paramsOf(name, params), caller);
  }

  /** A call that takes too long goes on, and counts as under way until it ends. */
  async #bounded<T>(run: () => T | Promise<T>): Promise<T> {
    const { maxCalls, timeoutMs } = this.#options;
    // What answers calls is stopped too, or soon will be: nothing is asked of it any more.
    if (this.#deps.ports.channels.isStopped) throw new Fault("bllvm-api-busy", { why: "the server stops" });
    if (this.#calls >= maxCalls) throw new Fault("bllvm-api-busy", { underWay: this.#calls });
    this.#calls += 1;
    const patience = new AbortController();
    const running = (async () => await run())().finally(() => {
      this.#calls -= 1;
    });
    const late = sleep(this.#deps.clock, timeoutMs, patience.signal).then(() => {
      throw new Fault("bllvm-api-busy", { waitedMs: timeoutMs });
    });
    // Whichever comes second is nobody's any more.
    running.catch(() => undefined);
    late.catch(() => undefined);
    try {
      return await Promise.race([running, late]);
    } finally {
      patience.abort();
    }
  }

  /** `get_template`: the Bitcoin work of now; `template` is `null` before the first job. */
  #template(): object {
    const job = this.#deps.ports.job();
    return { template: job === undefined ? null : templateAnswer(job) };
  }

  /** `get_connected_miners`: a page of channels. `miners` are their names, as upstream has them. */
  #miners({ offset, limit }: ParamsOf<"get_connected_miners">): object {
    const { miners, stats } = this.#deps.ports;
    const page = miners(offset, limit);
    const total = stats().channels;
    return {
      miners: [...new Set(page.map(({ userIdentity }) => userIdentity))],
      channels: page.map(minerAnswer),
      total,
      next_offset: offset + page.length < total && page.length > 0 ? offset + page.length : null,
    };
  }

  /** `get_pool_stats`: upstream's four counts, and the whole snapshot. */
  #stats(): object {
    const { channels, acceptedShares, rejectedShares, status } = this.#deps.ports.stats();
    return {
      miner_count: channels,
      total_shares: acceptedShares + rejectedShares,
      accepted_shares: acceptedShares,
      rejected_shares: rejectedShares,
      status,
    };
  }

  /** `register_merge_mining_channel`: a channel of the caller's own for a chain that is configured here. */
  #register(params: ParamsOf<"register_merge_mining_channel">, caller: string): object {
    const { channels } = this.#deps.ports;
    const { min_difficulty: minDifficulty, hashrate } = params;
    const chain = this.#chain(params);
    if (chain === undefined) throw new Fault("bllvm-api-params", { why: "chain_id is missing: the chain to mine" });
    const userIdentity = params.user_identity ?? identityOf(caller);
    return channelAnswer(
      channels.register(caller, { chain, userIdentity, minDifficulty, hashrate }),
      this.#options.idleMs,
    );
  }

  /** `get_merge_mining_template`: a chain's work, with a channel's own job if one is named. */
  #auxTemplate(params: ParamsOf<"get_merge_mining_template">, caller: string): object {
    const { ports } = this.#deps;
    const channel = params.channel_id === undefined ? undefined : ports.channels.find(caller, params.channel_id);
    const chain = this.#chain(params) ?? channel?.registration.chain;
    if (chain === undefined) {
      throw new Fault("bllvm-api-params", { why: "neither channel_id nor chain_id says which chain" });
    }
    const channelJob = channel?.job;
    const job = channel === undefined ? ports.job() : channelJob?.prepared.job;
    const entry = job?.aux?.entries.find((each) => each.chain === chain);
    if (job === undefined || entry === undefined) {
      const known = ports.chains().find(({ name }) => name === chain);
      const why = job === undefined ? "there is no Bitcoin job yet" : "the job does not commit to the chain";
      return { template: null, reason: known?.trouble ?? why };
    }
    const mining = channel === undefined || channelJob === undefined ? null : miningAnswer(channel, channelJob);
    return { template: auxTemplateAnswer(entry, job, mining), reason: null };
  }

  /**
   * `submit_merge_mining_share`: a share of a job that `get_merge_mining_template` gave for the caller's channel. It is a miner's share in every way:
   * judged against the channel's target, credited to the channel's identity, handed to merge mining, which proves, checks and submits what solves a
   * chain, and to the Bitcoin node when it solves a block. Proofs of coinbases that are not ours are not taken: the server could neither tell what
   * else such a coinbase pays nor whether its parent block exists.
   */
  #submit(params: ParamsOf<"submit_merge_mining_share">, caller: string): object {
    const { channel_id, job_id: jobId, nonce, ntime, version } = params;
    const channel = this.#deps.ports.channels.find(caller, channel_id);
    return shareAnswer(channel.submit({ jobId, nonce, ntime, version, extranonce: fromHex(params.extranonce) }));
  }

  /** `get_block_merge_mining_rewards`: found aux blocks, newest first, of a Bitcoin header, an aux block, a height, a chain, or all. */
  async #rewards(params: ParamsOf<"get_block_merge_mining_rewards">): Promise<object> {
    const { block_hash, height, limit, after } = params;
    // A hash that was typed in capitals is the same hash; other names stand as they are.
    const blockHash =
      block_hash !== undefined && /^(0x)?[0-9a-f]{64}$/i.test(block_hash) ? block_hash.toLowerCase() : block_hash;
    const chain = this.#chain(params, false);
    const { rewards, next } = await this.#deps.ports.rewards({ chain, blockHash, height, limit, after });
    return { rewards: rewards.map(rewardAnswer), next: next ?? null };
  }

  /** The configured name of the chain that is named; `undefined` when none is. Throws `Fault("chain-unknown")`, unless the ledger may know more. */
  #chain(
    { chain, chain_id }: { readonly chain?: string | undefined; readonly chain_id?: string | number | undefined },
    isConfigured = true,
  ): string | undefined {
    const { ports } = this.#deps;
    const named = chain ?? chain_id;
    if (named === undefined) return undefined;
    if (typeof named === "number") {
      const entry = ports.job()?.aux?.entries.find(({ slot }) => slot?.chainId === named);
      if (entry === undefined)
        throw new Fault("chain-unknown", { chain: `with AuxPoW ID ${named} in the present job` });
      return entry.chain;
    }
    const names = ports.chains().map(({ name }) => name);
    if (isConfigured && !names.includes(named))
      throw new Fault("chain-unknown", { chain: named, known: names.join(" ") });
    return named;
  }
}

/** Who a caller's shares are credited to when it names nobody: the node's ids are a module's name and a number of its run. */
function identityOf(caller: string): string {
  const name = (caller.split("_")[0] ?? "").replaceAll(/[^a-zA-Z0-9-]/g, "").slice(0, 64);
  return `module.${name === "" ? "unnamed" : name}`;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
