/** The follower, the chains' plugins and the embedded daemons over real sockets: reorganisations, uncles, outages and restarts as they come. */
import { describe, expect, onTestFinished, test } from "vitest";
import type { z } from "zod";
import { plugin as namecoinPlugin } from "../../../plugins/namecoin/index.ts";
import { plugin as rskPlugin } from "../../../plugins/rsk/index.ts";
import { systemClock } from "../../../src/app/system.ts";
import { NamecoinDaemon } from "../../../src/devnet/namecoin/daemon.ts";
import { DevnetNode } from "../../../src/devnet/node/node.ts";
import { RskDaemon } from "../../../src/devnet/rsk/daemon.ts";
import { fromHex } from "../../../src/kernel/bytes.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import { BLOCK_FOLLOWER_DEFAULTS, BlockFollower } from "../../../src/ledger/blocks/follower.ts";
import type { BlockStatus, Chain, ChainPlugin, Host, SubmittedBlock } from "../../../src/merge/plugin.ts";
import { BITCOIN_BLOCK_STATUS_DEFAULTS, bitcoinBlockStatus } from "../../../src/node/bitcoind/block-status.ts";
import { rpcOf } from "../../support/daemon-rpc.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";
import { auxAnswer, bitcoinBlock, blockRecords } from "../../support/ledger-blocks.ts";
import { LEDGERS } from "../../support/ledger-store.ts";
import { type AuxBlock, NAMECOIN_ADDRESS, solve } from "../../support/namecoin.ts";
import { partialMerkle, type RskSubmitted, type RskWork, taggedParent } from "../../support/rsk.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const never = new AbortController().signal;
const MATURITY = 10;
const deps = { clock: systemClock, random: seededRandom(7), log: silentLog };

/** A plugin's chain on its daemon. */
async function chainOf<S extends z.ZodType>(plugin: ChainPlugin<S>, table: object): Promise<Chain> {
  const stop = new AbortController();
  const host: Host = {
    chain: plugin.name,
    folder: "/",
    signal: stop.signal,
    log: silentLog,
    clock: systemClock,
    meter: { count() {}, gauge() {}, daemon() {} },
    offer() {},
    trouble() {},
  };
  const chain = plugin.open(plugin.config.parse({ maturity: MATURITY, poll_s: 60, ...table }), host);
  await chain.start();
  onTestFinished(async () => {
    stop.abort(new Error("the test is over"));
    await chain.stop();
  });
  return chain;
}

async function running<D extends { start(signal: AbortSignal): Promise<void>; stop(): Promise<void> }>(daemon: D) {
  await daemon.start(never);
  onTestFinished(() => daemon.stop());
  return daemon;
}

describe.each(LEDGERS)("following embedded daemons on $name", ({ open }) => {
  async function ledger(ask: {
    readonly statusOf?: (block: SubmittedBlock) => Promise<BlockStatus>;
    readonly bitcoinStatus?: (hash: string) => Promise<BlockStatus>;
  }) {
    const store = await open();
    const clock = new FakeClock();
    const recording = blockRecords({ store, clock });
    const { records, access, writes, log } = recording;
    await records.start(never);
    const nobody = async (): Promise<never> => {
      throw new Error("nobody is asked");
    };
    const { statusOf = nobody, bitcoinStatus = nobody } = ask;
    // A new one each time, as after a restart.
    const round = async (): Promise<void> => {
      clock.advance(15_000);
      const follower = new BlockFollower(
        {
          clock,
          log,
          meter: silentMeter,
          ledger: access,
          writes,
          bitcoinStatus,
          statusOf: (_, block) => statusOf(block),
        },
        {
          ...BLOCK_FOLLOWER_DEFAULTS,
          pace: { ...BLOCK_FOLLOWER_DEFAULTS.pace, mostMs: 15_000, matureWatchMs: 60_000 },
        },
      );
      await follower.round();
    };
    const row = () => store.db.selectFrom("blocks").selectAll().executeTakeFirstOrThrow();
    const state = async (): Promise<string> => {
      await round();
      return (await row()).state;
    };
    return { ...recording, round, row, state };
  }

  test("Namecoin: orphaned by a reorganisation, brought back, silent through an outage, mature with its coinbase", async () => {
    const daemon = await running(new NamecoinDaemon(deps, {}));
    // Before the plugin asks for work: namecoind gives a template once more until it is a minute old.
    daemon.chain.addFee(250_000n);
    const { url, user, password } = daemon;
    const chain = await chainOf(namecoinPlugin, {
      payout: NAMECOIN_ADDRESS,
      daemons: [{ url, user, password, notice: "poll" }],
    });
    const { records, row, state, round, changes, rewards } = await ledger({
      statusOf: (block) => chain.status(block, AbortSignal.timeout(5000)),
    });
    const work = (await daemon.call("createauxblock", [NAMECOIN_ADDRESS])) as AuxBlock;
    const { hash, height } = work;
    expect(await daemon.call("submitauxblock", [hash, solve(hash)])).toBe(true);
    const found = foundAux({
      work: {
        id: hash,
        hash: fromHex(hash),
        parent: work.previousblockhash,
        height,
        target: 2n ** 255n - 1n,
        value: 5_000_000_000n,
        details: {},
      },
    });
    records.auxFound(found);
    records.auxAnswered({ found, answer: auxAnswer("accepted", found) });
    await records.settled(never);

    expect(await state()).toBe("confirmed");
    // What the template was said to pay is corrected by what the block pays: its fee came in as well.
    expect(await row()).toMatchObject({ confirmations: 1, expected_lo: 5_000_000_000n, actual_lo: 5_000_250_000n });
    daemon.reorg(1);
    expect(await state()).toBe("orphaned");
    await daemon.crash();
    for (let i = 0; i < 3; i += 1) expect(await state()).toBe("orphaned");
    await daemon.start(never);
    let tip = hash;
    for (let i = 0; i < 2; i += 1) tip = daemon.mineForeignBlock(tip);
    expect(await state()).toBe("confirmed");
    await daemon.crash();
    for (let i = 0; i < 3; i += 1) expect(await state()).toBe("confirmed");
    await daemon.start(never);
    for (let i = 3; i < MATURITY - 1; i += 1) daemon.mineForeignBlock();
    expect(await state()).toBe("confirmed");
    daemon.mineForeignBlock();
    expect(await state()).toBe("mature");
    for (let i = 0; i < 10; i += 1) await round();
    expect(await row()).toMatchObject({ confirmations: MATURITY, next_check_ms: null, uncle: 0 });
    expect(changes.map(({ to }) => to)).toEqual(
      "found submitting accepted confirmed orphaned confirmed mature".split(" "),
    );
    expect(rewards).toMatchObject([{ blockHash: hash, height, rewardAmount: 5_000_250_000n, confirmations: 1 }]);
  });

  async function rskWorld() {
    const node = await running(
      new RskDaemon(deps, { miner: `0x${"5a".repeat(20)}`, maturity: MATURITY, feeWei: 5_000_000_000_000n }),
    );
    const chain = await chainOf(rskPlugin, { daemons: [{ url: node.url, rpc_timeout_s: 2 }] });
    const its = await ledger({ statusOf: (block) => chain.status(block, AbortSignal.timeout(5000)) });
    const work = async () => (await node.call("mnr_getWork")) as RskWork;
    const win = async (solved: RskWork, firstNonce = 0): Promise<RskSubmitted> => {
      const height = node.chain.find(solved.parentBlockHash)?.number ?? -1;
      const parent = taggedParent(solved, { firstNonce });
      const answer = (await node.call("mnr_submitBitcoinBlockPartialMerkle", partialMerkle(parent))) as RskSubmitted;
      const found = foundAux({
        chain: "rsk",
        auxPow: false,
        work: {
          id: solved.blockHashForMergedMining,
          hash: fromHex(solved.blockHashForMergedMining.slice(2)),
          parent: solved.parentBlockHash,
          height: height + 1,
          target: BigInt(solved.target),
          value: BigInt(solved.feesPaidToMiner),
          details: {},
        },
      });
      const { blockHash, blockIncludedHeight } = answer;
      its.records.auxFound(found);
      const named = { blockHash, height: Number(blockIncludedHeight) };
      its.records.auxAnswered({ found, answer: auxAnswer("accepted", found, named) });
      await its.records.settled(never);
      return answer;
    };
    return { ...its, node, work, win };
  }

  test("RSK: confirmed without a word on its pay, mature with what REMASC paid, which corrects what was expected", async () => {
    const { node, work, win, state, row, rewards, changes } = await rskWorld();
    node.addTransaction();
    node.refreshWork();
    await win(await work());
    expect(await state()).toBe("confirmed");
    expect(await row()).toMatchObject({ expected_lo: 5_000_000_000_000n, actual_lo: null });
    for (let i = 1; i < MATURITY; i += 1) node.mineForeignBlock();
    await node.crash();
    expect(await state()).toBe("confirmed");
    await node.start(never);
    expect(await state()).toBe("confirmed");
    expect(rewards).toEqual([]);
    node.mineForeignBlock();
    expect(await state()).toBe("mature");
    expect(await row()).toMatchObject({ actual_lo: 3_960_000_000_000n, confirmations: MATURITY + 1, uncle: 0 });
    expect(rewards).toMatchObject([{ secondaryChain: "rsk", rewardAmount: 3_960_000_000_000n }]);
    expect(changes.at(-1)).toMatchObject({ to: "mature", reward: 3_960_000_000_000n });
  });

  test("RSK: a block that came second becomes an uncle and matures with the uncle's part", async () => {
    const { node, work, win, state, row, rewards, changes } = await rskWorld();
    for (let i = 0; i < 3; i += 1) node.addTransaction();
    node.refreshWork();
    const solved = await work();
    node.mineForeignBlock();
    node.mineForeignBlock();
    await win(solved);
    expect(await state()).toBe("orphaned");
    node.refreshWork();
    node.mineForeignBlock();
    expect(await state()).toBe("uncle");
    await node.crash();
    expect(await state()).toBe("uncle");
    await node.start(never);
    for (let i = 0; i < MATURITY; i += 1) node.mineForeignBlock();
    expect(await state()).toBe("mature");
    const { actual_lo, expected_lo, uncle, confirmations } = await row();
    expect({ uncle, confirmations }).toEqual({ uncle: 1, confirmations: 0 });
    // 79.2 % of 15e12 wei, a tenth for naming the uncle, the rest for two, less 5 % a block of delay.
    expect([expected_lo, actual_lo]).toEqual([15_000_000_000_000n, 5_078_700_000_000n]);
    expect(rewards).toMatchObject([{ rewardAmount: 5_078_700_000_000n, confirmations: 0 }]);
    expect(changes.map(({ to }) => to)).toEqual("found submitting accepted orphaned uncle mature".split(" "));
  });

  test("RSK: two solutions of one work are two blocks, each with its own end", async () => {
    const { node, work, win, round, store } = { ...(await rskWorld()) };
    node.addTransaction();
    node.refreshWork();
    const solved = await work();
    const first = await win(solved);
    const second = await win(solved, 1_000_000);
    expect(first.blockHash).not.toBe(second.blockHash);
    await round();
    const states = async () =>
      (await store.db.selectFrom("blocks").select("state").orderBy("id").execute()).map(({ state }) => state);
    expect(await states()).toEqual(["confirmed", "orphaned"]);
    node.refreshWork();
    node.mineForeignBlock();
    await round();
    expect(await states()).toEqual(["confirmed", "uncle"]);
  });

  test("Bitcoin: one node reorganises, the other keeps the block; it is out when both have left it", async () => {
    const clock = new FakeClock();
    const nodes = ["a", "b"].map((name, i) => {
      const node = new DevnetNode({ clock, random: seededRandom(i), log: silentLog }, { name, initialBlocks: 1 });
      node.prepare();
      return node;
    });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes are needed");
    a.connect(b);
    const rpcs = nodes.map((node) => rpcOf(node));
    const { records, state, row, round } = await ledger({
      bitcoinStatus: (hash) =>
        bitcoinBlockStatus({ nodes: rpcs, isTrusted: () => true }, BITCOIN_BLOCK_STATUS_DEFAULTS, hash),
    });
    const [hash = ""] = await a.generate(1);
    const block = bitcoinBlock(1, { hash: fromHex(hash).reverse() });
    records.bitcoinAnswered(block, { node: "a", verdict: "accepted", reason: "" });
    await records.settled(never);
    expect(await state()).toBe("confirmed");
    await a.call("invalidateblock", [hash]);
    expect(await state()).toBe("confirmed");
    await b.call("invalidateblock", [hash]);
    expect(await state()).toBe("orphaned");
    for (const node of nodes) await node.call("reconsiderblock", [hash]);
    expect(await state()).toBe("confirmed");
    await a.generate(99);
    expect(await state()).toBe("mature");
    await round();
    expect(await row()).toMatchObject({ actual_lo: 312_500_000n, confirmations: 100 });
  });
});
