/** The miner's end of a connection, with its bytes counted: those of its TCP stream, or of its stream of a QUIC connection (`quic.ts`). */
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** A connection to the pool. */
export interface Link {
  /** Bytes that went over the wire above TCP's headers: what is encrypted counts as it was sent. For QUIC those before its encryption. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  write(bytes: Uint8Array | string): void;
  /** Calls `listener` with what was received, decrypted. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Closes it and resolves when the pool has closed it too. */
  end(): Promise<void>;
}

/** Connects to a port of this machine, or opens a stream to it. */
export type Dial = (port: number) => Promise<Link>;

/** Plain TCP. */
export const dialTcp: Dial = async (port) => link(await tcpSocket(port));

/** A key that both ends of the bench know: TLS without a certificate, whose size would be the operator's choice. */
export const BENCH_PSK = { identity: "bench", key: Buffer.alloc(32, 7) } as const;

/** TLS 1.3 over TCP to SV1's pool. */
export const dialTls: Dial = (port) => {
  const pskCallback = () => ({ psk: BENCH_PSK.key, identity: BENCH_PSK.identity });
  return secured(port, { pskCallback, checkServerIdentity: () => undefined });
};

/** TLS 1.3 over TCP to the SV2 server, whose certificate nobody but itself vouches for. */
export const dialSv2Tls: Dial = (port) => secured(port, { ALPNProtocols: ["sv2"], rejectUnauthorized: false });

async function secured(port: number, options: ConnectionOptions): Promise<Link> {
  const raw = await tcpSocket(port);
  const socket = connectTls({ ...options, socket: raw, minVersion: "TLSv1.3" });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  return link(socket, raw);
}

/** From another address than the pool's, so that the two directions have routes of their own (`own-network.ts`). */
async function tcpSocket(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", localAddress: "127.0.0.2", port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** `raw`: the TCP socket beneath. */
function link(socket: Socket, raw: Socket = socket): Link {
  return {
    get sentBytes() {
      return raw.bytesWritten;
    },
    get receivedBytes() {
      return raw.bytesRead;
    },
    write: (bytes) => void socket.write(bytes),
    onData: (listener) => void socket.on("data", listener),
    async end() {
      const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
      socket.end();
      await closed;
    },
  };
}
