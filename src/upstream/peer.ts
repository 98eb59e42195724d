/** One connection to a pool as the choice among pools sees it, so that the rules of failover can be read and tested without a socket. */
import type { PoolConnection, UpstreamPool } from "./pool-connection.ts";

/** One connection, from dialling to its end. */
export type PoolPeer = Pick<PoolConnection, "run" | "currentJob" | "announceHashrate" | "submit" | "open" | "state">;

/** Makes a connection that was not run yet; `connection` is its number, not used again in this process. */
export type ConnectPool = (pool: UpstreamPool, connection: number) => PoolPeer;
