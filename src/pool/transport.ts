/**
 * The port between sessions and whatever carries their bytes. A session sees one ordered, reliable byte stream with
 * back pressure and never learns whether it is a TCP connection, a TLS socket or one stream of a QUIC connection, so
 * the same session code serves them all.
 */
import type { TransportName } from "../client/url.ts";
import type { Unsubscribe } from "../kernel/events.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Admitted } from "./door.ts";

/** What a stream tells its owner. Callbacks run one at a time, never from inside a call of the owner's. */
export interface StreamListener {
  /** The next bytes from the peer. The array belongs to the listener: the transport does not write to it again. */
  onData(bytes: Uint8Array): void;
  /** The stream took everything that was written to it. */
  onDrain(): void;
  /** The stream is gone, both ways; called exactly once and last. `cause` is set when it ended by an error. */
  onClose(cause: Error | undefined): void;
}

/** One byte stream to one peer. */
export interface Stream {
  /** The peer's IP address as text without port, `203.0.113.7` or `2001:db8::7`. */
  readonly remoteAddress: string;
  /** The peer's port. */
  readonly remotePort: number;
  /** The peer's place, where the transport asked the door before a handshake of its own; else the server asks. */
  readonly admitted?: Admitted | undefined;
  /** Bytes written here that the operating system has not taken yet. */
  readonly bufferedBytes: number;
  /** Names the one listener; nothing is read before. Throws `TypeError` when called again. */
  attach(listener: StreamListener): void;
  /**
   * Queues `bytes`, which must not change afterwards. Returns `false` when the peer reads too slowly and the writer
   * had better wait for `onDrain`; the bytes are queued all the same. After `end` or `destroy` it does nothing.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops reading: what the peer sends stays in its own and the kernel's buffers. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Closes our direction once everything written was taken; the peer's direction goes on until it closes too. */
  end(): void;
  /** Closes both directions at once and forgets what was not sent. */
  destroy(): void;
}

/** Accepts streams. `start` binds, so that `address` is known; `stop` also destroys streams that are still open. */
export interface Transport extends Part {
  /** What carries the streams, as URLs for miners say it. */
  readonly kind: TransportName;
  /** Whether the Noise handshake runs inside each stream. */
  readonly noise: boolean;
  /** Where peers reach us, `host:port` or `[host]:port`; `undefined` before `start`. */
  readonly address: string | undefined;
  /** Calls `listener` with every later stream. A stream with no listener is destroyed. */
  onStream(listener: (stream: Stream) => void): Unsubscribe;
  /** Calls `listener` whenever a peer could not be accepted, e.g. for want of file descriptors; it goes on listening. */
  onTrouble(listener: (error: Error) => void): Unsubscribe;
  /** Takes no new streams from now on; those that are open go on. Used as the first step of a graceful stop. */
  refuse(): void;
}
