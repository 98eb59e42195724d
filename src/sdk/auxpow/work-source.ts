/**
 * Asks single daemons of an AuxPoW chain for work: with the call and the parameters that the profile names, only after a look at
 * the daemon's network, and with the tip beside it where the answer has none. What a refusal means is said in a fault.
 */
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { AuxWork } from "../../mining/aux.ts";
import type { Daemon } from "../daemon-config.ts";
import {
  type AuxBlockAnswer,
  auxBlock,
  blockCount,
  blockHash,
  networkState,
  readWork,
  type WorkContext,
} from "./answers.ts";
import type { AuxPowSettings } from "./config.ts";
import { type AuxPowProfile, noParams } from "./profile.ts";

/** What a daemon says of its network that cannot be asked. */
const EMPTY_STATE = { chain: undefined, initialblockdownload: undefined };
/** Ms for which a daemon must have been behind another: a block reaches them seconds apart. */
const BEHIND_MS = 30_000;
/** Ms for which a height that a daemon told counts; those on standby are asked every ten seconds. */
const SEEN_MS = 30_000;
/** Attempts to get work and tip from a daemon that tells them in separate calls, without a block between. */
const MAX_TIP_READS = 3;

/** What asking needs. */
export interface WorkSourceDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** What is asked for. */
export interface WorkSourceOptions {
  readonly profile: AuxPowProfile;
  readonly settings: Pick<AuxPowSettings, "payout" | "network">;
  /** The chain ID that the answers must have. */
  readonly chainId: number;
}

/** The height of a daemon's last work. */
interface Seen {
  readonly height: number;
  /** Monotonic ms of the answer. */
  readonly atMs: number;
  /** Monotonic ms since when another daemon has been higher; `undefined` when none is. */
  readonly behindMs: number | undefined;
}

/** Asks daemons for work. */
export class WorkSource {
  readonly #profile: AuxPowProfile;
  readonly #settings: WorkSourceOptions["settings"];
  readonly #chainId: number;
  /** Daemons whose network was checked since they last failed. */
  readonly #identified = new Set<Daemon>();
  /** Whether the daemon leaves out the tip with its work. */
  #asksTip = false;
  readonly #clock: WorkSourceDeps["clock"];
  readonly #seen = new Map<Daemon, Seen>();

  constructor(deps: WorkSourceDeps, options: WorkSourceOptions) {
    this.#clock = deps.clock;
    this.#profile = options.profile;
    this.#settings = options.settings;
    this.#chainId = options.chainId;
  }

  /** Another daemon may answer at the same address from now on: its network is checked again. */
  forget(daemon: Daemon): void {
    this.#identified.delete(daemon);
  }

  /** The work of `daemon`. Throws a `Fault`. */
  async ask(daemon: Daemon, signal: AbortSignal): Promise<AuxWork> {
    try {
      if (!this.#identified.has(daemon)) await this.#identify(daemon, signal);
      this.#identified.add(daemon);
      const work = this.#asksTip ? await this.#workWithTip(daemon, signal) : await this.#work(daemon, signal);
      this.#compare(daemon, work.height);
      return work;
    } catch (error) {
      if (!isFault(error, "node-behind")) this.#seen.delete(daemon);
      if (!isFault(error, "aux-no-work")) this.#identified.delete(daemon);
      throw error;
    }
  }

  /**
   * A daemon that is stuck goes on handing out work, which no other daemon would take a block of. Heights are compared and not work, since these
   * daemons do not tell the work of their chain; a branch with more blocks and less work would have to last half a minute.
   */
  #compare(daemon: Daemon, height: number): void {
    const nowMs = this.#clock.monotonicMs();
    const others = [...this.#seen].filter(([other, { atMs }]) => other !== daemon && nowMs - atMs <= SEEN_MS);
    const best = Math.max(height, ...others.map(([, seen]) => seen.height));
    const behindMs = best > height ? (this.#seen.get(daemon)?.behindMs ?? nowMs) : undefined;
    this.#seen.set(daemon, { height, atMs: nowMs, behindMs });
    if (behindMs === undefined || nowMs - behindMs < BEHIND_MS) return;
    throw new Fault("node-behind", { node: daemon.name, height, best });
  }

  async #work(daemon: Daemon, signal: AbortSignal): Promise<AuxWork> {
    const answer = await this.#answer(daemon, signal);
    if (answer.previousblockhash !== undefined && answer.height !== undefined) {
      return readWork(answer, this.#context(daemon));
    }
    this.#asksTip = true;
    return await this.#workWithTip(daemon, signal);
  }

  /** For daemons that give no tip with their work (Emercoin): asked around it, until it is the same before and after. */
  async #workWithTip(daemon: Daemon, signal: AbortSignal): Promise<AuxWork> {
    const { rpc } = daemon;
    const none = noParams(this.#profile);
    let before = await rpc.call("getbestblockhash", none, blockHash, { signal });
    for (let reads = 1; ; reads++) {
      const answer = await this.#answer(daemon, signal);
      const height = (await rpc.call("getblockcount", none, blockCount, { signal })) + 1;
      const hash = await rpc.call("getbestblockhash", none, blockHash, { signal });
      if (hash === before || reads >= MAX_TIP_READS) {
        return readWork(answer, { ...this.#context(daemon), tip: { hash, height } });
      }
      before = hash;
    }
  }

  async #answer(daemon: Daemon, signal: AbortSignal): Promise<AuxBlockAnswer> {
    const { method } = this.#profile;
    const { payout } = this.#settings;
    const name = method === "getauxblock" ? method : "createauxblock";
    const params = { createauxblock: [payout], getauxblock: [], named: { paytoaddress: payout } }[method];
    try {
      return await daemon.rpc.call(name, params, auxBlock, { signal });
    } catch (error) {
      throw this.#workRefusal(error);
    }
  }

  #context(daemon: Daemon): WorkContext {
    return { profile: this.#profile, chainId: this.#chainId, daemon: daemon.name };
  }

  /** What a daemon means that refuses to give work. */
  #workRefusal(error: unknown): unknown {
    if (!isFault(error, "node-rpc-error")) return error;
    const { rpcCode, says, node } = error.data;
    const words = String(says ?? "");
    const data = { node, says };
    if (rpcCode === -5 && /address/i.test(words)) return new Fault("aux-payout-refused", data, { cause: error });
    if (/wallet|keypool/i.test(words)) return new Fault("aux-wallet", data, { cause: error });
    return this.#profile.noWork.includes(Number(rpcCode)) ? new Fault("aux-no-work", data, { cause: error }) : error;
  }

  /**
   * Checks the daemon's network, where one is configured, and that it is not downloading the chain: then it has nothing to mine,
   * and on regtest, where it says no such thing, createauxblock would hang and hold up the download (and a reindex) for good.
   */
  async #identify(daemon: Daemon, signal: AbortSignal): Promise<void> {
    const { network } = this.#settings;
    const { networkCall } = this.#profile;
    if (network === undefined && networkCall !== "getblockchaininfo") return;
    const { rpc, name } = daemon;
    const { chain, initialblockdownload } = await rpc
      .call(networkCall, noParams(this.#profile), networkState, { signal })
      .catch((error: unknown) => {
        if (network === undefined && isFault(error, "node-method-unknown")) return EMPTY_STATE;
        throw error;
      });
    if (network !== undefined && chain !== network) {
      throw new Fault("aux-network-differs", { node: name, network: chain, wanted: network });
    }
    if (initialblockdownload === true) throw new Fault("node-syncing", { node: name, address: rpc.address });
  }
}

function isFault(error: unknown, code: string): error is Fault {
  return error instanceof Fault && error.code === code;
}
