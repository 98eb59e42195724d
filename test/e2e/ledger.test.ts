/**
 * The ledger in the whole program: what miners did and daemons took against what an operator is told, in every report, while the server runs and
 * after it stopped. Numbers come from the miner that counts its shares and from the embedded daemons' chains, never from the ledger itself.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { headerHash } from "../../src/bitcoin/header.ts";
import { equal, toDisplayHex } from "../../src/kernel/bytes.ts";
import { CountingMiner } from "../support/counting-miner.ts";
import { creditOf, mineOn, type OwnBlock, ownBlocks, untilFinal, withLedger } from "../support/ledger-truth.ts";
import { LedgerWorld, WINS, WORK_OF_SHARE } from "../support/ledger-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { NAMECOIN_ADDRESS } from "../support/namecoin.ts";
import { until } from "../support/until.ts";

/** Reports as JSON, the fields that are looked at. */
interface Rewards {
  readonly chains: readonly {
    readonly chain: string;
    readonly found: number;
    readonly states: Readonly<Record<string, number>>;
    readonly rewards: Readonly<Record<string, string>>;
    readonly split: string;
    readonly workersEarned: string;
    readonly operatorEarned: string;
    readonly beneficiaries: readonly { readonly name: string; readonly earned: string; readonly owed: string }[];
    readonly paidByCoinbase: string;
    readonly workersOwed: string;
    readonly operatorOwed: string;
  }[];
}
interface Shares {
  readonly workers: readonly {
    readonly chain: string;
    readonly worker: string;
    readonly earned: string;
    readonly owed: string;
  }[];
}
interface Blocks {
  readonly blocks: readonly {
    readonly chain: string;
    readonly blockHash: string;
    readonly state: string;
    readonly actual: string;
    readonly finder: string;
    readonly paidToFinder: string;
  }[];
}
interface Workers {
  readonly workers: readonly {
    readonly name: string;
    readonly shares: number;
    readonly work: string;
    readonly owed: readonly { readonly chain: string; readonly amount: string }[];
  }[];
}
interface Effort {
  readonly chains: readonly {
    readonly chain: string;
    readonly window: { readonly work: string; readonly found: number; readonly actualReward: string };
  }[];
}
interface Plan {
  readonly total: { readonly units: string };
  readonly payments: readonly {
    readonly address: string;
    readonly accounts: readonly { readonly name: string; readonly units: string }[];
  }[];
  readonly leftOut: readonly { readonly name: string; readonly units: string; readonly reason: string }[];
}

interface Histories {
  readonly histories: readonly { readonly events: readonly { readonly state: string }[] }[];
}

/** Someone who mines for himself. */
const SOLO_ADDRESS = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
const SOLO_SCRIPT = scriptOfAddress(SOLO_ADDRESS, "regtest");
/** The life of a block that nothing happens to. */
const WAY = ["found", "submitting", "accepted", "confirmed", "mature", "distributed"];
const CHAINS = ["bitcoin", "namecoin", "rsk"] as const;
const sum = (amounts: readonly string[]): bigint => amounts.reduce((total, amount) => total + BigInt(amount), 0n);
const worth = (blocks: readonly OwnBlock[]): bigint => blocks.reduce((total, { reward }) => total + reward, 0n);

/** Everything that an operator can ask; what changes with the clock alone is left out. */
async function everyReport(ledger: LedgerWorld) {
  const [rewards, shares, blocks, workers, effort, check, plan] = [
    await ledger.report<Rewards>("rewards"),
    await ledger.report<Shares>("rewards", "--workers"),
    await ledger.report<Blocks>("blocks"),
    await ledger.report<Workers>("workers"),
    await ledger.report<Effort>("effort"),
    await ledger.report<{ ok: boolean }>("ledger", "check"),
    await ledger.run("payout", "--chain", "namecoin", "--format", "json"),
  ];
  return {
    chains: rewards.chains,
    shares: shares.workers,
    blocks: blocks.blocks,
    workers: workers.workers.map(({ name, shares: count, work, owed }) => ({ name, shares: count, work, owed })),
    effort: effort.chains.map(({ chain, window: { work, found, actualReward } }) => ({
      chain,
      work,
      found,
      actualReward,
    })),
    check,
    plan: planOf(plan.out),
  };
}

function planOf(out: readonly string[]): Plan {
  const { total, payments, leftOut } = JSON.parse(out.join("\n")) as Plan;
  return { total, payments, leftOut };
}

test("shares, blocks, rewards and debts of three chains are the miners' and the daemons' own numbers, in every report", {
  timeout: 180_000,
}, async () => {
  const ledger = await LedgerWorld.open();
  const { world } = ledger;
  await world.start();
  await ledger.ready("namecoin", "rsk");
  const alice = await CountingMiner.open(world, { userIdentity: "alice.rig" });
  // As behind a proxy: the share names the worker, the channel the account.
  const bob = await CountingMiner.open(world, { userIdentity: "farm.proxy", worker: "rig7" });
  const both = async (work: (miner: CountingMiner) => Promise<unknown>): Promise<void> => {
    for (const miner of [alice, bob]) await work(miner);
  };
  const onTips = async (...chains: readonly string[]): Promise<void> => {
    await ledger.ready(...chains);
    await both((miner) => miner.follow());
  };

  await onTips("namecoin", "rsk");
  await alice.mine(5, WINS.nothing);
  await bob.mine(3, WINS.nothing);
  await alice.mine(1, WINS.namecoin);
  await onTips("namecoin", "rsk");
  await bob.mine(2, WINS.nothing);
  await bob.mine(1, WINS.namecoinAndRsk);
  await onTips("namecoin", "rsk");
  // In the middle of it one chain rests: shares on the jobs without it, of which the next tip brings the first, do not count for it.
  await world.ask("POST", "/v1/chains/namecoin/disable");
  ledger.rsk.mineForeignBlock();
  await onTips("rsk");
  await alice.mine(4, WINS.nothing);
  await bob.mine(2, WINS.nothing);
  await alice.mine(1, WINS.all);
  await world.ask("POST", "/v1/chains/namecoin/enable");
  await onTips("namecoin", "rsk");
  await bob.mine(1, WINS.namecoin);

  // What each share counts for, exactly
  const identities = { "alice.rig": alice, "farm.rig7": bob };
  const counted = Object.entries(identities).flatMap(([identity, { counted: of }]) =>
    [...of].map(([chains, shares]) => ({ identity, chains, shares, work: BigInt(shares) * WORK_OF_SHARE })),
  );
  expect(alice.counted).toEqual(
    new Map([
      ["namecoin,rsk", 6],
      ["rsk", 5],
    ]),
  );
  expect(bob.counted).toEqual(
    new Map([
      ["namecoin,rsk", 7],
      ["rsk", 2],
    ]),
  );
  await expect.poll(() => creditOf(world), { timeout: 10_000 }).toEqual(counted);

  // From found to distributed
  const counts = (): number[] => CHAINS.map((chain) => ownBlocks(ledger)[chain].length);
  await expect.poll(counts, { timeout: 10_000 }).toEqual([1, 3, 2]);
  mineOne(ledger);
  await ledger.node.generate(1);
  await expect.poll(() => statesOf(ledger), { timeout: 20_000 }).toEqual(new Set(["confirmed"]));
  await mineOn(ledger);
  await untilFinal(world);
  const truth = ownBlocks(ledger);
  expect(counts()).toEqual([1, 3, 2]);
  expect(worth(truth.namecoin)).toBe(3n * 5_000_000_000n);
  expect(worth(truth.rsk)).toBeGreaterThan(0n);

  expect((await ledger.run("payout-address", "set", "alice", NAMECOIN_ADDRESS, "--chain", "namecoin")).code).toBe(0);
  const reports = await everyReport(ledger);
  const { chains, shares, blocks, workers, effort, check, plan } = reports;
  expect(check.ok).toBe(true);
  for (const chain of CHAINS) {
    const own = truth[chain];
    const of = blocks.filter((block) => block.chain === chain);
    expect(of.map(({ blockHash, actual, state }) => [blockHash, actual, state]).sort(), chain).toEqual(
      own.map(({ hash, reward }) => [hash, String(reward), "distributed"]).sort(),
    );
    const rewards = chains.find((each) => each.chain === chain);
    expect(rewards, chain).toMatchObject({
      found: own.length,
      states: { distributed: own.length },
      rewards: { waiting: "0", immature: "0", mature: "0", lost: "0", distributed: String(worth(own)) },
      split: String(worth(own)),
      workersEarned: String(worth(own)),
      workersOwed: String(worth(own)),
    });
    const earned = shares.filter((each) => each.chain === chain);
    expect(sum(earned.map((each) => each.earned)), chain).toBe(worth(own));
    expect(sum(earned.map((each) => each.owed)), chain).toBe(worth(own));
    const owed = workers.flatMap((worker) => worker.owed.filter((each) => each.chain === chain));
    expect(sum(owed.map(({ amount }) => amount)), chain).toBe(worth(own));
    const counting = counted.filter((each) => chain === "bitcoin" || each.chains.split(",").includes(chain));
    expect(
      effort.find((each) => each.chain === chain),
      chain,
    ).toEqual({
      chain,
      work: String(counting.reduce((total, { work }) => total + work, 0n)),
      found: own.length,
      actualReward: String(worth(own)),
    });
  }
  expect(workers.map(({ name, shares: count, work }) => [name, count, work])).toEqual([
    ["alice.rig", 11, String(11n * WORK_OF_SHARE)],
    ["farm.rig7", 9, String(9n * WORK_OF_SHARE)],
  ]);
  // Bob has no address; nobody else is left out, and nothing is left over.
  expect(plan.payments.map(({ address }) => address)).toEqual([NAMECOIN_ADDRESS]);
  expect(plan.payments.flatMap(({ accounts }) => accounts.map(({ name }) => name))).toEqual(["alice.rig"]);
  expect(plan.leftOut.map(({ name, reason }) => [name, reason])).toEqual([["farm.rig7", "no address"]]);
  expect(BigInt(plan.total.units) + sum(plan.leftOut.map(({ units }) => units))).toBe(worth(truth.namecoin));

  // Each block's way in the books and in the log, and nothing that went wrong
  for (const chain of CHAINS) {
    for (const { hash } of truth[chain]) {
      const { histories } = await ledger.report<Histories>("blocks", hash);
      expect(histories[0]?.events.map(({ state }) => state)).toEqual(WAY);
      const told = world.log().filter(({ msg }) => msg.startsWith(`${chain} block ${hash} at height`));
      expect(told.flatMap(({ to }) => (to === undefined ? [] : [to]))).toEqual(["confirmed", "mature"]);
    }
  }
  expect(ledger.said().filter((line) => line === "divided a block's reward")).toHaveLength(6);
  expect(ledger.said(50)).toEqual([]);
  expect(ledger.said()).toContain(`the ledger is ${join(world.folder, "data/ledger.sqlite")}`);
  expect((await world.status()).ledger).toMatchObject({ open: true, unwrittenShares: 0, lostShares: 0 });

  // The same without the server
  expect(await world.end()).toBe(0);
  expect(await everyReport(ledger)).toEqual(reports);
});

test("fees, revenue split and merge-mining fee together: the accounts are what a pencil says", {
  timeout: 120_000,
}, async () => {
  const ledger = await LedgerWorld.open({
    ledger: 'scheme = "proportional"\nfee_percent = 10',
    tables: `[rewards.bitcoin]
scheme = "solo"
fee_percent = 0
[revenue_split]
enabled = true
[stratum_v2.merge_mining_fee]
enabled = true
fee_percentage = 1
commons_address = "${NAMECOIN_ADDRESS}"
`,
  });
  const { world } = ledger;
  await world.start();
  await ledger.ready("namecoin", "rsk");
  const alice = await CountingMiner.open(world, { userIdentity: "alice" });
  const bob = await CountingMiner.open(world, { userIdentity: "bob" });
  await alice.follow();
  await bob.follow();
  await bob.mine(2, WINS.nothing);
  await alice.mine(5, WINS.nothing);
  // One header wins all three; of the eight shares up to it six are Alice's.
  await alice.mine(1, WINS.all);
  await expect
    .poll(() => CHAINS.map((chain) => ownBlocks(ledger)[chain].length), { timeout: 10_000 })
    .toEqual([1, 1, 1]);
  await mineOn(ledger);
  await untilFinal(world);

  const { chains } = await ledger.report<Rewards>("rewards");
  const { workers } = await ledger.report<Shares>("rewards", "--workers");
  const owedOn = (chain: string) => {
    const of = chains.find((each) => each.chain === chain);
    return {
      operator: of?.operatorOwed,
      ...Object.fromEntries(of?.beneficiaries.map(({ name, owed }) => [name, owed]) ?? []),
      ...Object.fromEntries(workers.filter((each) => each.chain === chain).map(({ worker, owed }) => [worker, owed])),
    };
  };
  // 50 NMC: 10 % fee, split 60/25/10/5, 1 % for the commons, of the other 89 % three quarters and one.
  expect(owedOn("namecoin")).toEqual({
    operator: "0",
    core: "300000000",
    grants: "125000000",
    audits: "50000000",
    operations: "25000000",
    commons: "50000000",
    alice: "3337500000",
    bob: "1112500000",
  });
  // Fees of 1,000,000,000,007 wei; RSK Labs takes a fifth, the federation a hundredth of the rest, 792,000,000,006 are paid. Both percentages are rounded
  // down, and of the 704,880,000,006 that are left both workers are half a wei short: it goes to the one with more work.
  expect(owedOn("rsk")).toEqual({
    operator: "0",
    core: "47520000000",
    grants: "19800000000",
    audits: "7920000000",
    operations: "3960000000",
    commons: "7920000000",
    alice: "528660000005",
    bob: "176220000001",
  });
  // Its finder takes all: no fee here, and the merge-mining fee is none of Bitcoin's.
  expect(owedOn("bitcoin")).toEqual({ operator: "0", alice: String(worth(ownBlocks(ledger).bitcoin)) });
  expect((await ledger.report<{ ok: boolean }>("ledger", "check")).ok).toBe(true);
  expect(await world.end()).toBe(0);
});

test("a reward that was divided at its first confirmation is taken back when a reorg orphans the block", {
  timeout: 120_000,
}, async () => {
  const ledger = await LedgerWorld.open({ tables: '[rewards.namecoin]\ndistribute_at = "confirmed"\n' });
  const { world, namecoin } = ledger;
  await world.start();
  await ledger.ready("namecoin", "rsk");
  const alice = await CountingMiner.open(world, { userIdentity: "alice" });
  await alice.follow();
  await alice.mine(1, WINS.namecoin);
  await expect.poll(() => ownBlocks(ledger).namecoin.length, { timeout: 10_000 }).toBe(1);
  const [block] = ownBlocks(ledger).namecoin;
  namecoin.mineForeignBlock();
  await expect.poll(() => ledger.said(), { timeout: 30_000 }).toContain("divided a block's reward");
  const before = (await ledger.report<Rewards>("rewards", "--chain", "namecoin")).chains;
  expect(before).toMatchObject([{ states: { confirmed: 1 }, split: "5000000000", workersOwed: "5000000000" }]);

  namecoin.reorg(2);
  expect(ownBlocks(ledger).namecoin).toEqual([]);
  const reversed = "took back the division of a block's reward: it is an orphan";
  await expect.poll(() => ledger.said(), { timeout: 30_000 }).toContain(reversed);
  const after = (await ledger.report<Rewards>("rewards", "--chain", "namecoin")).chains;
  expect(after).toMatchObject([
    { states: { orphaned: 1 }, rewards: { lost: "5000000000" }, split: "0", workersEarned: "0", workersOwed: "0" },
  ]);
  expect((await ledger.report<Shares>("rewards", "--worker", "alice")).workers).toMatchObject([
    { chain: "namecoin", earned: "5000000000", reversed: "5000000000", owed: "0" },
  ]);
  const plan = await ledger.run("payout", "--chain", "namecoin", "--format", "json");
  expect(planOf(plan.out)).toMatchObject({ total: { units: "0" }, payments: [], leftOut: [] });
  expect((await ledger.report<{ ok: boolean }>("ledger", "check")).ok).toBe(true);
  expect(ledger.said(40).some((line) => line.startsWith(`namecoin block ${block?.hash} at height`))).toBe(true);
  expect(await world.end()).toBe(0);
});

test("a block whose coinbase paid its finder is followed to its end, and nothing is owed for it", {
  timeout: 120_000,
}, async () => {
  const ledger = await LedgerWorld.open({ bitcoin: 'coinbase_pays = "identity"' });
  const { world, node } = ledger;
  await world.start();
  await ledger.ready("namecoin", "rsk");
  const channel = await MockChannel.extended(await world.miner(), { userIdentity: `${SOLO_ADDRESS}.rig` });
  const share = channel.find(WINS.all);
  channel.submit(share);
  await channel.miner.next("SubmitSharesSuccess");
  const hash = headerHash(share.header);
  await until("all daemons have the block", () => {
    const own = ownBlocks(ledger);
    return equal(node.chain.tip.hash, hash) && own.namecoin.length === 1 && own.rsk.length === 1;
  });
  const paid = (node.chain.tip.data?.txs[0]?.tx.outputs ?? []).filter(({ script }) => equal(script, SOLO_SCRIPT));
  const value = paid.reduce((total, { value: each }) => total + each, 0n);
  expect(value).toBeGreaterThanOrEqual(5_000_000_000n);
  await mineOn(ledger);
  await untilFinal(world);

  const { blocks } = await ledger.report<Blocks>("blocks", "--chain", "bitcoin");
  expect(blocks).toMatchObject([
    { state: "distributed", blockHash: toDisplayHex(hash), actual: String(value), paidToFinder: String(value) },
  ]);
  const { chains } = await ledger.report<Rewards>("rewards", "--chain", "bitcoin");
  expect(chains).toMatchObject([
    { paidByCoinbase: String(value), workersOwed: "0", operatorOwed: "0", rewards: { distributed: String(value) } },
  ]);
  // The same header's other blocks pay the pool, which owes them.
  const others = await ledger.report<Rewards>("rewards", "--chain", "namecoin");
  expect(others.chains).toMatchObject([{ workersOwed: "5000000000" }]);
  expect((await ledger.report<{ ok: boolean }>("ledger", "check")).ok).toBe(true);
  expect(await world.end()).toBe(0);
});

/** A block of others on every chain but Bitcoin. */
function mineOne({ namecoin, rsk }: LedgerWorld): void {
  namecoin.mineForeignBlock();
  rsk.mineForeignBlock();
}

/** States that blocks of the ledger are in. */
async function statesOf({ world }: LedgerWorld): Promise<Set<string>> {
  const rows = await withLedger(world, ({ db }) => db.selectFrom("blocks").select("state").execute());
  return new Set(rows.map(({ state }) => state));
}
