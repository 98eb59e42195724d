/** Both ends of what carries SV2 for one run of the bandwidth bench. */
import type { Transport } from "../../../src/pool/transport.ts";
import type { ListenDeps } from "../bench-server.ts";
import type { Dial } from "./links.ts";

/** Both ends of a carrier. */
export interface Carriage {
  /** The server's side on a port that the system chooses. */
  listen(deps: ListenDeps): Promise<Transport>;
  /** The miner's side. */
  readonly dial: Dial;
  /** For what is its own judge of when nothing is on its way, and may send without being written to; the network's queues tell of the others. */
  readonly traffic?: Traffic;
}

/** What a carrier knows of its packets. */
export interface Traffic {
  /** Packets sent by both sides so far. */
  sent(): number;
  /** Resolves when everything that was sent has arrived and was answered. */
  settle(): Promise<void>;
  /** Closes what is open. */
  close(): Promise<void>;
}
