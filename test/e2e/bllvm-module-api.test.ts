/**
 * The whole server as other modules of a bllvm node see it: events out, the API and the command line, without a socket between. Truth is what the
 * embedded daemons' chains say.
 */
import { expect, test } from "vitest";
import { moduleParts } from "../../src/app/module/module-parts.ts";
import { TOKENS } from "../../src/app/tokens.ts";
import { scriptOfAddress } from "../../src/bitcoin/address.ts";
import { headerHash } from "../../src/bitcoin/header.ts";
import { fromDisplayHex, fromHex, toDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import type { Part } from "../../src/kernel/lifecycle.ts";
import type { BllvmPublishedEvents } from "../../src/node/bllvm/bllvm-node.ts";
import { type ComposedServer, composedServer } from "../support/composed-server.ts";
import { WINS } from "../support/ledger-world.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { findShare, type ToldTemplate } from "../support/module-api-stage.ts";
import { ScriptedBllvmNode } from "../support/scripted-bllvm-node.ts";
import { pause, until } from "../support/until.ts";

interface Rewards {
  readonly rewards: readonly {
    readonly chain_id: string;
    readonly block_hash: string;
    readonly header_hash: string;
    readonly height: number;
    readonly state: string;
    readonly reward: string | null;
    readonly decimals: number;
    readonly finder: string;
  }[];
  readonly next: number | null;
}

/** A server that is a module of a scripted node; the parts are stopped before the server. */
async function asModule(
  changes: Parameters<typeof composedServer>[0] = {},
): Promise<{ server: ComposedServer; node: ScriptedBllvmNode; stop: () => Promise<void> }> {
  const server = await composedServer(changes);
  const node = new ScriptedBllvmNode();
  const { events, parts } = moduleParts(server.running.container, node);
  const running: Part[] = [];
  for (const part of [...events, ...parts]) {
    await part.start(new AbortController().signal);
    running.unshift(part);
  }
  const stop = async (): Promise<void> => {
    for (const part of running) await part.stop();
  };
  return { server, node, stop };
}

const published = <N extends keyof BllvmPublishedEvents>(node: ScriptedBllvmNode, name: N): BllvmPublishedEvents[N][] =>
  node.published.flatMap((each) => (each.name === name ? [each.event as BllvmPublishedEvents[N]] : []));

test("a module mines Namecoin with the server's jobs, and what it wins is the chain's block and in the ledger", async () => {
  const { server, node, stop } = await asModule();
  const { namecoin } = server;
  await server.ready("namecoin", "rsk");
  expect(node.served?.methods).toContain("submit_merge_mining_share");

  const registered = await node.call<{ channel_id: number }>("register_merge_mining_channel", {
    chain_id: "namecoin",
    user_identity: "partner.module",
  });
  const work = async (): Promise<ToldTemplate> => {
    const { channel_id } = registered;
    return (await node.call<{ template: ToldTemplate }>("get_merge_mining_template", { channel_id })).template;
  };
  const told = await work();
  expect(told).toMatchObject({ chain_id: "namecoin", height: namecoin.chain.tip.height + 1, aux_chain_id: 1 });
  // What the daemon's block is called, is what stands in the job.
  const { aux_hash } = told;

  const plain = findShare(told, WINS.nothing);
  expect(await node.call("submit_merge_mining_share", plain.params)).toMatchObject({ ok: true, solved: [] });
  expect(await node.call("submit_merge_mining_share", plain.params)).toMatchObject({
    ok: false,
    error_code: "duplicate-share",
  });
  const before = namecoin.chain.tip.key;
  const winning = findShare(told, WINS.namecoin);
  expect(await node.call("submit_merge_mining_share", winning.params)).toMatchObject({
    ok: true,
    solved: ["namecoin"],
    bitcoin_block: false,
    share_hash: toDisplayHex(headerHash(winning.header)),
  });
  await until("namecoin has the block", () => namecoin.chain.tip.key !== before);
  expect(namecoin.chain.tip.key).toBe(aux_hash);

  // One that is no solution changes nothing on the chain.
  await server.ready("namecoin", "rsk");
  const after = namecoin.chain.tip.key;
  const next = await work();
  await node.call("submit_merge_mining_share", findShare(next, WINS.nothing).params);
  await pause(300);
  expect(namecoin.chain.tip.key).toBe(after);

  // Another header of the same job wins both chains.
  const both = findShare(await work(), WINS.namecoinAndRsk);
  const answer = await node.call<{ solved: string[] }>("submit_merge_mining_share", both.params);
  expect([...answer.solved].sort()).toEqual(["namecoin", "rsk"]);
  await until("namecoin has the second block", () => namecoin.chain.tip.key !== after);

  const byHeader = async (): Promise<Rewards> =>
    await node.call<Rewards>("get_block_merge_mining_rewards", { block_hash: toDisplayHex(both.hash) });
  for (let tries = 0; (await byHeader()).rewards.length < 2 && tries < 100; tries++) await pause(100);
  const { rewards } = await byHeader();
  expect(rewards.map(({ chain_id }) => chain_id).sort()).toEqual(["namecoin", "rsk"]);
  expect(
    rewards.every(({ header_hash, finder }) => header_hash === toDisplayHex(both.hash) && finder === "partner.module"),
  ).toBe(true);

  const first = async (): Promise<Rewards> =>
    await node.call<Rewards>("get_block_merge_mining_rewards", { block_hash: aux_hash });
  for (let tries = 0; (await first()).rewards[0]?.reward === null && tries < 100; tries++) await pause(100);
  const [nmc] = (await first()).rewards;
  // The subsidy of Namecoin's regtest, as its daemon's coinbase pays it.
  expect(nmc).toMatchObject({ chain_id: "namecoin", block_hash: aux_hash, state: "confirmed", decimals: 8 });
  expect(nmc?.reward).toBe("5000000000");
  const page = await node.call<Rewards>("get_block_merge_mining_rewards", { chain: "namecoin", limit: 1 });
  expect(page.rewards).toHaveLength(1);
  const older = await node.call<Rewards>("get_block_merge_mining_rewards", { chain: "namecoin", after: page.next });
  expect(older.rewards.map(({ block_hash }) => block_hash)).toEqual([aux_hash]);
  expect((await node.call<Rewards>("get_block_merge_mining_rewards", { height: 999_999 })).rewards).toEqual([]);

  // The reward was told to the node once, in Namecoin's unit, with the hash in internal byte order.
  await until("both rewards are published", () => published(node, "MergeMiningReward").length >= 2, 20_000);
  const told1 = published(node, "MergeMiningReward").filter(({ blockHash }) => toDisplayHex(blockHash) === aux_hash);
  expect(told1).toEqual([
    { secondaryChain: "namecoin", rewardAmount: 5_000_000_000n, blockHash: fromDisplayHex(aux_hash) },
  ]);
  await stop();
});

test("a Bitcoin block of a module's share is the node's block", async () => {
  const { server, node, stop } = await asModule();
  await server.ready("namecoin", "rsk");
  const { channel_id } = await node.call<{ channel_id: number }>("register_merge_mining_channel", { chain_id: "rsk" });
  const { template } = await node.call<{ template: ToldTemplate }>("get_merge_mining_template", { channel_id });
  expect(template).toMatchObject({ chain_id: "rsk", aux_chain_id: null, commitment: { kind: "output" } });
  const share = findShare(template, WINS.all);
  const answer = await node.call<{ solved: string[] }>("submit_merge_mining_share", share.params);
  expect(answer).toMatchObject({ ok: true, bitcoin_block: true });
  expect([...answer.solved].sort()).toEqual(["namecoin", "rsk"]);
  await until("the node has the block", () => server.node.chain.tip.key === toDisplayHex(share.hash));
  // Its old job is stale now, whoever mines on it.
  await server.ready("namecoin", "rsk");
  const late = await node.call("submit_merge_mining_share", findShare(template, { ...WINS.nothing, fill: 9 }).params);
  expect(late).toMatchObject({ ok: false, error_code: "stale-share" });
  await stop();
});

test("miners' shares and jobs reach the node, and are told by the API and the command line", async () => {
  const { server, node, stop } = await asModule();
  await server.ready("namecoin", "rsk");
  const client = await server.miner();
  const channel = await MockChannel.extended(client, { userIdentity: "alice.rig1" });
  const other = await MockChannel.extended(client, { userIdentity: "bob" });
  const share = channel.find(WINS.nothing);
  channel.submit(share);
  await client.expect("SubmitSharesSuccess");

  await until("the share is published", () => published(node, "ShareSubmitted").length > 0);
  expect(published(node, "ShareSubmitted")[0]).toEqual({
    jobId: String(share.jobId),
    shareHash: headerHash(share.header),
    minerId: "alice.rig1",
  });
  await server.node.generate(1);
  await server.ready("namecoin", "rsk");
  await until("the job is published", () =>
    published(node, "MiningJobCreated").some(({ prevHash }) => toDisplayHex(prevHash) === server.node.chain.tip.key),
  );
  const newest = published(node, "MiningJobCreated").at(-1);
  expect(newest?.height).toBe(server.node.chain.tip.height + 1);

  const { template } = await node.call<{ template: Record<string, unknown> }>("get_template", {});
  expect(template).toMatchObject({
    previousblockhash: server.node.chain.tip.key,
    prev_hash: toHex(fromDisplayHex(server.node.chain.tip.key)),
    height: server.node.chain.tip.height + 1,
    chains: expect.arrayContaining(["namecoin", "rsk"]),
  });
  expect(fromHex(String(template.target))).toHaveLength(32);
  const miners = await node.call("get_connected_miners", { limit: 1 });
  expect(miners).toMatchObject({
    miners: ["alice.rig1"],
    total: 2,
    next_offset: 1,
    channels: [{ channel_id: channel.channelId, accepted_shares: 1 }],
  });
  expect(await node.call("get_connected_miners", { offset: 1 })).toMatchObject({
    miners: ["bob"],
    channels: [{ channel_id: other.channelId }],
  });
  expect(await node.call("get_pool_stats", {})).toMatchObject({
    miner_count: 2,
    accepted_shares: 1,
    rejected_shares: 0,
    status: { channels: 2, chains: expect.arrayContaining([expect.objectContaining({ name: "namecoin" })]) },
  });

  const cli = async (subcommand: string, ...args: string[]) => {
    const answer = await node.invoke({ type: "Cli", subcommand, args });
    if (answer.type !== "Cli") throw new Error(`answered as ${answer.type}`);
    return answer;
  };
  expect((await cli("status")).stdout).toMatch(
    /2 channels, 1 shares accepted.*\njob \d+ at height \d+ with .*namecoin/,
  );
  expect((await cli("miners")).stdout).toMatch(/alice\.rig1.*\nbob/);
  expect((await cli("chains")).stdout).toMatch(/namecoin {2}running {2}height \d+, in the job/);
  expect(await cli("blocks", "--limit", "5")).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await cli("rewards", "chain=namecoin")).toMatchObject({ exitCode: 0, stderr: "" });
  expect(await cli("rewards", "chain=doge")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("knows a chain of that name"),
  });
  await stop();
});

test("where blocks pay identities, a module's channel has a coinbase of its own, and its chains are won with it", async () => {
  const address = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry";
  const { server, node, stop } = await asModule({ bitcoin: { coinbase_pays: "identity" } });
  await server.ready("namecoin", "rsk");
  const { channel_id } = await node.call<{ channel_id: number }>("register_merge_mining_channel", {
    chain_id: "namecoin",
    user_identity: `${address}.module`,
  });
  const { template } = await node.call<{ template: ToldTemplate }>("get_merge_mining_template", { channel_id });
  expect(template.mining.coinbase_suffix).toContain(toHex(scriptOfAddress(address, "regtest")));
  const share = findShare(template, WINS.namecoin);
  expect(await node.call("submit_merge_mining_share", share.params)).toMatchObject({ ok: true, solved: ["namecoin"] });
  await until("namecoin has the block", () => server.namecoin.chain.tip.key === template.aux_hash);
  await stop();
});

test("what the node tells is on the server's bus while the parts run", async () => {
  const { server, node, stop } = await asModule();
  const heard: unknown[] = [];
  server.running.container.resolve(TOKENS.bus).on("ChainTipUpdated", (event) => void heard.push(event));
  const tip = { blockHash: new Uint8Array(32).fill(7), height: 9 };
  node.tell("ChainTipUpdated", tip);
  await stop();
  node.tell("ChainTipUpdated", tip);
  expect(heard).toEqual([tip]);
});
