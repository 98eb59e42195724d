/** Whether we go where a pool sends us (Reconnect, spec 3.6.5). */
import type { ServerAddress } from "../client/url.ts";

/** What can be a host; a pool's text goes to the resolver and into logs. */
const HOST = /^(?:[0-9A-Za-z](?:[0-9A-Za-z._-]{0,252})|[0-9a-fA-F:.]{2,45})$/;

/**
 * The address that a Reconnect means, an empty host and port 0 being the present ones; `undefined` when we do not go there. Another
 * host has to prove what this one did: the authority key, or the pinned TLS certificate, which the address keeps. Where neither is known, anybody who can
 * write into the connection could take the hash rate, so only another port of the same host is followed.
 */
export function reconnectAddress(present: ServerAddress, newHost: string, newPort: number): ServerAddress | undefined {
  const host = newHost === "" ? present.host : newHost;
  const port = newPort === 0 ? present.port : newPort;
  if (host === present.host) return { ...present, port };
  const isVouchedFor = (present.noise && present.authorityPublicKey !== undefined) || present.certSha256 !== undefined;
  return isVouchedFor && HOST.test(host) ? { ...present, host, port } : undefined;
}
