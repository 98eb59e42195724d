/** Names of the parts in the container: a token for each port and for each part that another one needs. */
import type { InjectionToken } from "tsyringe";
import type { Rpc } from "../daemon/rpc.ts";
import type { ControlServer } from "../host/control-server.ts";
import type { PluginHost } from "../host/plugin-host.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Bus } from "../kernel/events.ts";
import type { Log } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import type { BlockRecords } from "../ledger/blocks/block-records.ts";
import type { BlockWrites } from "../ledger/blocks/block-writes.ts";
import type { BlockFollower } from "../ledger/blocks/follower.ts";
import type { Distribution } from "../ledger/books/distribution.ts";
import type { Summaries } from "../ledger/books/summaries.ts";
import type { Compaction } from "../ledger/credit/compaction.ts";
import type { CreditLedger } from "../ledger/credit/credit-ledger.ts";
import type { LedgerEvents } from "../ledger/events.ts";
import type { FoundAuxJournal } from "../ledger/found-aux-journal.ts";
import type { LedgerConnection } from "../ledger/store/connection.ts";
import type { MergeEvents } from "../merge/found-aux.ts";
import type { MergeMining } from "../merge/merge-mining.ts";
import type { ChannelPayouts } from "../mining/channel-payouts.ts";
import type { ExtranonceAllocator } from "../mining/extranonce.ts";
import type { JobIds } from "../mining/job.ts";
import type { Authoriser, BlockSink, JobFeed, JobSource } from "../mining/ports.ts";
import type { BitcoindJobSource } from "../node/bitcoind/job-source.ts";
import type { BlockJournal } from "../node/bitcoind/journal.ts";
import type { BitcoindBlockSink } from "../node/bitcoind/submit.ts";
import type { BllvmClient } from "../node/bllvm/client/client.ts";
import type { TemplateProviders } from "../node/templates/providers.ts";
import type { MemoryMeter } from "../ops/memory-meter.ts";
import type { ChainStatistic } from "../pool/chain-statistics.ts";
import type { DeclarationPeer } from "../pool/declaration/declaration-peer.ts";
import type { Declarations } from "../pool/declaration/declarations.ts";
import type { Door } from "../pool/door.ts";
import type { PoolEvents } from "../pool/events.ts";
import type { JobMaker } from "../pool/job-maker.ts";
import type { PeerServer } from "../pool/peer-server.ts";
import type { MiningServer, ServerNoise } from "../pool/server.ts";
import type { ServedTemplates } from "../pool/templates/served-templates.ts";
import type { TemplatePeer } from "../pool/templates/template-peer.ts";
import type { Transport } from "../pool/transport.ts";
import type { CertificateFiles } from "../pool/transports/certificate-files.ts";
import type { ChannelWishes } from "../upstream/channel-wishes.ts";
import type { PoolLinkEvents } from "../upstream/events.ts";
import type { UpstreamFeed } from "../upstream/feed.ts";
import type { UpstreamPools } from "../upstream/pools.ts";
import type { NodeEvents } from "./module/events/node-events.ts";
import type { Reloader } from "./reload.ts";
import type { LedgerReports } from "./reports/ledger-reports.ts";
import type { Settings } from "./settings.ts";
import type { ServerStatus } from "./status.ts";

/** Everything that is told on the server's bus. */
export type ServerEvents = PoolEvents & MergeEvents & LedgerEvents & PoolLinkEvents & NodeEvents;

/** A name for a part of type `T`. */
export function token<T>(name: string): InjectionToken<T> & symbol {
  return Symbol(name) as InjectionToken<T> & symbol;
}

/** All tokens. */
export const TOKENS = {
  settings: token<Settings>("Settings"),
  authoritySecretKey: token<Uint8Array>("authority secret key, 32 bytes"),
  clock: token<Clock>("Clock"),
  random: token<Random>("Random"),
  log: token<Log>("Log"),
  meter: token<MemoryMeter>("Meter"),
  bus: token<Bus<ServerEvents>>("Bus"),
  noise: token<ServerNoise>("ServerNoise"),
  nodes: token<readonly Rpc[]>("Bitcoin nodes in order of preference"),
  bllvm: token<BllvmClient | undefined>("BllvmClient, for a module of the bllvm node"),
  nodeSource: token<BitcoindJobSource | undefined>("JobSource of the nodes, if there are any"),
  providers: token<TemplateProviders | undefined>("JobSource of template providers, if there are any"),
  jobSource: token<JobSource>("JobSource"),
  blockJournal: token<BlockJournal>("BlockJournal"),
  blockSink: token<BitcoindBlockSink>("BlockSink"),
  recordedBlocks: token<BlockSink>("BlockSink that tells the ledger"),
  authoriser: token<Authoriser>("Authoriser"),
  payouts: token<ChannelPayouts | undefined>("ChannelPayouts, if coinbases pay identities"),
  extranonces: token<ExtranonceAllocator>("ExtranonceAllocator"),
  jobIds: token<JobIds>("JobIds"),
  jobMaker: token<JobMaker>("JobMaker"),
  door: token<Door>("Door"),
  certificates: token<CertificateFiles | undefined>("CertificateFiles, if a listener needs them"),
  jobs: token<JobFeed>("JobFeed that miners are served from"),
  upstream: token<UpstreamPools | undefined>("UpstreamPools, in pool mode"),
  upstreamFeed: token<UpstreamFeed | undefined>("UpstreamFeed, in pool mode"),
  channelWishes: token<ChannelWishes | undefined>("ChannelWishes, where each miner has a channel at the pool"),
  transports: token<readonly Transport[]>("Transports"),
  foundAux: token<FoundAuxJournal>("FoundAuxJournal"),
  mergeMining: token<MergeMining>("MergeMining"),
  pluginHost: token<PluginHost>("PluginHost"),
  reloader: token<Reloader>("Reloader"),
  ledger: token<LedgerConnection>("LedgerAccess"),
  credit: token<CreditLedger>("CreditLedger"),
  compaction: token<Compaction>("Compaction"),
  blockWrites: token<BlockWrites>("BlockWrites"),
  blockRecords: token<BlockRecords>("BlockRecords"),
  blockFollower: token<BlockFollower>("BlockFollower"),
  distribution: token<Distribution>("Distribution"),
  summaries: token<Summaries>("Summaries"),
  status: token<() => ServerStatus>("the server at this moment"),
  chainStatistics: token<() => readonly ChainStatistic[]>("how each chain stands, for clients that ask"),
  reports: token<LedgerReports>("LedgerReports"),
  control: token<ControlServer | undefined>("ControlServer, if there is one"),
  declarations: token<Declarations | undefined>("Declarations, if miners may declare jobs"),
  declarationServer: token<PeerServer<DeclarationPeer> | undefined>("the job declaration server, if there is one"),
  othersBlocks: token<BitcoindBlockSink>("BlockSink for blocks that pay somebody else"),
  templateServer: token<{ readonly server: PeerServer<TemplatePeer>; readonly served: ServedTemplates } | undefined>(
    "the template server, if there is one",
  ),
  miningServer: token<MiningServer>("MiningServer"),
} as const;
