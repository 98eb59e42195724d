/**
 * SV2 over TLS 1.3 (docs/transports.md). ALPN is `sv2` and nothing else. Nothing of an earlier connection is taken up again: no
 * session is resumed and there is no early data, since miners connect seldom and stay for days, and what is never
 * resumed cannot be replayed.
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { handshakeWords, verifyWords } from "../../client/tls-words.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Door } from "../door.ts";
import type { Stream, Transport } from "../transport.ts";
import type { Certificate, CertificateSource } from "./certificate.ts";
import { OpenStreams } from "./open-streams.ts";
import { SocketStream } from "./socket-stream.ts";
import { hostPort, TcpListener, type TcpOptions } from "./tcp-listener.ts";
import { ALPN_SV2, TlsKnock } from "./tls-knock.ts";

/** What a TLS listener works with. */
export interface TlsTransportDeps {
  /** Asked as soon as a peer connects: the same that the server has. */
  readonly door: Door;
  readonly certificates: CertificateSource;
  readonly clock: Clock;
  readonly log: Log;
}

/** Options of `TlsTransport`. */
export interface TlsOptions extends TcpOptions {
  /** Whether the Noise handshake runs inside. */
  readonly noise: boolean;
}

/** Listens on one TCP address; who finishes a TLS handshake there is a stream. */
export class TlsTransport implements Transport {
  readonly name: string;
  readonly kind = "tls";
  readonly noise: boolean;
  readonly #deps: TlsTransportDeps;
  readonly #streams = new OpenStreams();
  readonly #listener: TcpListener;
  /** Handshakes under way, by the connection that they run on. */
  readonly #knocks = new Map<string, TlsKnock>();
  #server: Server | undefined;
  #forgetCertificates: (() => void) | undefined;

  constructor(deps: TlsTransportDeps, options: TlsOptions) {
    this.#deps = deps;
    this.noise = options.noise;
    this.name = `tls ${hostPort(options.host, options.port)}`;
    this.#listener = new TcpListener(
      { onSocket: (socket) => this.#knock(socket), onTrouble: (error) => this.#streams.trouble(error) },
      options,
    );
  }

  get address(): string | undefined {
    return this.#listener.address;
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    return this.#streams.onStream(listener);
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    return this.#streams.onTrouble(listener);
  }

  /** Binds and listens. Throws `Fault("listen-failed")` with the system's reason. */
  async start(signal: AbortSignal): Promise<void> {
    const { certificates, door } = this.#deps;
    const certificate = certificates.current();
    // It listens nowhere itself: sockets are handed to it when their handshake may begin.
    const server = createServer({
      ...contextOf(certificate),
      ALPNProtocols: [ALPN_SV2],
      requestCert: certificate.clientCa !== undefined,
      // Judged in `#secured`, where its connection is still known.
      rejectUnauthorized: false,
      handshakeTimeout: 2 * door.handshakeTimeoutMs,
    });
    server.on("secureConnection", (socket) => this.#secured(socket));
    server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    this.#server = server;
    this.#forgetCertificates = certificates.onChange((changed) => server.setSecureContext(contextOf(changed)));
    await this.#listener.start(signal);
  }

  refuse(): void {
    this.#listener.refuse();
    for (const knock of [...this.#knocks.values()]) knock.destroy();
  }

  async stop(): Promise<void> {
    this.#forgetCertificates?.();
    this.refuse();
    await Promise.all([this.#listener.closed(), this.#streams.destroyAll()]);
  }

  #knock(socket: Socket): void {
    const { door, clock, log } = this.#deps;
    const admitted = door.admit(socket.remoteAddress ?? "");
    if (admitted === undefined) {
      socket.destroy();
      return;
    }
    const id = connectionOf(socket);
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const knock = new TlsKnock({
      socket,
      admitted,
      door,
      clock,
      handshake: () => void this.#server?.emit("connection", socket),
      onRefused: (fault) => door.turnedAway(log.child({ peer }), fault),
      // A peer that reset and came back from the same port may have been accepted before the old socket's end was told.
      onGone: () => {
        if (this.#knocks.get(id) === knock) this.#knocks.delete(id);
      },
    });
    this.#knocks.set(id, knock);
  }

  #secured(socket: TLSSocket): void {
    const knock = this.#knocks.get(connectionOf(socket));
    const { clientCa } = this.#deps.certificates.current();
    if (knock === undefined) {
      socket.destroy();
    } else if (socket.alpnProtocol !== ALPN_SV2) {
      knock.refuse(new Fault("tls-refused", { reason: "it chose no protocol (ALPN)" }));
    } else if (clientCa !== undefined && !socket.authorized) {
      // Typed as an error, it is OpenSSL's code.
      knock.refuse(new Fault("tls-client-refused", { reason: verifyWords(String(socket.authorizationError)) }));
    } else {
      const stream = new SocketStream(
        { socket },
        { onGone: () => this.#streams.delete(stream), admitted: knock.done() },
      );
      this.#streams.add(stream);
    }
  }

  #failed(error: Error, socket: TLSSocket): void {
    const reason = handshakeWords(error);
    this.#knocks.get(connectionOf(socket))?.refuse(new Fault("tls-handshake-failed", { reason }, { cause: error }));
  }
}

/** Names a connection as long as it is open: the TLS library does not say on which socket it runs. */
function connectionOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function contextOf({ chain, key, clientCa }: Certificate): SecureContextOptions {
  return {
    cert: chain,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
