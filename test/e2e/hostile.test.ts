/**
 * Peers that mean harm or are broken: each costs itself the connection and nobody else anything. Beside every one of them a
 * well-behaved miner on the same server sends shares, all of which must be acknowledged, and soon.
 */
import { describe, expect, test } from "vitest";
import { concat } from "../../src/kernel/bytes.ts";
import { encodeFrameHeader } from "../../src/sv2/frame.ts";
import { encodeMessage } from "../support/messages.ts";
import { SETUP_CONNECTION } from "../support/mock-miner.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { startServer, type TestServer, type TestServerOptions } from "../support/server.ts";
import { steadily } from "../support/steady-miner.ts";
import { QUIC, TCP, type TestTransport, TRANSPORTS } from "../support/transports.ts";
import { pause, until } from "../support/until.ts";

/** A share's way through a busy test machine, attackers in the same process; alone it takes a few milliseconds. */
const PATIENCE_MS = 1500;

const random = seededRandom(42);

type Attack = (pool: TestServer) => Promise<void>;

/** Lets attacks loose beside a steady miner. */
const besideOver = (transport: TestTransport) => (what: string, options: TestServerOptions, attack: Attack) =>
  beside({ ...options, transport }, what, attack);

async function beside(options: TestServerOptions, what: string, attack: Attack): Promise<TestServer> {
  const pool = await startServer({
    ...options,
    mining: { ackBatchSize: 1, ...options.mining },
    limits: { handshakeTimeoutMs: 1000, ...options.limits },
  });
  const steady = await steadily(await pool.miner(), () => attack(pool));
  expect(steady.maxMs, `the steady miner's slowest share beside ${what}`).toBeLessThan(PATIENCE_MS);
  expect(pool.meter.byLabel("shares_rejected_total"), "no share of the steady miner was refused").not.toHaveProperty(
    "duplicate-share",
  );
  await until("only the steady miner is left", () => pool.server.connections === 1);
  return pool;
}

const dropped = (pool: TestServer): Readonly<Record<string, number>> => pool.meter.byLabel("connections_dropped_total");

/** A frame's header that announces `length` bytes of payload. */
const header = (length: number): Uint8Array =>
  encodeFrameHeader({ extensionType: 0, channel: true, msgType: 0x1b, length });

describe.each(TRANSPORTS)("over $name a peer costs only itself when it", (transport) => {
  const beside = besideOver(transport);

  test("sends nothing (pool_does_not_hang_on_no_handshake)", async () => {
    const pool = await beside("silence", {}, async ({ reach }) => {
      const peers = await Promise.all(Array.from({ length: 30 }, () => reach()));
      await Promise.all(peers.map(({ closed }) => closed));
    });
    // On QUIC these are connections without a stream, which the transport closes by itself.
    expect(dropped(pool)).toEqual(transport === QUIC ? {} : { "handshake-timeout": 30 });
  });

  test("sends half of the first act, a byte now and then", async () => {
    const pool = await beside("half an act", {}, async ({ reach }) => {
      const peer = await reach();
      let open = true;
      void peer.closed.then(() => {
        open = false;
      });
      for (let i = 0; i < 63 && open; i++) {
        peer.sendRaw(random.bytes(1));
        await pause(100);
      }
      await peer.closed;
    });
    expect(dropped(pool)).toEqual({ "handshake-timeout": 1 });
  });

  test("finishes the handshake and then says nothing", async () => {
    const pool = await beside("a silent handshake", {}, async ({ connect }) => {
      await (await connect()).closed;
    });
    expect(dropped(pool)).toEqual({ "handshake-timeout": 1 });
  });

  test("sends half a frame and waits", async () => {
    const pool = await beside("half a frame", { limits: { idleTimeoutMs: 1500 } }, async ({ miner }) => {
      const peer = await miner();
      const sealed = peer.seal(encodeMessage("CloseChannel", { channelId: 1, reasonCode: "x".repeat(100) }));
      peer.sendRaw(sealed.subarray(0, sealed.length / 2));
      await peer.closed;
    });
    expect(dropped(pool)).toEqual({ "idle-timeout": 1 });
  });

  test("sends garbage instead of a handshake, and behind it", async () => {
    const pool = await beside("garbage", {}, async ({ reach }) => {
      const peers = await Promise.all(Array.from({ length: 20 }, () => reach()));
      for (const peer of peers) {
        peer.ignoreAnswers();
        peer.sendRaw(random.bytes(500));
      }
      await Promise.all(peers.map(({ closed }) => closed));
    });
    expect(Object.values(dropped(pool))).toEqual([20]);
    expect(dropped(pool)).not.toHaveProperty("handshake-timeout");
    expect(dropped(pool)).not.toHaveProperty("session-failed");
  });

  test("sends garbage in an established connection", async () => {
    const pool = await beside("garbage after setup", {}, async ({ miner }) => {
      const peer = await miner();
      peer.sendRaw(random.bytes(1000));
      await peer.closed;
    });
    expect(Object.keys(dropped(pool))).not.toContain("session-failed");
    expect(Object.values(dropped(pool))).toEqual([1]);
  });

  test("repeats an encrypted frame", async () => {
    const pool = await beside("a replay", {}, async ({ miner }) => {
      const peer = await miner();
      const sealed = peer.seal(encodeMessage("CloseChannel", { channelId: 1, reasonCode: "" }));
      peer.sendRaw(concat(sealed, sealed));
      await peer.closed;
    });
    expect(Object.values(dropped(pool))).toEqual([1]);
  });

  const encryptions = transport === TCP ? [true, false] : [true];

  for (const noise of encryptions) {
    test(`announces and sends frames of 16 MiB, ${noise ? "encrypted" : "plain"}`, async () => {
      const pool = await beside(`16 MiB frames, ${noise ? "encrypted" : "plain"}`, { noise }, async ({ miner }) => {
        const peer = await miner();
        const frame = concat(header(0xffffff), new Uint8Array(0xffffff));
        peer.sendRaw(peer.seal(frame));
        await peer.closed;
      });
      expect(dropped(pool)).toEqual({ "frame-too-large": 1 });
    });
  }

  test("never reads what it is sent", async () => {
    const limits = { bufferBytes: 65_536, messagesPerSecond: 10_000 };
    const pool = await beside("a peer that never reads", { limits }, async ({ miner, meter }) => {
      const peer = await miner();
      peer.pause();
      const requestedExtensions = Array.from({ length: 30_000 }, (_, i) => 100 + i);
      const question = encodeMessage("RequestExtensions", { requestId: 1, requestedExtensions });
      let open = true;
      void peer.closed.then(() => {
        open = false;
      });
      // Each question of 60 kB is answered by 60 kB, until the kernel's buffers and ours are full.
      for (let i = 0; i < 500 && open; i++) {
        peer.sendFrame(question);
        await pause(2);
      }
      await until("the server gave it up", () => meter.total("connections_dropped_total") > 0);
      peer.resume();
      await peer.closed;
    });
    expect(dropped(pool)).toEqual({ "peer-not-reading": 1 });
  });

  for (const noise of encryptions) {
    test(`floods the server with shares, ${noise ? "encrypted" : "plain"}`, async () => {
      const pool = await beside(
        `a flood, ${noise ? "encrypted" : "plain"}`,
        { noise, limits: { messagesPerSecond: 500 } },
        async ({ miner, meter }) => {
          const peer = await miner();
          const share = { channelId: 9, sequenceNumber: 0, jobId: 1, nonce: 0, ntime: 0, version: 0 };
          const frame = encodeMessage("SubmitSharesStandard", share);
          const flood = concat(...Array.from({ length: 20_000 }, () => peer.seal(frame)));
          peer.ignoreAnswers();
          peer.sendRaw(flood);
          await pause(3000);
          // What one read of the socket holds may come at once; then it is 500 a second, however many wait.
          const judged = meter.byLabel("shares_rejected_total")["invalid-channel-id"] ?? 0;
          const inOneRead = Math.ceil(65_536 / (noise ? 62 : 30));
          expect(judged).toBeGreaterThan(100);
          expect(judged).toBeLessThan(2 * inOneRead + 1000 + 500 * 4);
          peer.destroy();
        },
      );
      expect(dropped(pool)).toEqual({});
    });
  }

  test("comes back again and again, with or without a handshake", async () => {
    const pool = await beside("a reconnect storm", { limits: { handshakesPerSecond: 40 } }, async (server) => {
      for (let round = 0; round < 4; round++) {
        const reset = await Promise.all(Array.from({ length: 25 }, () => server.reach()));
        for (const peer of reset) peer.reset();
        const whole = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
        for (const peer of whole) peer.destroy();
      }
    });
    expect(dropped(pool)).not.toHaveProperty("session-failed");
    expect(pool.meter.total("handshakes_total")).toBe(41);
  });

  test("is a Stratum V1 miner or a browser", async () => {
    const pool = await beside("plain text", {}, async ({ reach }) => {
      for (const text of [
        '{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}\n',
        "GET / HTTP/1.1\r\nHost: pool.example.com\r\n\r\n",
      ]) {
        const peer = await reach();
        peer.sendRaw(new TextEncoder().encode(text));
        await peer.closed;
      }
    });
    expect(dropped(pool)).toEqual({ "not-stratum-v2": 2 });
  });

  test("breaks the protocol in every way at once", async () => {
    const pool = await beside("fuzzed frames", { noise: false }, async ({ connect }) => {
      for (let i = 0; i < 200; i++) {
        const peer = await connect();
        if (i % 2 === 0) peer.send("SetupConnection", SETUP_CONNECTION);
        const [type = 0, length = 0] = random.bytes(2);
        peer.ignoreAnswers();
        peer.sendRaw(
          concat(
            encodeFrameHeader({ extensionType: 0, channel: i % 3 === 0, msgType: type % 0x30, length }),
            random.bytes(length),
          ),
        );
        peer.end();
        await peer.closed;
      }
    });
    expect(dropped(pool)).not.toHaveProperty("session-failed");
  });
});
