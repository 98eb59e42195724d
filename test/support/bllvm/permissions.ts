/**
 * Who may ask what (blvm-node `src/module/security/permissions.rs`): a set registered under an id replaces the default set,
 * it does not add to it. The node registers under the manifest's name and looks up by the `module_id` of the handshake.
 */
import type { AnyRequest } from "./messages.ts";

const NEEDS: Readonly<Record<AnyRequest["name"], string | undefined>> = {
  Handshake: undefined,
  RegisterCliSpec: undefined,
  GetBlock: "read_blockchain",
  GetBlockHeader: "read_blockchain",
  GetBlockByHeight: "read_blockchain",
  GetBlockTemplate: "read_blockchain",
  GetChainTip: "read_chain_state",
  GetBlockHeight: "read_chain_state",
  GetChainInfo: "read_chain_state",
  GetSyncStatus: "read_chain_state",
  SubscribeEvents: "subscribe_events",
  GetMempoolTransactions: "read_mempool",
  GetMempoolSize: "read_mempool",
  GetNetworkStats: "read_network",
  StorageOpenTree: "read_storage",
  RegisterRpcEndpoint: "register_rpc_endpoint",
  ReportMetric: "report_metrics",
  ReportModuleHealth: "report_metrics",
  DiscoverModules: "discover_modules",
  PublishEvent: "publish_events",
  CallModule: "call_module",
  RegisterModuleApi: "register_module_api",
  UnregisterModuleApi: "register_module_api",
  SubmitBlock: "submit_block",
  QueueReceivedBlock: "queue_inbound_block",
};

/** What a module may do that nothing was registered for. */
export const DEFAULT_PERMISSIONS = ["read_blockchain", "read_utxo", "read_chain_state", "subscribe_events"] as const;

/** Every permission that a request of this fake needs. */
export const ALL_PERMISSIONS: readonly string[] = [...new Set(Object.values(NEEDS))].flatMap((each) => each ?? []);

/** The registered sets. */
export class Permissions {
  readonly #registered = new Map<string, ReadonlySet<string>>();

  /** Registers `capabilities` (snake_case or PascalCase; unknown ones are only worth a warning) under `name`. */
  register(name: string, capabilities: readonly string[]): void {
    this.#registered.set(name, new Set(capabilities.map(snake)));
  }

  /** Takes back what was registered under `name`. */
  unregister(name: string): void {
    this.#registered.delete(name);
  }

  /** Forgets everything. */
  clear(): void {
    this.#registered.clear();
  }

  /** What is registered under `name`, if anything. */
  of(name: string): readonly string[] | undefined {
    const registered = this.#registered.get(name);
    return registered === undefined ? undefined : [...registered];
  }

  /** The permission that `moduleId` lacks for `request`; `undefined` when it may ask. */
  missing(moduleId: string, request: AnyRequest["name"]): string | undefined {
    const needed = NEEDS[request];
    if (needed === undefined) return undefined;
    const has = this.#registered.get(moduleId) ?? new Set<string>(DEFAULT_PERMISSIONS);
    return has.has(needed) ? undefined : needed;
  }
}

function snake(capability: string): string {
  return capability.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
