/** A Bitcoin block's place: by Bitcoin Core's recorded answers, and by embedded nodes that reorganise. */
import { describe, expect, test } from "vitest";
import { RpcClient } from "../../../../src/daemon/rpc.ts";
import { DevnetNode } from "../../../../src/devnet/node/node.ts";
import { silentLog } from "../../../../src/kernel/log.ts";
import { BITCOIN_BLOCK_STATUS_DEFAULTS, bitcoinBlockStatus } from "../../../../src/node/bitcoind/block-status.ts";
import { type EmbeddedRpc, rpcOf } from "../../../support/daemon-rpc.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };
import { MemoryFiles } from "./fakes.ts";

const OPTIONS = BITCOIN_BLOCK_STATUS_DEFAULTS;

describe("by Bitcoin Core's answers", () => {
  function alone(
    name: "getblockheader of tip" | "getblockheader unknown hash" | "getblockheader malformed hash",
    hash: string,
  ) {
    const { status, bodyText } = core.answers[name];
    const post = async () => ({ status, text: bodyText, dateMs: undefined });
    const node = new RpcClient(
      { clock: new FakeClock(), files: new MemoryFiles(), http: () => ({ post, close() {} }) },
      { url: "http://core:8332", credentials: { kind: "none" }, timeoutMs: 1000 },
    );
    return bitcoinBlockStatus({ nodes: [node], isTrusted: () => true }, OPTIONS, hash);
  }

  test("the tip has one confirmation, a hash that it does not know is unknown", async () => {
    const hash = "494fc76a2e38e2978e61a85405c67d3c30a8e738798a86479670d373f3aaee69";
    expect(await alone("getblockheader of tip", hash)).toEqual({
      state: "confirmed",
      confirmations: 1,
      reward: undefined,
    });
    expect(await alone("getblockheader unknown hash", "11".repeat(32))).toMatchObject({ state: "unknown" });
  });

  test("an error of another kind is no answer", async () => {
    await expect(alone("getblockheader malformed hash", "xyz")).rejects.toMatchObject({ code: "node-rpc-error" });
  });
});

describe("by nodes", () => {
  async function nodes(count: number) {
    const clock = new FakeClock();
    const all = Array.from({ length: count }, (_, i) => {
      const node = new DevnetNode(
        { clock, random: seededRandom(i + 1), log: silentLog },
        { name: `n${i}`, initialBlocks: 1 },
      );
      node.prepare();
      return node;
    });
    const rpcs = all.map((node) => rpcOf(node));
    const status = (hash: string, isTrusted: (node: string) => boolean = () => true) =>
      bitcoinBlockStatus({ nodes: rpcs, isTrusted }, OPTIONS, hash);
    const down = (rpc: EmbeddedRpc | undefined, isDown = true): void => {
      if (rpc !== undefined) rpc.isDown = isDown;
    };
    return { nodes: all, rpcs, status, down, first: all[0] as DevnetNode, second: all[1] as DevnetNode };
  }

  test("a block is confirmed, orphaned by a reorganisation, confirmed again, and mature with 100 confirmations", async () => {
    const { first, status } = await nodes(1);
    const [hash = ""] = await first.generate(1);
    expect(await status(hash)).toEqual({ state: "confirmed", confirmations: 1, reward: undefined });
    await first.generate(4);
    expect(await status(hash)).toMatchObject({ state: "confirmed", confirmations: 5 });
    await first.call("invalidateblock", [hash]);
    expect(await status(hash)).toEqual({ state: "orphaned", confirmations: 0, reward: undefined });
    await first.call("reconsiderblock", [hash]);
    expect(await status(hash)).toMatchObject({ state: "confirmed", confirmations: 5 });
    await first.generate(94);
    expect(await status(hash)).toMatchObject({ state: "confirmed", confirmations: 99 });
    await first.generate(1);
    expect(await status(hash)).toMatchObject({ state: "mature", confirmations: 100 });
  });

  test("it is in the chain when any node has it there; nodes that lag, are away or on another branch do not take it out", async () => {
    const { first, second, rpcs, status, down } = await nodes(3);
    const [hash = ""] = await first.generate(1);
    expect(await status(hash)).toMatchObject({ state: "confirmed" });
    first.connect(second);
    expect(second.chain.tip.key).toBe(hash);
    await second.call("invalidateblock", [hash]);
    down(rpcs[2]);
    expect(await status(hash)).toMatchObject({ state: "confirmed", confirmations: 1 });
  });

  test("without a node that has it there, a node that is away may be the one: nothing is said", async () => {
    const { first, second, rpcs, status, down } = await nodes(2);
    const [hash = ""] = await first.generate(1);
    down(rpcs[0]);
    await expect(status(hash)).rejects.toMatchObject({ code: "node-refused" });
    down(rpcs[0], false);
    await first.call("invalidateblock", [hash]);
    expect(await status(hash)).toMatchObject({ state: "orphaned" });
    expect(second.chain.find(hash)).toBeUndefined();
  });

  test("only nodes that are trusted are asked, and all where none is", async () => {
    const { first, rpcs, status } = await nodes(2);
    const [hash = ""] = await first.generate(1);
    expect(await status(hash, (node) => node === "n1")).toMatchObject({ state: "unknown" });
    expect(rpcs[0]?.calls).toBe(0);
    expect(await status(hash, () => false)).toMatchObject({ state: "confirmed" });
  });
});
