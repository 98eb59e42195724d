/** Names of the parts in the container: a token for each port and for each part that another one needs. */
import type { InjectionToken } from "tsyringe";
import type { Rpc } from "../daemon/rpc.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Bus } from "../kernel/events.ts";
import type { Log } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import type { ExtranonceAllocator } from "../mining/extranonce.ts";
import type { JobIds } from "../mining/job.ts";
import type { Authoriser, ShareSink } from "../mining/ports.ts";
import type { BitcoindJobSource } from "../node/bitcoind/job-source.ts";
import type { BitcoindBlockSink } from "../node/bitcoind/submit.ts";
import type { MemoryMeter } from "../ops/memory-meter.ts";
import type { PoolEvents } from "../pool/events.ts";
import type { JobMaker } from "../pool/job-maker.ts";
import type { MiningServer, ServerNoise } from "../pool/server.ts";
import type { Transport } from "../pool/transport.ts";
import type { Settings } from "./settings.ts";

function token<T>(name: string): InjectionToken<T> & symbol {
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
  bus: token<Bus<PoolEvents>>("Bus"),
  noise: token<ServerNoise>("ServerNoise"),
  nodes: token<readonly Rpc[]>("Bitcoin nodes in order of preference"),
  jobSource: token<BitcoindJobSource>("JobSource"),
  blockSink: token<BitcoindBlockSink>("BlockSink"),
  authoriser: token<Authoriser>("Authoriser"),
  shareSink: token<ShareSink>("ShareSink"),
  extranonces: token<ExtranonceAllocator>("ExtranonceAllocator"),
  jobIds: token<JobIds>("JobIds"),
  jobMaker: token<JobMaker>("JobMaker"),
  transports: token<readonly Transport[]>("Transports"),
  miningServer: token<MiningServer>("MiningServer"),
} as const;
