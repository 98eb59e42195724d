/** A TLS listener alone, without a mining server: streams that echo, and everything that it tells recorded. */
import { onTestFinished } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import type { ServerAddress } from "../../src/client/url.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { Door } from "../../src/pool/door.ts";
import { SERVER_DEFAULTS, type ServerLimits } from "../../src/pool/server-options.ts";
import type { Stream } from "../../src/pool/transport.ts";
import { type Certificate, type CertificatePem, readCertificate } from "../../src/pool/transports/certificate.ts";
import { TlsTransport } from "../../src/pool/transports/tls.ts";
import { type LogLine, recordingLog } from "./recording-log.ts";
import { hostAndPort } from "./transports.ts";

/** The listener and its surroundings. */
export interface TlsStage {
  readonly transport: TlsTransport;
  readonly address: string;
  readonly meter: MemoryMeter;
  readonly log: readonly LogLine[];
  /** Streams that came, open or not. */
  readonly streams: Stream[];
  /** Why peers were turned away, in the log's words. */
  reasons(): string[];
  /** How a client of ours would write the listener down. */
  server(changes?: Partial<ServerAddress>): ServerAddress;
  /** Gives new connections another certificate. */
  renew(pem: CertificatePem): void;
}

/** Starts one that is stopped when the test ends. */
export async function tlsStage(pem: CertificatePem, limits: Partial<ServerLimits> = {}): Promise<TlsStage> {
  const [log, meter] = [recordingLog(), new MemoryMeter()];
  const door = new Door({ clock: systemClock, meter }, { ...SERVER_DEFAULTS.limits, ...limits });
  const listeners = new Set<(certificate: Certificate) => void>();
  let certificate = readCertificate(pem);
  const certificates = {
    current: () => certificate,
    onChange(listener: (changed: Certificate) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const transport = new TlsTransport(
    { door, certificates, clock: systemClock, log },
    { host: "127.0.0.1", port: 0, noise: false },
  );
  const streams: Stream[] = [];
  transport.onStream((stream) => {
    streams.push(stream);
    stream.attach({
      onData: (bytes) => void stream.write(bytes),
      onDrain: () => undefined,
      onClose: () => stream.admitted?.release(),
    });
  });
  await transport.start(new AbortController().signal);
  onTestFinished(() => transport.stop());
  const address = transport.address ?? "";
  return {
    transport,
    address,
    meter,
    log: log.lines,
    streams,
    reasons: () => log.lines.filter(({ fields }) => "code" in fields).map(({ message }) => message),
    server: (changes = {}) => ({ transport: "tls", ...hostAndPort(address), noise: false, ...changes }),
    renew(changed) {
      certificate = readCertificate(changed);
      for (const listener of listeners) listener(certificate);
    },
  };
}
