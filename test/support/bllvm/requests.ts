/**
 * What the node answers to each request (blvm-node `src/module/api/hub.rs` and `node_api.rs`). A request that fails throws
 * `RequestError`; the server then closes the connection without an answer.
 */
import type { Of } from "./bincode.ts";
import type { FakeChain } from "./chain.ts";
import type { EventHub } from "./event-hub.ts";
import type { moduleInfo } from "./layouts.ts";
import type { AnyEvent, AnyRequest, AnyResponse, ResponseValue } from "./messages.ts";
import { chainInfoOf, mempoolSizeOf, nodeDifficulty, wireBlock, wireHeader, wireTemplate } from "./views.ts";

/** A request failed in the node: it costs the connection. */
export class RequestError extends Error {}

/** What a module's own programming interface offers. */
export interface RegisteredApi {
  readonly methods: readonly string[];
  readonly apiVersion: number;
}

/** What requests work on, apart from the chain. */
export interface RequestWorld {
  readonly chain: FakeChain;
  readonly events: EventHub;
  /** Interfaces by handshake id. */
  readonly apis: Map<string, RegisteredApi>;
  /** Events that modules published. */
  readonly published: { readonly moduleId: string; readonly event: AnyEvent }[];
  /** Modules that the node has loaded. */
  readonly modules: () => readonly Of<typeof moduleInfo>[];
  readonly nowMs: () => number;
  /** Puts a block into the run loop's queue. */
  readonly queueBlock: (bytes: Uint8Array) => void;
  /** Asks a connected module. */
  readonly callModuleApi: (moduleId: string, method: string, params: Uint8Array, caller: string) => Promise<Uint8Array>;
  /** Switches. */
  readonly switches: NodeSwitches;
}

/** What a test may change while the node runs. */
export interface NodeSwitches {
  /** Whether there is a chain at all; without, GetChainTip fails (a node that has just been set up). */
  hasTip: boolean;
  /** Answer of GetSyncStatus and `is_synced`. */
  sync: ResponseValue<"NodeSyncStatus">;
  /** Peers that the node claims to have. */
  peers: number;
  /** Whether a metrics manager exists; without, ReportMetric fails. */
  hasMetrics: boolean;
  /** Requests that fail, by name. */
  failing: Set<AnyRequest["name"]>;
}

/** The switches of a healthy node. */
export function healthySwitches(): NodeSwitches {
  return {
    hasTip: true,
    sync: { phase: "Synced", progress: 1, isSynced: true, errorMessage: null },
    peers: 8,
    hasMetrics: true,
    failing: new Set(),
  };
}

/** Answers `request` of the module called `moduleId`. Rejects with `RequestError`. */
export async function answerRequest(world: RequestWorld, moduleId: string, request: AnyRequest): Promise<AnyResponse> {
  const { chain, switches } = world;
  if (switches.failing.has(request.name)) throw new RequestError(`${request.name} is told to fail`);
  switch (request.name) {
    case "Handshake":
      throw new RequestError("Handshake should be handled at connection level");
    case "GetBlock":
      return { name: "Block", value: { block: wireBlock(chain.find(request.value.hash)) } };
    case "GetBlockHeader": {
      const node = chain.find(request.value.hash);
      return { name: "BlockHeader", value: { header: node === undefined ? null : wireHeader(node.header) } };
    }
    case "GetBlockByHeight":
      return { name: "BlockByHeight", value: { block: wireBlock(chain.chain.at(Number(request.value.height))) } };
    case "GetChainTip":
      needTip(world);
      return { name: "Hash", value: { hash: chain.tipHash } };
    case "GetBlockHeight":
      needTip(world);
      return { name: "U64", value: { value: BigInt(chain.height) } };
    case "GetChainInfo":
      needTip(world);
      return { name: "ChainInfo", value: chainInfoOf(chain, switches.sync.isSynced) };
    case "GetSyncStatus":
      return { name: "NodeSyncStatus", value: switches.sync };
    case "GetMempoolTransactions":
      return {
        name: "MempoolTransactions",
        value: { hashes: [...chain.node.mempool.entries()].map(({ txid }) => txid) },
      };
    case "GetMempoolSize":
      return { name: "MempoolSize", value: mempoolSizeOf(chain) };
    case "GetNetworkStats": {
      const hashRate = (nodeDifficulty(chain.chain.tip.header.nBits) * 2 ** 32) / 600;
      return {
        name: "NetworkStats",
        value: { peerCount: BigInt(switches.peers), hashRate, bytesSent: 0n, bytesReceived: 0n },
      };
    }
    case "GetBlockTemplate": {
      needTip(world);
      const template = wireTemplate(chain, request.value, world.nowMs());
      if (template === undefined) throw new RequestError("Template creation failed: fewer than two headers");
      return { name: "BlockTemplate", value: { template } };
    }
    case "SubscribeEvents":
      return { name: "SubscribeAck", value: {} };
    case "SubmitBlock":
      throw new RequestError("Failed to submit block: Failed to deserialize block");
    case "QueueReceivedBlock":
      world.queueBlock(request.value.blockBytes);
      return { name: "ReceivedBlockQueued", value: {} };
    case "PublishEvent":
      world.published.push({ moduleId, event: request.value.event });
      world.events.publish(request.value.event);
      return { name: "EventPublished", value: {} };
    case "RegisterModuleApi":
      world.apis.set(moduleId, request.value);
      return { name: "ModuleApiRegistered", value: {} };
    case "UnregisterModuleApi":
      if (!world.apis.delete(moduleId)) throw new RequestError("no API registered");
      return { name: "ModuleApiUnregistered", value: {} };
    case "CallModule":
      return { name: "ModuleApiResponse", value: { result: await callModule(world, moduleId, request.value) } };
    case "ReportMetric":
      if (!switches.hasMetrics) throw new RequestError("Metrics manager not available");
      return { name: "MetricReported", value: {} };
    case "ReportModuleHealth":
      return { name: "HealthReported", value: {} };
    case "DiscoverModules":
      return { name: "ModuleList", value: { modules: world.modules() } };
    case "RegisterRpcEndpoint":
      throw new RequestError("IPC server not available");
    case "RegisterCliSpec":
      return { name: "Bool", value: { value: true } };
    case "StorageOpenTree":
      throw new RequestError("storage is not part of this fake");
  }
}

function needTip({ switches }: RequestWorld): void {
  if (!switches.hasTip) throw new RequestError("Chain not yet initialized");
}

async function callModule(
  world: RequestWorld,
  caller: string,
  call: { readonly targetModuleId: string | null; readonly method: string; readonly params: Uint8Array },
): Promise<Uint8Array> {
  const target = call.targetModuleId ?? [...world.apis].find(([, api]) => api.methods.includes(call.method))?.[0];
  if (target === undefined) throw new RequestError(`no module offers ${call.method}`);
  return world.callModuleApi(target, call.method, call.params, caller);
}
