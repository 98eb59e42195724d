/** Extension 0x4353 on real sockets: Bitcoin work on one stream, statistics on another, and clients that want too much or nothing of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ServerStatus } from "../../src/app/status.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { TOKENS } from "../../src/app/tokens.ts";
import { dialBy } from "../../src/client/dial.ts";
import { dialQuic } from "../../src/client/dial-quic.ts";
import { dialTls } from "../../src/client/dial-tls.ts";
import type { TransportName } from "../../src/client/url.ts";
import type { ReportedChain } from "../../src/devnet/miner/chain-statistics-client.ts";
import { ChainWatch } from "../../src/devnet/miner/chain-watch.ts";
import { CpuMiner } from "../../src/devnet/miner/miner.ts";
import { silentLog } from "../../src/kernel/log.ts";
import type { ChainStatistic } from "../../src/pool/chain-statistics.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import type { Transport } from "../../src/pool/transport.ts";
import { QuicProcess } from "../../src/pool/transports/quic-process.ts";
import { loadQuiche } from "../../src/quic/quiche.ts";
import { openUdp } from "../../src/quic/udp.ts";
import { BusyMiner } from "../support/busy-miner.ts";
import { askSocket } from "../support/chain-server.ts";
import { composedServer } from "../support/composed-server.ts";
import type { Fields } from "../support/messages.ts";
import { MockChannel } from "../support/mock-channel.ts";
import type { MockMiner } from "../support/mock-miner.ts";
import { program } from "../support/program.ts";
import { AUTHORITY_PUBLIC_KEY, startServer, type TestServerOptions } from "../support/server.ts";
import { hostAndPort, QUIC, TCP, type TestTransport, TLS, TRANSPORTS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

const never = new AbortController().signal;
const crypto = nodeCrypto({ log: silentLog });
const OURS = 0x4353;

const CHAINS: readonly ChainStatistic[] = [
  { chain: "bitcoin", height: 840_000, difficulty: 8, inJob: true, found: 1, accepted: 1 },
  { chain: "namecoin", height: 815_000, difficulty: 1.5, inJob: true, found: 3, accepted: 2 },
  { chain: "rsk", height: undefined, difficulty: undefined, inJob: false, found: 0, accepted: 0 },
];

/** A server that tells of `CHAINS`. */
function telling(options: TestServerOptions = {}) {
  return startServer({ chainStatistics: () => CHAINS, mining: { ackBatchSize: 1 }, ...options });
}

/** Negotiates and subscribes; resolves with what was granted. */
async function subscribe(client: MockMiner, interval = 5): Promise<Fields<"SubscribeChainStatisticsSuccess">> {
  client.send("RequestExtensions", { requestId: 1, requestedExtensions: [OURS] });
  await client.expect("RequestExtensionsSuccess");
  client.send("SubscribeChainStatistics", { requestId: 7, interval });
  return await client.expect("SubscribeChainStatisticsSuccess");
}

/** The next report. */
async function report(client: MockMiner): Promise<Fields<"ChainStatistics">[]> {
  const parts: Fields<"ChainStatistics">[] = [];
  do parts.push(await client.next("ChainStatistics"));
  while (parts.at(-1)?.remaining !== 0);
  return parts;
}

const ROWS: readonly { readonly name: string; readonly kind: TransportName; readonly transport: TestTransport }[] = [
  { name: "TCP", kind: "tcp", transport: TCP },
  { name: "TLS", kind: "tls", transport: TLS },
  { name: "QUIC", kind: "quic", transport: QUIC },
];

describe.each(ROWS)("a miner over $name", ({ kind, transport }) => {
  test("has Bitcoin work on one stream and statistics on another", async () => {
    const listening: Transport[] = [];
    const pool = await telling({
      transport: {
        ...transport,
        async listen(deps) {
          const made = await transport.listen(deps);
          listening.push(made);
          return made;
        },
      },
      limits: { idleTimeoutMs: 3000 },
    });
    const [clock, random] = [systemClock, systemRandom()];
    const quic = dialQuic({ clock, random, udp: openUdp, quiche: loadQuiche, authorities: () => [] });
    const dial = dialBy({ tls: dialTls({ clock }), quic });
    const server = {
      transport: kind,
      ...hostAndPort(pool.address),
      noise: true,
      authorityPublicKey: AUTHORITY_PUBLIC_KEY,
    };
    const miner = new CpuMiner(
      { clock, random, log: silentLog, crypto, dial },
      { ...server, threads: 0, maxSharesPerSecond: 5 },
    );
    const reports: (readonly ReportedChain[])[] = [];
    const refusals: string[] = [];
    const watch = new ChainWatch(
      {
        clock,
        random,
        crypto,
        dial,
        onReport: (chains) => void reports.push(chains),
        onRefused: (reason) => void refusals.push(reason),
      },
      { server, intervalS: 1 },
    );
    for (const part of [miner, watch]) {
      await part.start(never);
      onTestFinished(() => part.stop());
    }
    await until("shares are credited", () => pool.credits.length > 3);
    await until("a report came", () => reports.length > 0);
    expect(pool.server.connections).toBe(2);
    expect(pool.server.channelCount).toBe(1);
    const [quicListener] = listening;
    if (quicListener instanceof QuicProcess) {
      // The process tells of its connections once a second: what it says now counts both streams' dials.
      await pause(1500);
      expect(quicListener.connections).toBe(1);
    }
    expect(reports[0]).toEqual(CHAINS);
    // Longer than the silence that the server allows: the watch renews its subscription, and a second report comes.
    await until("another report came", () => reports.length > 1, 10_000);
    expect(pool.server.connections).toBe(2);
    expect(pool.meter.byLabel("connections_dropped_total")).toEqual({});
    await watch.stop();
    await until("its stream is gone", () => pool.server.connections === 1);
    const credited = pool.credits.length;
    await until("mining goes on", () => pool.credits.length > credited + 3);
    expect(refusals).toEqual([]);
  });
});

describe.each(TRANSPORTS)("over $name", (transport) => {
  test("a subscriber that never speaks again is closed as any silent client is", async () => {
    const pool = await telling({ transport, limits: { idleTimeoutMs: 2000 } });
    const client = await pool.miner();
    expect(await subscribe(client, 600)).toEqual({ requestId: 7, interval: 600, silenceLimit: 2 });
    expect((await report(client)).map(({ chain, remaining }) => [chain, remaining])).toEqual([
      ["bitcoin", 2],
      ["namecoin", 1],
      ["rsk", 0],
    ]);
    await client.closed;
    expect(pool.meter.byLabel("connections_dropped_total")).toEqual({ "idle-timeout": 1 });
  });

  test("a flood of subscriptions of no interval brings one report in five seconds, and harms nobody", async () => {
    const pool = await telling({ transport, limits: { messagesPerSecond: 5000 } });
    const channel = await MockChannel.extended(await pool.miner());
    const client = await pool.miner();
    const beganMs = performance.now();
    await subscribe(client, 0);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 500; i++) client.send("SubscribeChainStatistics", { requestId: i, interval: 0 });
      channel.submit(channel.find());
      await channel.miner.expect("SubmitSharesSuccess");
    }
    const isReport = ({ name }: { readonly name: string }): boolean => name === "ChainStatistics";
    await until("every subscription is answered", () => client.inbox.all.filter((m) => !isReport(m)).length === 10_003);
    const seconds = (performance.now() - beganMs) / 1000;
    const reports = client.inbox.all.filter(isReport).length / CHAINS.length;
    expect(reports).toBeGreaterThanOrEqual(1);
    expect(reports).toBeLessThanOrEqual(1 + Math.floor(seconds / 5));
    expect(pool.credits.length).toBe(20);
    expect(pool.meter.byLabel("connections_dropped_total")).toEqual({});
  });

  test("one that floods and reads nothing loses its own connection", async () => {
    const limits = { messagesPerSecond: 1_000_000, bufferBytes: 65_536 };
    const pool = await telling({ transport, limits, times: { stallTimeoutMs: 2000 } });
    const channel = await MockChannel.extended(await pool.miner());
    const client = await pool.miner();
    await subscribe(client, 0);
    client.pause();
    const flooding = (async () => {
      while (pool.server.connections === 2) {
        for (let i = 0; i < 2000; i++) client.send("SubscribeChainStatistics", { requestId: i, interval: 0 });
        await pause(5);
      }
    })();
    await until("it is dropped", () => pool.meter.total("connections_dropped_total") === 1, 40_000);
    client.destroy();
    await flooding;
    expect(pool.meter.byLabel("connections_dropped_total")).toEqual({ "peer-not-reading": 1 });
    channel.submit(channel.find());
    await channel.miner.expect("SubmitSharesSuccess");
  });

  test("a client that knows nothing of it is told nothing of it", async () => {
    const pool = await telling({ transport });
    const stock = await pool.miner();
    const channel = await MockChannel.extended(stock);
    // Not negotiated: a frame of some unknown extension, ignored (spec 3.4).
    stock.send("SubscribeChainStatistics", { requestId: 1, interval: 5 });
    for (let i = 0; i < 3; i++) {
      channel.submit(channel.find());
      await stock.expect("SubmitSharesSuccess");
    }
    await stock.quiet(1500);
    expect(stock.inbox.all.filter(({ name }) => name.includes("ChainStatistics"))).toEqual([]);
    expect(pool.credits.length).toBe(3);
  });
});

test("a server without statistics does not offer them, and a watch of it ends", async () => {
  const pool = await startServer();
  const refusals: string[] = [];
  const watch = new ChainWatch(
    {
      clock: systemClock,
      random: systemRandom(),
      crypto,
      dial: dialBy({}),
      onReport: () => expect.unreachable(),
      onRefused: (reason) => void refusals.push(reason),
    },
    { server: { transport: "tcp", ...hostAndPort(pool.address), noise: true }, intervalS: 10 },
  );
  await watch.start(never);
  await until("it was refused", () => refusals.length === 1);
  await until("it is gone", () => pool.server.connections === 0);
  await pause(2500);
  expect(refusals).toEqual(["the server has no chain statistics"]);
  expect(pool.meter.total("handshakes_total")).toBe(1);
  await watch.stop();
});

test("the numbers are those of status", async () => {
  const server = await composedServer();
  const status = server.running.container.resolve(TOKENS.status);
  await server.ready("namecoin", "rsk");
  const busy = await BusyMiner.start(await server.miner(), { kind: "extended", userIdentity: "farm.rig" });
  const isAnswered = ({ mining }: ServerStatus["chains"][number]): boolean =>
    mining !== undefined && mining.answers.accepted > 0;
  await until("every chain has a block", () => status().blocks.found > 0 && status().chains.every(isAnswered), 30_000);
  await busy.stop();
  await until("all blocks are answered", () => status().chains.every(({ mining }) => mining?.pending === 0), 20_000);
  await server.ready("namecoin", "rsk");
  const client = await server.miner();
  await subscribe(client);
  const told = await report(client);
  const { blocks, chains, job } = status();
  const [bitcoin, ...others] = told;
  const accepted = server.log.filter(({ message }) => /^block \S+ at height \d+ was accepted by node/.test(message));
  expect(bitcoin).toMatchObject({
    chain: "bitcoin",
    height: BigInt(job?.height ?? 0),
    // Bitcoin's least difficulty, 0xffff * 2^208, over the target of 2^246: 32 bits carry it as it is.
    difficulty: 0xffff * 2 ** -38,
    inJob: true,
    found: blocks.found,
    accepted: accepted.length,
  });
  expect(accepted.length).toBeGreaterThan(0);
  expect(others).toEqual(
    chains.map(({ name, mining }, index) => ({
      requestId: 7,
      remaining: chains.length - 1 - index,
      chain: name,
      height: BigInt(mining?.work?.height ?? 0),
      difficulty: Math.fround(mining?.work?.difficulty ?? 0),
      inJob: true,
      found: mining?.found,
      accepted: (mining?.answers.accepted ?? 0) + (mining?.answers.duplicate ?? 0),
    })),
  );
}, 90_000);

interface Ready {
  readonly listeners: readonly { readonly url: string }[];
}

test("mine --chains tells of every chain over TCP and QUIC", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-chains-told-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "config.toml");
  writeFileSync(
    config,
    '[stratum_v2]\nlisten_addr = "127.0.0.1:0"\n[vardiff]\nshares_per_minute = 240\n[quic]\nlisten_addr = "127.0.0.1:0"\n',
  );
  const started = program(["start", "--devnet", "-c", config, "--json"], { cwd: folder });
  const ready: Ready = JSON.parse(await started.line((line) => line.includes('"listening"')));
  const status = async (): Promise<ServerStatus> =>
    (await askSocket<ServerStatus>(join(folder, "data/control.sock"), "GET", "/v1/status")).body;
  expect(ready.listeners.map(({ url }) => url.split(":")[0])).toEqual(["stratum2+tcp", "stratum2+quic"]);
  for (const { url } of ready.listeners) {
    const before = await status();
    const miner = program(["mine", url, "--chains", "--shares", "2", "--json"], { cwd: folder });
    const code = await miner.ended;
    expect(code, miner.err.join("\n")).toBe(0);
    const after = await status();
    const told = miner.out.map((line) => JSON.parse(line)).filter(({ event }) => event === "chain");
    expect(told.slice(0, 3).map(({ chain }) => chain)).toEqual(["bitcoin", "namecoin", "rsk"]);
    expect(told[0].height).toBeGreaterThanOrEqual(before.job?.height ?? 0);
    expect(told[0].height).toBeLessThanOrEqual(after.job?.height ?? 0);
    for (const [index, { name, mining }] of before.chains.entries()) {
      const chain = told[1 + index];
      expect(chain).toMatchObject({ chain: name, inJob: true });
      expect(chain.height).toBeGreaterThanOrEqual(mining?.work?.height ?? 0);
      expect(chain.height).toBeLessThanOrEqual(after.chains[index]?.mining?.work?.height ?? 0);
      expect(chain.found).toBeGreaterThanOrEqual(mining?.found ?? 0);
      expect(chain.found).toBeLessThanOrEqual(after.chains[index]?.mining?.found ?? 0);
    }
  }
  started.kill("SIGTERM");
  expect(await started.ended).toBe(0);
});
