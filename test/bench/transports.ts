/**
 * The transports side by side: the same server and the same thousand miners over TCP, TLS and QUIC, with Noise inside and without. Handshakes
 * a second, shares a second, the round trip of one share, and memory a connection, that of QUIC's own process included.
 */
import { readFileSync } from "node:fs";
import { toHex } from "../../src/kernel/bytes.ts";
import type { Transport } from "../../src/pool/transport.ts";
import { type CertificateSource, readCertificate } from "../../src/pool/transports/certificate.ts";
import { QuicProcess } from "../../src/pool/transports/quic-process.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { TlsTransport } from "../../src/pool/transports/tls.ts";
import { selfSigned } from "../support/certificates.ts";
import { type ListenDeps, startBenchServer } from "./bench-server.ts";
import { Clients, median, memory } from "./clients.ts";

/** One transport's figures. */
export interface TransportFigures {
  readonly name: string;
  readonly connectionsPerSecond: number;
  readonly sharesPerSecond: number;
  readonly roundTripMs: number;
  readonly kibPerConnection: number;
}

interface Case {
  readonly name: string;
  readonly scheme: "tcp" | "tls" | "quic";
  readonly noise: boolean;
  /** A QUIC connection for each miner instead of one for all. */
  readonly apart?: boolean;
}

/** What is measured, by the name of the scenario. */
export const TRANSPORT_CASES: Readonly<Record<string, Case>> = {
  tcp: { name: "TCP, Noise", scheme: "tcp", noise: true },
  tls: { name: "TLS, Noise inside", scheme: "tls", noise: true },
  "tls-plain": { name: "TLS alone", scheme: "tls", noise: false },
  quic: { name: "QUIC, Noise inside, all on one connection", scheme: "quic", noise: true },
  "quic-plain": { name: "QUIC alone, all on one connection", scheme: "quic", noise: false },
  "quic-apart": { name: "QUIC, Noise inside, a connection each", scheme: "quic", noise: true, apart: true },
};

const MINERS = 1000;
const AT = { host: "127.0.0.1", port: 0 };
const SCRIPT = new URL("../../src/app/quic-process.js", import.meta.url);

/** Measures one case; to be run in a process of its own. */
export async function measureTransport(scenario: string): Promise<TransportFigures> {
  const found = TRANSPORT_CASES[scenario];
  if (found === undefined) throw new Error(`no transport ${scenario}`);
  const { name, scheme, noise, apart = false } = found;
  const certificate = readCertificate(await selfSigned());
  const certificates: CertificateSource = { current: () => certificate, onChange: () => () => undefined };
  let quic: QuicProcess | undefined;
  const listen = async (given: ListenDeps): Promise<Transport> => {
    const deps = { ...given, certificates };
    if (scheme === "tcp") return new TcpTransport({}, AT);
    if (scheme === "tls") return new TlsTransport(deps, { ...AT, noise });
    const limits = { connectionsPerAddress: 100_000, handshakesPerSecond: 100_000 };
    quic = new QuicProcess(deps, { ...AT, ...limits, noise, script: SCRIPT });
    return quic;
  };
  // Every share is acknowledged at once, so that a round trip is one.
  const { port, stop } = await startBenchServer({ listen, mining: { ackBatchSize: 1 } });
  const clients = new Clients();
  try {
    const used = (): number => memory() + (quic?.pid === undefined ? 0 : rssOf(quic.pid));
    const pin = `?${noise ? "" : "noise=off&"}cert-sha256=${toHex(certificate.sha256)}`;
    const url = `stratum2+${scheme}://127.0.0.1:${port}${scheme === "tcp" ? "" : pin}`;
    const before = used();
    const { ms } = await clients.ask({ kind: "open", port, url, apart, count: MINERS, channel: "extended" }, "opened");
    const after = used();
    const trips = await clients.ask({ kind: "roundTrips", rounds: 500 }, "roundTrips");
    const rates: number[] = [];
    for (let i = 0; i < 5; i++) {
      const startedMs = performance.timeOrigin + performance.now();
      const done = await clients.ask({ kind: "shares", connections: 200, perConnection: 100 }, "acknowledged");
      if (done.rejected > 0) throw new Error(`${done.rejected} shares were rejected`);
      rates.push(20_000 / ((done.ms - startedMs) / 1000));
    }
    return {
      name,
      connectionsPerSecond: MINERS / (ms / 1000),
      sharesPerSecond: median(rates),
      roundTripMs: median(trips.ms),
      kibPerConnection: (after - before) / MINERS / 1024,
    };
  } finally {
    clients.end();
    await stop();
  }
}

/** Resident memory of another process, bytes. */
function rssOf(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}
