/** Who a transport tells of new streams and of peers that it could not accept. */
import type { Unsubscribe } from "../../kernel/events.ts";
import type { Stream } from "../transport.ts";

/** The listeners of one transport. */
export class StreamListeners {
  readonly #listeners = new Set<(stream: Stream) => void>();
  readonly #troubleListeners = new Set<(error: Error) => void>();

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

  /** Hands a new stream on. */
  stream(stream: Stream): void {
    for (const listener of this.#listeners) listener(stream);
  }

  /** Tells of a peer that could not be accepted. */
  trouble(error: Error): void {
    for (const listener of this.#troubleListeners) listener(error);
  }
}
