import { describe, expect, test } from "vitest";
import { heightPush } from "../../../../../src/bitcoin/coinbase.ts";
import { NETWORKS } from "../../../../../src/bitcoin/network.ts";
import { medianTimePast } from "../../../../../src/devnet/node/block-index.ts";
import { equal, toDisplayHex } from "../../../../../src/kernel/bytes.ts";
import { BllvmChain } from "../../../../../src/node/bllvm/rpc/chain.ts";
import { Headers } from "../../../../../src/node/bllvm/rpc/headers.ts";
import { heightOf } from "../../../../../src/node/bllvm/rpc/height.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { FakeBllvm, regtest } from "./fakes.ts";

function setting(initialBlocks = 20) {
  const clock = new FakeClock();
  const devnet = regtest(clock, { initialBlocks });
  const node = new FakeBllvm(devnet);
  const chain = new BllvmChain({ node }, { timeoutMs: 1000 });
  return { devnet, node, chain };
}

describe("the tip", () => {
  test("is the node's, with the median time that the next block must be later than", async () => {
    const { devnet, chain } = setting();
    const { tip } = devnet.chain;
    expect(await chain.tip()).toMatchObject({
      key: tip.key,
      height: 20,
      offset: 0,
      medianTime: medianTimePast(tip),
      isSynced: true,
      network: { name: "regtest" },
    });
  });

  test("costs few requests: thirteen the first time, two for a new block, one for the same", async () => {
    const { devnet, node, chain } = setting();
    await chain.network();
    const from = node.total;
    await chain.tip();
    expect(node.total - from).toBe(12);
    expect(node.requests.get("blockHeader")).toBe(10 + Object.keys(NETWORKS).length);
    await devnet.generate(1);
    const before = node.total;
    await Promise.all([chain.tip(), chain.tip()]);
    // The info twice, the block once.
    expect(node.total - before).toBe(3);
    await chain.tip();
    expect(node.total - before).toBe(4);
  });

  test("may be the genesis block, of which the node has the header alone", async () => {
    const { devnet, chain } = setting(0);
    expect(await chain.tip()).toMatchObject({
      key: devnet.chain.tip.key,
      height: 0,
      medianTime: devnet.chain.tip.header.time,
    });
    await devnet.generate(3);
    expect(await chain.tip()).toMatchObject({ height: 3, offset: 0 });
  });

  test("is asked for again after a failure", async () => {
    const { node, chain } = setting();
    node.turn("down");
    await expect(chain.tip()).rejects.toMatchObject({ code: "bllvm-away" });
    node.turn("up");
    expect(await chain.tip()).toMatchObject({ height: 20 });
  });

  test("that moves while it is looked at is looked at again", async () => {
    const { devnet, node, chain } = setting();
    const old = devnet.chain.tip;
    await devnet.generate(1);
    let reads = 0;
    // The first answer is from before the block.
    node.twists.chainInfo = (info) => (++reads === 1 ? { ...info, tipHash: old.hash, height: 21 } : info);
    expect(await chain.tip()).toMatchObject({ height: 21, key: devnet.chain.tip.key });
  });

  test("remembers a bounded number of headers", async () => {
    const { devnet, node } = setting(600);
    const headers = new Headers({ node }, { timeoutMs: 1000 });
    const { time, ...rest } = devnet.chain.tip.header;
    await headers.below({ ...rest, timestamp: time }, 590);
    expect(headers.size).toBe(512);
  });
});

describe("the height", () => {
  test("is the coinbase's where the node's numbers are one less, as on a data folder without the genesis block", async () => {
    const { devnet, node, chain } = setting();
    node.offset = -1;
    const tip = await chain.tip();
    expect(tip).toMatchObject({ height: 20, offset: -1 });
    expect((await chain.at(7, tip))?.hash).toEqual(devnet.chain.at(7)?.hash);
    expect((await chain.at(0, tip))?.hash).toEqual(devnet.chain.at(0)?.hash);
    expect(await chain.at(21, tip)).toBeUndefined();
  });

  test("is found where ChainInfo alone lags behind", async () => {
    const { node, chain } = setting();
    node.twists.chainInfo = (info) => ({ ...info, height: info.height - 1 });
    expect(await chain.tip()).toMatchObject({ height: 20, offset: 0 });
  });

  test("is found where older blocks are numbered otherwise than newer ones", async () => {
    const { devnet, node, chain } = setting();
    const real = node.blockByHeight.bind(node);
    node.blockByHeight = (number) => real(number < 10 ? number + 1 : number);
    const tip = await chain.tip();
    expect((await chain.at(5, tip))?.hash).toEqual(devnet.chain.at(5)?.hash);
    expect((await chain.at(15, tip))?.hash).toEqual(devnet.chain.at(15)?.hash);
  });

  test.each([
    [-2, "bllvm-height-disputed"],
    [1, "bllvm-chain-incomplete"],
  ])("is refused where the node is off by %d", async (by, code) => {
    const { devnet, node, chain } = setting();
    node.twists.chainInfo = (info) => ({ ...info, height: info.height + by });
    await expect(chain.tip()).rejects.toMatchObject({ code, data: { tip: devnet.chain.tip.key } });
  });

  test("is refused where the coinbase says another one", async () => {
    const { devnet, node, chain } = setting();
    node.twists.block = (block) => ({ ...block, coinbaseScriptSig: heightPush(25) });
    await expect(chain.tip()).rejects.toMatchObject({
      code: "bllvm-height-disputed",
      data: { chainInfoHeight: 20, coinbaseHeight: 25, blockAtThatHeight: devnet.chain.tip.key },
    });
  });

  test("is refused where another block stands there", async () => {
    const { devnet, node, chain } = setting();
    const other = devnet.chain.at(19)?.hash as Uint8Array;
    node.twists.chainInfo = (info) => ({ ...info, tipHash: other });
    // The block before the last is at 19, not at 20.
    await expect(chain.tip()).rejects.toMatchObject({
      code: "bllvm-height-disputed",
      data: { chainInfoHeight: 20, coinbaseHeight: 20, blockAtThatHeight: devnet.chain.tip.key },
    });
  });

  test.each([
    ["mainnet", 900_000, heightPush(900_000), { height: 900_000, offset: 0 }],
    ["mainnet", 899_999, heightPush(900_000), { height: 900_000, offset: -1 }],
    ["mainnet", 900_001, heightPush(900_000), undefined],
    ["mainnet", 900_000, undefined, undefined],
    // Below BIP34 coinbases begin with anything, often the target.
    ["mainnet", 227_930, Uint8Array.of(4, 0xff, 0xff, 0, 0x1d), { height: 227_930, offset: 0 }],
    ["mainnet", 227_931, Uint8Array.of(4, 0xff, 0xff, 0, 0x1d), undefined],
    // As blvm-node's generatetoaddress writes small heights.
    ["regtest", 3, Uint8Array.of(1, 3), { height: 3, offset: 0 }],
    ["regtest", 3, Uint8Array.of(0x53), { height: 3, offset: 0 }],
    ["regtest", 3, Uint8Array.of(0x6a), { height: 3, offset: 0 }],
    ["signet", 3, Uint8Array.of(0x6a), undefined],
  ] as const)("on %s with the number %d and a coinbase", (network, index, script, expected) => {
    expect(heightOf(network, index, script)).toEqual(expected);
  });
});

describe("the network", () => {
  test("is known by the genesis block, or by the one behind it where the numbers are one less", async () => {
    const { node, chain, devnet } = setting();
    expect((await chain.network()).name).toBe("regtest");
    node.offset = -1;
    node.turn("down");
    node.turn("up");
    expect((await chain.network()).name).toBe("regtest");
    expect(equal(devnet.chain.at(1)?.header.prevHash as Uint8Array, NETWORKS.regtest.genesisHash)).toBe(true);
  });

  test("is asked for again behind a broken connection: another node may answer", async () => {
    const { node, chain } = setting();
    await chain.network();
    const before = node.total;
    await chain.network();
    expect(node.total).toBe(before);
    node.turn("down");
    node.turn("up");
    await chain.network();
    expect(node.total).toBeGreaterThan(before);
  });

  test("of another coin is refused", async () => {
    const { node, chain, devnet } = setting();
    const block = devnet.chain.at(9);
    const real = node.blockByHeight.bind(node);
    node.blockByHeight = () => real(9);
    await expect(chain.network()).rejects.toMatchObject({
      code: "bllvm-network-unknown",
      data: { block0: block?.key },
    });
    node.blockByHeight = async () => undefined;
    node.blockHeader = async () => undefined;
    await expect(chain.network()).rejects.toMatchObject({ code: "bllvm-network-unknown", data: { block0: "none" } });
  });
});

describe("headers", () => {
  test("of another hash than the one asked for are refused", async () => {
    const { devnet, node, chain } = setting();
    node.twists.header = (header, { height }) => (height === 15 ? { ...header, nonce: header.nonce ^ 1 } : header);
    await expect(chain.tip()).rejects.toMatchObject({
      code: "bllvm-chain-incomplete",
      data: { header: devnet.chain.at(15)?.key },
    });
  });

  test("that are missing stop the work: the least time cannot be known", async () => {
    const { devnet, node, chain } = setting();
    node.twists.header = (header, { height }) => (height === 12 ? undefined : header);
    await expect(chain.tip()).rejects.toMatchObject({
      code: "bllvm-chain-incomplete",
      data: { header: toDisplayHex(devnet.chain.at(12)?.hash as Uint8Array) },
    });
  });
});
