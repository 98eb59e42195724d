/** What a miner tells of itself: the events of `CpuMiner` and of the conversation inside it. */

/** Events by name. Hashes and targets are `Uint8Array(32)`: hashes in internal byte order, targets little-endian. */
export interface MinerEvents {
  /** The connection is up and, unless plain, encrypted; SetupConnection follows. */
  readonly connected: { readonly host: string; readonly port: number };
  /**
   * The connection ended, or could not be made. `retryMs` is the wait before the next attempt, if there is one; `error` is
   * there when one ended it, mostly a `Fault` that knows what helps.
   */
  readonly disconnected: { readonly reason: string; readonly retryMs: number | undefined; readonly error?: unknown };
  /** SetupConnection and extensions are agreed on. */
  readonly setup: { readonly flags: number; readonly extensions: readonly number[] };
  /** The server refused a step; `code` is its error string. */
  readonly refused: { readonly step: "setup" | "extensions" | "channel" | "update"; readonly code: string };
  /** A channel was opened. */
  readonly channel: {
    readonly kind: "standard" | "extended";
    readonly channelId: number;
    readonly groupChannelId: number;
    readonly extranoncePrefix: Uint8Array;
    /** Bytes that the miner may roll; 0 on a standard channel. */
    readonly extranonceSize: number;
    readonly target: Uint8Array;
  };
  /** A job arrived; a future one waits for its block. */
  readonly job: {
    readonly jobId: number;
    readonly future: boolean;
    /** Which message brought it; a channel of either kind may get extended jobs. */
    readonly kind: "standard" | "extended";
  };
  /** There is a new block to build on. */
  readonly newBlock: { readonly prevHash: Uint8Array; readonly jobId: number; readonly nbits: number };
  /** The target for later jobs changed. */
  readonly target: { readonly target: Uint8Array };
  /** A share was found and sent. `block` when its hash meets the network's target too. */
  readonly shareFound: {
    readonly sequenceNumber: number;
    readonly jobId: number;
    readonly hash: Uint8Array;
    readonly block: boolean;
  };
  /** The server acknowledged a batch of shares. */
  readonly shareAccepted: {
    readonly lastSequenceNumber: number;
    readonly count: number;
    /** Sum of the difficulties of the batch. */
    readonly difficulty: bigint;
  };
  /** The server refused a share; `code` is its error string. */
  readonly shareRejected: {
    readonly sequenceNumber: number;
    readonly jobId: number | undefined;
    readonly code: string;
  };
  /** A share was found for a job that is not valid any more, and was not sent. */
  readonly shareStale: { readonly jobId: number };
  /** The server ended the channel. */
  readonly channelClosed: { readonly channelId: number; readonly reason: string };
  /** The server asks to connect elsewhere; empty host or port 0 mean the present one. */
  readonly reconnect: { readonly host: string; readonly port: number };
  /** Hashes a second over the last interval. */
  readonly hashrate: { readonly hashesPerSecond: number };
}
