/** What pool mode announces on the bus, under the names of the seed's module description. */

/** Events by name. They tell of the pool that is mined for: a connection that stands by is none that anybody else could count on. */
export interface PoolLinkEvents {
  readonly MiningPoolConnected: {
    /** As configured (`stratum_v2.pool_url`, `pools.url`). */
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

/** The part of a bus that pool mode talks to; any `Bus` that has these events is one. */
export interface PoolLinkBus {
  emit<N extends keyof PoolLinkEvents>(name: N, event: PoolLinkEvents[N]): void;
}
