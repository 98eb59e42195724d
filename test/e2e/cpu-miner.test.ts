/** The CPU miner over real sockets and in real threads, against a pool of a few lines. Runs on what `npm run build` made. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { dialTcp } from "../../src/client/dial-tcp.ts";
import { ThreadHasher } from "../../src/devnet/miner/hasher.ts";
import { CpuMiner } from "../../src/devnet/miner/miner.ts";
import type { Work } from "../../src/devnet/miner/work.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { Connection } from "../../src/sv2/connection.ts";
import { authorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { nobleCrypto } from "../../src/sv2/noise/crypto.ts";
import { NoiseResponder } from "../../src/sv2/noise/handshake.ts";
import { StaticIdentity } from "../../src/sv2/noise/static-identity.ts";
import { decodeMessage, encodeMessage, type Fields, type Name } from "../support/messages.ts";

const WORKER = new URL("../../dist/src/devnet/miner/hash-worker.js", import.meta.url);
const SECRET = new Uint8Array(32).fill(5);
const crypto = nobleCrypto();
const random = systemRandom();
const never = new AbortController().signal;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Serves one job to everyone and keeps the shares. */
async function pool(
  target: Uint8Array,
): Promise<{ port: number; shares: Fields<"SubmitSharesExtended">[]; server: Server }> {
  const identity = new StaticIdentity({ crypto, clock: systemClock, random }, { authoritySecretKey: SECRET });
  const shares: Fields<"SubmitSharesExtended">[] = [];
  const serve = (socket: Socket): void => {
    const noise = new NoiseResponder({ crypto, identity, ephemeral: () => crypto.generateKey(random) });
    const connection = new Connection({ noise }, { role: "server", maxFrameSize: 65536 });
    const send = <N extends Name>(name: N, value: Fields<N>): void => {
      socket.write(connection.send(encodeMessage(name, value)));
    };
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Uint8Array) => {
      const frames = connection.receive(bytes);
      for (let act = connection.output(); act !== undefined; act = connection.output()) socket.write(act);
      for (const frame of frames) {
        const message = decodeMessage(frame, "server");
        if (message?.name === "SetupConnection") send("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
        if (message?.name === "SubmitSharesExtended") shares.push(message.value);
        if (message?.name !== "OpenExtendedMiningChannel") continue;
        const { requestId } = message.value;
        const channel = { channelId: 1, groupChannelId: 2, extranoncePrefix: new Uint8Array(4), extranonceSize: 16 };
        send("OpenExtendedMiningChannelSuccess", { requestId, target, ...channel });
        const coinbase = { coinbaseTxPrefix: Uint8Array.of(1), coinbaseTxSuffix: Uint8Array.of(2), merklePath: [] };
        const job = { channelId: 2, jobId: 1, version: 0x20000000, versionRollingAllowed: true, ...coinbase };
        send("NewExtendedMiningJob", { ...job, minNtime: null });
        const block = { prevHash: new Uint8Array(32), minNtime: 1_700_000_000, nbits: 0x207fffff };
        send("SetNewPrevHash", { channelId: 2, jobId: 1, ...block });
      }
    });
  };
  const server = createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, shares, server };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe("the CPU miner", () => {
  test("finds shares in worker threads and sends them over an encrypted socket", async () => {
    const target = new Uint8Array(32).fill(0xff, 0, 30); // one hash in 65,536
    const { port, shares } = await pool(target);
    const options = { maxHashrate: 400_000, maxSolutionsPerSecond: 1000, threads: 2, script: WORKER };
    const miner = new CpuMiner(
      { clock: systemClock, random, log: silentLog, crypto, hasher: new ThreadHasher({}, options) },
      { host: "127.0.0.1", port, authorityPublicKey: authorityPublicKey(SECRET), hashrateIntervalMs: 500 },
    );
    const rates: number[] = [];
    miner.on("hashrate", ({ hashesPerSecond }) => void rates.push(hashesPerSecond));
    await miner.start(never);
    await until(() => shares.length >= 10 && rates.length >= 5);
    await miner.stop();
    expect(miner.counts.sharesFound).toBeGreaterThanOrEqual(10);
    expect(new Set(shares.map(({ nonce }) => nonce)).size).toBe(shares.length);
    expect(shares.some(({ nonce }) => nonce < 2 ** 31) && shares.some(({ nonce }) => nonce >= 2 ** 31)).toBe(true);
    // The limit holds in the long run: what a single interval shows also depends on when this thread came to hear of the hashes before it.
    const later = rates.slice(1);
    expect(later.reduce((sum, rate) => sum + rate, 0) / later.length).toBeLessThan(440_000);
  });

  test("names what refused it", async () => {
    const { port, server } = await pool(new Uint8Array(32));
    await new Promise((resolve) => server.close(resolve));
    const listener = { onData: () => undefined, onClose: () => undefined };
    await expect(dialTcp({ transport: "tcp", host: "127.0.0.1", port, noise: true }, listener, never)).rejects.toThrow(
      /ECONNREFUSED/,
    );
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(
      dialTcp({ transport: "tcp", host: "127.0.0.1", port, noise: true }, listener, stopped),
    ).rejects.toThrow("stopped");
  });
});

describe("hashing threads", () => {
  test("that cannot start say so and leave nothing behind", async () => {
    const limits = { maxHashrate: 1, maxSolutionsPerSecond: 1, threads: 2 };
    const hasher = new ThreadHasher({}, { ...limits, script: new URL("./no-such-file.js", import.meta.url) });
    const listener = { onSolution: () => undefined, onHashes: () => undefined, onFault: () => undefined };
    const failure = await hasher.start(listener).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Fault);
    expect((failure as Fault).code).toBe("hash-thread-failed");
  });

  test("take new work while they search, and rest without any", async () => {
    const limits = { maxHashrate: Number.POSITIVE_INFINITY, maxSolutionsPerSecond: 1_000, threads: 1 };
    const hasher = new ThreadHasher({}, { ...limits, script: WORKER });
    cleanups.push(() => hasher.stop());
    const found = new Map<number, number>();
    let hashes = 0;
    await hasher.start({
      onSolution: ({ workId }) => void found.set(workId, (found.get(workId) ?? 0) + 1),
      onHashes: (count) => {
        hashes += count;
      },
      onFault: (fault) => {
        throw fault;
      },
    });
    const work = (workId: number, easy: boolean): Work => ({
      workId,
      version: 1,
      versionMask: 0,
      prevHash: new Uint8Array(32),
      nbits: 0x1d00ffff,
      minNtime: 1,
      target: new Uint8Array(32).fill(easy ? 0xff : 0),
      root: { kind: "fixed", merkleRoot: new Uint8Array(32) },
    });
    hasher.search(work(1, false));
    await until(() => hashes > 0);
    hasher.search(work(2, true));
    await until(() => (found.get(2) ?? 0) > 3);
    expect(found.has(1)).toBe(false);
    hasher.search(undefined);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { size } = found;
    const before = { hashes, solutions: found.get(2) };
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect({ hashes, solutions: found.get(2) }).toEqual(before);
    expect(size).toBe(1);
  });
});
