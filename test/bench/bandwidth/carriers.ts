/**
 * What SV2 is carried by in the bandwidth bench, a row each. A transport of the server's is added here, with a `Dial` of `links.ts` that
 * counts the bytes beneath what encrypts, and gets rows in `scenarios.ts`. One over UDP gives those a `quietMs`: TCP's queues say when
 * everything is acknowledged, a protocol of its own does not.
 */
import type { Transport } from "../../../src/pool/transport.ts";
import { type ListenDeps, listenTcp } from "../bench-server.ts";
import { type Dial, dialTcp } from "./links.ts";

/** A way to carry SV2. */
export interface Carrier {
  readonly name: string;
  /** Whether Noise encrypts the frames; not behind a transport that does so itself. */
  readonly noise: boolean;
  /** The server's side on a port that the system chooses. */
  listen(deps: ListenDeps): Promise<Transport>;
  /** The miner's side. */
  readonly dial: Dial;
}

/** All carriers by the name that a scenario has them by. */
export const CARRIERS = {
  noise: { name: "Noise over TCP", noise: true, listen: listenTcp, dial: dialTcp },
  plain: { name: "plain TCP", noise: false, listen: listenTcp, dial: dialTcp },
} as const satisfies Record<string, Carrier>;

/** The name of a carrier. */
export type CarrierName = keyof typeof CARRIERS;
