/** Plain TCP: the transport of Stratum V2 (sv2-spec 04, the Noise layer is inside the stream). */
import type { Socket } from "node:net";
import type { Unsubscribe } from "../../kernel/events.ts";
import type { Stream, Transport } from "../transport.ts";
import { OpenStreams } from "./open-streams.ts";
import { SocketStream } from "./socket-stream.ts";
import { hostPort, TcpListener, type TcpOptions } from "./tcp-listener.ts";

/** Listens on one TCP address; whoever connects is a stream at once. */
export class TcpTransport implements Transport {
  readonly name: string;
  readonly kind = "tcp";
  readonly noise = true;
  readonly #streams = new OpenStreams();
  readonly #listener: TcpListener;

  constructor(_deps: object, options: TcpOptions) {
    this.name = `tcp ${hostPort(options.host, options.port)}`;
    this.#listener = new TcpListener(
      { onSocket: (socket) => this.#accept(socket), onTrouble: (error) => this.#streams.trouble(error) },
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
    await this.#listener.start(signal);
  }

  refuse(): void {
    this.#listener.refuse();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#listener.closed(), this.#streams.destroyAll()]);
  }

  #accept(socket: Socket): void {
    const stream = new SocketStream({ socket }, { onGone: () => this.#streams.delete(stream) });
    this.#streams.add(stream);
  }
}
