/** A transport that notes when the server writes: time stands still in the bench until what was written has arrived. */
import type { Unsubscribe } from "../../../src/kernel/events.ts";
import type { Stream, Transport } from "../../../src/pool/transport.ts";

/** Wraps a transport. */
export class OverheardTransport implements Transport {
  readonly name: string;
  readonly #inner: Transport;
  #writes = 0;

  constructor(inner: Transport) {
    this.#inner = inner;
    this.name = inner.name;
  }

  /** Calls of `write` on all streams so far. */
  get writes(): number {
    return this.#writes;
  }

  get address(): string | undefined {
    return this.#inner.address;
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    return this.#inner.onStream((stream) => listener(this.#overhear(stream)));
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    return this.#inner.onTrouble(listener);
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#inner.start(signal);
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  refuse(): void {
    this.#inner.refuse();
  }

  #overhear(stream: Stream): Stream {
    return {
      remoteAddress: stream.remoteAddress,
      remotePort: stream.remotePort,
      get bufferedBytes() {
        return stream.bufferedBytes;
      },
      attach: (listener) => stream.attach(listener),
      write: (bytes) => {
        this.#writes += 1;
        return stream.write(bytes);
      },
      pause: () => stream.pause(),
      resume: () => stream.resume(),
      end: () => stream.end(),
      destroy: () => stream.destroy(),
    };
  }
}
