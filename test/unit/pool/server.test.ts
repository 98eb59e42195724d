import { describe, expect, test } from "vitest";
import { Bus, type Unsubscribe } from "../../../src/kernel/events.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { MINING_DEFAULTS } from "../../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../../src/mining/extranonce.ts";
import { JobIds } from "../../../src/mining/job.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { openAuthoriser } from "../../../src/pool/authoriser.ts";
import { Door } from "../../../src/pool/door.ts";
import type { PoolEvents } from "../../../src/pool/events.ts";
import { MiningServer, type ServerNoise } from "../../../src/pool/server.ts";
import { SERVER_DEFAULTS, type ServerLimits } from "../../../src/pool/server-options.ts";
import type { Stream, Transport } from "../../../src/pool/transport.ts";
import { nobleCrypto } from "../../../src/sv2/noise/crypto.ts";
import { EphemeralKeyPool } from "../../../src/sv2/noise/key-pool.ts";
import { StaticIdentity } from "../../../src/sv2/noise/static-identity.ts";
import { FakeBlockSink } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeStream } from "../../support/fake-stream.ts";
import { encodeMessage } from "../../support/messages.ts";
import { SETUP_CONNECTION } from "../../support/mock-miner.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const never = new AbortController().signal;

/** A transport without a network. */
class FakeTransport implements Transport {
  readonly name: string = "fake";
  readonly kind = "tcp";
  readonly noise: boolean;
  address: string | undefined;
  state: "new" | "started" | "refusing" | "stopped" = "new";
  /** Thrown by `start`. */
  failure: Error | undefined;
  readonly #streams = new Set<(stream: Stream) => void>();
  readonly #troubles = new Set<(error: Error) => void>();

  constructor(noise = true) {
    this.noise = noise;
  }

  async start(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.address = "192.0.2.9:3333";
    this.state = "started";
  }

  async stop(): Promise<void> {
    this.state = "stopped";
  }

  refuse(): void {
    this.state = "refusing";
  }

  onStream(listener: (stream: Stream) => void): Unsubscribe {
    this.#streams.add(listener);
    return () => void this.#streams.delete(listener);
  }

  onTrouble(listener: (error: Error) => void): Unsubscribe {
    this.#troubles.add(listener);
    return () => void this.#troubles.delete(listener);
  }

  connect(stream = new FakeStream()): FakeStream {
    for (const listener of this.#streams) listener(stream);
    return stream;
  }

  trouble(error: Error): void {
    for (const listener of this.#troubles) listener(error);
  }
}

/** A server with nothing real around it. */
function fakeServer(limits: Partial<ServerLimits> = {}, noise?: (clock: FakeClock) => ServerNoise) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const transports = [new FakeTransport(), new FakeTransport(false)] as const;
  const door = new Door({ clock, meter }, { ...SERVER_DEFAULTS.limits, ...limits });
  const server = new MiningServer(
    {
      transports,
      door,
      noise: noise?.(clock),
      clock,
      log,
      meter,
      jobs: { current: () => undefined, onJob: () => () => undefined },
      jobIds: new JobIds(),
      extranonces: new ExtranonceAllocator({}, { serverId: 0 }),
      authoriser: openAuthoriser(),
      blockSink: new FakeBlockSink(),
      shareSink: { credit() {} },
      bus: new Bus<PoolEvents>({ onError: () => undefined }),
    },
    { limits: { ...SERVER_DEFAULTS.limits, ...limits }, mining: MINING_DEFAULTS, requiredExtensions: [] },
  );
  return { clock, log, meter, transports, door, server };
}

/** What a server needs for Noise. */
function keys(clock: FakeClock): ServerNoise {
  const deps = { crypto: nobleCrypto(), clock, random: seededRandom(1) };
  return {
    crypto: deps.crypto,
    identity: new StaticIdentity(deps, { authoritySecretKey: new Uint8Array(32).fill(1) }),
    ephemeralKeys: new EphemeralKeyPool(deps, { capacity: 50 }),
  };
}

describe("MiningServer", () => {
  test("starts all its transports, and none when one of them fails", async () => {
    const good = fakeServer();
    await good.server.start(never);
    expect(good.server.addresses).toEqual(["192.0.2.9:3333", "192.0.2.9:3333"]);
    const bad = fakeServer();
    bad.transports[1].failure = new Fault("listen-failed", { address: "0.0.0.0:3333" });
    await expect(bad.server.start(never)).rejects.toMatchObject({ code: "listen-failed" });
    expect(bad.transports[0].state).toBe("stopped");
    expect(bad.clock.pending).toBe(0);
    expect(bad.transports[0].connect().destroyed, "nobody is listening any more").toBe(false);
    expect(bad.server.connections).toBe(0);
  });

  test("closes at the door what is over a limit, unread, and counts why", async () => {
    const { server, transports, meter } = fakeServer({ connections: 3, connectionsPerAddress: 2 });
    await server.start(never);
    const streams = [1, 2, 3].map(() => transports[0].connect());
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, false, true]);
    expect(meter.byLabel("connections_refused_total")).toEqual({ address: 1 });
    expect(server.connections).toBe(2);
    streams[0]?.close();
    expect(server.connections).toBe(1);
    expect(meter.total("connections")).toBe(1);
    expect(transports[1].connect().destroyed).toBe(false);
  });

  test("a stream that its transport had admitted already is counted once, and its place is given back", async () => {
    const { server, transports, door, meter } = fakeServer({ connections: 1 });
    await server.start(never);
    const stream = new (class extends FakeStream {
      readonly admitted = door.admit("192.0.2.1");
    })();
    expect(door.admit("192.0.2.1"), "its handshake holds the only place").toBeUndefined();
    expect(transports[0].connect(stream).destroyed).toBe(false);
    expect(server.connections).toBe(1);
    stream.close();
    expect(transports[0].connect().destroyed).toBe(false);
    expect(meter.byLabel("connections_refused_total")).toEqual({ total: 1 });
  });

  test("Noise runs inside the transports that want it, plain frames on the others of the same server", async () => {
    const { server, transports } = fakeServer({}, (at) => keys(at));
    await server.start(never);
    const setup = encodeMessage("SetupConnection", SETUP_CONNECTION);
    const [noisy, plain] = transports.map((transport) => transport.connect());
    noisy?.receive(seededRandom(2).bytes(64));
    plain?.receive(setup);
    expect(
      noisy?.writes.map(({ length }) => length),
      "act 2",
    ).toEqual([234]);
    expect(plain?.written).toEqual(encodeMessage("SetupConnectionSuccess", { usedVersion: 2, flags: 0 }));
  });

  test("each connection's deadlines are checked every second, a tenth of them at a time", async () => {
    const { server, transports, clock } = fakeServer({ handshakeTimeoutMs: 5000 });
    await server.start(never);
    const streams = Array.from({ length: 40 }, () => transports[0].connect());
    clock.advance(5000);
    expect(streams.some(({ destroyed }) => destroyed)).toBe(false);
    const ends = new Set<number>();
    for (let i = 0; i < 10; i++) {
      clock.advance(100);
      ends.add(streams.filter(({ destroyed }) => destroyed).length);
    }
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true);
    expect(ends.size).toBe(10);
  });

  test("failed accepts are counted, and told of without filling the log", async () => {
    const { server, transports, meter, log } = fakeServer();
    await server.start(never);
    for (let i = 0; i < 500; i++) transports[0].trouble(new Error("accept EMFILE"));
    expect(meter.byLabel("connections_refused_total")).toEqual({ system: 500 });
    const warnings = log.lines.filter(({ level }) => level === "warn");
    expect(warnings.length).toBe(100);
    expect(warnings[0]?.message).toContain("EMFILE");
  });

  test("prepares ephemeral keys while it has nothing else to do, and wipes them when it stops", async () => {
    let noise: ServerNoise | undefined;
    const { server, clock } = fakeServer({}, (at) => {
      noise = keys(at);
      return noise;
    });
    await server.start(never);
    expect(noise?.ephemeralKeys.size).toBe(20);
    clock.advance(100);
    expect(noise?.ephemeralKeys.size).toBe(40);
    clock.advance(1000);
    expect(noise?.ephemeralKeys.size).toBe(50);
    await server.stop();
    expect(noise?.ephemeralKeys.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("stopping asks every transport to refuse first and frees them last", async () => {
    const { server, transports, clock } = fakeServer();
    await server.start(never);
    const stream = transports[0].connect();
    const stopped = server.stop();
    expect(transports.map(({ state }) => state)).toEqual(["refusing", "refusing"]);
    expect(stream.destroyed, "it had not set up").toBe(true);
    stream.close();
    clock.advance(SERVER_DEFAULTS.times.stopGraceMs);
    await stopped;
    expect(transports.map(({ state }) => state)).toEqual(["stopped", "stopped"]);
    expect(clock.pending).toBe(0);
  });
});
