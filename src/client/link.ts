/** The port between whoever speaks SV2 as a client and what carries the bytes: one ordered, reliable byte stream to a server. */
import type { ServerAddress } from "./url.ts";

/** What a stream tells its owner. */
export interface LinkListener {
  readonly onData: (bytes: Uint8Array) => void;
  /** The stream ended; called once. `reason` in a few words. */
  readonly onClose: (reason: string) => void;
}

/** An open stream. */
export interface Link {
  /** Sends `bytes`; does nothing once the stream ended. */
  write(bytes: Uint8Array): void;
  /** Sends what was written and ends the stream. */
  end(): void;
  /** Ends the stream at once. */
  destroy(): void;
}

/** Opens a stream to a server. Rejects with `Fault("server-unreachable")`, or the signal's reason. */
export type Dial = (server: ServerAddress, listener: LinkListener, signal: AbortSignal) => Promise<Link>;

/** Bytes that may wait for a server that does not read, several times what a farm has under way. */
export const MAX_WAITING = 8 * 1024 * 1024;

/** Why a connection ends when more do. */
export const NOT_TAKEN = "the server does not take what is sent to it";

/** How long a connection may take to open, ms: SRI's figure. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** How long a server may take to hang up after we did, ms. */
export const END_TIMEOUT_MS = 2_000;
