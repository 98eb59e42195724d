/** The URLs that miners are pointed at. */
import { networkInterfaces } from "node:os";
import { printServerUrl } from "../client/url.ts";
import { decodeAuthorityPublicKey } from "../sv2/noise/authority-key.ts";
import type { Listener } from "./run.ts";
import { parseHostPort } from "./settings.ts";

/**
 * The URL for miners, with the authority key (`key`, base58check) where Noise runs inside, else with the certificate's
 * fingerprint where that alone vouches for it. A listener on all interfaces is reached by the machine's own address.
 */
export function listenerUrl({ transport, listening, noise, certSha256 }: Listener, key: string): string {
  const { host, port } = parseHostPort(listening);
  const shown = host === "0.0.0.0" || host === "::" ? (ownAddress() ?? host) : host;
  return printServerUrl({
    transport,
    host: shown,
    port,
    noise,
    ...(noise ? { authorityPublicKey: decodeAuthorityPublicKey(key) } : {}),
    ...(certSha256 === undefined ? {} : { certSha256 }),
  });
}

function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}
