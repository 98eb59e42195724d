/**
 * The messages between node and module that the fake understands, in every version of the protocol: one table each of
 * requests, responses and events, the envelope around them, and the frame (a big-endian `u32` and the bytes).
 */
import {
  BincodeError,
  BincodeSink,
  BincodeSource,
  bool,
  bytes,
  hash32,
  i32,
  indexed,
  type Layout,
  list,
  type Of,
  option,
  record,
  text,
  u32,
  u64,
  type Variant,
  variants,
} from "./bincode.ts";
import {
  cliSpec,
  header,
  latestChain,
  logLevel,
  mempoolSize,
  metric,
  moduleHealth,
  moduleInfo,
  networkStats,
  newChain,
  oldChain,
  syncStatus,
} from "./layouts.ts";
import {
  column,
  EVENT_INDEX,
  type FakeSchema,
  REQUEST_INDEX,
  REQUEST_TYPE,
  RESPONSE_INDEX,
  TOTALS,
} from "./schemas.ts";

const unit = record({});

/** `EventPayload`. */
const EVENTS = {
  NewBlock: record({ blockHash: hash32, height: u64 }),
  NewTransaction: record({ txHash: hash32 }),
  BlockDisconnected: record({ hash: hash32, height: u64 }),
  ChainReorg: record({ oldTip: hash32, newTip: hash32 }),
  BlockMined: record({ blockHash: hash32, height: u64, minerId: option(text) }),
  BlockTemplateUpdated: record({ prevHash: hash32, height: u64, txCount: u64 }),
  MiningDifficultyChanged: record({ oldDifficulty: u32, newDifficulty: u32, height: u64 }),
  MiningJobCreated: record({ jobId: text, prevHash: hash32, height: u64 }),
  StratumV2MessageReceived: record({ messageData: bytes, peerAddr: text }),
  ShareSubmitted: record({ jobId: text, shareHash: hash32, minerId: option(text) }),
  MergeMiningReward: record({ secondaryChain: text, rewardAmount: u64, blockHash: hash32 }),
  MiningPoolConnected: record({ poolUrl: text, poolId: option(text) }),
  MiningPoolDisconnected: record({ poolUrl: text, reason: text }),
  ModuleLoaded: record({ moduleName: text, version: text }),
  ConfigLoaded: record({ changedSections: list(text), configJson: option(text) }),
  NodeShutdown: record({ reason: text, timeoutSeconds: u64 }),
  DataMaintenance: record({
    operation: text,
    urgency: text,
    reason: text,
    targetAgeDays: option(u64),
    timeoutSeconds: option(u64),
  }),
  StratumClientConnected: record({ endpoint: text, protocolVersion: u32 }),
  StratumClientDisconnected: record({ endpoint: text, reason: text }),
  ModuleInstalled: record({ moduleName: text, version: text }),
} as const satisfies Readonly<Record<keyof typeof EVENT_INDEX, Layout<unknown>>>;

/** An event that the fake knows, by the node's name. */
export type EventName = keyof typeof EVENTS;
/** The content of an event. */
export type EventValue<N extends EventName> = Of<(typeof EVENTS)[N]>;
/** An event with its content. */
export type AnyEvent = { [N in EventName]: { readonly name: N; readonly value: EventValue<N> } }[EventName];

/** A type of event as a module names it; `#7` for one that the fake does not know but the node does. */
export type EventTypeName = EventName | `#${number}`;

function requests(chain: typeof newChain, event: Layout<AnyEvent>, eventType: Layout<EventTypeName>) {
  return {
    Handshake: record({ moduleId: text, moduleName: text, version: text }),
    GetBlock: record({ hash: hash32 }),
    GetBlockHeader: record({ hash: hash32 }),
    GetChainTip: unit,
    GetBlockHeight: unit,
    SubscribeEvents: record({ eventTypes: list(eventType) }),
    GetMempoolTransactions: unit,
    GetMempoolSize: unit,
    GetNetworkStats: unit,
    GetChainInfo: unit,
    GetBlockByHeight: record({ height: u64 }),
    StorageOpenTree: record({ name: text }),
    RegisterRpcEndpoint: record({ method: text, description: text }),
    ReportMetric: record({ metric }),
    DiscoverModules: unit,
    PublishEvent: record({ eventType, event }),
    CallModule: record({ targetModuleId: option(text), method: text, params: bytes }),
    RegisterModuleApi: record({ methods: list(text), apiVersion: u32 }),
    UnregisterModuleApi: unit,
    ReportModuleHealth: record({ health: moduleHealth }),
    GetBlockTemplate: record({
      rules: list(text),
      coinbaseScript: option(bytes),
      coinbaseAddress: option(text),
    }),
    SubmitBlock: record({ block: chain.block }),
    QueueReceivedBlock: record({ blockBytes: bytes }),
    GetSyncStatus: unit,
    RegisterCliSpec: record({ spec: cliSpec }),
  } as const satisfies Readonly<Record<keyof typeof REQUEST_INDEX, Layout<unknown>>>;
}

function responses(chain: typeof newChain) {
  return {
    HandshakeAck: record({ nodeVersion: text }),
    Block: record({ block: option(chain.block) }),
    BlockHeader: record({ header: option(header) }),
    Bool: record({ value: bool }),
    Hash: record({ hash: hash32 }),
    U64: record({ value: u64 }),
    SubscribeAck: unit,
    MempoolTransactions: record({ hashes: list(hash32) }),
    MempoolSize: mempoolSize,
    NetworkStats: networkStats,
    ChainInfo: chain.chainInfo,
    BlockByHeight: record({ block: option(chain.block) }),
    RpcEndpointRegistered: unit,
    MetricReported: unit,
    ModuleList: record({ modules: list(moduleInfo) }),
    EventPublished: unit,
    ModuleApiResponse: record({ result: bytes }),
    ModuleApiRegistered: unit,
    ModuleApiUnregistered: unit,
    HealthReported: unit,
    BlockTemplate: record({ template: chain.template }),
    SubmitBlockResult: record({
      result: variants({ Accepted: unit, Rejected: record({ reason: text }), Duplicate: unit }),
    }),
    ReceivedBlockQueued: unit,
    NodeSyncStatus: syncStatus,
  } as const satisfies Readonly<Record<keyof typeof RESPONSE_INDEX, Layout<unknown>>>;
}

type Union<R> = { [N in keyof R & string]: Variant<N, Of<R[N]>> }[keyof R & string];

/** A request with its fields. */
export type AnyRequest = Union<ReturnType<typeof requests>>;
/** A response with its fields. */
export type AnyResponse = Union<ReturnType<typeof responses>>;
/** The fields of one request. */
export type RequestValue<N extends AnyRequest["name"]> = Extract<AnyRequest, { name: N }>["value"];
/** The fields of one response. */
export type ResponseValue<N extends AnyResponse["name"]> = Extract<AnyResponse, { name: N }>["value"];

const invocation = variants({
  Cli: record({ subcommand: text, args: list(text) }),
  // Its parameters are a JSON value, which bincode can write and nobody can read.
  Rpc: { read: () => unreadable(), write: () => unreadable() } as Layout<Readonly<Record<string, never>>>,
  ModuleApi: record({ method: text, params: bytes, callerModuleId: text }),
});

const invocationResult = variants({
  Cli: record({ stdout: text, stderr: text, exitCode: i32 }),
  Rpc: { read: () => unreadable(), write: () => unreadable() } as Layout<Readonly<Record<string, never>>>,
  ModuleApi: record({ result: bytes }),
});

function unreadable(): never {
  throw new BincodeError("a JSON value in bincode (DeserializeAnyNotSupported)");
}

const log = record({ level: logLevel, moduleId: text, message: text, target: text, timestamp: u64 });

/** What a module is asked to do. */
export type AnyInvocation = Of<typeof invocation>;
/** What it answers. */
export type AnyInvocationResult = Of<typeof invocationResult>;
/** A line for the node's log. */
export type LogMessage = Of<typeof log>;

/** One message. */
export type FakeMessage =
  | { readonly type: "Request"; readonly correlationId: bigint; readonly request: AnyRequest }
  | {
      readonly type: "Response";
      readonly correlationId: bigint;
      readonly success: boolean;
      readonly payload: AnyResponse | null;
      readonly error: string | null;
    }
  | { readonly type: "Event"; readonly event: AnyEvent }
  | ({ readonly type: "Log" } & LogMessage)
  | { readonly type: "Invocation"; readonly correlationId: bigint; readonly invocation: AnyInvocation }
  | {
      readonly type: "InvocationResult";
      readonly correlationId: bigint;
      readonly success: boolean;
      readonly payload: AnyInvocationResult | null;
      readonly error: string | null;
    };

/** Encodes and decodes in one version. */
export interface Wire {
  readonly schema: FakeSchema;
  /** The most that a frame may carry: 40 MiB, and 8 MiB before S1. */
  readonly maxPayload: number;
  /** The whole frame. */
  frame(message: FakeMessage): Uint8Array;
  /** The message in a frame's payload; what follows it is ignored. Throws `BincodeError`. */
  decode(payload: Uint8Array): FakeMessage;
}

const KINDS = ["Request", "Response", "Event", "Log", "Invocation", "InvocationResult"] as const;
const KIND_COUNT: Readonly<Record<FakeSchema, number>> = { n0: 3, n1: 4, n2: 4, s1: 6, s2: 6, s3: 6, s4: 6, s5: 6 };

/** The protocol of `schema`. */
export function wireOf(schema: FakeSchema): Wire {
  const legacy = schema.startsWith("n");
  const chain = legacy ? oldChain : schema === "s5" ? latestChain : newChain;
  const events = indexed(EVENTS, (name) => column(EVENT_INDEX[name as EventName].payload, schema)) as Layout<AnyEvent>;
  const eventType = eventTypeOf(schema);
  const requestRows = requests(chain, events, eventType);
  const request = indexed(requestRows, (name) =>
    column(REQUEST_INDEX[name as keyof typeof REQUEST_INDEX], schema),
  ) as Layout<AnyRequest>;
  const response = indexed(responses(chain), (name) =>
    column(RESPONSE_INDEX[name as keyof typeof RESPONSE_INDEX], schema),
  ) as Layout<AnyResponse>;
  const answer = record({ correlationId: u64, success: bool, payload: option(response), error: option(text) });
  const invoked = record({
    correlationId: u64,
    success: bool,
    payload: option(invocationResult),
    error: option(text),
  });

  const requestType: Layout<number> = {
    read: (from) => below(u32.read(from), column(TOTALS.messageType, schema) ?? 0, "message type"),
    write: u32.write,
  };

  const read = (from: BincodeSource): FakeMessage => {
    const kind = KINDS[below(u32.read(from), KIND_COUNT[schema], "message")];
    if (kind === "Request") {
      const correlationId = u64.read(from);
      requestType.read(from);
      return { type: kind, correlationId, request: request.read(from) };
    }
    if (kind === "Response") return { type: kind, ...answer.read(from) };
    if (kind === "Event") {
      eventType.read(from);
      return { type: kind, event: events.read(from) };
    }
    if (kind === "Log") return { type: kind, ...log.read(from) };
    if (kind === "Invocation") {
      return { type: kind, correlationId: u64.read(from), invocation: invocation.read(from) };
    }
    return { type: "InvocationResult", ...invoked.read(from) };
  };

  const write = (to: BincodeSink, message: FakeMessage): void => {
    u32.write(to, KINDS.indexOf(message.type));
    switch (message.type) {
      case "Request": {
        const { name } = message.request;
        u64.write(to, message.correlationId);
        requestType.write(to, column(REQUEST_TYPE[name] ?? REQUEST_INDEX[name], schema) ?? 0);
        request.write(to, message.request);
        break;
      }
      case "Response":
        answer.write(to, message);
        break;
      case "Event":
        eventType.write(to, message.event.name);
        events.write(to, message.event);
        break;
      case "Log":
        log.write(to, message);
        break;
      case "Invocation":
        u64.write(to, message.correlationId);
        invocation.write(to, message.invocation);
        break;
      case "InvocationResult":
        invoked.write(to, message);
        break;
    }
  };

  return {
    schema,
    maxPayload: (legacy ? 8 : 40) * 1024 * 1024,
    decode: (payload) => read(new BincodeSource(payload)),
    frame: (message) => {
      const sink = new BincodeSink();
      write(sink, message);
      return frameOf(sink.finish());
    },
  };
}

/** A frame around `payload`. */
export function frameOf(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

function below(index: number, total: number, what: string): number {
  if (index >= total) throw new BincodeError(`no ${what} ${index}`);
  return index;
}

function eventTypeOf(schema: FakeSchema): Layout<EventTypeName> {
  const names = new Map<number, EventName>();
  for (const name of Object.keys(EVENTS) as EventName[]) {
    const index = column(EVENT_INDEX[name].type, schema);
    if (index !== undefined) names.set(index, name);
  }
  const total = column(TOTALS.eventType, schema) ?? 0;
  return {
    read: (from) => {
      const index = below(u32.read(from), total, "event type");
      return names.get(index) ?? `#${index}`;
    },
    write: (to, name) => {
      const index = name.startsWith("#") ? Number(name.slice(1)) : column(EVENT_INDEX[name as EventName].type, schema);
      if (index === undefined) throw new TypeError(`${schema} has no event ${name}`);
      u32.write(to, index);
    },
  };
}
