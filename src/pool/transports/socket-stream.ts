/** A Node socket as a stream: what the transports on TCP have in common, TLS or not. */
import type { Socket } from "node:net";
import type { Admitted } from "../door.ts";
import type { Stream, StreamListener } from "../transport.ts";

/** What a socket tells beside its bytes. */
export interface SocketStreamOptions {
  /** Called once the socket is closed, before its listener is. */
  readonly onGone: () => void;
  /** The peer's place, where it has one already. */
  readonly admitted?: Admitted;
}

/** One accepted socket; TLS sockets are sockets too. */
export class SocketStream implements Stream {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly admitted: Admitted | undefined;
  readonly #socket: Socket;
  #listener: StreamListener | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(deps: { readonly socket: Socket }, options: SocketStreamOptions) {
    const { socket } = deps;
    this.#socket = socket;
    this.admitted = options.admitted;
    // The peer may have hung up before we got here; then Node knows no address and closes the socket in a moment.
    this.remoteAddress = socket.remoteAddress ?? "";
    this.remotePort = socket.remotePort ?? 0;
    socket.pause();
    socket.on("error", (error) => {
      this.#failure = error;
    });
    socket.on("close", () => {
      this.#closed = true;
      options.onGone();
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
