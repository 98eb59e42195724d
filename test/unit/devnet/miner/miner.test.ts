import { afterEach, describe, expect, test } from "vitest";
import type { MinerEvents } from "../../../../src/devnet/miner/events.ts";
import { InlineHasher } from "../../../../src/devnet/miner/hasher.ts";
import { CpuMiner, type CpuMinerOptions } from "../../../../src/devnet/miner/miner.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { authorityPublicKey } from "../../../../src/sv2/noise/authority-key.ts";
import { nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import { NoiseResponder } from "../../../../src/sv2/noise/handshake.ts";
import type { NoiseHandshake } from "../../../../src/sv2/noise/ports.ts";
import { StaticIdentity } from "../../../../src/sv2/noise/static-identity.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import type { Message } from "../../../support/messages.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { ScriptedServer } from "../../../support/scripted-server.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const u256 = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const crypto = nobleCrypto();
const SECRET = new Uint8Array(32).fill(5);
const KEY = authorityPublicKey(SECRET);

/** Lets promises that are due settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers as a pool does: setup, channel 1 in group 2, a future job and its block; shares are accepted one by one. */
function pool(message: Message, server: ScriptedServer): void {
  const opened = { channelId: 1, groupChannelId: 2, target: u256(0xff) };
  switch (message.name) {
    case "SetupConnection":
      server.send("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
      return;
    case "OpenExtendedMiningChannel":
      server.send("OpenExtendedMiningChannelSuccess", {
        ...opened,
        requestId: message.value.requestId,
        extranonceSize: 16,
        extranoncePrefix: new Uint8Array(4),
      });
      server.send("NewExtendedMiningJob", {
        channelId: 2,
        jobId: 1,
        minNtime: null,
        version: 0x20000000,
        versionRollingAllowed: true,
        merklePath: [],
        coinbaseTxPrefix: Uint8Array.of(1),
        coinbaseTxSuffix: Uint8Array.of(2),
      });
      break;
    case "OpenStandardMiningChannel":
      server.send("OpenStandardMiningChannelSuccess", {
        ...opened,
        requestId: message.value.requestId,
        extranoncePrefix: new Uint8Array(20),
      });
      server.send("NewMiningJob", { channelId: 1, jobId: 1, minNtime: null, version: 1, merkleRoot: u256(1) });
      break;
    case "SubmitSharesStandard":
    case "SubmitSharesExtended":
      server.send("SubmitSharesSuccess", {
        channelId: 1,
        lastSequenceNumber: message.value.sequenceNumber,
        newSubmitsAcceptedCount: 1,
        newSharesSum: 1n,
      });
      return;
    default:
      return;
  }
  server.send("SetNewPrevHash", {
    channelId: 2,
    jobId: 1,
    prevHash: u256(9),
    minNtime: 1_700_000_000,
    nbits: 0x207fffff,
  });
}

const running: CpuMiner[] = [];

afterEach(async () => {
  for (const miner of running.splice(0)) await miner.stop();
});

function mining(server: ScriptedServer, options: Partial<CpuMinerOptions> = {}) {
  const clock = new FakeClock();
  const log = recordingLog();
  const miner = new CpuMiner(
    {
      clock,
      random: seededRandom(7),
      log,
      crypto,
      dial: server.dial,
      hasher: new InlineHasher({ clock }, { maxHashrate: 1_000, maxSolutionsPerSecond: 4, sliceMs: 4 }),
    },
    { host: "pool.example", port: 3333, plain: true, ...options },
  );
  running.push(miner);
  const told: { readonly name: keyof MinerEvents; readonly event: unknown }[] = [];
  for (const name of ["connected", "disconnected", "shareFound", "shareAccepted", "newBlock", "hashrate"] as const) {
    miner.on(name, (event) => void told.push({ name, event }));
  }
  const events = <N extends keyof MinerEvents>(name: N): MinerEvents[N][] =>
    told.filter((one) => one.name === name).map(({ event }) => event as MinerEvents[N]);
  return { clock, log, miner, events };
}

const start = async (miner: CpuMiner): Promise<void> => {
  await miner.start(new AbortController().signal);
  await settle();
};

const responder = (clock: FakeClock): NoiseHandshake => {
  const random = seededRandom(3);
  return new NoiseResponder({
    crypto,
    identity: new StaticIdentity({ crypto, clock, random }, { authoritySecretKey: SECRET }),
    ephemeral: () => crypto.generateKey(random),
  });
};

describe("a miner", () => {
  test("has counted a share when it tells of it, whoever listens before the start", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { clock, miner, events } = mining(server);
    const totals: number[] = [];
    miner.on("shareAccepted", () => void totals.push(miner.counts.sharesAccepted));
    await start(miner);
    clock.advance(3_000);
    let sum = 0;
    expect(totals).toEqual(
      events("shareAccepted").map(({ count }) => {
        sum += count;
        return sum;
      }),
    );
    expect(totals.length).toBeGreaterThan(1);
  });

  test.each(["standard", "extended"] as const)(
    "mines on a %s channel and counts what the server says",
    async (channel) => {
      const server = new ScriptedServer({ onMessage: pool });
      const { clock, miner, events } = mining(server, { channel });
      await start(miner);
      expect(server.dialled).toEqual([{ host: "pool.example", port: 3333 }]);
      clock.advance(3_000);
      const shares = channel === "standard" ? server.got("SubmitSharesStandard") : server.got("SubmitSharesExtended");
      expect(shares.length).toBeGreaterThanOrEqual(12);
      expect(shares.map(({ sequenceNumber }) => sequenceNumber)).toEqual(shares.map((_, i) => i));
      expect(miner.counts).toMatchObject({
        sharesFound: shares.length,
        sharesAccepted: shares.length,
        sharesRejected: 0,
        sharesStale: 0,
      });
      expect(miner.counts.blocksFound).toBeGreaterThan(0);
      expect(events("newBlock")).toHaveLength(1);
      expect(events("connected")).toEqual([{ host: "pool.example", port: 3333 }]);
    },
  );

  test("announces what it may do and tells what it does", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { clock, miner, events } = mining(server, { maxHashrate: 1_000, hashrateIntervalMs: 1_000 });
    await start(miner);
    expect(server.got("OpenExtendedMiningChannel")[0]).toMatchObject({ nominalHashRate: 1_000, userIdentity: "cpu" });
    clock.advance(3_000);
    expect(events("hashrate")).toHaveLength(3);
    const hashed = events("hashrate").reduce((sum, { hashesPerSecond }) => sum + hashesPerSecond, 0);
    expect(hashed).toBeGreaterThan(5);
    // A slice may fall on the very moment of the last report.
    expect(miner.counts.hashes - hashed).toBeLessThanOrEqual(1);
  });

  test("speaks Noise and checks who vouches for the server", async () => {
    const server: ScriptedServer = new ScriptedServer({ onMessage: pool, noise: () => responder(clock) });
    const { clock, miner, events } = mining(server, { plain: false, authorityPublicKey: KEY });
    await start(miner);
    clock.advance(1_000);
    expect(events("connected")).toHaveLength(1);
    expect(miner.counts.sharesAccepted).toBeGreaterThan(0);
  });

  test("refuses a server that another authority vouches for, unless it was told no key", async () => {
    const other = authorityPublicKey(new Uint8Array(32).fill(6));
    for (const [key, reason] of [
      [other, /not signed by the expected authority/],
      [undefined, undefined],
    ] as const) {
      const server: ScriptedServer = new ScriptedServer({ onMessage: pool, noise: () => responder(clock) });
      const { clock, miner, events } = mining(server, { plain: false, authorityPublicKey: key, reconnect: false });
      await start(miner);
      clock.advance(1_000);
      await settle();
      if (reason === undefined) {
        expect(miner.counts.sharesAccepted).toBeGreaterThan(0);
      } else {
        expect(events("disconnected")[0]?.reason).toMatch(reason);
        expect(events("disconnected")[0]?.error).toMatchObject({ code: "certificate-signature" });
        expect(server.received).toEqual([]);
      }
    }
  });

  test("closes its channel and hangs up when it is stopped, and holds no timer then", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { clock, miner, events } = mining(server);
    await start(miner);
    await miner.stop();
    expect(server.got("CloseChannel")).toEqual([{ channelId: 1, reasonCode: "the miner stops" }]);
    expect(server.hangUps).toBe(1);
    expect(events("disconnected")).toEqual([{ reason: "stopped", retryMs: undefined }]);
    expect(clock.pending).toBe(0);
  });

  test("stops while it dials and while it waits", async () => {
    const dialling = new CpuMiner(
      {
        clock: new FakeClock(),
        random: seededRandom(1),
        log: recordingLog(),
        crypto,
        dial: (_server, _listener, signal) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        hasher: new InlineHasher({ clock: new FakeClock() }, { maxHashrate: 1, maxSolutionsPerSecond: 1, sliceMs: 1 }),
      },
      { host: "pool.example", port: 1, plain: true },
    );
    await start(dialling);
    await dialling.stop();
    const server = new ScriptedServer();
    server.refusal = new Fault("server-unreachable", { host: "pool.example" });
    const { miner, clock } = mining(server);
    await start(miner);
    await miner.stop();
    expect(clock.pending).toBe(0);
  });
});

describe("a connection that fails", () => {
  test("is made again, later each time, and at once soon after one that worked", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { clock, miner, events } = mining(server);
    for (let failures = 0; failures < 3; failures++) {
      server.refusal = new Fault("server-unreachable", { host: "pool.example", port: 3333, reason: "ECONNREFUSED" });
      if (failures === 0) await start(miner);
      else clock.advance(60_000);
      await settle();
    }
    const waits = events("disconnected").map(({ retryMs }) => retryMs!);
    expect(waits).toHaveLength(3);
    expect(waits[0]!).toBeLessThan(waits[1]!);
    expect(waits[1]!).toBeLessThan(waits[2]!);
    expect(events("disconnected")[0]?.reason).toMatch(/no connection to the server could be made .*ECONNREFUSED/);
    clock.advance(60_000);
    await settle();
    expect(events("connected")).toHaveLength(1);
    server.hangUp();
    await settle();
    expect(events("disconnected").at(-1)?.retryMs).toBeLessThanOrEqual(1_000);
    clock.advance(1_000);
    await settle();
    expect(events("connected")).toHaveLength(2);
  });

  test("is final when it is not to be made again", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { miner, events, clock } = mining(server, { reconnect: false });
    await start(miner);
    server.hangUp("gone");
    await miner.ended();
    expect(events("disconnected")).toEqual([{ reason: "gone", retryMs: undefined }]);
    clock.advance(100_000);
    expect(server.dialled).toHaveLength(1);
  });

  test("rests the hasher until the next one", async () => {
    const server = new ScriptedServer({ onMessage: pool });
    const { miner, clock } = mining(server, { reconnect: false });
    await start(miner);
    clock.advance(500);
    server.hangUp();
    await miner.ended();
    const { hashes } = miner.counts;
    clock.advance(5_000);
    expect(miner.counts.hashes).toBe(hashes);
  });

  test.each([
    ["never answers the handshake", { plain: false }, /no handshake within 10000 ms/, 10_000],
    ["never answers SetupConnection", {}, /did not answer in state setup/, 10_000],
  ])("because the server %s is given up", async (_, options, reason, after) => {
    const server = new ScriptedServer();
    server.deaf = true;
    const { miner, events, clock } = mining(server, { ...options, reconnect: false });
    await start(miner);
    clock.advance(after - 1);
    await settle();
    expect(events("disconnected")).toEqual([]);
    clock.advance(1);
    await settle();
    expect(events("disconnected")[0]?.reason).toMatch(reason);
    expect(server.hangUps).toBe(1);
  });

  test("because the server fell silent is given up after three minutes", async () => {
    const server = new ScriptedServer({
      onMessage: (message, self) => {
        if (message.name !== "SubmitSharesExtended") pool(message, self);
      },
    });
    const { miner, events, clock } = mining(server, { reconnect: false });
    await start(miner);
    clock.advance(179_999);
    await settle();
    expect(events("disconnected")).toEqual([]);
    clock.advance(1);
    await settle();
    expect(events("disconnected")[0]?.reason).toMatch(/silent for 180000 ms/);
  });

  test.each([
    ["garbage", (server: ScriptedServer) => server.sendBytes(new Uint8Array(6).fill(0xff)), /above the limit/],
    [
      "a job for a channel that there is not",
      (server: ScriptedServer) => server.send("SetTarget", { channelId: 77, maximumTarget: u256(1) }),
      /broke a rule .*no such channel/,
    ],
  ])("because the server sent %s says so", async (_, send, reason) => {
    const server = new ScriptedServer({ onMessage: pool });
    const { miner, events } = mining(server, { reconnect: false });
    await start(miner);
    send(server);
    await miner.ended();
    expect(events("disconnected")[0]?.reason).toMatch(reason);
  });
});

describe("Reconnect (spec 3.6.5)", () => {
  const moved = async (options: Partial<CpuMinerOptions>, newHost: string, newPort: number) => {
    const server: ScriptedServer = new ScriptedServer({
      onMessage: pool,
      ...(options.plain === false ? { noise: () => responder(clock) } : {}),
    });
    const { miner, clock } = mining(server, options);
    await start(miner);
    server.send("Reconnect", { newHost, newPort });
    await settle();
    clock.advance(2_000);
    await settle();
    return server.dialled.at(-1);
  };

  test("is followed, an empty host or port 0 meaning the present one", async () => {
    expect(await moved({}, "other.example", 4444)).toEqual({ host: "other.example", port: 4444 });
    expect(await moved({}, "", 4444)).toEqual({ host: "pool.example", port: 4444 });
    expect(await moved({}, "", 0)).toEqual({ host: "pool.example", port: 3333 });
  });

  test("to another host is followed only where the authority's key is checked", async () => {
    const to = { host: "other.example", port: 4444 };
    expect(await moved({ plain: false, authorityPublicKey: KEY }, to.host, to.port)).toEqual(to);
    expect(await moved({ plain: false }, to.host, to.port)).toEqual({ host: "pool.example", port: 3333 });
  });
});
