/** What can be chosen about an embedded node. */
import type { Peering } from "./peering.ts";

/** What can be chosen; everything has a default. */
export interface DevnetNodeOptions {
  /** For logs and errors; `devnet`. */
  readonly name?: string;
  /** Address to listen on; 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on; 0, any free one. */
  readonly port?: number;
  /** Port of a ZMQ publisher of `hashblock` as bitcoind's, 0 for any free one; none by default. */
  readonly zmqPort?: number;
  /** RPC user; `devnet`, or `__cookie__` with a cookie file. */
  readonly user?: string;
  /** RPC password; a random one, also written to the cookie file if there is one. */
  readonly password?: string;
  /** Where to write `.cookie` (mode 0600, gone after `stop`) when no password is given; no file by default. */
  readonly cookieDirectory?: string;
  /** `nBits` of every block after the history; `REGTEST_BITS`. Choose a harder one for blocks every few seconds. */
  readonly nBits?: number;
  /** Blocks of history mined at the start, at regtest's easiest target; 110, so that ten coinbases are mature. */
  readonly initialBlocks?: number;
  /** Blocks whose content is kept; 2,000. */
  readonly blocksKept?: number;
  /** Bytes of content kept, of ten blocks at least; 256 MiB, and as much for blocks outside of the active chain. */
  readonly bytesKept?: number;
  /** Synthetic transactions in the mempool. */
  readonly transactions?: {
    /** As many at least, after every block; 12. */
    readonly atLeast?: number;
    /** New ones a second besides; 0. */
    readonly perSecond?: number;
    /** No more when there are as many; 1,000. The mempool itself takes ten times as many from others. */
    readonly atMost?: number;
  };
  /** How long a long poll waits for another tip before it looks at the mempool: first (60,000) and then (10,000), ms. */
  readonly longPoll?: { readonly firstMs: number; readonly laterMs: number };
  /** A node to take the history from and to exchange blocks with; it must have the same `nBits` and `initialBlocks`. */
  readonly peer?: { readonly peering: Peering };
}
