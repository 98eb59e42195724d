/**
 * Which index a name has in which version of the node's protocol, for the messages that the fake understands. Facts from
 * the enums of blvm-node at bf7a7de (n0), 58811bf (n1), 41ce950 (n2), v0.1.1 (s1), v0.1.5 (s2), v0.1.10 to v0.1.55 (s3), and of
 * the published crates 0.1.56 to 0.1.73 (s4) and 0.1.83 (s5).
 */

/** Versions of the protocol that the fake speaks. */
export const FAKE_SCHEMAS = ["n0", "n1", "n2", "s1", "s2", "s3", "s4", "s5"] as const;

/** One of them. */
export type FakeSchema = (typeof FAKE_SCHEMAS)[number];

/** Index in each of `FAKE_SCHEMAS`; `-` where the variant does not exist. */
type Row = readonly [string, string, string, string, string, string, string, string];

const row = (text: string): Row => text.split(" ") as unknown as Row;
const same = (index: number): Row => row(Array(8).fill(index).join(" "));
const sinceN1 = (index: number): Row => row(`- ${Array(7).fill(index).join(" ")}`);

/** `RequestPayload`. */
export const REQUEST_INDEX = {
  Handshake: same(0),
  GetBlock: same(1),
  GetBlockHeader: same(2),
  GetChainTip: same(5),
  GetBlockHeight: same(6),
  SubscribeEvents: same(8),
  GetMempoolTransactions: sinceN1(9),
  GetMempoolSize: sinceN1(11),
  GetNetworkStats: sinceN1(12),
  GetChainInfo: sinceN1(14),
  GetBlockByHeight: sinceN1(15),
  StorageOpenTree: row("- 27 27 - - - - -"),
  RegisterRpcEndpoint: row("- 34 34 27 27 27 28 28"),
  ReportMetric: row("- 39 39 32 34 34 35 35"),
  DiscoverModules: row("- 42 42 35 37 37 38 38"),
  PublishEvent: row("- 45 45 38 40 40 41 41"),
  CallModule: row("- 46 46 39 41 41 42 42"),
  RegisterModuleApi: row("- 47 47 40 42 42 43 43"),
  UnregisterModuleApi: row("- 48 48 41 43 43 44 44"),
  ReportModuleHealth: row("- 51 51 44 46 46 47 47"),
  GetBlockTemplate: row("- - - 47 49 49 50 50"),
  SubmitBlock: row("- - - 48 50 50 51 51"),
  QueueReceivedBlock: row("- - - - - 51 52 52"),
  GetSyncStatus: row("- - - 57 59 60 61 61"),
  RegisterCliSpec: row("- - - 60 62 63 64 64"),
} as const satisfies Readonly<Record<string, Row>>;

/** `MessageType` where it is another number than the `RequestPayload`'s. The node checks only that it exists. */
export const REQUEST_TYPE: Readonly<Record<string, Row>> = {
  Handshake: same(8),
  GetBlock: same(0),
  GetBlockHeader: same(1),
  GetChainTip: same(4),
  GetBlockHeight: same(5),
  SubscribeEvents: same(7),
  // N1 has no such type; the golden frame carries 0, which the node takes as well.
  StorageOpenTree: row("- 0 27 - - - - -"),
  RegisterRpcEndpoint: row("- 21 34 27 27 27 28 28"),
  ReportMetric: row("- 26 39 32 34 34 35 35"),
  DiscoverModules: row("- 29 42 35 37 37 38 38"),
  PublishEvent: row("- 32 45 38 40 40 41 41"),
  CallModule: row("- 33 46 39 41 41 42 42"),
  RegisterModuleApi: row("- 34 47 40 42 42 43 43"),
  UnregisterModuleApi: row("- 35 48 41 43 43 44 44"),
  ReportModuleHealth: row("- 38 51 44 46 46 47 47"),
};

/** `ResponsePayload`. */
export const RESPONSE_INDEX = {
  HandshakeAck: same(0),
  Block: same(1),
  BlockHeader: same(2),
  Bool: same(4),
  Hash: same(5),
  U64: same(6),
  SubscribeAck: same(8),
  MempoolTransactions: sinceN1(9),
  MempoolSize: sinceN1(11),
  NetworkStats: sinceN1(12),
  ChainInfo: sinceN1(14),
  BlockByHeight: sinceN1(15),
  RpcEndpointRegistered: row("- 27 27 24 24 24 25 25"),
  MetricReported: row("- 33 33 30 32 32 33 33"),
  ModuleList: row("- 36 36 33 35 35 36 36"),
  EventPublished: row("- 39 39 36 38 38 39 39"),
  ModuleApiResponse: row("- 40 40 37 39 39 40 40"),
  ModuleApiRegistered: row("- 41 41 38 40 40 41 41"),
  ModuleApiUnregistered: row("- 42 42 39 41 41 42 42"),
  HealthReported: row("- 45 45 42 44 44 45 45"),
  BlockTemplate: row("- - - 43 45 45 46 46"),
  SubmitBlockResult: row("- - - 44 46 46 47 47"),
  ReceivedBlockQueued: row("- - - - - 47 48 48"),
  NodeSyncStatus: row("- - - 49 51 52 53 53"),
} as const satisfies Readonly<Record<string, Row>>;

/** `EventType` and `EventPayload`, which number the same events differently. */
export const EVENT_INDEX = {
  NewBlock: { type: same(0), payload: same(0) },
  NewTransaction: { type: same(1), payload: same(1) },
  BlockDisconnected: { type: same(2), payload: same(2) },
  ChainReorg: { type: same(3), payload: same(3) },
  BlockMined: { type: sinceN1(12), payload: sinceN1(12) },
  BlockTemplateUpdated: { type: sinceN1(13), payload: sinceN1(13) },
  MiningDifficultyChanged: { type: sinceN1(14), payload: sinceN1(14) },
  MiningJobCreated: { type: sinceN1(15), payload: sinceN1(15) },
  StratumV2MessageReceived: { type: sinceN1(17), payload: row("- - - 76 76 76 76 76") },
  ShareSubmitted: { type: sinceN1(18), payload: sinceN1(16) },
  MergeMiningReward: { type: sinceN1(19), payload: sinceN1(17) },
  MiningPoolConnected: { type: sinceN1(20), payload: sinceN1(18) },
  MiningPoolDisconnected: { type: sinceN1(21), payload: sinceN1(19) },
  ModuleLoaded: { type: row("- 75 77 72 72 72 72 72"), payload: row("- 73 75 70 70 70 70 70") },
  ConfigLoaded: { type: row("- - 85 80 80 80 80 80"), payload: row("- - 84 80 80 80 80 80") },
  NodeShutdown: { type: row("- - 86 81 81 81 81 81"), payload: row("- - 85 81 81 81 81 81") },
  DataMaintenance: { type: row("- - 91 86 86 86 86 86"), payload: row("- - 90 86 86 86 86 86") },
  StratumClientConnected: { type: row("- - - 109 109 110 110 110"), payload: row("- - - 109 109 110 110 110") },
  StratumClientDisconnected: { type: row("- - - 110 110 111 111 111"), payload: row("- - - 110 110 111 111 111") },
  ModuleInstalled: { type: row("- 100 112 113 113 114 114 114"), payload: row("- 98 111 113 113 114 114 114") },
} as const satisfies Readonly<Record<string, { type: Row; payload: Row }>>;

/** How many variants the enums have. */
export const TOTALS = {
  messageType: row("12 43 58 67 69 70 74 76"),
  request: row("9 54 54 61 63 64 68 70"),
  eventType: row("4 103 115 116 116 117 117 118"),
} as const;

/** The number in the column of `schema`; `undefined` where there is none. */
export function column(rowOf: Row | undefined, schema: FakeSchema): number | undefined {
  const cell = rowOf?.[FAKE_SCHEMAS.indexOf(schema)];
  return cell === undefined || cell === "-" ? undefined : Number(cell);
}
