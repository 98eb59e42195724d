/**
 * What a job commits to besides Bitcoin, as plain, serialisable data: the auxiliary chains whose commitment stands in its
 * coinbase, each with the work, the target and the place that a proof needs later. Frozen with its job: a proof is made of
 * the share's own job and never of what is current by then.
 */

/** One unit of work of an auxiliary chain: a block of that chain that only lacks its proof of work. */
export interface AuxWork {
  /**
   * What the chain's daemon calls this work, exactly as it printed it, 1 to 256 characters: usually the block hash in hex.
   * It is sent back byte for byte (namecoind aborts on a hash in upper case) and tells two works apart.
   */
  readonly id: string;
  /** The hash that is committed to, `Uint8Array(32)` in the order in which it stands in the coinbase: as daemons print it. */
  readonly hash: Uint8Array;
  /** Names the block that the work builds on, as printed; another value means that the chain has a new tip. */
  readonly parent: string;
  /** Height of the block to be found. */
  readonly height: number;
  /**
   * A parent header whose hash, as a number, is not above this solves the work; 1 to 2^256 - 1. 0 for a tag that only has to stand in the
   * coinbase: nothing solves it, so nothing is ever submitted for it.
   */
  readonly target: bigint;
  /** What the block is expected to pay, in the chain's base unit (sat, wei); `undefined` when the daemon does not say. */
  readonly value: bigint | undefined;
  /** Whatever else the plugin wants back with the proof. Plain values, at most 64 KiB as JSON: they are written to disk. */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** Where a chain stands in the tree of AuxPoW chains (Bitcoin wiki "Merged mining specification"). */
export interface AuxSlot {
  readonly chainId: number;
  /** Whether the chain refuses a parent header whose version carries the same chain ID. */
  readonly strictChainId: boolean;
  /** Leaf index in the tree. */
  readonly index: number;
  /** Siblings from leaf to root, each `Uint8Array(32)` in internal byte order; at most 30. */
  readonly branch: readonly Uint8Array[];
}

/** An output's script and what it demands of the coinbase around it; all bytes without witness. */
export interface AuxRules {
  readonly script: Uint8Array;
  /** Bytes that may stand behind the script. */
  readonly maxBytesAfter?: number;
  /** Nothing before the script holds these bytes of it. */
  readonly first?: Uint8Array;
  /** Nothing behind the script holds these bytes of it. */
  readonly last?: Uint8Array;
  /** No other output's script holds these bytes. */
  readonly forbid?: Uint8Array;
}

/** One chain of a job. */
export interface AuxEntry {
  /** Name of the chain as configured. */
  readonly chain: string;
  readonly work: AuxWork;
  /** `work.target` as `Uint8Array(32)`, little-endian, for the share path. */
  readonly target: Uint8Array;
  /** Its leaf; `undefined` for a chain that is no AuxPoW chain. */
  readonly slot: AuxSlot | undefined;
  /** Scripts of its outputs in the coinbase, in order. */
  readonly scripts: readonly Uint8Array[];
  /** The rules of `scripts`, for the check of a proof: a miner's extranonce may break what held when the job was made. */
  readonly rules?: readonly AuxRules[];
}

/** The chains of a job without any. One for all such jobs: shares that carry it can be told by it. */
export const NO_CHAINS: readonly string[] = Object.freeze([]);

/** All chains of a job. */
export interface AuxSnapshot {
  /** Counts up with every composition, for logs. */
  readonly generation: number;
  readonly entries: readonly AuxEntry[];
  /** Names of the chains of `entries`, frozen and made once: every share of the job carries this very array (`ShareCredit.chains`). */
  readonly chains: readonly string[];
  /** The easiest of the targets, `Uint8Array(32)` little-endian: what does not meet it meets none. */
  readonly easiest: Uint8Array;
  /** What a channel's target should not be harder than, so that miners send what wins a chain; `undefined` for no such wish. */
  readonly channelTarget: bigint | undefined;
}
