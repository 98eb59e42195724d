/** What can be chosen about an embedded RSK node. */

/** What can be chosen; everything has a default. */
export interface RskDaemonOptions {
  /** For logs and errors; `rsk`. */
  readonly name?: string;
  /** Address to listen on; 127.0.0.1. */
  readonly host?: string;
  /** Port of the RPC over HTTP; 0, any free one. */
  readonly port?: number;
  /** Port of the RPC over WebSocket, with `eth_subscribe`; 0, any free one. No WebSocket when left out. */
  readonly wsPort?: number;
  /** Hashes that a block takes on average; the target is 2^256 divided by it. 1, which counts as 3 as in rskj. */
  readonly difficulty?: number;
  /** Blocks at the start; 500: from 450 on the hash to be mined ends with the height. */
  readonly initialBlocks?: number;
  /** Blocks until REMASC pays for one; 10, as on regtest. */
  readonly maturity?: number;
  /** Mean time between blocks of other miners, ms; none by default. */
  readonly blockEveryMs?: number;
  /** Time between new transactions, ms; none by default. */
  readonly transactionEveryMs?: number;
  /** What each transaction pays, wei; 21,000 gas at 0.06 gwei. */
  readonly feeWei?: bigint;
  /** A work is made anew after this long, ms; 60,000. */
  readonly refreshMs?: number;
  /** Whether a new transaction makes new work at once (`miner.server.updateWorkOnNewTransaction`); false. */
  readonly workOnTransaction?: boolean;
  /** Time between a new head and the work on it, ms; 0. Real nodes announce the head first. */
  readonly workDelayMs?: number;
  /** Least time between two submissions (`miner.server.workSubmissionRateLimitInMills`), ms; 0 for no limit. */
  readonly rateLimitMs?: number;
  /** Fees in wei below which a rise of fees is no reason to notify; 0. */
  readonly minFeesNotify?: bigint;
  /** Address that its own work pays, 40 hex digits behind `0x`. */
  readonly miner?: string;
}
