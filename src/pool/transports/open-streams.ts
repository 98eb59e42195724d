/** The streams of a transport and whoever takes them: the part of the port that does not depend on what carries the bytes. */
import type { Unsubscribe } from "../../kernel/events.ts";
import type { Stream } from "../transport.ts";
import { StreamListeners } from "./stream-listeners.ts";

/** A stream as its transport holds it. */
export interface OwnedStream extends Stream {
  /** Whether an owner took the stream. */
  readonly attached: boolean;
  /** Destroys the stream and resolves once its listener knows. */
  gone(): Promise<void>;
}

/** Hands streams on and knows those that are open. */
export class OpenStreams {
  readonly #listeners = new StreamListeners();
  readonly #open = new Set<OwnedStream>();

  /** Calls `listener` with every later stream. */
  onStream(listener: (stream: Stream) => void): Unsubscribe {
    return this.#listeners.onStream(listener);
  }

  /** Calls `listener` with every later trouble. */
  onTrouble(listener: (error: Error) => void): Unsubscribe {
    return this.#listeners.onTrouble(listener);
  }

  /** Hands a new stream on; one that nobody takes is destroyed. */
  add(stream: OwnedStream): void {
    this.#open.add(stream);
    this.#listeners.stream(stream);
    if (!stream.attached) stream.destroy();
  }

  /** The stream is closed. */
  delete(stream: OwnedStream): void {
    this.#open.delete(stream);
  }

  /** Tells of a peer that could not be accepted. */
  trouble(error: Error): void {
    this.#listeners.trouble(error);
  }

  /** Destroys all streams; resolves once all their listeners know. */
  async destroyAll(): Promise<void> {
    await Promise.all([...this.#open].map((stream) => stream.gone()));
  }
}
