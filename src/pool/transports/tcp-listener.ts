/** A listening TCP socket: binding it, the faults of that, and taking no more connections; what is said on them is others' business. */
import { createServer, type Server, type Socket } from "node:net";
import { Fault } from "../../kernel/fault.ts";

/** Where to listen, and how. */
export interface TcpOptions {
  /** IP address to bind, `0.0.0.0` or `::` for all. */
  readonly host: string;
  /** Port to bind; 0 lets the system choose one. */
  readonly port: number;
  /** Connections that the kernel may hold before we accept them. Default 511. */
  readonly backlog?: number;
  /** Silence after which TCP begins to probe the peer, ms. Default 60,000; finds peers that vanished without a FIN. */
  readonly keepAliveMs?: number;
}

/** What a listener calls. */
export interface TcpListenerDeps {
  /** Takes every accepted socket. */
  readonly onSocket: (socket: Socket) => void;
  /** A peer could not be accepted, e.g. for want of file descriptors; listening goes on. */
  readonly onTrouble: (error: Error) => void;
}

/**
 * Listens on one TCP address. Small writes are never held back (TCP_NODELAY): a job that waits for Nagle's algorithm
 * is hash rate lost, and sessions already join the frames of one turn into one write.
 */
export class TcpListener {
  readonly #deps: TcpListenerDeps;
  readonly #options: TcpOptions;
  #server: Server | undefined;
  #closed: Promise<void> | undefined;
  #address: string | undefined;

  constructor(deps: TcpListenerDeps, options: TcpOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** `host:port` or `[host]:port`; `undefined` before `start`. */
  get address(): string | undefined {
    return this.#address;
  }

  /** Binds and listens. Throws `Fault("listen-failed")` with the system's reason. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { host, port, backlog = 511, keepAliveMs = 60_000 } = this.#options;
    const server = createServer({ noDelay: true }, (socket) => {
      socket.setKeepAlive(true, keepAliveMs);
      this.#deps.onSocket(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        reject(new Fault("listen-failed", { address: hostPort(host, port), reason: cause.code }, { cause }));
      });
      server.listen({ host, port, backlog }, resolve);
    });
    // An error after this point concerns one accept (EMFILE, ENFILE): Node goes on listening.
    server.removeAllListeners("error").on("error", (error) => this.#deps.onTrouble(error));
    this.#server = server;
    const bound = server.address();
    if (bound !== null && typeof bound === "object") this.#address = hostPort(bound.address, bound.port);
  }

  /** Takes no new connections; those that are open go on. */
  refuse(): void {
    const server = this.#server;
    if (server === undefined || this.#closed !== undefined) return;
    // Calls back once the last accepted socket is gone too.
    this.#closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  }

  /** Resolves once it listens no more and the last accepted socket is gone. */
  async closed(): Promise<void> {
    this.refuse();
    await this.#closed;
  }
}

/** `host:port`, an IPv6 host in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
