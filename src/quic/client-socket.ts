/** A client's QUIC connection with a UDP socket of its own. */
import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { CLIENT_LIMITS } from "./config.ts";
import { QuicConnection } from "./connection.ts";
import { CONNECTION_ID_BYTES, type HostPort, type Quiche, type QuicheConfig } from "./quiche.ts";
import type { OpenUdp } from "./udp.ts";

/** What a connection is made with. */
export interface ClientSocketDeps {
  readonly quiche: Quiche;
  readonly clock: Clock;
  readonly random: Random;
  readonly udp: OpenUdp;
  readonly config: QuicheConfig;
  /** Judges the server by its certificates, DER, its own first. Throws to refuse it. */
  readonly verify: (chain: readonly Uint8Array[]) => void;
  /** The connection that was open is over; called once. */
  readonly onClosed: (cause: Error | undefined) => void;
}

/** Options of `openClient`. */
export interface ClientSocketOptions {
  readonly remote: HostPort;
  /** The server's name (SNI); `undefined` when it is known by its address. */
  readonly serverName: string | undefined;
  readonly handshakeTimeoutMs: number;
  readonly keepAliveMs: number;
}

/**
 * Opens a connection; resolves once the handshake is over and the server was found to be the right one. Rejects with what `verify` threw, or why
 * there is no connection.
 */
export async function openClient(deps: ClientSocketDeps, options: ClientSocketOptions): Promise<QuicConnection> {
  const { quiche, clock, random, config } = deps;
  const { remote, serverName, handshakeTimeoutMs, keepAliveMs } = options;
  let receive = (_bytes: Uint8Array, _from: HostPort): void => undefined;
  const socket = await deps.udp(remote.host.includes(":") ? "::" : "0.0.0.0", 0, {
    onDatagram: (bytes, from) => receive(bytes, from),
    // Sending fails without a word, and nothing else can.
    onError: () => undefined,
  });
  const { local, send } = socket;
  try {
    const conn = quiche.Connection.connect(serverName, random.bytes(CONNECTION_ID_BYTES), local, remote, config);
    return await new Promise<QuicConnection>((resolve, reject) => {
      let opened = false;
      const connection: QuicConnection = new QuicConnection(
        {
          conn,
          clock,
          send,
          nextId: () => ({ id: random.bytes(CONNECTION_ID_BYTES), resetToken: bigintOf(random.bytes(16)) }),
          scratch: new Uint8Array(CLIENT_LIMITS.streamWindow),
        },
        { role: "client", local, remote, handshakeTimeoutMs, keepAliveMs },
        {
          onEstablished() {
            deps.verify(conn.peerCertChain() ?? []);
            opened = true;
            resolve(connection);
          },
          onClosed(cause) {
            reject(cause ?? new Error("the server closed the connection"));
            if (opened) deps.onClosed(cause);
          },
          onGone: () => void socket.close(),
        },
      );
      receive = (bytes, from) => connection.receive(bytes, from);
      connection.start();
    });
  } catch (error) {
    void socket.close();
    throw error;
  }
}

function bigintOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
