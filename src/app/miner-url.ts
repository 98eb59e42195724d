/** The URL that miners are pointed at. */
import { networkInterfaces } from "node:os";
import { parseHostPort } from "./settings.ts";

/** The URL for miners: a listener on all interfaces is reached by the machine's own address. */
export function minerUrl(listening: string, key: string): string {
  const { host, port } = parseHostPort(listening);
  const shown = host === "0.0.0.0" || host === "::" ? (ownAddress() ?? host) : host;
  return `stratum2+tcp://${shown.includes(":") ? `[${shown}]` : shown}:${port}/${key}`;
}

function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}
