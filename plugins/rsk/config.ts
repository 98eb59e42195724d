/** The keys of `[chains.<name>]` for this plugin. */
import { type DaemonSettings, daemonList, z } from "bllvm-stratum-v2/plugin";

/** The schema. */
export const rskConfig = z.strictObject({
  daemons: daemonList({
    /** The node's WebSocket, for notices of new heads. */
    ws: z
      .string()
      .max(500)
      .regex(/^wss?:\/\/[^\s/@]+(\/\S*)?$/i, "ws is no address of the form ws://host:port/websocket")
      .optional(),
    zmq_hashblock: z.never("rskj has no ZMQ notices; give its WebSocket's address as ws").optional(),
  }),
  /** Seconds between two questions for work. */
  poll_s: z.number().min(0.1).max(60).default(2),
  /** Blocks after which REMASC pays: 4000 on mainnet. */
  maturity: z.int().min(1).max(100_000).default(4000),
  /** Least time between two submissions, for a node with `miner.server.workSubmissionRateLimitInMills`. */
  submit_interval_ms: z.int().min(0).max(60_000).default(0),
});

/** The checked keys. */
export type RskConfig = z.output<typeof rskConfig>;

/** The keys of one node. */
export interface RskDaemonSettings extends DaemonSettings {
  readonly ws?: string | undefined;
}
