/** What the mining server announces on the bus, under the names of the seed's module description. */
import type { TemplateCause } from "../mining/ports.ts";

/** A job that miners get. */
export interface MiningJobCreated {
  readonly jobId: number;
  readonly height: number;
  /** `Uint8Array(32)`, internal byte order. */
  readonly prevHash: Uint8Array;
  readonly cause: TemplateCause;
  /** Sat that the coinbase pays out. */
  readonly value: bigint;
  /** Transactions of its block, the coinbase included. */
  readonly transactionCount: number;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** A share that was judged. */
export interface ShareSubmitted {
  /** Counts up from 1 since the server was made; one for each connection. 0 for another module of the bllvm node. */
  readonly connectionId: number;
  readonly channelId: number;
  /** Who it is attributed to: the worker that the share names (extension 0x0002), else the channel's user identity. */
  readonly userIdentity: string;
  /** `undefined` for an accepted share, else the SV2 error code that the miner was sent. */
  readonly errorCode: string | undefined;
  /** Difficulty that the share counts; 0 when refused. */
  readonly difficulty: number;
  /** Whether it solves a Bitcoin block. */
  readonly block: boolean;
  /** `undefined` when the share named a job that its channel never got. */
  readonly jobId: number | undefined;
  /** Height of the job; `undefined` with `jobId`. */
  readonly height: number | undefined;
  /**
   * Hash of its header, `Uint8Array(32)`, internal byte order; `undefined` when it could not be hashed. The bytes are those of the next share as
   * soon as the listener returns: a copy for every share would cost all of them, and most listeners do not look.
   */
  readonly hash: Uint8Array | undefined;
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** Events by name. */
export interface PoolEvents {
  readonly MiningJobCreated: MiningJobCreated;
  readonly ShareSubmitted: ShareSubmitted;
}

/** The part of a bus that the server talks to; any `Bus` that has these events is one. */
export interface PoolBus {
  emit<N extends keyof PoolEvents>(name: N, event: PoolEvents[N]): void;
}
