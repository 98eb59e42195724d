/** How we reach servers as a client: every transport that this program has, for pools above, `mine` and `doctor`. */
import * as tls from "node:tls";
import { dialBy } from "../client/dial.ts";
import { dialQuic } from "../client/dial-quic.ts";
import { dialTls } from "../client/dial-tls.ts";
import type { Dial } from "../client/link.ts";
import { loadQuiche } from "../quic/quiche.ts";
import { openUdp } from "../quic/udp.ts";
import { type ClientIdentityPaths, identityFiles } from "./client-identity.ts";
import { systemClock, systemRandom } from "./system.ts";

/** Opens streams over whatever an address names; `own` is our certificate for servers on TLS and QUIC that want one. */
export function dialServer(own?: ClientIdentityPaths): Dial {
  const deps = { clock: systemClock, ...(own === undefined ? {} : { identity: identityFiles(own) }) };
  const quic = dialQuic({ ...deps, random: systemRandom(), quiche: loadQuiche, udp: openUdp, authorities: trusted });
  return dialBy({ tls: dialTls(deps), quic });
}

/** Authorities that Node.js trusts; before Node.js 22.15 those of its own list alone can be had. */
function trusted(): readonly string[] {
  return "getCACertificates" in tls ? (tls.getCACertificates as () => string[])() : tls.rootCertificates;
}
