/**
 * Solo mining by user identity with the built program: SRI's scenarios of `pool_solo_mining.rs`, each driven to a block that a node
 * accepts and reads back.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { parseBlock } from "../../src/bitcoin/block.ts";
import { subsidy } from "../../src/bitcoin/coinbase.ts";
import { headerHash } from "../../src/bitcoin/header.ts";
import { NETWORKS } from "../../src/bitcoin/network.ts";
import { equal, fromHex, toDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import { askHttp } from "../support/ask-rpc.ts";
import { bits, MergeWorld, namecoinTable } from "../support/merge-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { EASIEST_TARGET, type MockMiner } from "../support/mock-miner.ts";
import { until } from "../support/until.ts";

/** `bitcoin.payout` of the world's configuration. */
const POOL = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const MINER = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
const OTHER = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";
const MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const BLOCK_BITS = 246;

const openWorld = async (more = ""): Promise<MergeWorld> =>
  await MergeWorld.open({
    bitcoinBits: BLOCK_BITS,
    channelBits: 250,
    bitcoin: 'coinbase_pays = "identity"',
    // A block without fees would hide who got them.
    more: `[templates]\nempty_first_job = false\n${more}`,
  });

async function startWorld(more = ""): Promise<MergeWorld> {
  const world = await openWorld(more);
  world.write();
  await world.start();
  return world;
}

/** What a coinbase pays, commitments left out: addresses and values. */
type Paid = readonly (readonly [address: string, value: bigint])[];

/** The coinbase's payout of a block as the node that accepted it tells it. */
async function paidBy(
  { node }: MergeWorld,
  hash: Uint8Array,
): Promise<{ readonly paid: Paid; readonly height: number }> {
  const question = { jsonrpc: "1.0", id: 1, method: "getblock", params: [toDisplayHex(hash), 0] };
  const { body } = await askHttp(node.url, JSON.stringify(question), { auth: `${node.user}:${node.password}` });
  const [coinbase] = parseBlock(fromHex(JSON.parse(body).result)).transactions;
  const payouts = coinbase?.outputs.filter(({ script }) => script[0] !== 0x6a) ?? [];
  const named = [POOL, MINER, OTHER].map((address) => [toHex(scriptOfAddress(address, "regtest")), address] as const);
  const addressOf = new Map<string, string>(named);
  return {
    paid: payouts.map(({ script, value }) => [addressOf.get(toHex(script)) ?? toHex(script), value] as const),
    height: node.chain.tip.height,
  };
}

/** Finds and sends a block; resolves once the node has it as its tip, with what it pays. */
async function mineBlock(world: MergeWorld, channel: MockChannel): Promise<{ paid: Paid; value: bigint }> {
  const share = channel.find({ atMost: bits(BLOCK_BITS) });
  channel.submit(share);
  await channel.miner.next("SubmitSharesSuccess");
  const hash = headerHash(share.header);
  await until("the node has the block", () => equal(world.node.chain.tip.hash, hash));
  const { paid, height } = await paidBy(world, hash);
  const value = paid.reduce((sum, [, part]) => sum + part, 0n);
  // All of it: the subsidy and the fees of three transactions at least.
  expect(value).toBeGreaterThan(subsidy(height, NETWORKS.regtest.halvingInterval));
  return { paid, value };
}

/** Takes the job on the new tip that another one's block brought: its own, or its group's. */
async function follow(channel: MockChannel): Promise<MockChannel> {
  const ours = (id: number): boolean => id === channel.channelId || id === channel.groupChannelId;
  for (;;) {
    const fields = await channel.miner.next("NewExtendedMiningJob");
    if (!ours(fields.channelId)) continue;
    channel.job = { kind: "extended", fields };
    if (fields.minNtime !== null) continue;
    channel.prevHash = await channel.miner.next("SetNewPrevHash");
    return channel;
  }
}

async function refused(miner: MockMiner, userIdentity: string): Promise<void> {
  const request = { requestId: 7, userIdentity, nominalHashRate: 1000, maxTarget: EASIEST_TARGET };
  miner.send("OpenExtendedMiningChannel", { ...request, minExtranonceSize: 8 });
  expect(await miner.next("OpenMiningChannelError")).toEqual({ requestId: 7, errorCode: "invalid-user-identity" });
  miner.send("OpenStandardMiningChannel", request);
  expect(await miner.next("OpenMiningChannelError")).toEqual({ requestId: 7, errorCode: "invalid-user-identity" });
}

describe("an identity that nobody can be paid by is refused, and the connection goes on", () => {
  test.each([
    ["pool_solo_mining_invalid_payout_address", "sri/solo/tb1qbalieiro/worker.1"],
    ["pool_solo_mining_wrong_user_identity", "sri/worker.1"],
    ["an address of another network", `${MAINNET}.worker`],
    ["a donation out of range", `sri/donate/100/${MINER}/worker.1`],
  ])("%s", async (_name, identity) => {
    const world = await startWorld();
    const miner = await world.miner();
    await refused(miner, identity);
    await miner.openStandard({ userIdentity: "worker.1" });
  });
});

/** SRI's scenarios that open a channel: whom the value is paid to, by whole percent of the pool's part. */
const SCENARIOS = [
  ["pool_solo_mining_random_user_identity", "cool_miner/worker.1", [[POOL, 100n]]],
  ["pool_solo_mining_legacy_pattern", MINER, [[MINER, 0n]]],
  ["the same with a worker", `${MINER}.worker.1`, [[MINER, 0n]]],
  ["pool_solo_mining_solo_pattern", `sri/solo/${MINER}/worker.1`, [[MINER, 0n]]],
  ["pool_solo_mining_full_donate", "sri/donate/worker.1", [[POOL, 100n]]],
  ["pool_solo_mining_full_donate_no_worker_name", "sri/donate", [[POOL, 100n]]],
  [
    "pool_solo_mining_partial_donation",
    `sri/donate/10/${MINER}/worker.1`,
    [
      [POOL, 10n],
      [MINER, 10n],
    ],
  ],
] as const;

describe.each(["extended", "standard"] as const)("%s channels: blocks that the node accepted pay", (kind) => {
  test.each(SCENARIOS)("%s", async (_name, userIdentity, expected) => {
    const world = await startWorld();
    const miner = await world.miner();
    const open = () =>
      kind === "extended"
        ? MockChannel.extended(miner, { userIdentity })
        : MockChannel.standard(miner, { userIdentity });
    const channel = await open();
    const parts = (value: bigint): Paid =>
      expected.map(([address, percent]) => {
        const pools = (value * percent) / 100n;
        return [address, address === POOL ? pools : value - pools];
      });
    // On the job of its own that a channel begins with, then on its group's.
    const first = await mineBlock(world, channel);
    expect(first.paid).toEqual(parts(first.value));
    const second = await mineBlock(world, await follow(channel));
    expect(second.paid).toEqual(parts(second.value));
    expect(await world.end()).toBe(0);
  });
});

test("two channels of one connection are paid differently, and each gets its own work after every block", async () => {
  const world = await startWorld();
  const miner = await world.miner();
  const alice = await MockChannel.extended(miner, { userIdentity: `${MINER}.1` });
  const bob = await MockChannel.standard(miner, { userIdentity: `sri/donate/25/${OTHER}/rig` });
  const pools = await MockChannel.extended(miner, { userIdentity: "carol" });
  expect(new Set([alice, bob, pools].map(({ groupChannelId }) => groupChannelId)).size).toBe(3);
  const first = await mineBlock(world, alice);
  expect(first.paid).toEqual([[MINER, first.value]]);
  // Groups are served in the order in which their first channels opened, the pool's before them.
  for (const channel of [pools, alice, bob]) await follow(channel);
  const second = await mineBlock(world, bob);
  const part = second.value / 4n;
  expect(second.paid).toEqual([
    [POOL, part],
    [OTHER, second.value - part],
  ]);
  for (const channel of [pools, alice, bob]) await follow(channel);
  const third = await mineBlock(world, pools);
  expect(third.paid).toEqual([[POOL, third.value]]);
  expect(await world.end()).toBe(0);
  // The journal says who was paid what.
  const folder = join(world.folder, "data/blocks");
  const files = readdirSync(folder).sort();
  const told = files.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
  expect(told.map(({ reward, finderReward, finderAddress }) => [reward, finderReward, finderAddress])).toEqual([
    ["0", String(first.value), MINER],
    [String(part), String(second.value - part), OTHER],
    [String(third.value), "0", null],
  ]);
});

test("a merge-mined block that a solo channel finds is accepted, and the Bitcoin block beside it pays the miner", async () => {
  const world = await openWorld();
  const namecoin = await world.namecoin(250);
  world.write(namecoinTable(namecoin));
  await world.start();
  await world.mined("namecoin");
  const before = namecoin.chain.tip.height;
  const channel = await MockChannel.extended(await world.miner(), { userIdentity: `sri/donate/1/${MINER}/rig` });
  const { paid, value } = await mineBlock(world, channel);
  expect(paid).toEqual([
    [POOL, value / 100n],
    [MINER, value - value / 100n],
  ]);
  await world.until("Namecoin took its block", "namecoin", ({ mining }) => mining?.answers.accepted === 1);
  expect(namecoin.chain.tip.height).toBe(before + 1);
  // The proof that Namecoin keeps holds the coinbase that pays the miner.
  const proof = toHex(namecoin.chain.tip.auxpow ?? new Uint8Array(0));
  expect(proof).toContain(toHex(scriptOfAddress(MINER, "regtest")));
  expect(await world.end()).toBe(0);
});

describe("access.policy still decides who may mine", () => {
  test("payout_address: whoever names an address", async () => {
    const world = await startWorld('[access]\npolicy = "payout_address"');
    const miner = await world.miner();
    await refused(miner, "carol");
    await refused(miner, "sri/donate");
    await miner.openStandard({ userIdentity: `sri/solo/${MINER}/rig` });
    await miner.openStandard({ userIdentity: `${MINER}.rig` });
  });

  test("allow_list: whoever is listed", async () => {
    const world = await startWorld(`[access]\npolicy = "allow_list"\nallow = ["${MINER}.*"]`);
    const miner = await world.miner();
    await miner.openStandard({ userIdentity: `${MINER}.rig` });
    miner.send("OpenStandardMiningChannel", {
      requestId: 7,
      userIdentity: OTHER,
      nominalHashRate: 1,
      maxTarget: EASIEST_TARGET,
    });
    expect(await miner.next("OpenMiningChannelError")).toEqual({ requestId: 7, errorCode: "unknown-user" });
  });
});

test("unless it is configured, an address is a name, and blocks pay the pool", async () => {
  const world = await MergeWorld.open({ bitcoinBits: BLOCK_BITS, channelBits: 250 });
  world.write();
  await world.start();
  const channel = await MockChannel.extended(await world.miner(), { userIdentity: `sri/solo/${MINER}/worker.1` });
  const { paid, value } = await mineBlock(world, channel);
  expect(paid).toEqual([[POOL, value]]);
});
