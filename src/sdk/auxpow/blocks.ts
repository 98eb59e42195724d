/**
 * What became of a block: `true` for a submission means only that the daemon processed it. A valid block next to the tip is
 * answered `true` too and never wins, so its confirmations are asked for until the reward can be spent.
 */
import type { z } from "zod";
import type { RpcParams } from "../../daemon/rpc.ts";
import { Fault } from "../../kernel/fault.ts";
import type { BlockStatus, SubmittedBlock } from "../../merge/plugin.ts";
import type { Daemon } from "../daemon-config.ts";
import type { Daemons } from "../daemons.ts";
import { baseUnits, blockHash, blockPlace, blockWithCoinbase, rawTransaction } from "./answers.ts";
import type { AuxPowProfile } from "./profile.ts";

/** What following needs. */
export interface BlockFollowerDeps {
  readonly daemons: Daemons;
}

/** Whose blocks are followed. */
export interface BlockFollowerOptions {
  readonly profile: AuxPowProfile;
  /** Blocks after which the reward can be spent. */
  readonly maturity: number;
}

/** Bytes of a block with all its transactions spelt out. */
const MAX_BLOCK_BYTES = 32 << 20;
/** Rewards remembered, so that a whole block is asked for only once. */
const MAX_REWARDS = 256;

/** Where a block stands at one daemon. */
interface Place {
  readonly daemon: Daemon;
  /** 0 when it is not in the best chain. */
  readonly confirmations: number;
}

/** Follows blocks. */
export class BlockFollower {
  readonly #daemons: Daemons;
  readonly #profile: AuxPowProfile;
  readonly #maturity: number;
  readonly #rewards = new Map<string, bigint>();

  constructor(deps: BlockFollowerDeps, options: BlockFollowerOptions) {
    this.#daemons = deps.daemons;
    this.#profile = options.profile;
    this.#maturity = options.maturity;
  }

  /** Asks the daemons in order until one has the block in its best chain. Rejects when none has, and one did not answer. */
  async status(block: SubmittedBlock, signal: AbortSignal): Promise<BlockStatus> {
    const { blockHash: name } = block;
    let isKnown = false;
    let failure: unknown;
    for (const daemon of this.#daemons.inOrder()) {
      let place: Place | undefined;
      try {
        place = await this.#placeAt(daemon, name, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
        continue;
      }
      if (place === undefined) continue;
      isKnown = true;
      if (place.confirmations > 0) return await this.#inChain(place, name, signal);
    }
    if (failure !== undefined) throw failure;
    return { state: isKnown ? "orphaned" : "unknown", confirmations: 0, reward: undefined };
  }

  /** Whether `daemon` has the block, in its best chain or not; no, when it has no call for that or does not let us use it. */
  async knows(daemon: Daemon, name: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#placeAt(daemon, name, signal)) !== undefined;
    } catch (error) {
      if (isFault(error, "node-method-unknown") || isFault(error, "node-forbidden")) return false;
      throw error;
    }
  }

  async #inChain({ daemon, confirmations }: Place, name: string, signal: AbortSignal): Promise<BlockStatus> {
    const state = confirmations >= this.#maturity ? "mature" : "confirmed";
    // What it pays is worth knowing and no reason to say nothing of the block.
    const reward = this.#rewards.get(name) ?? (await this.#reward(daemon, name, signal).catch(() => undefined));
    signal.throwIfAborted();
    if (reward !== undefined) {
      if (this.#rewards.size >= MAX_REWARDS) this.#rewards.clear();
      this.#rewards.set(name, reward);
    }
    return { state, confirmations, reward };
  }

  /** Where the block stands at `daemon`; `undefined` when it is not known there. */
  async #placeAt(daemon: Daemon, name: string, signal: AbortSignal): Promise<Place | undefined> {
    const { method, reversedHashes } = this.#profile;
    const call = <S extends z.ZodType>(rpc: string, params: RpcParams, schema: S): Promise<z.output<S>> =>
      daemon.rpc.call(rpc, params, schema, { signal });
    try {
      if (method !== "named") {
        const header = await call("getblockheader", [name], blockPlace).catch((error: unknown) => {
          // Daemons of before 2015 have no such call.
          if (!isFault(error, "node-method-unknown")) throw error;
          return call("getblock", [name], blockPlace);
        });
        return { daemon, confirmations: Math.max(0, header.confirmations) };
      }
      const block = await call("getblock", { blockhash: name, verbosity: 1 }, blockPlace);
      // Elastos.ELA counts confirmations by height alone, so only the block at that height tells which branch is the best.
      if (!reversedHashes || block.height === undefined)
        return { daemon, confirmations: Math.max(0, block.confirmations) };
      const best = await call("getblockhash", { height: block.height }, blockHash);
      return { daemon, confirmations: best === name ? Math.max(0, block.confirmations) : 0 };
    } catch (error) {
      if (isUnknownBlock(error)) return undefined;
      throw error;
    }
  }

  /** What the block pays us: one output of its first transaction. */
  async #reward(daemon: Daemon, name: string, signal: AbortSignal): Promise<bigint | undefined> {
    const { method, rewardOutput, coin } = this.#profile;
    const params: RpcParams = method === "named" ? { blockhash: name, verbosity: 2 } : [name, 2];
    const limits = { signal, maxBytes: MAX_BLOCK_BYTES };
    const ids: RpcParams = method === "named" ? { blockhash: name, verbosity: 1 } : [name];
    const block = await daemon.rpc.call("getblock", params, blockWithCoinbase, limits).catch((error: unknown) => {
      // Too big, or from a daemon that takes no number there: then only the list of transactions.
      if (!isFault(error, "node-rpc-error") && !isFault(error, "node-answer-too-big")) throw error;
      return daemon.rpc.call("getblock", ids, blockWithCoinbase, limits);
    });
    const [first] = block.tx;
    const coinbase = typeof first === "string" ? await this.#transaction(daemon, first, name, signal) : first;
    const output = coinbase.vout[rewardOutput];
    return output === undefined ? undefined : baseUnits(output.value, coin.decimals);
  }

  #transaction(
    daemon: Daemon,
    txid: string,
    block: string,
    signal: AbortSignal,
  ): Promise<z.output<typeof rawTransaction>> {
    const call = (params: RpcParams): Promise<z.output<typeof rawTransaction>> =>
      daemon.rpc.call("getrawtransaction", params, rawTransaction, { signal });
    if (this.#profile.method === "named") return call({ txid, verbose: true });
    // Since Core 0.16 the block can be named, so that no index of transactions is needed.
    return call([txid, 1, block]).catch((error: unknown) => {
      if (!isFault(error, "node-rpc-error")) throw error;
      return call([txid, 1]);
    });
  }
}

/** Core's -5 "Block not found", Elastos.ELA's 44003 "Unknown Block". */
function isUnknownBlock(error: unknown): boolean {
  if (!isFault(error, "node-rpc-error")) return false;
  const { rpcCode, says } = error.data;
  return rpcCode === 44003 || rpcCode === -5 || /block not found|unknown block/i.test(String(says));
}

function isFault(error: unknown, code: string): error is Fault {
  return error instanceof Fault && error.code === code;
}
