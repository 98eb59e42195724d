/**
 * What SV2 is carried by in the bandwidth bench, a row each. A transport of the server's is added here, with a `Dial` that counts bytes
 * and, where TCP's queues do not tell when everything has arrived, with what does.
 */
import type { Clock } from "../../../src/kernel/clock.ts";
import { TlsTransport } from "../../../src/pool/transports/tls.ts";
import { selfSigned } from "../../support/certificates.ts";
import { listenTcp } from "../bench-server.ts";
import type { Carriage } from "./carriage.ts";
import { fixedCertificate } from "./certificate.ts";
import { dialSv2Tls, dialTcp } from "./links.ts";
import { openQuic, openQuicProcess } from "./quic.ts";

/** A way to carry SV2. */
export interface Carrier {
  readonly name: string;
  /** Whether Noise encrypts the frames. */
  readonly noise: boolean;
  /** Makes both ends for one run; `clock` is the bench's. */
  open(clock: Clock): Promise<Carriage>;
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };

const overTcp = async (): Promise<Carriage> => ({ listen: listenTcp, dial: dialTcp });

const overTls = (noise: boolean) => async (): Promise<Carriage> => {
  const certificates = fixedCertificate(await selfSigned());
  return {
    listen: async (deps) => new TlsTransport({ ...deps, certificates }, { ...LOOPBACK, noise }),
    dial: dialSv2Tls,
  };
};

const overQuic =
  (noise: boolean, keepAlive: boolean) =>
  (clock: Clock): Promise<Carriage> =>
    openQuic({ clock }, { noise, keepAlive });

/** All carriers by the name that a scenario has them by. */
export const CARRIERS = {
  noise: { name: "Noise over TCP", noise: true, open: overTcp },
  plain: { name: "plain TCP", noise: false, open: overTcp },
  tls: { name: "Noise over TLS", noise: true, open: overTls(true) },
  plainTls: { name: "TLS alone", noise: false, open: overTls(false) },
  quic: { name: "Noise over QUIC", noise: true, open: overQuic(true, true) },
  plainQuic: { name: "QUIC alone", noise: false, open: overQuic(false, true) },
  quietQuic: { name: "Noise over QUIC without keep-alive", noise: true, open: overQuic(true, false) },
  quietPlainQuic: { name: "QUIC alone without keep-alive", noise: false, open: overQuic(false, false) },
  quicProcess: { name: "Noise over QUIC, as run", noise: true, open: () => openQuicProcess(true) },
} as const satisfies Record<string, Carrier>;

/** The name of a carrier. */
export type CarrierName = keyof typeof CARRIERS;
