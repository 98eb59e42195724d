/**
 * The contract between the core and the plugin of an auxiliary chain, version 1. A plugin is a plain object: it names itself,
 * describes its configuration as a zod schema, and opens chains. A chain talks to its daemons, offers work, turns work into
 * a commitment, submits proofs and says what became of a block. The core does the rest: where a commitment stands in the
 * coinbase, which share solves what, proofs, spares, retries, records.
 *
 * A plugin may throw, hang or return nonsense at any time: its chain is taken out of the next job and started again with
 * backoff, and nothing else notices. This guards against faults, not against malice: a plugin runs in the server's process.
 */
import type { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { AuxWork } from "../mining/aux.ts";

/** Version of this contract. It changes only when a plugin of the old version could not work any more. */
export const PLUGIN_API = 1;

/** What an entry module of a plugin exports as `plugin`. */
export interface ChainPlugin<S extends z.ZodType = z.ZodType> {
  /** Name of the plugin, the same as in its `package.json`: a lower-case letter, then up to 31 of `a-z 0-9 -`. */
  readonly name: string;
  /** The version of the contract that it was written for. */
  readonly api: typeof PLUGIN_API;
  /** The coin that its blocks pay. `decimals`: 8 when the base unit is 10^-8 of the coin. */
  readonly coin: { readonly symbol: string; readonly decimals: number };
  /**
   * Checks the keys of the chain's table in `config.toml`, without the host's own (`HOST_KEYS`). A strict object, so that a misspelt key
   * is an error that names file and key. Keys that hold secrets are to be named `password`, `secret`, `token` or `*_key`.
   */
  readonly config: S;
  /** Chains may be opened several times under different names (two coins of one family). Defaults of the chain's update policy. */
  readonly defaults?: Partial<ChainPolicy>;
  /**
   * Makes a chain; no I/O yet, and cheap. May throw a sentence for the operator when the configuration cannot work
   * (`new Error("payout is an address of another network")`).
   */
  open(config: z.output<S>, host: Host): Chain;
}

/** How the core treats a chain's work; the operator may change each in the chain's table. */
export interface ChainPolicy {
  /** When new work makes a job of its own: 0 never (it goes with the next Bitcoin job), 1 when the chain has a new tip, 2 at any change. */
  readonly update: 0 | 1 | 2;
  /** Least time between two jobs made for this chain, ms. */
  readonly minIntervalMs: number;
  /** Work that was not offered again for this long is not committed to any more, ms. */
  readonly expiryMs: number;
  /**
   * Which of two works on the same parent is kept: the one with the higher `value` (namecoind returns a better template once
   * and then the old one again), or the `newest` (daemons that forget old ones).
   */
  readonly prefer: "value" | "newest";
}

/** What a chain is given. It is all that a plugin sees of the server. */
export interface Host {
  /** Name of the chain as configured: the table's name, e.g. `namecoin` of `[chains.namecoin]`. */
  readonly chain: string;
  /** Folder of the configuration file, absolute: relative paths in the configuration start here. */
  readonly folder: string;
  /** Aborts when the chain is stopped or isolated: nothing may be offered, no timer may be left after that. */
  readonly signal: AbortSignal;
  /**
   * Lines carry the chain's name. Never log a password or a token. 20 lines a second are written, 200 at once, and 4000 characters of
   * each line and each field; what is beyond that is left out with a word about it.
   */
  readonly log: Log;
  /** Counts and gauges, shown as metrics with the chain's name. */
  readonly meter: ChainMeter;
  /** Time and timers. Timers that are set with it end with the chain, and what they throw isolates nothing but the chain. */
  readonly clock: Clock;
  /**
   * Offers work, or withdraws it with `undefined` (no daemon, not synchronised). Offer on every poll, also unchanged work: work
   * that is not offered again expires. Takes no time and never throws; work with a wrong shape isolates the chain.
   */
  offer(work: AuxWork | undefined): void;
  /**
   * Says in one sentence what keeps the chain from working, or `undefined` when all is well; shown by `plugin list` and logged
   * when it changes.
   */
  trouble(sentence: string | undefined): void;
}

/** Counts and gauges of a plugin, labelled with its chain. At most 32 names of up to 40 characters `a-z 0-9 _`. */
export interface ChainMeter {
  /** Adds `value`, 1 when left out, to a count (metric `aux_plugin_total`). */
  count(name: string, value?: number): void;
  /** Sets a gauge (metric `aux_plugin_value`). */
  gauge(name: string, value: number): void;
  /** Whether one of the chain's daemons answers (metric `aux_daemon_up`); its name as configured, without credentials. */
  daemon(name: string, up: boolean): void;
}

/** An open chain. Every call has a deadline; `signal` aborts when it has passed. */
export interface Chain {
  /**
   * The ID in the chain's `auxpow` commitments, 0 to 65535, for a chain that knows it before its first work: then its place in the tree is kept from
   * the start. Learned from the first commitment when left out; never given by a chain without `auxpow` commitments.
   */
  readonly chainId?: number;
  /** Begins to offer work. Resolves when that is under way; an unreachable daemon is no reason to reject: it may come back. Called once. */
  start(): Promise<void>;
  /** Lets go of every connection, timer and subscription. Called once, also after a `start` that failed. */
  stop(): Promise<void>;
  /**
   * What must stand in the coinbase for `work`. Pure and fast, no I/O: every share waits while it runs, and after a second the chain is
   * isolated. Called for each new work, not for each job, and what it returns is copied. An `auxpow` commitment's hash is the work's. One `auxpow` commitment at most and
   * 4 outputs at most.
   */
  commit(work: AuxWork): Commitment | readonly Commitment[];
  /**
   * The plugin's own check of a proof before it is submitted: the reason why the daemon would refuse it, or `undefined`. The core has
   * checked AuxPoW proofs, merkle branch, header hash and the rules of the commitments already.
   */
  verify?(proof: Proof): string | undefined;
  /**
   * Hands the proof to a daemon. Resolves with its final word; rejects when there is none (unreachable, busy, still loading): the core
   * tries again with backoff, so the same proof may be submitted twice. Must give up when `signal` aborts.
   */
  submit(proof: Proof, signal: AbortSignal): Promise<Outcome>;
  /** What became of a block that was submitted. Rejects when no daemon can say. */
  status(block: SubmittedBlock, signal: AbortSignal): Promise<BlockStatus>;
}

/** What a chain needs in the coinbase. */
export type Commitment = AuxPowCommitment | OutputCommitment;

/** A leaf in the one tree of all AuxPoW chains, whose root the core puts into the scriptSig. */
export interface AuxPowCommitment {
  /** Tells it from an output. */
  readonly kind: "auxpow";
  /** The chain's ID, 0 to 65535. Two chains with the same ID cannot be mined together. The same for every work. */
  readonly chainId: number;
  /** Aux block hash as the daemon prints it, `Uint8Array(32)`. */
  readonly hash: Uint8Array;
  /** Whether the chain refuses a parent block whose version has the chain's own ID in its upper half (`fStrictChainId`). */
  readonly strictChainId: boolean;
}

/** An output of value 0 in the coinbase. The core orders all outputs so that every rule of every chain holds, or drops a chain. */
export interface OutputCommitment {
  /** Tells it from a leaf of the tree. */
  readonly kind: "output";
  /** The whole script, e.g. OP_RETURN and a push; 1 to 100 bytes. */
  readonly script: Uint8Array;
  /** Bytes that may stand behind the script in the coinbase without witness, its 4 bytes of lock time included (RSK: 128). */
  readonly maxBytesAfter?: number;
  /** The script holds these bytes, and nothing before them in the coinbase may hold them (Hathor: "Hath"). */
  readonly first?: Uint8Array;
  /** The script holds these bytes, and nothing behind them in the coinbase may hold them (RSK: "RSKBLOCK:"). */
  readonly last?: Uint8Array;
  /** No other output may hold these bytes (Syscoin: "sys"). */
  readonly forbid?: Uint8Array;
}

/** Everything that shows that a parent header solves a work. Plain data: it is written to disk before it is submitted. */
export interface Proof {
  /** The work that is solved, as it was offered. */
  readonly work: AuxWork;
  /** The parent header as hashed, 80 bytes. */
  readonly header: Uint8Array;
  /** Its hash, `Uint8Array(32)`, internal byte order. */
  readonly headerHash: Uint8Array;
  /** The parent's coinbase without witness: the bytes whose hash is its txid. */
  readonly coinbase: Uint8Array;
  /** Siblings of the coinbase from leaf to root, each `Uint8Array(32)` in internal byte order. */
  readonly merkleBranch: readonly Uint8Array[];
  /** Transactions of the parent block, the coinbase included. */
  readonly transactionCount: number;
  /** The serialised CAuxPow (Namecoin `src/auxpow.h`), for a chain with an `auxpow` commitment. */
  readonly auxpow: Uint8Array | undefined;
}

/** A daemon's final word on a proof. */
export interface Outcome {
  /**
   * `accepted` the block was taken as valid (not yet that it won); `duplicate` the daemon had it already; `stale` the daemon does not know the
   * work any more, or another block took its place; `rejected` the proof or block is not valid.
   */
  readonly verdict: "accepted" | "duplicate" | "stale" | "rejected";
  /** The daemon's own words; empty when it had none. */
  readonly reason: string;
  /** Hash of the block on its own chain as that chain prints it, when it is not `work.id`. */
  readonly blockHash?: string;
  /** Height of the block on its own chain, when the answer tells it. */
  readonly height?: number;
}

/** A block that a daemon accepted. */
export interface SubmittedBlock {
  /** The work that it solves, as it was offered. */
  readonly work: AuxWork;
  /** `Outcome.blockHash`, or `work.id`. */
  readonly blockHash: string;
  /** `Outcome.height`, or the work's. */
  readonly height: number;
}

/** What a chain says of one of our blocks. */
export interface BlockStatus {
  /**
   * `confirmed` in the best chain, `mature` its reward can be spent or was paid, `uncle` not in the best chain but paid in part, `orphaned` not in
   * the best chain, `unknown` no daemon has it. It may change back and forth until it is mature.
   */
  readonly state: "confirmed" | "mature" | "uncle" | "orphaned" | "unknown";
  /** Blocks of the best chain from this one on, itself included; 0 when it is not in it. */
  readonly confirmations: number;
  /** What it really pays us in base units, as far as the chain tells; `undefined` when it does not (yet). */
  readonly reward: bigint | undefined;
}
