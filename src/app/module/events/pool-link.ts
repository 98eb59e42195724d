/** Events of a connection to an upstream pool, under the names of the seed's module description. */

/** Events by name: whoever connects to a pool emits them on the server's bus. */
export interface PoolLinkEvents {
  readonly MiningPoolConnected: {
    /** As configured (`stratum_v2.pool_url`). */
    readonly poolUrl: string;
    /** How the pool names itself; `undefined` when it does not. */
    readonly poolId: string | undefined;
  };
  readonly MiningPoolDisconnected: {
    readonly poolUrl: string;
    /** In words. */
    readonly reason: string;
  };
}
