/** The streams of a transport and whoever takes them: the part of the port that does not depend on what carries the bytes. */
import type { Unsubscribe } from "../../kernel/events.ts";
import type { Stream } from "../transport.ts";

/** A stream as its transport holds it. */
export interface OwnedStream extends Stream {
  /** Whether an owner took the stream. */
  readonly attached: boolean;
  /** Destroys the stream and resolves once its listener knows. */
  gone(): Promise<void>;
}

/** Hands streams on and knows those that are open. */
export class OpenStreams {
  readonly #listeners = new Set<(stream: Stream) => void>();
  readonly #troubleListeners = new Set<(error: Error) => void>();
  readonly #open = new Set<OwnedStream>();

  /** Calls `listener` with every later stream. */
  onStream(listener: (stream: Stream) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` with every later trouble. */
  onTrouble(listener: (error: Error) => void): Unsubscribe {
    this.#troubleListeners.add(listener);
    return () => void this.#troubleListeners.delete(listener);
  }

  /** Hands a new stream on; one that nobody takes is destroyed. */
  add(stream: OwnedStream): void {
    this.#open.add(stream);
    for (const listener of this.#listeners) listener(stream);
    if (!stream.attached) stream.destroy();
  }

  /** The stream is closed. */
  delete(stream: OwnedStream): void {
    this.#open.delete(stream);
  }

  /** Tells of a peer that could not be accepted. */
  trouble(error: Error): void {
    for (const listener of this.#troubleListeners) listener(error);
  }

  /** Destroys all streams; resolves once all their listeners know. */
  async destroyAll(): Promise<void> {
    await Promise.all([...this.#open].map((stream) => stream.gone()));
  }
}
