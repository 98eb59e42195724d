/** What can be chosen about an embedded Namecoin daemon. */

/** What can be chosen; everything has a default. */
export interface NamecoinDaemonOptions {
  /** For logs and errors; `namecoin`. */
  readonly name?: string;
  /** Address to listen on; 127.0.0.1. */
  readonly host?: string;
  /** Port of the RPC; 0, any free one. */
  readonly port?: number;
  /** Port of a ZMQ publisher of `hashblock`, 0 for any free one; none by default. */
  readonly zmqPort?: number;
  /** RPC user; `devnet`. */
  readonly user?: string;
  /** RPC password; a random one. */
  readonly password?: string;
  /** `nBits` of every block; regtest's 0x207fffff. */
  readonly nBits?: number;
  /** Blocks at the start; 20. With less than 16 createauxblock fails with `bad-cb-length`, as on a fresh regtest. */
  readonly initialBlocks?: number;
  /** Blocks between halvings of the subsidy of 50 NMC; 210,000. */
  readonly halvingInterval?: number;
  /** Mean time between blocks of other miners, ms; none by default. */
  readonly blockEveryMs?: number;
  /** Time between new transactions, each with a fee of 0.001 NMC, ms; none by default. */
  readonly transactionEveryMs?: number;
}
