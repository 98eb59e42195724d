/** Plain TCP: the transport of Stratum V2 (sv2-spec 04, the Noise layer is inside the stream). */
import { createServer, type Server, type Socket } from "node:net";
import type { Unsubscribe } from "../../kernel/events.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Stream, StreamListener, Transport } from "../transport.ts";

/** Options of `TcpTransport`. */
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

/**
 * Listens on one TCP address. Small writes are never held back (TCP_NODELAY): a job that waits for Nagle's algorithm
 * is hash rate lost, and sessions already join the frames of one turn into one write.
 */
export class TcpTransport implements Transport {
  readonly name: string;
  readonly #options: TcpOptions;
  readonly #listeners = new Set<(stream: Stream) => void>();
  readonly #troubleListeners = new Set<(error: Error) => void>();
  readonly #streams = new Set<TcpStream>();
  #server: Server | undefined;
  #closed: Promise<void> | undefined;
  #address: string | undefined;

  constructor(_deps: object, options: TcpOptions) {
    this.#options = options;
    this.name = `tcp ${hostPort(options.host, options.port)}`;
  }

  get address(): string | undefined {
    return this.#address;
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    this.#troubleListeners.add(listener);
    return () => void this.#troubleListeners.delete(listener);
  }

  /** Binds and listens. Throws `Fault("listen-failed")` with the system's reason. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { host, port, backlog = 511 } = this.#options;
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        reject(new Fault("listen-failed", { address: hostPort(host, port), reason: cause.code }, { cause }));
      });
      server.listen({ host, port, backlog }, resolve);
    });
    // An error after this point concerns one accept (EMFILE, ENFILE): Node goes on listening.
    server.removeAllListeners("error").on("error", (error) => {
      for (const listener of this.#troubleListeners) listener(error);
    });
    this.#server = server;
    const bound = server.address();
    if (bound !== null && typeof bound === "object") this.#address = hostPort(bound.address, bound.port);
  }

  refuse(): void {
    const server = this.#server;
    if (server === undefined || this.#closed !== undefined) return;
    // Calls back once the last accepted socket is gone too.
    this.#closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  }

  async stop(): Promise<void> {
    this.refuse();
    await Promise.all([this.#closed, ...[...this.#streams].map((stream) => stream.gone())]);
  }

  #accept(socket: Socket): void {
    socket.setKeepAlive(true, this.#options.keepAliveMs ?? 60_000);
    const stream = new TcpStream(socket, () => void this.#streams.delete(stream));
    this.#streams.add(stream);
    for (const listener of this.#listeners) listener(stream);
    if (!stream.attached) stream.destroy();
  }
}

/** One accepted socket. */
class TcpStream implements Stream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #socket: Socket;
  #listener: StreamListener | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(socket: Socket, onGone: () => void) {
    this.#socket = socket;
    // The peer may have hung up before we got here; then Node knows no address and closes the socket in a moment.
    this.remoteAddress = socket.remoteAddress ?? "";
    this.remotePort = socket.remotePort ?? 0;
    socket.pause();
    socket.on("error", (error) => {
      this.#failure = error;
    });
    socket.on("close", () => {
      this.#closed = true;
      onGone();
      this.#listener?.onClose(this.#failure);
    });
  }

  /** Whether an owner took the stream. */
  get attached(): boolean {
    return this.#listener !== undefined;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  attach(listener: StreamListener): void {
    if (this.#listener !== undefined) throw new TypeError("the stream has a listener already");
    this.#listener = listener;
    this.#socket.on("data", (bytes: Uint8Array) => listener.onData(bytes));
    this.#socket.on("drain", () => listener.onDrain());
    this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed || !this.#socket.writable) return true;
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Destroys the stream and resolves once its listener knows. */
  gone(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const gone = new Promise<void>((resolve) => void this.#socket.once("close", () => resolve()));
    this.#socket.destroy();
    return gone;
  }
}

/** `host:port`, an IPv6 host in brackets. */
function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
