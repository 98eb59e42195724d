/**
 * Our server between foreign programs: SRI's pool_sv2 above it, and below it our own miners and SRI's translator_sv2 with a
 * Stratum V1 miner. It takes its work from the pool and its shares go there; a block found below becomes one of the node
 * behind the pool.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { parseTransaction } from "../../src/bitcoin/transaction.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { toHex } from "../../src/kernel/bytes.ts";
import { Sv1Miner } from "../support/sv1-miner.ts";
import { until as untilWithin } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { type Miner, startMiner } from "./foreign/miner.ts";
import { type OurServer, type OurServerOptions, startOurServer } from "./foreign/our-server.ts";
import { POOL_SV2, TRANSLATOR } from "./foreign/pins.ts";
import { PAYOUT_ADDRESS, startNode } from "./foreign/pool.ts";
import { type SriPool, startSriPool } from "./foreign/sri-pool.ts";
import { TemplateProvider } from "./foreign/template-provider.ts";
import { startTranslator } from "./foreign/translator.ts";

const poolBinary = await foreign(POOL_SV2);
const translatorBinary = await foreign(TRANSLATOR);
const WAIT_MS = 120_000;
const PAYOUT_SCRIPT = toHex(scriptOfAddress(PAYOUT_ADDRESS, "regtest"));

describe.skipIf(poolBinary === undefined)("our server below SRI's pool_sv2", () => {
  let node: DevnetNode;
  let provider: TemplateProvider;
  let pool: SriPool;
  let cleanups: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    cleanups = [];
    node = await startNode(4e6);
    cleanups.push(() => node.stop());
    provider = await TemplateProvider.start(node);
    cleanups.push(() => provider.stop());
    pool = await startPool();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  const startPool = async (port?: number): Promise<SriPool> => {
    const at = port === undefined ? {} : { port };
    const started = await startSriPool(poolBinary ?? "", provider, { payoutAddress: PAYOUT_ADDRESS, ...at });
    cleanups.push(() => started.stop());
    return started;
  };
  const serve = async (options: Omit<OurServerOptions, "pools"> = {}): Promise<OurServer> => {
    const server = await startOurServer({ ...options, pools: [pool.url] });
    cleanups.push(() => server.stop());
    return server;
  };
  const mine = (server: OurServer, user: string, ...words: readonly string[]): Miner => {
    const miner = startMiner(server.url, user, ...words);
    cleanups.push(() => miner.stop());
    return miner;
  };
  const until = async (what: string, ready: () => boolean): Promise<void> => {
    await untilWithin(what, ready, WAIT_MS);
  };
  const solved = () => provider.solutions.filter(({ verdict }) => verdict === null);
  const hasWorkOnTip = (miner: Miner): boolean => miner.events("newBlock").at(-1)?.prevHash === node.chain.tip.key;
  /**
   * What may be refused is what was under way when a block came, and what a miner found twice: a pool that was killed has
   * forgotten which extranonces it gave and may give the same work again.
   */
  const expectNoTrouble = (...miners: readonly Miner[]): void => {
    for (const miner of miners) {
      const hashes = miner.events("shareFound").map(({ hash }) => hash);
      const refusals = miner.refusals();
      expect(refusals.filter((code) => code !== "duplicate-share")).toEqual([]);
      expect(refusals.length).toBeLessThanOrEqual(hashes.length - new Set(hashes).size);
      expect(miner.events("disconnected")).toEqual([]);
    }
    expect(pool.refused().filter((code) => code !== "stale-share")).toEqual([]);
    const late = ["inconclusive", "duplicate-inconclusive", null];
    expect(
      provider.solutions.map(({ verdict }) => verdict).filter((verdict) => !late.includes(verdict as null)),
    ).toEqual([]);
    expect(pool.said()).not.toContain("panicked");
  };

  test("standard and extended channels: shares go to the pool, blocks to its node", async () => {
    const server = await serve();
    const miners = [mine(server, "farm.alpha"), mine(server, "farm.beta", "--extended")];
    await until("accepted shares of both", () => miners.every((miner) => miner.accepted() >= 5));
    expect(pool.opened()).toEqual(["farm"]);
    await until("two blocks", () => solved().length >= 2);
    const told = () => miners.flatMap((miner) => miner.blocks());
    await until("the miners have told of them", () => solved().every(({ hash }) => told().includes(hash)));
    for (const { hash, coinbase } of solved()) {
      expect(node.chain.find(hash), "it is in the node's chain").toBeDefined();
      expect(toHex(parseTransaction(coinbase).outputs[0]?.script ?? new Uint8Array())).toBe(PAYOUT_SCRIPT);
    }
    await until("work on the newest", () => miners.every(hasWorkOnTip));
    const before = miners.map((miner) => miner.accepted());
    const accepted = pool.accepted();
    await until("more shares of both", () => miners.every((miner, i) => miner.accepted() > (before[i] ?? 0)));
    await until("more shares at the pool", () => pool.accepted() > accepted);
    // Two CPUs: some million hashes a second. A claim of next to nothing would have shares credited as nothing.
    const measured = (rate: number): boolean => rate < 1e9;
    await until("the pool knows how fast they are", () => pool.claimed().some(measured));
    for (const rate of pool.claimed()) expect(rate).toBeGreaterThan(1e5);
    await until("shares at the pool that are no blocks", () => pool.accepted() > provider.solutions.length);
    expectNoTrouble(...miners);
  });

  test("a channel at the pool for each miner", async () => {
    const server = await serve({ channels: "per_miner" });
    const miners = [mine(server, "alpha"), mine(server, "beta", "--extended")];
    await until("accepted shares of both", () => miners.every((miner) => miner.accepted() >= 5));
    expect(pool.opened().sort()).toEqual(["farm.alpha", "farm.beta"]);
    await until("a block of each", () =>
      miners.every((miner) => solved().some(({ hash }) => miner.blocks().includes(hash))),
    );
    await until("work on the newest", () => miners.every(hasWorkOnTip));
    await until("shares at the pool that are no blocks", () => pool.accepted() > provider.solutions.length);
    expectNoTrouble(...miners);
  });

  test("the pool is killed and comes back: nobody below is disconnected", async () => {
    const server = await serve();
    const miners = [mine(server, "farm.alpha"), mine(server, "farm.beta", "--extended")];
    await until("accepted shares of both", () => miners.every((miner) => miner.accepted() >= 1));
    pool.process.kill("SIGKILL");
    await pool.process.ended;
    pool = await startPool(pool.port);
    await until("shares at the pool that came back", () => pool.accepted() >= 5);
    const blocks = solved().length;
    await until("a block there", () => solved().length > blocks);
    await until("work on the newest", () => miners.every(hasWorkOnTip));
    expectNoTrouble(...miners);
  });

  test.skipIf(translatorBinary === undefined)("SRI's translator_sv2 with an SV1 miner below us", async () => {
    const server = await serve();
    const translator = await startTranslator(translatorBinary ?? "", server, { required: [2] });
    cleanups.push(() => translator.stop());
    const miner = await Sv1Miner.connect(translator.port, "rig.alpha");
    cleanups.push(() => miner.close());
    const end = performance.now() + WAIT_MS;
    const done = (): boolean => miner.accepted >= 5 && pool.accepted() >= 5 && solved().length > 0;
    await miner.mineUntil(() => done() || performance.now() > end);
    const state = { accepted: miner.accepted, atThePool: pool.accepted(), solutions: provider.solutions.length };
    expect(done(), JSON.stringify(state)).toBe(true);
    expect(miner.refused.filter((error) => !/stale|job/i.test(String(error)))).toEqual([]);
    expect(translator.said()).not.toContain("panicked");
    expectNoTrouble();
  });
});
