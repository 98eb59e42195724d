/** What the Bitcoin node does wrong on purpose, besides what any RPC server can. */
import { Disturbances } from "../rpc/disturbances.ts";

/** The misbehaviours in force. */
export class NodeDisturbances extends Disturbances {
  /**
   * The node claims to be in initial block download: getblockchaininfo says so and getblocktemplate fails with -10, as
   * Core does on mainnet.
   */
  initialBlockDownload = false;

  /** The node claims to have no peers: getblocktemplate fails with -9, as Core does on mainnet. */
  notConnected = false;

  /** Blocks by which getblockchaininfo's `headers` are ahead of its `blocks`. */
  headersAhead = 0;

  /** Takes back what was set for `method`, or everything, the fields included. */
  override clear(method?: string): void {
    super.clear(method);
    if (method !== undefined) return;
    this.initialBlockDownload = false;
    this.notConnected = false;
    this.headersAhead = 0;
  }
}
