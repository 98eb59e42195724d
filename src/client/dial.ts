/** One way of opening a stream for all transports: the address says which. */
import { Fault } from "../kernel/fault.ts";
import { dialTcp } from "./dial-tcp.ts";
import type { Dial } from "./link.ts";
import type { TransportName } from "./url.ts";

/** How each transport is dialled; one that is left out cannot be reached. */
export type Dialers = { readonly [N in TransportName]?: Dial };

/** `Dial` over whatever the address names. Rejects with `Fault("transport-unavailable")` for one that is not there. */
export function dialBy(dialers: Dialers): Dial {
  return async (server, listener, signal) => {
    const dial = { tcp: dialTcp, ...dialers }[server.transport];
    if (dial === undefined) throw new Fault("transport-unavailable", { transport: server.transport });
    return await dial(server, listener, signal);
  };
}
