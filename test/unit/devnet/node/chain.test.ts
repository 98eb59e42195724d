/** Chain state: real blocks of Core, reorgs with their events and coins, invalidateblock, proposals, bounds. */
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../../src/bitcoin/block.ts";
import { readHeightPush } from "../../../../src/bitcoin/coinbase.ts";
import { blockData, decodeBlock, withCoinbaseWitness } from "../../../../src/devnet/node/block-data.ts";
import { type BlockNode, medianTimePast } from "../../../../src/devnet/node/block-index.ts";
import type { Chain } from "../../../../src/devnet/node/chain.ts";
import { CoinSet } from "../../../../src/devnet/node/coins.ts";
import { REGTEST_GENESIS } from "../../../../src/devnet/node/genesis.ts";
import { checkBlock, checkBlockAtHeight } from "../../../../src/devnet/node/validation.ts";
import { fromHex } from "../../../../src/kernel/bytes.ts";
import { draft, finish, spendCoinbase } from "../../../support/block-draft.ts";
import { devnet } from "../../../support/devnet.ts";
import vectors from "../../../vectors/bitcoin-blocks.json" with { type: "json" };

const EASY = 2n ** 255n - 1n;

describe("blocks that Bitcoin Core accepted", () => {
  const real = vectors.blocks.filter(({ source }) => source.includes("Bitcoin Core 31.1"));

  test.each(real)("$source: $hash pass every check that needs no coins", ({ hex, hash }) => {
    const data = decodeBlock(fromHex(hex));
    expect(data.key).toBe(hash);
    expect(checkBlock(data, { powLimit: EASY, proofOfWork: true })).toBeUndefined();
    const height = readHeightPush(data.txs[0]!.tx.inputs[0]!.script)!;
    expect(checkBlockAtHeight(data, height, data.block.header.time)).toBeUndefined();
    expect(checkBlockAtHeight(data, height + 1, data.block.header.time)?.reason).toBe("bad-cb-height");
  });

  test("there are some", () => expect(real.length).toBeGreaterThanOrEqual(2));

  test("the first block is regtest's", () => {
    expect(blockData(parseBlock(REGTEST_GENESIS)).key).toBe(
      "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    );
  });
});

/** Names of what happens to the active chain. */
function watch(chain: Chain): string[] {
  const seen: string[] = [];
  chain.events.on("connected", ({ node }) => void seen.push(`+${node.height}`));
  chain.events.on("disconnected", ({ node }) => void seen.push(`-${node.height}`));
  chain.events.on("tip", ({ node }) => void seen.push(`tip ${node.height}`));
  return seen;
}

/** A new empty block on `parent`. */
function add({ node, now }: ReturnType<typeof devnet>, parent: BlockNode): BlockNode {
  const data = decodeBlock(finish(draft(node, now(), parent)));
  node.chain.submit(data);
  return node.chain.find(data.key)!;
}

describe("reorg", () => {
  test("the branch with more work wins, one block after the other", () => {
    const net = devnet();
    const { chain } = net;
    const fork = chain.tip;
    const a1 = add(net, fork);
    const a2 = add(net, a1);
    const coinsOnA = chain.coins.size;
    const seen = watch(chain);
    const b1 = add(net, fork);
    const b2 = add(net, b1);
    expect(chain.tip).toBe(a2);
    expect(seen).toEqual([]);
    const b3 = add(net, b2);
    expect(chain.tip).toBe(b3);
    expect(seen).toEqual(["-112", "-111", "+111", "+112", "+113", "tip 113"]);
    expect([chain.at(111), chain.at(112), chain.at(113)]).toEqual([b1, b2, b3]);
    expect(chain.isActive(a1)).toBe(false);
    expect(chain.coins.size).toBe(coinsOnA + 1);
  });

  test("coins go back to what they were", () => {
    const net = devnet();
    const { chain, node, now } = net;
    const fork = chain.tip;
    const coins = new Map(chain.coins.entries());
    const tx = spendCoinbase(node, 1);
    const data = decodeBlock(finish({ ...draft(node, now()), transactions: [tx] }));
    expect(chain.submit(data)).toBeNull();
    expect(new Map(chain.coins.entries())).not.toEqual(coins);
    chain.invalidate(chain.find(data.key)!);
    expect(chain.tip).toBe(fork);
    expect(new Map(chain.coins.entries())).toEqual(coins);
    chain.reconsider(chain.find(data.key)!);
    expect(chain.tip.key).toBe(data.key);
    chain.invalidate(chain.tip);
    expect(new Map(chain.coins.entries())).toEqual(coins);
  });

  test("a branch that turns out invalid leaves the old chain in place, whole", () => {
    const net = devnet();
    const { chain, node, now } = net;
    const fork = chain.tip;
    const a1 = add(net, fork);
    const coins = new Map(chain.coins.entries());
    const greedy = draft(node, now(), fork);
    const outputs = greedy.coinbase.outputs.map((output) => ({ ...output, value: output.value + 1n }));
    const b1 = decodeBlock(finish({ ...greedy, coinbase: { ...greedy.coinbase, outputs } }));
    expect(chain.submit(b1)).toBe("inconclusive");
    const seen = watch(chain);
    const b2 = decodeBlock(finish(draft(node, now(), chain.find(b1.key))));
    expect(chain.submit(b2)).toBe("inconclusive");
    expect(chain.tip).toBe(a1);
    expect(seen).toEqual(["-111", "+111"]);
    expect(new Map(chain.coins.entries())).toEqual(coins);
    expect(chain.submit(b2)).toBe("duplicate-invalid");
  });

  test("a block that came before its parent's content is connected with it", () => {
    const net = devnet();
    const { chain, node, now } = net;
    const parent = { ...draft(node, now()), transactions: [spendCoinbase(node, 1)] };
    const good = finish(parent);
    const tampered = Uint8Array.from(good);
    tampered[tampered.length - 5] = 0x52;
    expect(chain.submit(decodeBlock(tampered))).toBe("bad-witness-merkle-match");
    const header = chain.find(decodeBlock(good).key)!;
    const child = decodeBlock(finish(draft(node, now(), header)));
    expect(chain.submit(child)).toBe("inconclusive");
    expect(chain.submit(decodeBlock(good))).toBeNull();
    expect(chain.tip.key).toBe(child.key);
  });
});

describe("invalidateblock and reconsiderblock", () => {
  test("take a part of the chain away and bring it back", () => {
    const net = devnet();
    const { chain } = net;
    const old = chain.tip;
    const low = chain.at(105)!;
    const seen = watch(chain);
    chain.invalidate(low);
    expect(chain.tip.height).toBe(104);
    expect(seen).toEqual(["-110", "-109", "-108", "-107", "-106", "-105", "tip 104"]);
    expect(chain.submit(old.data!)).toBe("duplicate-invalid");
    expect(chain.submit(decodeBlock(finish(draft(net.node, net.now(), old))))).toBe("bad-prevblk");
    const other = add(net, chain.tip);
    expect(chain.tip).toBe(other);
    chain.reconsider(low);
    expect(chain.tip).toBe(old);
    expect(old.failed).toBe(false);
  });

  test("the next best branch takes over", () => {
    const net = devnet();
    const { chain } = net;
    const fork = chain.tip;
    const a1 = add(net, fork);
    const b1 = add(net, fork);
    expect(chain.tip).toBe(a1);
    chain.invalidate(a1);
    expect(chain.tip).toBe(b1);
    chain.invalidate(b1);
    expect(chain.tip).toBe(fork);
    chain.reconsider(a1);
    chain.reconsider(b1);
    expect(chain.tip).toBe(a1);
  });
});

describe("proposals (BIP23)", () => {
  test("are judged without proof of work and change nothing", () => {
    const { chain, node, now } = devnet();
    const propose = (bytes: Uint8Array): string | null => chain.propose(decodeBlock(bytes));
    const base = draft(node, now());
    const coins = new Map(chain.coins.entries());
    const tip = chain.tip;
    expect(propose(finish(base, { solved: false }))).toBeNull();
    expect(propose(finish({ ...base, transactions: [spendCoinbase(node, 1)] }, { solved: false }))).toBeNull();
    const outputs = base.coinbase.outputs.map((output) => ({ ...output, value: output.value + 1n }));
    expect(propose(finish({ ...base, coinbase: { ...base.coinbase, outputs } }))).toBe("bad-cb-amount");
    expect(propose(finish(draft(node, now(), tip.prev)))).toBe("inconclusive-not-best-prevblk");
    expect(propose(finish({ ...base, header: { ...base.header, time: 1 } }))).toBe("time-too-old");
    expect(chain.propose(tip.data!)).toBe("duplicate");
    expect(chain.tip).toBe(tip);
    expect(new Map(chain.coins.entries())).toEqual(coins);
  });
});

describe("rules that no block can reach here", () => {
  test("an output that exists already may not be made again (BIP30)", () => {
    const coins = new CoinSet();
    const context = { height: 1, halvingInterval: 150, medianTimePast: 0, medianTimeBefore: () => 0 };
    const genesis = decodeBlock(REGTEST_GENESIS);
    expect(coins.connect(genesis, context)).toHaveProperty("undo");
    expect(coins.connect(genesis, context)).toMatchObject({ refusal: { reason: "bad-txns-BIP30" } });
    expect(coins.size).toBe(1);
  });

  test("the median of fewer than eleven times", () => {
    const { chain } = devnet();
    expect(medianTimePast(chain.at(0)!)).toBe(1296688602);
    expect(medianTimePast(chain.at(2)!)).toBe(chain.at(1)!.header.time);
    expect(medianTimePast(chain.at(50)!)).toBe(chain.at(45)!.header.time);
  });
});

describe("bounds", () => {
  test("content of old blocks is forgotten, their headers are not", () => {
    const net = devnet({ initialBlocks: 150, blocksKept: 110 });
    const { chain } = net;
    const kept = Array.from({ length: 151 }, (_, height) => chain.at(height)!).filter(
      (node) => node.data !== undefined,
    );
    expect(kept.length).toBe(110);
    expect(kept[0]!.height).toBe(41);
    expect(chain.at(1)!.header.time).toBeGreaterThan(0);
    // Too deep to be undone, so its children count as without parent.
    expect(chain.submit(decodeBlock(finish(draft(net.node, net.now(), chain.at(30)))))).toBe("prev-blk-not-found");
  });

  test("content is forgotten when it is too large, but for ten blocks", () => {
    const { chain } = devnet({ bytesKept: 5000 });
    const kept = (): number => chain.tip.height - chain.lowestKept + 1;
    const size = chain.tip.data!.size;
    expect(kept()).toBe(Math.floor(5000 / size));
    expect(chain.at(chain.lowestKept)?.data).toBeDefined();
    expect(chain.at(chain.lowestKept - 1)?.data).toBeUndefined();
    expect(devnet({ bytesKept: 1 }).chain.lowestKept).toBe(101);
  });

  test("a branch from below what is kept never becomes the chain", () => {
    const net = devnet({ bytesKept: 5000 });
    const { chain } = net;
    const fork = chain.at(chain.lowestKept - 1)!;
    let side = add(net, fork);
    for (let i = 0; i < 5; i++) side = add(net, side);
    expect(chain.find(side.key)).toBe(side);
    // The chain moves on and forgets how to go back to the fork; the branch outgrows it nevertheless.
    for (let i = 0; i < 3; i++) add(net, chain.tip);
    const { tip } = chain;
    expect(chain.lowestKept - 1).toBeGreaterThan(fork.height);
    while (side.height <= tip.height) {
      const data = decodeBlock(finish(draft(net.node, net.now(), side)));
      if (chain.submit(data) === "prev-blk-not-found") break;
      side = chain.find(data.key)!;
    }
    expect(chain.tip).toBe(tip);
    expect(side.height).toBeGreaterThan(tip.height);
    expect(chain.submit(decodeBlock(finish(draft(net.node, net.now(), fork))))).toBe("prev-blk-not-found");
  });

  test("blocks outside of the chain are forgotten when there are too many or they are too old", () => {
    const net = devnet({ initialBlocks: 120, blocksKept: 101 });
    const { chain } = net;
    const fork = chain.tip;
    add(net, fork);
    const first = decodeBlock(finish(draft(net.node, net.now(), fork)));
    chain.submit(first);
    for (let i = 0; i < 150; i++) add(net, fork);
    expect(chain.sideBlocks).toBeLessThanOrEqual(101);
    for (let i = 0; i < 110; i++) add(net, chain.tip);
    expect(chain.sideBlocks).toBe(0);
    expect(chain.find(first.key)).toBeUndefined();
  });
});

test("a coinbase that came without its witness gets it, and keeps its hash", () => {
  const { node, now } = devnet();
  const bare = decodeBlock(
    finish(draft(node, now()), {
      late: (tx) => ({ ...tx, inputs: tx.inputs.map((input) => ({ ...input, witness: [] })) }),
    }),
  );
  const filled = withCoinbaseWitness(bare);
  expect(filled.key).toBe(bare.key);
  expect(filled.txs[0]!.txid).toEqual(bare.txs[0]!.txid);
  expect(filled.txs[0]!.tx.inputs[0]!.witness).toEqual([new Uint8Array(32)]);
  expect(withCoinbaseWitness(filled)).toBe(filled);
});
