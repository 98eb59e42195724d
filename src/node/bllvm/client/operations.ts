/** The requests that we make: what each is for, how it may be sent, and which capability of the module manifest it needs. */

/**
 * `read` a read of the core that every node has: many at a time. `optional` something that the node may not know or not allow: alone,
 * so that a connection that is closed over it has one possible reason. `submission` as optional, but worth any risk: a block.
 */
export type OperationKind = "read" | "optional" | "submission";

/** One request: its kind, whether it goes before others, and the capability without which the node closes the connection. */
export interface OperationRow {
  readonly kind: OperationKind;
  /** 0 goes first. */
  readonly priority: 0 | 1 | 2;
  readonly capability: string;
}

/** All requests by the node's names. Source: blvm-node `src/module/security/permissions.rs` 222-320. */
export const OPERATIONS = {
  QueueReceivedBlock: { kind: "submission", priority: 0, capability: "queue_inbound_block" },
  GetChainTip: { kind: "read", priority: 1, capability: "read_chain_state" },
  GetBlockHeight: { kind: "read", priority: 1, capability: "read_chain_state" },
  GetChainInfo: { kind: "read", priority: 1, capability: "read_chain_state" },
  GetBlock: { kind: "read", priority: 1, capability: "read_blockchain" },
  GetBlockHeader: { kind: "read", priority: 1, capability: "read_blockchain" },
  GetBlockByHeight: { kind: "read", priority: 1, capability: "read_blockchain" },
  GetSyncStatus: { kind: "optional", priority: 1, capability: "read_chain_state" },
  GetNetworkStats: { kind: "optional", priority: 1, capability: "read_network" },
  RegisterCliSpec: { kind: "optional", priority: 2, capability: "none" },
  RegisterModuleApi: { kind: "optional", priority: 2, capability: "register_module_api" },
  PublishEvent: { kind: "optional", priority: 2, capability: "publish_events" },
} as const satisfies Readonly<Record<string, OperationRow>>;

/** The name of a request that we make. */
export type Operation = keyof typeof OPERATIONS;
