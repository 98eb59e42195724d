/** A stream without a network: a test plays both the peer and its kernel. */
import { concat } from "../../src/kernel/bytes.ts";
import type { Stream, StreamListener } from "../../src/pool/transport.ts";

/** Records what a session does and hands it what the test says. */
export class FakeStream implements Stream {
  readonly remoteAddress: string = "192.0.2.1";
  readonly remotePort: number = 40_000;
  /** One entry for each `write`. */
  readonly writes: Uint8Array[] = [];
  /** Whether the peer takes what is written; `false` lets `bufferedBytes` grow. */
  reading = true;
  bufferedBytes = 0;
  paused = false;
  ended = false;
  destroyed = false;
  #listener: StreamListener | undefined;
  #kept: Uint8Array[] = [];

  attach(listener: StreamListener): void {
    this.#listener = listener;
  }

  write(bytes: Uint8Array): boolean {
    if (this.ended || this.destroyed) return true;
    this.writes.push(bytes);
    if (!this.reading) this.bufferedBytes += bytes.length;
    return this.reading;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const bytes of this.#kept.splice(0)) this.receive(bytes);
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** The peer sent `bytes`. A paused stream keeps them. */
  receive(bytes: Uint8Array): void {
    if (this.paused) this.#kept.push(bytes);
    else if (!this.destroyed) this.#listener?.onData(bytes);
  }

  /** The peer took `size` of the waiting bytes. */
  take(size: number): void {
    this.bufferedBytes = Math.max(0, this.bufferedBytes - size);
    if (this.bufferedBytes === 0) this.#listener?.onDrain();
  }

  /** The stream is gone. */
  close(cause?: Error): void {
    this.destroyed = true;
    this.#listener?.onClose(cause);
  }

  /** Everything written so far. */
  get written(): Uint8Array {
    return concat(...this.writes);
  }
}
