/** The real mining server on a loopback port, with a scripted node behind it and everything that it tells recorded. */
import { expect, onTestFinished } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { opReturn } from "../../src/bitcoin/script.ts";
import { fromHex, utf8 } from "../../src/kernel/bytes.ts";
import { Bus } from "../../src/kernel/events.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { type HashedShare, MINING_DEFAULTS, type MiningOptions } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { BIP320_MASK, JobIds } from "../../src/mining/job.ts";
import type { Authoriser, JobFeed, ShareCredit } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import type { PoolChannels, UpstreamShares } from "../../src/mining/upstream-ports.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { openAuthoriser } from "../../src/pool/authoriser.ts";
import type { ChainStatistic } from "../../src/pool/chain-statistics.ts";
import { Door } from "../../src/pool/door.ts";
import type { MiningJobCreated, PoolEvents, ShareSubmitted } from "../../src/pool/events.ts";
import { JobMaker } from "../../src/pool/job-maker.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { MiningServer } from "../../src/pool/server.ts";
import { SERVER_DEFAULTS, type ServerLimits, type ServerTimes } from "../../src/pool/server-options.ts";
import { NoiseInitiator, NoiseResponder } from "../../src/sv2/noise/handshake.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { FakeBlockSink, FakeJobSource, makeTemplate } from "./fake-chain.ts";
import { MockMiner } from "./mock-miner.ts";
import { type LogLine, recordingLog } from "./recording-log.ts";
import { TCP, type TestTransport } from "./transports.ts";

/** BIP340's first test vector, a key that nobody else should trust: every test server's. */
export const AUTHORITY_SECRET_KEY = fromHex("0000000000000000000000000000000000000000000000000000000000000003");
/** Its public half. */
export const AUTHORITY_PUBLIC_KEY = fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");

/** What the pool's coinbases pay to. */
export const PAYOUT_SCRIPT = opReturn(utf8("payout"));

const crypto = nodeCrypto({ log: silentLog });
const random = systemRandom();

/** What a test may choose. */
export interface TestServerOptions {
  /** What connections come over. Default TCP. */
  readonly transport?: TestTransport;
  /** `false` serves plain frames. */
  readonly noise?: boolean;
  readonly limits?: Partial<ServerLimits>;
  readonly times?: Partial<ServerTimes>;
  readonly mining?: Partial<MiningOptions>;
  readonly requiredExtensions?: readonly number[];
  readonly authoriser?: Authoriser;
  /** The first template; `null` for a node that has none yet. */
  readonly template?: Template | null;
  readonly refreshMs?: number;
  readonly versionRollingMask?: number;
  readonly onHashed?: (share: HashedShare) => void;
  /** Jobs in place of those of the scripted node. */
  readonly jobs?: JobFeed;
  readonly upstream?: UpstreamShares;
  readonly poolChannels?: PoolChannels;
  readonly chainStatistics?: () => readonly ChainStatistic[];
}

/** A running server and its surroundings. */
export interface TestServer {
  readonly server: MiningServer;
  readonly source: FakeJobSource;
  readonly sink: FakeBlockSink;
  readonly meter: MemoryMeter;
  readonly extranonces: ExtranonceAllocator;
  readonly log: readonly LogLine[];
  readonly credits: ShareCredit[];
  readonly shares: ShareSubmitted[];
  readonly jobs: MiningJobCreated[];
  readonly address: string;
  readonly transport: TestTransport;
  /** A client's handshake that checks our certificate; `undefined` on a plain server. */
  readonly initiator: () => NoiseInitiator | undefined;
  /** A server's handshake under our authority, for a man in the middle. */
  readonly responder: () => NoiseResponder | undefined;
  /** A client that has sent nothing yet. */
  reach(): Promise<MockMiner>;
  /** Connects and resolves when the server closed the connection at the door. */
  turnedAway(): Promise<void>;
  /** A client after its handshake. */
  connect(): Promise<MockMiner>;
  /** Connects and sets up. */
  miner(flags?: number): Promise<MockMiner>;
  stop(): Promise<void>;
}

/** Difficulty of 2^-26: some 64 hashes a share, and vardiff has no say. */
export const FIXED_DIFFICULTY: Partial<MiningOptions> = { minDifficulty: 2 ** -26, maxDifficulty: 2 ** -26 };

/** `startServer` over one transport of the table. */
export function serverOver(transport: TestTransport): (options?: TestServerOptions) => Promise<TestServer> {
  return (options = {}) => startServer({ ...options, transport });
}

/** Starts a server that is stopped when the test ends. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = systemClock;
  const log = recordingLog();
  const meter = new MemoryMeter();
  const bus = new Bus<PoolEvents>({
    onError(error) {
      throw error;
    },
  });
  const shares: ShareSubmitted[] = [];
  const jobs: MiningJobCreated[] = [];
  bus.on("ShareSubmitted", (share) => void shares.push({ ...share, hash: share.hash?.slice() }));
  bus.on("MiningJobCreated", (job) => void jobs.push(job));
  const template =
    options.template === undefined
      ? makeTemplate({ height: 840_000, prevHash: random.bytes(32) })
      : (options.template ?? undefined);
  const source = new FakeJobSource(template);
  const sink = new FakeBlockSink();
  const jobIds = new JobIds();
  const jobMaker = new JobMaker(
    { clock, log, meter, jobSource: source, bus, jobIds, payout: (value) => [{ value, script: PAYOUT_SCRIPT }] },
    {
      tag: utf8("/test/"),
      refreshMs: options.refreshMs ?? 50_000,
      versionRollingMask: options.versionRollingMask ?? BIP320_MASK,
    },
  );
  const identity = new StaticIdentity({ crypto, clock, random }, { authoritySecretKey: AUTHORITY_SECRET_KEY });
  const ephemeralKeys = new EphemeralKeyPool({ crypto, random }, { capacity: 100 });
  const credits: ShareCredit[] = [];
  const extranonces = new ExtranonceAllocator({}, { serverId: 9 });
  const { transport = TCP } = options;
  const noise = transport.noise && (options.noise ?? true);
  const limits = { ...SERVER_DEFAULTS.limits, ...options.limits };
  const door = new Door({ clock, meter }, limits);
  const server = new MiningServer(
    {
      transports: [await transport.listen({ door, clock, log })],
      door,
      noise: options.noise === false ? undefined : { crypto, identity, ephemeralKeys },
      clock,
      log,
      meter,
      jobs: options.jobs ?? jobMaker,
      jobIds,
      extranonces,
      authoriser: options.authoriser ?? openAuthoriser(),
      blockSink: sink,
      shareSink: { credit: (share) => void credits.push(share) },
      bus,
      ...(options.onHashed === undefined ? {} : { onHashed: options.onHashed }),
      ...(options.upstream === undefined ? {} : { upstream: options.upstream }),
      ...(options.poolChannels === undefined ? {} : { poolChannels: options.poolChannels }),
      ...(options.chainStatistics === undefined ? {} : { chainStatistics: options.chainStatistics }),
    },
    {
      limits,
      mining: { ...MINING_DEFAULTS, ...FIXED_DIFFICULTY, ...options.mining },
      requiredExtensions: options.requiredExtensions ?? [],
      times: { stopGraceMs: 50, ...options.times },
    },
  );
  const never = new AbortController().signal;
  await jobMaker.start(never);
  await server.start(never);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= server.stop().then(() => jobMaker.stop());
    return stopping;
  };
  onTestFinished(stop);
  const address = server.addresses[0] ?? "";
  const initiator = (): NoiseInitiator | undefined =>
    noise ? new NoiseInitiator({ crypto, clock, random }, { authorityPublicKey: AUTHORITY_PUBLIC_KEY }) : undefined;
  const responder = (): NoiseResponder | undefined =>
    noise ? new NoiseResponder({ crypto, identity, ephemeral: () => ephemeralKeys.take() }) : undefined;
  const reach = async (): Promise<MockMiner> => {
    const miner = await MockMiner.reach(address, { noise: initiator(), transport });
    onTestFinished(() => miner.destroy());
    return miner;
  };
  const turnedAway = async (): Promise<void> => {
    const miner = await reach().catch(() => undefined);
    // On QUIC the server learns of a stream by what is sent on it.
    await miner?.handshake().catch(() => undefined);
    await miner?.closed;
    expect(miner?.bytesReceived ?? 0).toBe(0);
  };
  const connect = async (): Promise<MockMiner> => {
    const miner = await reach();
    await miner.handshake();
    return miner;
  };
  const miner = async (flags = 0): Promise<MockMiner> => {
    const client = await connect();
    await client.setup({ flags });
    return client;
  };
  return {
    server,
    source,
    sink,
    meter,
    extranonces,
    log: log.lines,
    credits,
    shares,
    jobs,
    address,
    transport,
    initiator,
    responder,
    reach,
    turnedAway,
    connect,
    miner,
    stop,
  };
}
