/**
 * QUIC in the bandwidth bench. `openQuic` has both ends in this process and on the bench's clock, so that a day has a day's keep-alive and nothing is
 * repeated because a busy machine was late. `openQuicProcess` is what operators run, a listener in a process of its own and real time: by it the
 * other one is checked (last table).
 */
import { systemClock, systemRandom } from "../../../src/app/system.ts";
import { dialQuic } from "../../../src/client/dial-quic.ts";
import type { Dial as DialServer } from "../../../src/client/link.ts";
import type { ServerAddress } from "../../../src/client/url.ts";
import type { Clock } from "../../../src/kernel/clock.ts";
import type { Transport } from "../../../src/pool/transport.ts";
import type { Certificate } from "../../../src/pool/transports/certificate.ts";
import { QuicTransport } from "../../../src/pool/transports/quic.ts";
import { QuicProcess } from "../../../src/pool/transports/quic-process.ts";
import { loadQuiche } from "../../../src/quic/quiche.ts";
import { type OpenUdp, openUdp } from "../../../src/quic/udp.ts";
import { selfSigned } from "../../support/certificates.ts";
import type { Carriage } from "./carriage.ts";
import { fixedCertificate } from "./certificate.ts";
import { Datagrams } from "./datagrams.ts";
import type { Dial } from "./links.ts";

/** How QUIC is spoken. */
export interface QuicBenchOptions {
  readonly noise: boolean;
  /** Signs of life as by default: the server asks for one every 20 s, our client every 10 s. Otherwise none. */
  readonly keepAlive: boolean;
}

const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** Longer than any stretch. */
const NEVER_MS = 7 * 86_400_000;

/** Both ends here; all dials share a connection, a stream each. */
export async function openQuic({ clock }: { readonly clock: Clock }, options: QuicBenchOptions): Promise<Carriage> {
  const { noise, keepAlive } = options;
  const times = keepAlive ? {} : { keepAliveMs: NEVER_MS };
  const pem = await selfSigned();
  const datagrams = new Datagrams({ udp: openUdp });
  const dial = dialQuic({ ...dialDeps(clock), udp: datagrams.open }, times);
  return {
    listen: async () => {
      const deps = { clock, random: systemRandom(), quiche: loadQuiche, udp: datagrams.open, certificate: () => pem };
      return aTurnLater(new QuicTransport(deps, { ...LOOPBACK, noise, ...times }));
    },
    dial: linkBy(dial, fixedCertificate(pem).current(), noise),
    traffic: {
      sent: () => datagrams.sent,
      settle: () => datagrams.settle(),
      close: () => datagrams.close(),
    },
  };
}

/** The listener in a process of its own, on real time; without keep-alive, whose time would not be that of the bench. */
export async function openQuicProcess(noise: boolean): Promise<Carriage> {
  const certificates = fixedCertificate(await selfSigned());
  const dial = dialQuic(dialDeps(systemClock), { keepAliveMs: MAX_TIMER_MS });
  return {
    listen: async ({ log }) =>
      new QuicProcess(
        { clock: systemClock, log, certificates },
        {
          ...LOOPBACK,
          noise,
          keepAliveMs: MAX_TIMER_MS,
          script: new URL("../../../src/app/quic-process.js", import.meta.url),
        },
      ),
    dial: linkBy(dial, certificates.current(), noise),
  };
}

/** The longest that a timer of Node's waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function dialDeps(clock: Clock) {
  const udp: OpenUdp = openUdp;
  return { clock, random: systemRandom(), quiche: loadQuiche, udp, authorities: () => [] };
}

/** Bytes are those of the stream, as they were written to it and read from it: QUIC's own encryption is not among them. */
function linkBy(dial: DialServer, { sha256: certSha256 }: Pick<Certificate, "sha256">, noise: boolean): Dial {
  return async (port) => {
    const server: ServerAddress = { transport: "quic", host: "127.0.0.1", port, noise, certSha256 };
    let [sentBytes, receivedBytes] = [0, 0];
    let listener = (_bytes: Uint8Array): void => undefined;
    let onClosed = (): void => undefined;
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    const onData = (bytes: Uint8Array): void => {
      receivedBytes += bytes.length;
      listener(bytes);
    };
    const link = await dial(server, { onData, onClose: () => onClosed() }, new AbortController().signal);
    return {
      get sentBytes() {
        return sentBytes;
      },
      get receivedBytes() {
        return receivedBytes;
      },
      write(data) {
        const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
        sentBytes += bytes.length;
        link.write(bytes);
      },
      onData(heard) {
        listener = heard;
      },
      async end() {
        link.end();
        await closed;
      },
    };
  };
}

/**
 * What the server does to a stream happens a turn later, all of one turn together, as behind the pipe to QUIC's own process: there an acknowledgement is
 * sent before the answer that it could have ridden on comes through the pipe.
 */
function aTurnLater(transport: Transport): Transport {
  let waiting: (() => void)[] = [];
  const later = (work: () => void): void => {
    waiting.push(work);
    if (waiting.length > 1) return;
    setImmediate(() => {
      const due = waiting;
      waiting = [];
      for (const one of due) one();
    });
  };
  const onStream = transport.onStream.bind(transport);
  transport.onStream = (listener) =>
    onStream((stream) => {
      const [write, end, destroy] = [stream.write.bind(stream), stream.end.bind(stream), stream.destroy.bind(stream)];
      stream.write = (bytes) => {
        later(() => void write(bytes));
        return true;
      };
      stream.end = () => later(end);
      stream.destroy = () => later(destroy);
      listener(stream);
    });
  return transport;
}
