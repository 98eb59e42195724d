/** An outgoing TCP connection as a small port, for the ZMQ notices. The only file here that opens raw sockets. */
import { connect } from "node:net";

/** What a connection tells. `onClose` is called exactly once, with the error if there was one. */
export interface SocketEvents {
  onOpen(): void;
  onData(bytes: Uint8Array): void;
  onClose(error: Error | undefined): void;
}

/** An open or opening connection. */
export interface ClientSocket {
  write(bytes: Uint8Array): void;
  /** Closes at once; `onClose` follows. */
  destroy(): void;
}

/** Opens a connection. */
export type ConnectSocket = (host: string, port: number, events: SocketEvents) => ClientSocket;

/** Silence after which TCP begins to probe the peer: a publisher says nothing for hours, and may have vanished. */
const KEEP_ALIVE_MS = 30_000;

/** Connects with `node:net`. */
export const connectTcp: ConnectSocket = (host, port, events) => {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  let failure: Error | undefined;
  socket.on("connect", () => events.onOpen());
  socket.on("data", (bytes) => events.onData(bytes));
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => events.onClose(failure));
  return { write: (bytes) => void socket.write(bytes), destroy: () => void socket.destroy() };
};
