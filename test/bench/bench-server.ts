/** The server of the benches over sockets: real transport and Noise, a pretend node, every hash a share. */
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Bus } from "../../src/kernel/events.ts";
import { type Log, silentLog } from "../../src/kernel/log.ts";
import type { MergeMining } from "../../src/merge/merge-mining.ts";
import { MINING_DEFAULTS, type MiningOptions } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { BIP320_MASK, JobIds } from "../../src/mining/job.ts";
import type { Template } from "../../src/mining/template.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { openAuthoriser } from "../../src/pool/authoriser.ts";
import { Door } from "../../src/pool/door.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import { JobMaker } from "../../src/pool/job-maker.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { MiningServer } from "../../src/pool/server.ts";
import { SERVER_DEFAULTS } from "../../src/pool/server-options.ts";
import type { Transport } from "../../src/pool/transport.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { FakeBlockSink, FakeJobSource, makeTemplate } from "../support/fake-chain.ts";

/** Every hash is a share and none is a block: the clients need no proof of work, the server judges all the same. */
const ANY_HASH = 2 ** -33;

/** What the coinbases of benches are named by. */
export const BENCH_TAG = utf8("/bllvm-stratum-v2/");

/** One output of P2WPKH's size. */
export function benchPayout(value: bigint): { readonly value: bigint; readonly script: Uint8Array }[] {
  return [{ value, script: new Uint8Array(22) }];
}

/** The transport of benches that are about something else: TCP on a port that the system chooses. */
export async function listenTcp(): Promise<Transport> {
  return new TcpTransport({}, { host: "127.0.0.1", port: 0 });
}

/** A running server. */
export interface BenchServer {
  readonly source: FakeJobSource;
  readonly port: number;
  stop(): Promise<void>;
}

/** What a transport may be made with. */
export interface ListenDeps {
  readonly door: Door;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a bench may choose. */
export interface BenchServerOptions {
  /** Chains to merge-mine. */
  readonly merge?: MergeMining;
  readonly clock?: Clock;
  /** Plain TCP when left out. */
  readonly listen?: (deps: ListenDeps) => Promise<Transport>;
  /** `false` serves plain frames. */
  readonly noise?: boolean;
  readonly mining?: Partial<MiningOptions>;
  /** Age at which a job is replaced, ms; an hour when left out, for benches give jobs themselves. */
  readonly refreshMs?: number;
  /** The first one; one of 2,500 transactions when left out. */
  readonly template?: Template;
}

/** Starts it. */
export async function startBenchServer(options: BenchServerOptions = {}): Promise<BenchServer> {
  const { merge, clock = systemClock, listen = listenTcp } = options;
  const random = systemRandom();
  const crypto = nodeCrypto({ log: silentLog });
  const meter = new MemoryMeter();
  const bus = new Bus<PoolEvents>({
    onError(error) {
      throw error;
    },
  });
  const first = (): Template => makeTemplate({ height: 840_000, prevHash: random.bytes(32), transactions: 2500 });
  const source = new FakeJobSource(options.template ?? first());
  const jobIds = new JobIds();
  const jobs = new JobMaker(
    {
      clock,
      log: silentLog,
      meter,
      jobSource: source,
      bus,
      jobIds,
      payout: benchPayout,
      ...(merge === undefined ? {} : { merge }),
    },
    { tag: BENCH_TAG, refreshMs: options.refreshMs ?? 3_600_000, versionRollingMask: BIP320_MASK },
  );
  const limits = {
    ...SERVER_DEFAULTS.limits,
    connectionsPerAddress: 1_000_000,
    handshakesPerSecond: 100_000,
    messagesPerSecond: 1_000_000,
  };
  const door = new Door({ clock, meter }, limits);
  const identity = new StaticIdentity(
    { crypto, clock, random },
    { authoritySecretKey: generateAuthoritySecretKey(random) },
  );
  const ephemeralKeys = new EphemeralKeyPool({ crypto, random }, { capacity: 1000 });
  const server = new MiningServer(
    {
      transports: [await listen({ door, clock, log: silentLog })],
      door,
      noise: options.noise === false ? undefined : { crypto, identity, ephemeralKeys },
      clock,
      log: silentLog,
      meter,
      jobs,
      jobIds,
      extranonces: new ExtranonceAllocator({}, { serverId: 0 }),
      authoriser: openAuthoriser(),
      blockSink: new FakeBlockSink(),
      shareSink: { credit() {} },
      bus,
      ...(merge === undefined ? {} : { onHashed: merge.hashed }),
    },
    {
      limits,
      mining: { ...MINING_DEFAULTS, minDifficulty: ANY_HASH, maxDifficulty: ANY_HASH, ...options.mining },
      requiredExtensions: [],
    },
  );
  const never = new AbortController().signal;
  await jobs.start(never);
  await server.start(never);
  return {
    source,
    port: Number(server.addresses[0]?.split(":").at(-1)),
    async stop() {
      await server.stop();
      await jobs.stop();
    },
  };
}
