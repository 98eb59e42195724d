/**
 * Mining job tokens (spec 6.4.2): random, so that nobody guesses another's; good for one use; void after a while. One that was allocated is for its own
 * connection to declare a job under, or to be set as it is in coinbase-only mode; one that a declared job got may be set by whoever knows it.
 */

import type { TxOutput } from "../../bitcoin/transaction.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Random } from "../../kernel/random.ts";
import type { CustomWork } from "../../mining/custom-work.ts";
import type { SetCustomMiningJobErrorCode } from "../../sv2/codes.ts";

/** Bytes of a token: no chance to guess one. */
const TOKEN_SIZE = 16;

/** What `MiningJobTokens` works with. */
export interface MiningJobTokensDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Random;
}

/** Options of `MiningJobTokens`. */
export interface MiningJobTokensOptions {
  /** Ms after which a token that was not used is void. */
  readonly lifetimeMs: number;
  /** Unused tokens of each sort that one client may hold; with one more its oldest is void. */
  readonly perClient: number;
}

/** A token that a client may declare a job under. */
export interface Allocation {
  /** The client's connection. */
  readonly client: number;
  readonly userIdentifier: string;
  readonly outputs: readonly TxOutput[];
  /** Whether it may be set without a declared job. */
  readonly coinbaseOnly: boolean;
}

interface Entry {
  readonly client: number;
  readonly untilMs: number;
  readonly allocation: Allocation | undefined;
  readonly work: CustomWork | undefined;
}

/** All tokens. */
export class MiningJobTokens {
  readonly #deps: MiningJobTokensDeps;
  readonly #options: MiningJobTokensOptions;
  /** By token in hex, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Tokens of each client and sort, the oldest first. */
  readonly #held = new Map<string, string[]>();

  constructor(deps: MiningJobTokensDeps, options: MiningJobTokensOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Tokens that were not used. */
  get size(): number {
    return this.#entries.size;
  }

  /** A token to declare a job under. */
  allocate(allocation: Allocation): Uint8Array {
    return this.#enter(allocation.client, "allocated", { allocation, work: undefined });
  }

  /** Uses a token for a declaration; `undefined` for one that this client does not hold. */
  take(client: number, token: Uint8Array): Allocation | undefined {
    const key = toHex(token);
    const entry = this.#live(key);
    if (entry?.allocation === undefined || entry.client !== client) return undefined;
    this.#drop(key);
    return entry.allocation;
  }

  /** A token for a job that `client` declared. */
  declared(client: number, work: CustomWork): Uint8Array {
    return this.#enter(client, "declared", { allocation: undefined, work });
  }

  /** As `CustomJobs.redeem`. */
  redeem(token: Uint8Array): CustomWork | { readonly errorCode: SetCustomMiningJobErrorCode } {
    const key = toHex(token);
    const entry = this.#live(key);
    if (entry === undefined) return { errorCode: "invalid-mining-job-token" };
    if (entry.work !== undefined) {
      this.#drop(key);
      return entry.work;
    }
    const { allocation } = entry;
    if (allocation?.coinbaseOnly !== true) return { errorCode: "job-not-yet-validated" };
    this.#drop(key);
    const { userIdentifier, outputs } = allocation;
    return { userIdentifier, outputs, declared: undefined };
  }

  /** A declared job is forgotten: its token with it. */
  void(work: CustomWork): void {
    for (const [key, entry] of this.#entries) if (entry.work === work) this.#drop(key);
  }

  /** A client is gone: it cannot declare any more. What it declared may still be set by its mining connection. */
  leave(client: number): void {
    for (const key of [...(this.#held.get(`${client} allocated`) ?? [])]) this.#drop(key);
  }

  /** Lets go of what is void. To be called now and then. */
  sweep(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [key, { untilMs }] of this.#entries) {
      if (untilMs > nowMs) return;
      this.#drop(key);
    }
  }

  #enter(client: number, sort: "allocated" | "declared", what: Pick<Entry, "allocation" | "work">): Uint8Array {
    const { clock, random } = this.#deps;
    const { lifetimeMs, perClient } = this.#options;
    const token = random.bytes(TOKEN_SIZE);
    const key = toHex(token);
    const held = this.#held.get(`${client} ${sort}`) ?? [];
    this.#held.set(`${client} ${sort}`, held);
    if (held.length >= perClient) this.#drop(held[0] as string);
    held.push(key);
    this.#entries.set(key, { client, untilMs: clock.monotonicMs() + lifetimeMs, ...what });
    return token;
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.untilMs <= this.#deps.clock.monotonicMs() ? undefined : entry;
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const name = `${entry.client} ${entry.allocation === undefined ? "declared" : "allocated"}`;
    const held = this.#held.get(name);
    held?.splice(held.indexOf(key), 1);
    if (held?.length === 0) this.#held.delete(name);
  }
}
