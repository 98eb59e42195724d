/**
 * A server in pool mode as the program joins it, without its ledger, so that three of them above each other start in no time: real sockets,
 * Noise, sessions, channels, failover. What is credited is kept.
 */
import { onTestFinished } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { dialBy } from "../../src/client/dial.ts";
import { parseServerUrl, printServerUrl } from "../../src/client/url.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Bus } from "../../src/kernel/events.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { MINING_DEFAULTS, type MiningOptions } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { BIP320_MASK, JobIds } from "../../src/mining/job.ts";
import type { ShareCredit } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { openAuthoriser } from "../../src/pool/authoriser.ts";
import { Door } from "../../src/pool/door.ts";
import type { PoolEvents, ShareSubmitted } from "../../src/pool/events.ts";
import { JobMaker } from "../../src/pool/job-maker.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { MiningServer } from "../../src/pool/server.ts";
import { SERVER_DEFAULTS } from "../../src/pool/server-options.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { ChannelWishes } from "../../src/upstream/channel-wishes.ts";
import type { PoolLinkEvents } from "../../src/upstream/events.ts";
import { UpstreamFeed } from "../../src/upstream/feed.ts";
import { PoolConnection } from "../../src/upstream/pool-connection.ts";
import { UPSTREAM_POOLS_DEFAULTS, UpstreamPools } from "../../src/upstream/pools.ts";
import { FakeBlockSink, FakeJobSource } from "./fake-chain.ts";
import { MockMiner } from "./mock-miner.ts";
import { recordingLog } from "./recording-log.ts";
import { AUTHORITY_PUBLIC_KEY, AUTHORITY_SECRET_KEY, FIXED_DIFFICULTY, PAYOUT_SCRIPT } from "./server.ts";
import { until } from "./until.ts";

const crypto = nodeCrypto({ log: silentLog });
const random = systemRandom();
const never = new AbortController().signal;

/** What a test may choose. */
export interface PoolLevelOptions {
  /** `host:port` of each pool, in order of preference; they are called a, b, c … */
  readonly pools: readonly string[];
  readonly channels?: "aggregated" | "per_miner";
  /** 8 when left out. */
  readonly rollableBytes?: number;
  /** The template that is mined when no pool works; left out, there is no such fallback. */
  readonly solo?: Template;
  readonly failbackMs?: number;
  readonly connectTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly mining?: Partial<MiningOptions>;
}

/** A running server in pool mode. */
export interface PoolLevel {
  readonly address: string;
  readonly server: MiningServer;
  readonly pools: UpstreamPools;
  readonly meter: MemoryMeter;
  readonly lines: readonly string[];
  readonly credits: readonly ShareCredit[];
  readonly shares: readonly ShareSubmitted[];
  /** Found blocks of own templates. */
  readonly sink: FakeBlockSink;
  /** `+a` for a pool that is mined for from now on, `-a` for one that is not any more. */
  readonly links: readonly string[];
  /** Connects and sets up. */
  miner(flags?: number): Promise<MockMiner>;
  /** Resolves when this is mined for: a pool's letter, or `solo`. */
  minesFor(name: string, timeoutMs?: number): Promise<void>;
  /** Difficulty that was credited for jobs of a pool, or of all without one named. */
  credited(pool?: string): number;
}

/** The name of the pool with a number. */
const letter = (index: number): string => String.fromCharCode(97 + index);

/** Starts it; it is stopped with the test. Channel targets are those of `startServer`. */
export async function poolLevel(options: PoolLevelOptions): Promise<PoolLevel> {
  const { channels = "aggregated", rollableBytes = 8, solo } = options;
  const { failbackMs = 0, connectTimeoutMs = 5000, idleTimeoutMs = 60_000 } = options;
  const clock = systemClock;
  const log = recordingLog();
  const meter = new MemoryMeter();
  const bus = new Bus<PoolEvents & PoolLinkEvents>({
    onError(error) {
      throw error;
    },
  });
  const jobIds = new JobIds();
  const links: string[] = [];
  const named = options.pools.map((address, index) => {
    const url = `stratum2+tcp://${address}${printServerUrl({ ...parseServerUrl("tcp://h:1"), authorityPublicKey: AUTHORITY_PUBLIC_KEY }).replace(/^.*:1/, "")}`;
    return { name: letter(index), url, address: parseServerUrl(url), userIdentity: "farm" };
  });
  const nameOf = (url: string): string => named.find((pool) => pool.url === url)?.name ?? url;
  bus.on("MiningPoolConnected", ({ poolUrl }) => links.push(`+${nameOf(poolUrl)}`));
  bus.on("MiningPoolDisconnected", ({ poolUrl }) => links.push(`-${nameOf(poolUrl)}`));
  const deps = { clock, random, log, meter, crypto, dial: dialBy({}), jobIds };
  const connection = {
    channels,
    rollableBytes,
    workerNames: true,
    versionRollingMask: BIP320_MASK,
    connectTimeoutMs,
    idleTimeoutMs,
  };
  const pools = new UpstreamPools(
    {
      ...deps,
      bus,
      connect: (pool, number) => new PoolConnection(deps, pool, { ...connection, connection: number }),
      hashrate: () => 0,
    },
    {
      ...UPSTREAM_POOLS_DEFAULTS,
      pools: named,
      fallback: solo === undefined ? "none" : "solo",
      failbackMs,
      pauses: { firstMs: 100, mostMs: 500 },
    },
  );
  const wishes = channels === "per_miner" ? new ChannelWishes({ clock, jobIds }, { refreshMs: 50_000 }) : undefined;
  const own =
    solo === undefined
      ? undefined
      : new JobMaker(
          {
            clock,
            log,
            meter,
            jobSource: new FakeJobSource(solo),
            bus,
            jobIds,
            payout: (value) => [{ value, script: PAYOUT_SCRIPT }],
          },
          { tag: utf8("/test/"), refreshMs: 50_000, versionRollingMask: BIP320_MASK },
        );
  const feed = new UpstreamFeed(
    {
      clock,
      meter,
      jobIds,
      pools,
      ...(wishes === undefined ? {} : { channels: wishes }),
      ...(own === undefined ? {} : { solo: own }),
    },
    { refreshMs: 50_000 },
  );
  const credits: ShareCredit[] = [];
  const shares: ShareSubmitted[] = [];
  bus.on("ShareSubmitted", (share) => void shares.push(share));
  const sink = new FakeBlockSink();
  const server = new MiningServer(
    {
      transports: [new TcpTransport({}, { host: "127.0.0.1", port: 0 })],
      door: new Door({ clock, meter }, SERVER_DEFAULTS.limits),
      noise: {
        crypto,
        identity: new StaticIdentity({ crypto, clock, random }, { authoritySecretKey: AUTHORITY_SECRET_KEY }),
        ephemeralKeys: new EphemeralKeyPool({ crypto, random }, { capacity: 10 }),
      },
      clock,
      log,
      meter,
      jobs: feed,
      jobIds,
      extranonces: new ExtranonceAllocator({}, { serverId: 7 }),
      authoriser: openAuthoriser(),
      upstream: pools,
      ...(wishes === undefined ? {} : { poolChannels: wishes }),
      blockSink: sink,
      shareSink: { credit: (share) => void credits.push(share) },
      bus,
    },
    {
      limits: SERVER_DEFAULTS.limits,
      mining: { ...MINING_DEFAULTS, ...FIXED_DIFFICULTY, ...options.mining, rollableBytes },
      requiredExtensions: [],
      times: { stopGraceMs: 20, stopDrainMs: 200 },
    },
  );
  const parts = [...(own === undefined ? [] : [own]), feed, pools, server];
  for (const part of parts) await part.start(never);
  onTestFinished(async () => {
    for (const part of parts.toReversed()) await part.stop();
  });
  const [address = ""] = server.addresses;
  return {
    address,
    server,
    pools,
    meter,
    get lines() {
      return log.lines.map(({ level, message }) => `${level}: ${message}`);
    },
    credits,
    shares,
    sink,
    links,
    async miner(flags = 0) {
      const noise = new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey: AUTHORITY_PUBLIC_KEY });
      const miner = await MockMiner.connect(address, { noise });
      onTestFinished(() => miner.destroy());
      await miner.setup({ flags });
      return miner;
    },
    minesFor: (name, timeoutMs) => until(`${name} is mined for`, () => pools.status().miningFor === name, timeoutMs),
    credited: (pool) =>
      credits.reduce((sum, credit) => sum + (pool === undefined || credit.pool === pool ? credit.difficulty : 0), 0),
  };
}
