/** How we reach servers as a client: every transport that this program has, for pools above, `mine` and `doctor`. */
import { dialBy } from "../client/dial.ts";
import { dialTls } from "../client/dial-tls.ts";
import type { Dial } from "../client/link.ts";
import { systemClock } from "./system.ts";

/** Opens streams over whatever an address names. */
export function dialServer(): Dial {
  return dialBy({ tls: dialTls({ clock: systemClock }) });
}
