/** The plugin `rsk` and the embedded RSK node over real sockets: two programs that know nothing of each other but rskj's RPC. */
import { afterEach, describe, expect, test } from "vitest";
import { plugin } from "../../plugins/rsk/index.ts";
import { systemClock } from "../../src/app/system.ts";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { meetsTarget } from "../../src/bitcoin/target.ts";
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import type { RskDaemonOptions } from "../../src/devnet/rsk/options.ts";
import { concat, fromHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import type { BlockStatus, Host, Proof, SubmittedBlock } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";

const MINER = `0x${"5a".repeat(20)}`;
const MATURITY = 10;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function setUp(nodeOptions: RskDaemonOptions = {}, table: object = {}) {
  const node = new RskDaemon(
    { clock: systemClock, random: seededRandom(5), log: silentLog },
    { wsPort: 0, miner: MINER, maturity: MATURITY, feeWei: 5_000_000_000_000n, ...nodeOptions },
  );
  await node.start(new AbortController().signal);
  ends.push(() => node.stop());
  const stop = new AbortController();
  const offers: (AuxWork | undefined)[] = [];
  const troubles: (string | undefined)[] = [];
  const host: Host = {
    chain: "rsk",
    folder: "/",
    signal: stop.signal,
    log: silentLog,
    clock: systemClock,
    meter: { count() {}, gauge() {}, daemon() {} },
    offer: (work) => void offers.push(work),
    trouble: (sentence) => void troubles.push(sentence),
  };
  const daemons = [{ url: node.url, ws: node.wsUrl, rpc_timeout_s: 2 }];
  const chain = plugin.open(plugin.config.parse({ daemons, maturity: MATURITY, poll_s: 60, ...table }), host);
  ends.push(async () => {
    stop.abort(new Error("the test is over"));
    await chain.stop();
  });
  await chain.start();
  await until("the first work", () => offers.length > 0);
  const newest = (): AuxWork => {
    const work = offers.at(-1);
    if (work === undefined) throw new Error(`no work: ${troubles.at(-1)}`);
    return work;
  };
  /** A parent block with the coinbase and four others, ground until it meets the work's target. */
  const solve = (work: AuxWork = newest()): Proof => {
    const { script } = chain.commit(work) as { script: Uint8Array };
    const input = fromHex(`0100000001${"00".repeat(32)}ffffffff08${"02".repeat(8)}ffffffff03`);
    const payout = fromHex(`00f2052a01000000160014${"03".repeat(20)}`);
    const witness = fromHex(`000000000000000026${"6a24aa21a9ed"}${"04".repeat(32)}`);
    const tag = concat(new Uint8Array(8), Uint8Array.of(script.length), script);
    const coinbase = concat(input, payout, tag, witness, new Uint8Array(4));
    const merkleBranch = [1, 2, 3].map((n) => new Uint8Array(32).fill(n));
    const root = merkleBranch.reduce((at, sibling) => sha256d(concat(at, sibling)), sha256d(coinbase));
    for (let nonce = 0; ; nonce += 1) {
      const header = concat(new Uint8Array(36), root, new Uint8Array(8), Uint8Array.of(nonce, nonce >> 8, 0, 0));
      const headerHash = sha256d(header);
      if (!meetsTarget(headerHash, work.target)) continue;
      return { work, header, headerHash, coinbase, merkleBranch, transactionCount: 5, auxpow: undefined };
    }
  };
  const submit = (proof: Proof) => chain.submit(proof, AbortSignal.timeout(5000));
  const won = async (proof: Proof): Promise<SubmittedBlock> => {
    const { verdict, reason, blockHash, height } = await submit(proof);
    expect([verdict, reason]).toEqual(["accepted", expect.stringMatching(/^IMPORTED/)]);
    return { work: proof.work, blockHash: blockHash ?? "", height: height ?? -1 };
  };
  const status = (block: SubmittedBlock): Promise<BlockStatus> => chain.status(block, AbortSignal.timeout(5000));
  const onTip = () => until("work on the new tip", () => offers.at(-1)?.parent === node.chain.tip.hash);
  await onTip();
  return { node, chain, offers, troubles, newest, solve, submit, won, status, onTip };
}

describe("work", () => {
  test("on a new head is offered as soon as the node pushes it, though the node makes it only later", async () => {
    const { node, newest, onTip } = await setUp({ workDelayMs: 120 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = newest();
    const startedMs = performance.now();
    node.mineForeignBlock();
    await onTip();
    // The next poll would be a minute away.
    expect(performance.now() - startedMs).toBeLessThan(2000);
    expect(newest()).toMatchObject({ height: before.height + 1, target: before.target });
    expect(newest().height).toBe(node.chain.tip.number + 1);
  });

  test("of a young chain, whose hashes tell no height, has the right one all the same", async () => {
    const { node, newest } = await setUp({ initialBlocks: 30 });
    expect(newest().height).toBe(node.chain.tip.number + 1);
    expect(newest().height).toBe(31);
  });

  test("is worth the miner's part of the fees of the block, in wei", async () => {
    const { node, newest, offers } = await setUp({}, { poll_s: 0.1 });
    node.addTransaction(7_000_000_000_000n);
    node.refreshWork();
    const before = offers.length;
    await until("another poll", () => offers.length > before + 1);
    expect(newest().value).toBe(5_544_000_000_000n);
  });
});

describe("a solution", () => {
  test("is accepted; again it is a duplicate or forgotten; its block becomes mature and pays what REMASC paid", async () => {
    const { node, chain, solve, submit, won, status, newest } = await setUp({}, { poll_s: 0.1 });
    node.addTransaction(5_000_000_000_000n);
    node.refreshWork();
    await until("work with the fee", () => newest().value === 3_960_000_000_000n);
    const proof = solve();
    expect(chain.verify?.(proof)).toBeUndefined();
    const block = await won(proof);
    expect(block.height).toBe(proof.work.height);
    expect(node.chain.tip.hash).toBe(block.blockHash);
    expect((await submit(proof)).verdict).toMatch(/duplicate|stale/);
    expect(await status(block)).toEqual({ state: "confirmed", confirmations: 1, reward: undefined });
    for (let i = 1; i < MATURITY; i += 1) node.mineForeignBlock();
    expect(await status(block)).toEqual({ state: "confirmed", confirmations: MATURITY, reward: undefined });
    node.mineForeignBlock();
    // 20 % go to RSK Labs, 1 % of the rest to the federation.
    expect(await status(block)).toEqual({ state: "mature", confirmations: MATURITY + 1, reward: 3_960_000_000_000n });
  });

  test("that came second becomes an uncle and is paid less than the block in its place", async () => {
    const { node, solve, won, status } = await setUp();
    for (let i = 0; i < 3; i += 1) node.addTransaction();
    node.refreshWork();
    const proof = solve();
    node.mineForeignBlock();
    node.mineForeignBlock();
    const block = await won(proof);
    expect(node.chain.isActive({ hash: block.blockHash, number: block.height })).toBe(false);
    expect((await status(block)).state).toBe("orphaned");
    node.refreshWork();
    node.mineForeignBlock();
    expect(await status(block)).toMatchObject({ state: "uncle", confirmations: 0 });
    for (let i = 0; i < MATURITY; i += 1) node.mineForeignBlock();
    const { state, reward } = await status(block);
    expect(state).toBe("mature");
    expect(reward).toBeGreaterThan(0n);
  });

  test("is orphaned by a reorganisation", async () => {
    const { node, solve, won, status } = await setUp();
    const block = await won(solve());
    node.mineForeignBlock();
    expect((await status(block)).state).toBe("confirmed");
    node.reorg(2);
    expect((await status(block)).state).toMatch(/orphaned|uncle/);
  });

  test("for work of before the node's restart is stale", async () => {
    const { node, solve, submit } = await setUp();
    const proof = solve();
    await node.stop();
    await expect(submit(proof)).rejects.toMatchObject({ code: "node-refused" });
    node.mineForeignBlock();
    await node.start(new AbortController().signal);
    expect(await submit(proof)).toMatchObject({ verdict: "stale" });
  });

  test("with a broken merkle branch is refused by the node as by our own check", async () => {
    const { chain, solve, submit } = await setUp();
    const proof = solve();
    const broken = { ...proof, merkleBranch: [...proof.merkleBranch].reverse() };
    expect(chain.verify?.(broken)).toBe("merkle_root");
    expect(await submit(broken)).toMatchObject({
      verdict: "rejected",
      reason: expect.stringContaining("Invalid block"),
    });
  });

  test("that comes too soon after another is kept by the configured interval", async () => {
    const { solve, submit, newest } = await setUp({ rateLimitMs: 300 }, { submit_interval_ms: 320 });
    const proof = solve(newest());
    const outcomes = await Promise.all([submit(proof), submit(proof), submit(proof)]);
    expect(outcomes[0]?.verdict).toBe("accepted");
    expect(outcomes.map(({ verdict }) => verdict)).not.toContain("rejected");
  });

  test("that the node refuses for its rate is no final word", async () => {
    const { solve, submit } = await setUp({ rateLimitMs: 60_000 });
    const proof = solve();
    await submit(proof);
    await expect(submit(proof)).rejects.toThrow("rate limit");
  });
});
