/**
 * SRI's translator_sv2 between SV1 miners and our server: extended channels, one for each miner or one for all, extension
 * negotiation (0x0001), workers named in every share (0x0002), version rolling, and a server that is restarted.
 */
import { connect } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemRandom } from "../../src/app/system.ts";
import { addressOfScript, scriptOfAddress } from "../../src/bitcoin/address.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { fromDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import { generateAuthoritySecretKey } from "../../src/sv2/noise/authority-key.ts";
import { Sv1Miner } from "../support/sv1-miner.ts";
import { until as untilWithin } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { TRANSLATOR } from "./foreign/pins.ts";
import { complaints, PAYOUT_ADDRESS, type Pool, type PoolOptions, startNode, startPool } from "./foreign/pool.ts";
import { startTranslator, type Translator, type TranslatorOptions } from "./foreign/translator.ts";

const binary = await foreign(TRANSLATOR);
const WAIT_MS = 200_000;
const until = (what: string, ready: () => boolean): Promise<void> => untilWithin(what, ready, WAIT_MS);
/** The miners' names behind the account that the translator opens its channels for. */
const WORKERS = ["farm.alpha", "farm.beta"];

describe.skipIf(binary === undefined)("SRI's translator_sv2", () => {
  let node: DevnetNode;
  const cleanups: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    node = await startNode(1.5e6);
    return () => node.stop();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  const serve = async (options?: PoolOptions): Promise<Pool> => {
    const pool = await startPool(node, options);
    cleanups.push(() => pool.stop());
    return pool;
  };
  const translate = async (pool: Pool, options?: TranslatorOptions): Promise<Translator> => {
    const translator = await startTranslator(binary ?? "", pool, options);
    cleanups.push(() => translator.stop());
    return translator;
  };
  const miner = async (translator: Translator, user: string, options?: { roll: boolean }): Promise<Sv1Miner> => {
    const miner = await Sv1Miner.connect(translator.port, user, options);
    cleanups.push(() => miner.close());
    return miner;
  };
  /** Lets `miners` hash until `done`. */
  const mine = async (miners: readonly Sv1Miner[], what: string, done: () => boolean): Promise<void> => {
    const end = performance.now() + WAIT_MS;
    const over = (): boolean => done() || performance.now() > end;
    await Promise.all(miners.map((each) => each.mineUntil(over)));
    const state = miners.map(({ accepted, refused, jobs }) => ({ accepted, refused, jobs: jobs.length }));
    expect(done(), `it did not come to this: ${what}; the miners: ${JSON.stringify(state)}`).toBe(true);
  };
  /** What may be refused is what was under way when a block came. */
  const expectNoTrouble = (pool: Pool, translator: Translator): void => {
    expect(Object.keys(pool.refused()).filter((code) => code !== "stale-share")).toEqual([]);
    expect(pool.answers.filter(({ answer }) => answer.verdict === "rejected")).toEqual([]);
    expect(complaints(pool).filter((line) => !line.includes("came too late"))).toEqual([]);
    const codes = [...translator.said().matchAll(/error_code=([\w-]+)/g)].map(([, code]) => code);
    expect(codes.filter((code) => code !== "stale-share")).toEqual([]);
    expect(translator.said()).not.toContain("panicked");
  };
  const workers = (pool: Pool): string[] => [...new Set(pool.shares.map(({ userIdentity }) => userIdentity))].sort();
  const channels = (pool: Pool): string[] =>
    pool
      .channels()
      .map(({ kind, userIdentity }) => `${kind} ${userIdentity}`)
      .sort();
  /** A block's hash as SV1 has it: internal order, the bytes of every word reversed. */
  const asSv1 = (key: string): string => toHex(new Uint8Array(Buffer.from(fromDisplayHex(key)).swap32()));

  test("a channel for each miner, workers named in every share, blocks found and passed on", async () => {
    const pool = await serve();
    const translator = await translate(pool, { required: [2] });
    const miners = [await miner(translator, "rig.alpha"), await miner(translator, "rig.beta", { roll: false })];
    await mine(miners, "accepted shares of both", () => WORKERS.every((worker) => pool.accepted(worker) >= 10));
    expect(channels(pool)).toEqual(["extended farm.miner1", "extended farm.miner2"]);
    expect(workers(pool)).toEqual(WORKERS);
    expect(translator.said()).toContain("Extension negotiation success: supported=[2]");

    await mine(miners, "a block", () => pool.blocksInChain().length > 0);
    const tip = (): string => asSv1(node.chain.tip.key);
    await until("work on the block", () => miners.every(({ jobs }) => jobs.at(-1)?.prevHash === tip()));
    for (const { jobs } of miners) expect(jobs.findLast(({ clean }) => clean)?.prevHash).toBe(tip());
    const [found] = pool.answers;
    expect(WORKERS).toContain(found?.block.userIdentity);
    expect(toHex(found?.block.coinbase ?? new Uint8Array())).toContain(
      toHex(scriptOfAddress(PAYOUT_ADDRESS, "regtest")),
    );

    const before = new Map(WORKERS.map((worker) => [worker, pool.accepted(worker)]));
    const more = (worker: string): boolean => pool.accepted(worker) > (before.get(worker) ?? 0);
    await mine(miners, "accepted shares of both on it", () => WORKERS.every(more));
    for (const each of miners) await each.close();
    await until("both channels are closed", () => pool.channels().length === 0);
    for (const { accepted, refused } of miners) {
      expect(accepted).toBeGreaterThan(0);
      expect(refused.filter((error) => !/stale|job/i.test(String(error)))).toEqual([]);
    }
    expectNoTrouble(pool, translator);
  });

  test("one channel for all miners, its claim corrected by UpdateChannel, workers told apart", async () => {
    const pool = await serve();
    const translator = await translate(pool, { aggregate: true, required: [2], vardiff: true });
    const miners = [await miner(translator, "rig.alpha"), await miner(translator, "rig.beta")];
    await mine(miners, "accepted shares of both", () => WORKERS.every((worker) => pool.accepted(worker) >= 5));
    expect(channels(pool)).toEqual(["extended farm.translator-proxy"]);
    expect(workers(pool)).toEqual(WORKERS);
    expect(translator.said()).toContain("Sending UpdateChannel message to upstream");
    expect(translator.said()).toContain("Received: SetTarget(");
    await mine(miners, "a block", () => pool.blocksInChain().length > 0);
    await until("work on the block", () =>
      miners.every(({ jobs }) => jobs.at(-1)?.prevHash === asSv1(node.chain.tip.key)),
    );
    expectNoTrouble(pool, translator);
  });

  test("a stock configuration, which requires no extension, is attributed by channel", async () => {
    const pool = await serve();
    const translator = await translate(pool);
    const alpha = await miner(translator, "rig.alpha");
    await mine([alpha], "accepted shares", () => pool.accepted() >= 10);
    expect(workers(pool)).toEqual(["farm.miner1"]);
    expect(translator.said()).not.toContain("RequestExtensions");
    expectNoTrouble(pool, translator);
  });

  test("a server that requires worker tracking takes a translator that offers it", async () => {
    const pool = await serve({ config: { access: { required_extensions: [1, 2] } } });
    const translator = await translate(pool, { required: [2] });
    const alpha = await miner(translator, "rig.alpha");
    await mine([alpha], "accepted shares", () => pool.accepted("farm.alpha") >= 3);
    expectNoTrouble(pool, translator);
  });

  test("finds the payout address in our coinbase when it is told to look", async () => {
    const pool = await serve({ config: { access: { policy: "payout_address" }, bitcoin: { network: "regtest" } } });
    const translator = await translate(pool, { required: [2], userIdentity: PAYOUT_ADDRESS, verifyPayout: true });
    const alpha = await miner(translator, "rig.alpha");
    await mine([alpha], "accepted shares", () => pool.accepted(`${PAYOUT_ADDRESS}.alpha`) >= 3);
    expect(channels(pool)).toEqual([`extended ${PAYOUT_ADDRESS}.miner1`]);
    expect(translator.said()).toContain("Payout verification enabled");
    expectNoTrouble(pool, translator);
  });

  test("turns away from a server that pays somebody else, when it is told to look", async () => {
    const pool = await serve();
    const other = addressOfScript(Uint8Array.of(0, 20, ...new Uint8Array(20)), "regtest") ?? "";
    const translator = await translate(pool, { userIdentity: other, verifyPayout: true });
    const socket = connect({ host: "127.0.0.1", port: translator.port });
    socket.on("error", () => undefined);
    socket.write('{"id":1,"method":"mining.subscribe","params":["sv1-miner/1"]}\n');
    expect(await translator.process.ended).toBe(1);
    expect(translator.said()).toContain("PayoutVerificationFailed");
    expect(pool.channels()).toEqual([]);
    expect(pool.shares).toEqual([]);
  });

  test("comes back when the server is restarted", async () => {
    const authoritySecretKey = generateAuthoritySecretKey(systemRandom());
    const first = await startPool(node, { authoritySecretKey });
    cleanups.push(() => first.stop());
    const translator = await translate(first, { required: [2], entries: 2 });
    const before = await miner(translator, "rig.alpha");
    await mine([before], "accepted shares", () => first.accepted("farm.alpha") >= 3);
    const listen = `${first.host}:${first.port}`;
    await first.stop();
    await before.closed;

    const second = await serve({ authoritySecretKey, listen });
    await until("the translator listens again", () => translator.said().split("Launching SV1 server").length > 2);
    const after = await miner(translator, "rig.alpha");
    await mine([after], "accepted shares on the second server", () => second.accepted("farm.alpha") >= 3);
    expect(after.jobs.at(-1)?.prevHash).toBe(asSv1(node.chain.tip.key));
    expectNoTrouble(second, translator);
  });
});
