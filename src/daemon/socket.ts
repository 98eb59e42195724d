/**
 * Raw sockets as small ports: outgoing TCP for the ZMQ notices, Unix sockets for the IPC of the bllvm node. The only file
 * here that opens any.
 */
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { dirname } from "node:path";

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

/** A connection over a Unix socket, of which one sees what the peer has not taken yet. */
export interface UnixSocket extends ClientSocket {
  /** Bytes written that wait in this process. */
  readonly bufferedBytes: number;
}

/** Opens a connection to the socket at `path`. */
export type ConnectUnix = (path: string, events: SocketEvents) => UnixSocket;

/** A listening Unix socket. */
export interface UnixServer {
  /** Closes all its connections and removes the file. */
  close(): Promise<void>;
}

/** Listens at `path`, for this user only; its folder is made if need be, and a socket that an earlier process left there is replaced. `accept` gives what is told of a connection. */
export type ListenUnix = (
  path: string,
  accept: (socket: UnixSocket) => Omit<SocketEvents, "onOpen">,
) => Promise<UnixServer>;

/** Connects with `node:net`. */
export const connectUnix: ConnectUnix = (path, events) => {
  const socket = connect({ path });
  socket.on("connect", () => events.onOpen());
  return follow(socket, events);
};

/** Listens with `node:net`. */
export const listenUnix: ListenUnix = async (path, accept) => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const left = await lstat(path).catch(() => undefined);
  if (left?.isSocket()) await rm(path);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => void sockets.delete(socket));
    let events: Omit<SocketEvents, "onOpen"> | undefined;
    const port = follow(socket, {
      onData: (bytes) => events?.onData(bytes),
      onClose: (error) => events?.onClose(error),
    });
    events = accept(port);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(path, resolve);
  });
  await chmod(path, 0o600);
  // What happens to one accept later (no more file descriptors) is no reason to stop listening.
  server.removeAllListeners("error").on("error", () => {});
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};

/** The port of an open socket. */
function follow(socket: Socket, events: Omit<SocketEvents, "onOpen">): UnixSocket {
  let failure: Error | undefined;
  socket.on("data", (bytes) => events.onData(bytes));
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => events.onClose(failure));
  return {
    get bufferedBytes() {
      return socket.writableLength;
    },
    write: (bytes) => void socket.write(bytes),
    destroy: () => void socket.destroy(),
  };
}
