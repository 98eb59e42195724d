/** What the operator may choose about connections; the keys of [limits] in the configuration. */
import type { AdmissionNetwork } from "./admission.ts";

/** What peers may cost, each alone and all together. */
export interface ServerLimits {
  /** Open connections in all. */
  readonly connections: number;
  /** Open connections of one IPv4 address or IPv6 /64. */
  readonly connectionsPerAddress: number;
  /** Networks with a limit of their own; loopback has none unless listed. */
  readonly networks?: readonly AdmissionNetwork[];
  /** Handshakes begun per second; a twentieth of it may be begun at once. More have to wait. */
  readonly handshakesPerSecond: number;
  /** Time from accepting a connection to its SetupConnection and required extensions, ms. */
  readonly handshakeTimeoutMs: number;
  /** Silence after which a connection is closed, ms. */
  readonly idleTimeoutMs: number;
  /** Bytes that may wait for one peer that reads too slowly, beside those owed for its channels' jobs. */
  readonly bufferBytes: number;
  /** Largest payload of a frame taken from a peer. */
  readonly frameBytes: number;
  /**
   * Frames read from one connection per second (one counts again for each 256 bytes of payload); twice as many may come at
   * once. Three times the shares wanted of its channels come on top. Above it the peer is read more slowly.
   */
  readonly messagesPerSecond: number;
}

/** Times that seldom need a choice. */
export interface ServerTimes {
  /** A peer that takes none of the bytes waiting for it for this long is closed, ms. */
  readonly stallTimeoutMs: number;
  /** One slice of a job's fan-out, after which shares have their turn, ms. */
  readonly fanOutSliceMs: number;
  /** Stopping: time in which shares are still judged and acknowledged before we say goodbye, ms. */
  readonly stopGraceMs: number;
  /** Stopping: time that miners have to close after our goodbye, ms. Shares that come meanwhile are credited. */
  readonly stopDrainMs: number;
  /** Stopping: time to wait for the submission of found blocks, ms. */
  readonly stopBlocksMs: number;
}

/** What holds unless the operator says otherwise. */
export const SERVER_DEFAULTS: { readonly limits: ServerLimits; readonly times: ServerTimes } = {
  limits: {
    connections: 20_000,
    connectionsPerAddress: 1000,
    handshakesPerSecond: 500,
    handshakeTimeoutMs: 10_000,
    idleTimeoutMs: 900_000,
    bufferBytes: 1 << 20,
    frameBytes: 65_536,
    messagesPerSecond: 500,
  },
  times: {
    stallTimeoutMs: 30_000,
    fanOutSliceMs: 8,
    stopGraceMs: 250,
    stopDrainMs: 2000,
    stopBlocksMs: 10_000,
  },
};
