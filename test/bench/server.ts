/**
 * The whole server over real sockets with Noise: shares a second, the time from a new template to the last channel's job,
 * connections a second and memory a connection. The clients run in a process of their own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { Bus } from "../../src/kernel/events.ts";
import { silentLog } from "../../src/kernel/log.ts";
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
import type { FromClients, ToClients } from "./load-clients.ts";

/** One figure. */
export interface ServerFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: "shares/s" | "connections/s" | "ms" | "KiB";
}

/** Every hash is a share and none is a block: the clients need no proof of work, the server judges all the same. */
const ANY_HASH = 2 ** -33;

const now = (): number => performance.timeOrigin + performance.now();

/** Measures `count` connections with one channel each. */
export async function measureServer(count: number, channel: "standard" | "extended"): Promise<ServerFigure[]> {
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
  const port = Number(server.addresses[0]?.split(":").at(-1));
  const clients = new Clients();
  const figures: ServerFigure[] = [];
  const label = `${count.toLocaleString("en")} ${channel} channels`;
  const figure = (name: string, value: number, unit: ServerFigure["unit"]): void => {
    figures.push({ name: `${name}, ${label}`, value, unit });
  };
  try {
    const before = memory();
    const { ms } = await clients.ask({ kind: "open", port, count, channel }, "opened");
    figure("connect, handshake, open a channel", count / (ms / 1000), "connections/s");
    figure("memory a connection", (memory() - before) / count / 1024, "KiB");
    for (const cause of ["newBlock", "refresh"] as const) {
      const times: number[] = [];
      for (let i = 0; i < 7; i++) {
        const template = makeTemplate({
          height: 840_001 + (cause === "newBlock" ? i : 6),
          prevHash: cause === "newBlock" ? random.bytes(32) : (source.current()?.prevHash ?? new Uint8Array(32)),
          transactions: 2500,
        });
        const told = clients.next("jobs");
        const startedMs = now();
        source.offer(template, cause);
        times.push((await told).lastMs - startedMs);
      }
      figure(cause === "newBlock" ? "new block to last job" : "new template to last job", median(times), "ms");
    }
    const rates: number[] = [];
    const connections = Math.min(count, 200);
    for (let i = 0; i < 5; i++) {
      const startedMs = now();
      const done = await clients.ask({ kind: "shares", connections, perConnection: 250 }, "acknowledged");
      if (done.rejected > 0) throw new Error(`${done.rejected} shares were rejected`);
      rates.push((connections * 250) / ((done.ms - startedMs) / 1000));
    }
    figure(`shares over ${connections} sockets`, median(rates), "shares/s");
  } finally {
    clients.end();
    await server.stop();
    await jobs.stop();
  }
  return figures;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

/** Resident memory after a collection, where the process was started with --expose-gc. */
function memory(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}

/** The other process. */
class Clients {
  readonly #child: ChildProcess;
  readonly #waiting: { readonly kind: string; readonly resolve: (message: never) => void }[] = [];

  constructor() {
    const here = fileURLToPath(import.meta.url);
    this.#child = fork(here.replace(/server\.(ts|js)$/, "load-clients.$1"), { execArgv: [] });
    this.#child.on("message", (message: FromClients) => {
      const at = this.#waiting.findIndex(({ kind }) => kind === message.kind);
      if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(message as never);
    });
  }

  next<K extends FromClients["kind"]>(kind: K): Promise<Extract<FromClients, { kind: K }>> {
    return new Promise((resolve) => void this.#waiting.push({ kind, resolve }));
  }

  ask<K extends FromClients["kind"]>(message: ToClients, kind: K): Promise<Extract<FromClients, { kind: K }>> {
    this.#child.send(message);
    return this.next(kind);
  }

  end(): void {
    this.#child.disconnect();
  }
}
