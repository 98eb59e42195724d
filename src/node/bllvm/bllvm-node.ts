/**
 * The bllvm node as the rest of the module sees it: reads, events, submission and publication over its module IPC, without
 * a word about frames, versions or reconnects. `client.ts` implements it; all hashes are `Uint8Array(32)` in internal byte
 * order. Source: blvm-node `src/module/ipc/protocol.rs`, `src/module/traits.rs`.
 */
import type { Unsubscribe } from "../../kernel/events.ts";

/**
 * Where the connection stands. `down` no connection, `held` we keep away on purpose (the hold file of a registered attach, or
 * the first moments of a spawned child), `starving` connected and waiting to be served for longer than an answer takes: the
 * node serves one connection at a time, `up` handshake and subscription done, `closing` the node said that it is stopping.
 */
export type BllvmPhase = "down" | "held" | "connecting" | "starving" | "up" | "closing";

/** The connection to the node now. */
export interface BllvmState {
  readonly phase: BllvmPhase;
  /** Monotonic ms since when. */
  readonly sinceMs: number;
  /** `CARGO_PKG_VERSION` of the node, from its HandshakeAck. */
  readonly nodeVersion: string | undefined;
  /** Schema of the wire in use, e.g. `s3`. */
  readonly schema: string | undefined;
  /** Why there is no connection, in words with what to do; `undefined` while all is well. */
  readonly trouble: string | undefined;
  /** Requests that closed the connection and are not sent any more, e.g. `PublishEvent`. */
  readonly unusable: readonly string[];
  /** Whether the node answered a request that takes a capability of our manifest: then it knows them. */
  readonly isKnown: boolean;
}

/** A block header as the node stores it. */
export interface BllvmHeader {
  readonly version: number;
  readonly prevHash: Uint8Array;
  readonly merkleRoot: Uint8Array;
  /** Unix seconds. */
  readonly timestamp: number;
  /** Compact target, u32. */
  readonly nBits: number;
  readonly nonce: number;
}

/** A block as the node's IPC gives it: transactions have no witness. */
export interface BllvmBlock {
  readonly header: BllvmHeader;
  /** scriptSig of the coinbase input; `undefined` for a block without transactions. */
  readonly coinbaseScriptSig: Uint8Array | undefined;
  readonly transactionCount: number;
}

/** `ChainInfo`. The node's difficulty is left out: it is no compact target, and rounded in most versions. Headers have the bits. */
export interface BllvmChainInfo {
  readonly tipHash: Uint8Array;
  readonly height: number;
  readonly isSynced: boolean;
}

/** `SyncStatus`. */
export interface BllvmSyncStatus {
  readonly phase: string;
  /** 0 to 1. */
  readonly progress: number;
  readonly isSynced: boolean;
  readonly error: string | undefined;
}

/** Events of the node that we subscribe to, by the node's names. */
export interface BllvmEvents {
  NewBlock: { readonly blockHash: Uint8Array; readonly height: number };
  BlockDisconnected: { readonly hash: Uint8Array; readonly height: number };
  ChainReorg: { readonly oldTip: Uint8Array; readonly newTip: Uint8Array };
  BlockMined: { readonly blockHash: Uint8Array; readonly height: number; readonly minerId: string | undefined };
  BlockTemplateUpdated: { readonly prevHash: Uint8Array; readonly height: number; readonly txCount: number };
  /** The values are compact targets, u32. */
  MiningDifficultyChanged: { readonly oldNBits: number; readonly newNBits: number; readonly height: number };
  NodeShutdown: { readonly reason: string; readonly timeoutS: number };
  DataMaintenance: { readonly operation: string; readonly urgency: string; readonly reason: string };
  /** Not the node's: the tip as read after a connect, or named by NewBlock or ChainReorg; once per tip. */
  ChainTipUpdated: { readonly blockHash: Uint8Array; readonly height: number };
}

/** Events that we may publish, by the node's names. */
export interface BllvmPublishedEvents {
  MiningJobCreated: { readonly jobId: string; readonly prevHash: Uint8Array; readonly height: number };
  ShareSubmitted: { readonly jobId: string; readonly shareHash: Uint8Array; readonly minerId: string | undefined };
  /** `rewardAmount`: u64; the unit is documented in docs/bllvm.md. */
  MergeMiningReward: {
    readonly secondaryChain: string;
    readonly rewardAmount: bigint;
    readonly blockHash: Uint8Array;
  };
  MiningPoolConnected: { readonly poolUrl: string; readonly poolId: string | undefined };
  MiningPoolDisconnected: { readonly poolUrl: string; readonly reason: string };
}

/** One event to publish. */
export type BllvmPublishedEvent = {
  [N in keyof BllvmPublishedEvents]: { readonly name: N; readonly event: BllvmPublishedEvents[N] };
}[keyof BllvmPublishedEvents];

/** What the node may ask of us. */
export type BllvmInvocation =
  | { readonly type: "Cli"; readonly subcommand: string; readonly args: readonly string[] }
  | {
      readonly type: "ModuleApi";
      readonly method: string;
      readonly params: Uint8Array;
      readonly callerModuleId: string;
    };

/** What we answer. */
export type BllvmInvocationAnswer =
  | { readonly type: "Cli"; readonly stdout: string; readonly stderr: string; readonly exitCode: number }
  | { readonly type: "ModuleApi"; readonly result: Uint8Array }
  /** In words; the node hands it to the caller. */
  | { readonly type: "error"; readonly error: string };

/** A subcommand that the node's command line offers for us (`CliSpec`). */
export interface BllvmCliSubcommand {
  readonly name: string;
  readonly about: string;
  readonly args: readonly { readonly name: string; readonly required: boolean; readonly takesValue: boolean }[];
}

/** Limits of one request. */
export interface BllvmCallOptions {
  /** Gives up when it aborts, with its reason. */
  readonly signal?: AbortSignal;
  /** Ms until `Fault("node-timeout")`. */
  readonly timeoutMs?: number;
}

/**
 * The node. Every request rejects with `Fault("bllvm-away")` while there is no served connection, with
 * `Fault("bllvm-request-closed")` when the node closed the connection instead of answering, with
 * `Fault("bllvm-request-unusable")` when that has happened before to the same request and it is not sent any more, with
 * `Fault("bllvm-request-failed")` with the node's words when it answered with an error, and with `Fault("node-timeout")`.
 */
export interface BllvmNode {
  /** Name in logs, e.g. `bllvm`. */
  readonly name: string;
  /** The socket's path. */
  readonly address: string;
  state(): BllvmState;
  /** Calls `listener` at each change of the phase, or of what is unusable. */
  onState(listener: (state: BllvmState) => void): Unsubscribe;
  /** Calls `listener` for every later event `name`. */
  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void): Unsubscribe;

  chainInfo(options?: BllvmCallOptions): Promise<BllvmChainInfo>;
  syncStatus(options?: BllvmCallOptions): Promise<BllvmSyncStatus>;
  /** `undefined`: the node does not have it. */
  blockHeader(hash: Uint8Array, options?: BllvmCallOptions): Promise<BllvmHeader | undefined>;
  block(hash: Uint8Array, options?: BllvmCallOptions): Promise<BllvmBlock | undefined>;
  /** The block of the node's best chain at `height`. */
  blockByHeight(height: number, options?: BllvmCallOptions): Promise<BllvmBlock | undefined>;
  /** Peers of the node. */
  peerCount(options?: BllvmCallOptions): Promise<number>;
  /** Hands over a whole block in wire format; resolving says only that it is queued. */
  queueReceivedBlock(block: Uint8Array, options?: BllvmCallOptions): Promise<void>;

  /** Publishes an event to the node's other modules. */
  publish(event: BllvmPublishedEvent, options?: BllvmCallOptions): Promise<void>;
  /** Writes a line into the node's log; never fails, lines are dropped while there is no connection. */
  log(level: "trace" | "debug" | "info" | "warn" | "error", message: string, target: string): void;
  /** Makes `methods` callable by other modules, again after each reconnect. `handler` answers them and the CLI. */
  serve(api: {
    readonly methods: readonly string[];
    readonly apiVersion: number;
    readonly cli: {
      readonly name: string;
      readonly about: string;
      readonly subcommands: readonly BllvmCliSubcommand[];
    };
    readonly handler: (invocation: BllvmInvocation) => Promise<BllvmInvocationAnswer>;
  }): void;
}
