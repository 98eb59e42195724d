/** The server of the benches over sockets: real transport and Noise, a pretend node, every hash a share. */
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Bus } from "../../src/kernel/events.ts";
import { silentLog } from "../../src/kernel/log.ts";
import type { MergeMining } from "../../src/merge/merge-mining.ts";
import { MINING_DEFAULTS } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import { BIP320_MASK, JobIds } from "../../src/mining/job.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { openAuthoriser } from "../../src/pool/authoriser.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import { JobMaker } from "../../src/pool/job-maker.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { MiningServer } from "../../src/pool/server.ts";
import { SERVER_DEFAULTS } from "../../src/pool/server-options.ts";
import { TcpTransport } from "../../src/pool/transports/tcp.ts";
import { generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { EphemeralKeyPool } from "../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { FakeBlockSink, FakeJobSource, makeTemplate } from "../support/fake-chain.ts";

/** Every hash is a share and none is a block: the clients need no proof of work, the server judges all the same. */
const ANY_HASH = 2 ** -33;

/** A running server. */
export interface BenchServer {
  readonly source: FakeJobSource;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts it, with chains where `merge` is given. */
export async function startBenchServer(merge?: MergeMining): Promise<BenchServer> {
  const clock = systemClock;
  const random = systemRandom();
  const crypto = nodeCrypto({ log: silentLog });
  const meter = new MemoryMeter();
  const bus = new Bus<PoolEvents>({
    onError(error) {
      throw error;
    },
  });
  const source = new FakeJobSource(makeTemplate({ height: 840_000, prevHash: random.bytes(32), transactions: 2500 }));
  const jobIds = new JobIds();
  const jobs = new JobMaker(
    {
      clock,
      log: silentLog,
      meter,
      jobSource: source,
      bus,
      jobIds,
      payout: (value) => [{ value, script: new Uint8Array(22) }],
      ...(merge === undefined ? {} : { merge }),
    },
    { tag: utf8("/bllvm-stratum-v2/"), refreshMs: 3_600_000, versionRollingMask: BIP320_MASK },
  );
  const server = new MiningServer(
    {
      transports: [new TcpTransport({ clock, log: silentLog }, { host: "127.0.0.1", port: 0 })],
      noise: {
        crypto,
        identity: new StaticIdentity(
          { crypto, clock, random },
          { authoritySecretKey: generateAuthoritySecretKey(random) },
        ),
        ephemeralKeys: new EphemeralKeyPool({ crypto, random }, { capacity: 1000 }),
      },
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
      limits: {
        ...SERVER_DEFAULTS.limits,
        connectionsPerAddress: 1_000_000,
        handshakesPerSecond: 100_000,
        messagesPerSecond: 1_000_000,
      },
      mining: { ...MINING_DEFAULTS, minDifficulty: ANY_HASH, maxDifficulty: ANY_HASH },
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
