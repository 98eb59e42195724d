/**
 * The node's IPC server: a Unix socket of mode 0600 whose accept loop serves one connection to its end before it looks at the
 * next, and which ends for good when a handshake fails. `concurrent` is the patched node: a task for each connection.
 */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type ConnectionHost, IpcConnection } from "./ipc-connection.ts";

/** How the server behaves. */
export interface IpcServerOptions {
  readonly socketPath: string;
  readonly concurrent: boolean;
}

/** Accepts connections. */
export class IpcServer {
  /** Connections that were or are served, in order. */
  readonly connections: IpcConnection[] = [];
  /** Why the server ended by itself. */
  failure: string | undefined;
  /** Closes whatever connects from now on, instead of serving it. */
  refusing = false;
  readonly #host: ConnectionHost;
  readonly #options: IpcServerOptions;
  readonly #sockets = new Set<Socket>();
  #backlog: Socket[] = [];
  #serving = 0;
  #server: Server | undefined;

  constructor(deps: { readonly host: ConnectionHost }, options: IpcServerOptions) {
    this.#host = deps.host;
    this.#options = options;
  }

  /** Whether it listens. */
  get listening(): boolean {
    return this.#server !== undefined;
  }

  /** Connections that wait to be accepted. */
  get waiting(): number {
    return this.#backlog.filter((socket) => !socket.destroyed).length;
  }

  /** Removes what stands at the path, and listens. */
  async listen(): Promise<void> {
    const { socketPath } = this.#options;
    mkdirSync(dirname(socketPath), { recursive: true });
    rmSync(socketPath, { force: true });
    // Paused: the bytes of who waits stay in the kernel until it is that one's turn.
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#arrive(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, resolve);
    });
    chmodSync(socketPath, 0o600);
    this.#server = server;
  }

  /**
   * Ends as a killed process does: everything is closed at once and the socket's file stays behind, so that who connects
   * is refused.
   */
  async die(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    this.#backlog = [];
    if (server === undefined) return;
    const { socketPath } = this.#options;
    const aside = `${socketPath}~`;
    // Closing removes the file; a process that is killed cannot.
    if (existsSync(socketPath)) renameSync(socketPath, aside);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    if (existsSync(aside)) renameSync(aside, socketPath);
  }

  #arrive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
    if (this.refusing) {
      socket.destroy();
      return;
    }
    this.#backlog.push(socket);
    this.#acceptNext();
  }

  #acceptNext(): void {
    while (this.listening && (this.#options.concurrent || this.#serving === 0)) {
      const socket = this.#backlog.shift();
      if (socket === undefined) return;
      this.#serving++;
      void this.#serve(socket);
    }
  }

  async #serve(socket: Socket): Promise<void> {
    const connection = new IpcConnection({ socket, host: this.#host });
    this.connections.push(connection);
    try {
      await connection.serve();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.listening && !this.#options.concurrent) {
        this.failure = reason;
        await this.die();
      }
    } finally {
      this.#serving--;
    }
    this.#acceptNext();
  }
}
