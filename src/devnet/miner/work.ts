/**
 * What a hasher searches and what it finds. Plain values, so that both cross to another thread unchanged.
 */

/** The merkle root of a job: made by the server, or to be made for each extranonce (spec 5.1.1, 5.1.2). */
export type WorkRoot =
  | {
      readonly kind: "fixed";
      /** `Uint8Array(32)`, internal byte order. */
      readonly merkleRoot: Uint8Array;
    }
  | {
      readonly kind: "rolled";
      /** The coinbase before the client's extranonce, the channel's extranonce prefix included; without witness. */
      readonly coinbasePrefix: Uint8Array;
      /** The coinbase after the extranonce. */
      readonly coinbaseSuffix: Uint8Array;
      /** Siblings from leaf to root, `Uint8Array(32)` each, internal byte order. */
      readonly merklePath: readonly Uint8Array[];
      /** Bytes of extranonce that the client owns. */
      readonly extranonceSize: number;
    };

/** One job on one previous block, ready to be searched. */
export interface Work {
  /** Number within this miner; solutions name it. */
  readonly workId: number;
  /** Header version, u32. */
  readonly version: number;
  /** Version bits that may be changed; 0 when rolling is not allowed. */
  readonly versionMask: number;
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  /** Compact network target, u32. */
  readonly nbits: number;
  /** Smallest header time, Unix seconds; it may grow by a second each second from the receipt of the work on. */
  readonly minNtime: number;
  /** Share target: a hash must not exceed it. `Uint8Array(32)`, little-endian. */
  readonly target: Uint8Array;
  readonly root: WorkRoot;
}

/** A header below the share target. */
export interface Solution {
  readonly workId: number;
  /** u32. */
  readonly nonce: number;
  /** Unix seconds. */
  readonly ntime: number;
  /** Full header version, u32. */
  readonly version: number;
  /** The client's extranonce; empty for a fixed root. */
  readonly extranonce: Uint8Array;
  /** The block hash, `Uint8Array(32)`, internal byte order. */
  readonly hash: Uint8Array;
}
