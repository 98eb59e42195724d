import { describe, expect, test } from "vitest";
import { toDisplayHex } from "../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import { silentMeter } from "../../../../src/kernel/meter.ts";
import type { Template } from "../../../../src/mining/template.ts";
import { blockHeader, blockTemplate } from "../../../../src/node/bitcoind/answers.ts";
import { TemplateFeed, type TemplateFeedOptions } from "../../../../src/node/bitcoind/template-feed.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeNode, hashOf, pass, settle } from "./fakes.ts";

function setting(change: Partial<TemplateFeedOptions> = {}) {
  const clock = new FakeClock();
  const node = new FakeNode({ clock }, { name: "core" });
  const offered: { template: Template; full: boolean }[] = [];
  const outcomes: unknown[] = [];
  const wanted = { now: true };
  let ids = 0;
  const feed = new TemplateFeed(
    {
      rpc: node,
      clock,
      meter: silentMeter,
      header: (hash) => node.call("getblockheader", [hash], blockHeader),
      nextId: (name) => `${name}/${++ids}`,
      offer(template, full) {
        if (wanted.now) offered.push({ template, full });
        return wanted.now;
      },
      outcome: (error) => outcomes.push(error instanceof Fault ? error.code : error),
    },
    {
      network: "regtest",
      source: "bitcoind",
      refreshMs: 30_000,
      askMs: 10_000,
      feeRise: 0.01,
      emptyAfterMs: 50,
      ...change,
    },
  );
  const tip = (): void => feed.onTip({ kind: "zmq", hash: node.tip.hash });
  const shown = () => offered.map(({ template, full }) => `${template.height} ${full ? "full" : "empty"}`);
  return { clock, node, feed, offered, outcomes, wanted, tip, shown };
}

describe("on a new block", () => {
  test("the full template alone is offered when it comes in good time", async () => {
    const { clock, node, feed, tip, shown } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    tip();
    await pass(clock, 1_000);
    expect(shown()).toEqual(["101 full", "102 full"]);
    feed.stop();
    expect(clock.pending).toBe(0);
  });

  test("an empty one stands in after the delay, and the full one takes its place", async () => {
    const { clock, node, feed, tip, shown, offered } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    node.hold("getblocktemplate");
    tip();
    await pass(clock, 49, 7);
    expect(shown()).toEqual(["101 full"]);
    await pass(clock, 1);
    expect(shown()).toEqual(["101 full", "102 empty"]);
    const empty = offered[1]?.template;
    expect(toDisplayHex(empty?.prevHash ?? new Uint8Array())).toBe(node.tip.hash);
    expect([empty?.transactionCount, empty?.coinbaseValue]).toEqual([1, 5_000_000_000n]);
    node.release("getblocktemplate");
    await settle();
    expect(shown()).toEqual(["101 full", "102 empty", "102 full"]);
    expect(new Set(offered.map(({ template }) => template.id)).size).toBe(3);
    feed.stop();
  });

  test("the header is asked for first, because the node builds templates under the same lock", async () => {
    const { clock, node, feed, tip } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    node.hold("getblockheader");
    tip();
    await pass(clock, 15, 5);
    expect(node.calls.slice(1).map(({ method }) => method)).toEqual(["getblockheader"]);
    // But a slow header does not hold up the template.
    await pass(clock, 10, 5);
    expect(node.calls.slice(1).map(({ method }) => method)).toEqual(["getblockheader", "getblocktemplate"]);
    feed.stop();
  });

  test("no empty template is made when that is switched off, without a first full one, or when the target is not known", async () => {
    const off = setting({ emptyAfterMs: undefined });
    off.feed.start(off.node.tip.hash);
    await settle();
    off.node.newBlock();
    off.node.hold("getblocktemplate");
    off.tip();
    await pass(off.clock, 1_000);
    expect(off.shown()).toEqual(["101 full"]);
    expect(off.node.count("getblockheader")).toBe(0);
    off.feed.stop();

    const early = setting();
    early.node.hold("getblocktemplate");
    early.feed.start(early.node.tip.hash);
    early.node.newBlock();
    early.tip();
    await pass(early.clock, 1_000);
    expect(early.shown()).toEqual([]);
    early.feed.stop();

    const testnet = setting({ network: "testnet4" });
    testnet.feed.start(testnet.node.tip.hash);
    await settle();
    testnet.node.newBlock();
    testnet.node.hold("getblocktemplate");
    testnet.tip();
    await pass(testnet.clock, 1_000);
    expect(testnet.shown()).toEqual(["101 full"]);
    testnet.feed.stop();
  });

  test("at a retarget the node is asked for the new target, and an old node is waited for", async () => {
    for (const [answer, expected] of [
      [{ next: { height: 2016, bits: "1f00ffff" } }, ["2015 full", "2016 empty"]],
      [{ next: { height: 2017, bits: "1f00ffff" } }, ["2015 full"]],
      [{}, ["2015 full"]],
    ] as const) {
      const { clock, node, feed, tip, shown, offered } = setting({ network: "mainnet" });
      node.newBlock(2014);
      node.results.set("getmininginfo", () => answer);
      feed.start(node.tip.hash);
      await settle();
      node.newBlock();
      node.hold("getblocktemplate");
      tip();
      await pass(clock, 1_000);
      expect(shown()).toEqual(expected);
      if (expected.length === 2) expect(offered[1]?.template.nBits).toBe(0x1f00ffff);
      feed.stop();
    }
  });

  test("an empty template that was overtaken by another block is not offered", async () => {
    const { clock, node, feed, tip, shown } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    node.hold("getblocktemplate");
    tip();
    await pass(clock, 30, 10);
    node.newBlock();
    tip();
    await pass(clock, 49, 7);
    expect(shown()).toEqual(["101 full"]);
    await pass(clock, 1);
    expect(shown()).toEqual(["101 full", "103 empty"]);
    feed.stop();
  });

  test("nor one whose header came only after the full template, or after another block", async () => {
    const { clock, node, feed, tip, shown } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    const late = node.tip;
    node.hold("getblocktemplate");
    node.hold("getblockheader");
    tip();
    await pass(clock, 200);
    node.release("getblocktemplate");
    await settle();
    expect(shown()).toEqual(["101 full", "102 full"]);
    node.release("getblockheader");
    await settle();
    expect(shown().length).toBe(2);

    node.newBlock();
    node.hold("getblocktemplate");
    node.hold("getblockheader");
    tip();
    await pass(clock, 200);
    node.results.set("getblockheader", () => late);
    const behind = node.held.get("getblockheader")?.[0];
    node.newBlock();
    tip();
    behind?.();
    await settle();
    expect(shown().length).toBe(2);
    feed.stop();
  });

  test("an answer to a question from before the block is not taken for the new work", async () => {
    const { clock, node, feed, tip, shown } = setting({ emptyAfterMs: undefined });
    feed.start(node.tip.hash);
    await settle();
    const old = { ...node.template(), coinbasevalue: 9_000_000_000 };
    node.hold("getblocktemplate");
    await pass(clock, 10_000, 1_000);
    const [answerOld] = node.held.get("getblocktemplate") ?? [];
    node.newBlock();
    tip();
    await settle();
    // The old question is answered with the old block after the notice of the new one.
    node.results.set("getblocktemplate", () => old);
    answerOld?.();
    await settle();
    expect(shown()).toEqual(["101 full"]);
    node.results.clear();
    node.release("getblocktemplate");
    await settle();
    expect(shown()).toEqual(["101 full", "102 full"]);
    feed.stop();
  });

  test("an answer on another block than the notice named, asked for after it, is the node's newest word", async () => {
    const { clock, node, feed, shown } = setting({ emptyAfterMs: undefined });
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    feed.onTip({ kind: "zmq", hash: hashOf("ff") });
    await pass(clock, 100);
    expect(shown()).toEqual(["101 full", "102 full"]);
    feed.stop();
  });

  test("a burst of blocks costs few requests", async () => {
    const { clock, node, feed, tip, shown } = setting();
    feed.start(node.tip.hash);
    await settle();
    const before = node.count("getblocktemplate");
    node.hold("getblocktemplate");
    for (let i = 0; i < 50; i++) {
      node.newBlock();
      tip();
      await pass(clock, 1, 1);
    }
    node.release("getblocktemplate");
    await pass(clock, 500);
    expect(node.count("getblocktemplate") - before).toBeLessThan(6);
    expect(shown().at(-1)).toBe("151 full");
    feed.stop();
  });

  test("a long poll's template is taken without asking again", async () => {
    const { node, feed, shown } = setting();
    feed.start(node.tip.hash);
    await settle();
    node.newBlock();
    feed.onTip({ kind: "longpoll", hash: node.tip.hash, template: blockTemplate.parse(node.template()) });
    await settle();
    expect(shown()).toEqual(["101 full", "102 full"]);
    expect(node.count("getblocktemplate")).toBe(1);
    feed.stop();
  });
});

describe("on the same block", () => {
  test("it is asked for again and again, and offered when it is worth a job", async () => {
    const { clock, node, feed, shown, offered } = setting();
    feed.start(node.tip.hash);
    await pass(clock, 5_000, 500);
    node.fees = 1_000;
    await pass(clock, 20_000, 500);
    expect(node.count("getblocktemplate")).toBe(3);
    expect(shown()).toEqual(["101 full"]);
    await pass(clock, 6_000, 500);
    expect(offered.at(-1)?.template.coinbaseValue).toBe(5_000_001_000n);
    node.fees = 100_000_000;
    await pass(clock, 10_000, 500);
    expect(offered.at(-1)?.template.coinbaseValue).toBe(5_100_000_000n);
    feed.stop();
  });

  test("one that was not wanted is offered again", async () => {
    const { clock, node, feed, wanted, shown } = setting();
    wanted.now = false;
    feed.start(node.tip.hash);
    await settle();
    expect(shown()).toEqual([]);
    wanted.now = true;
    await pass(clock, 10_000, 500);
    expect(shown()).toEqual(["101 full"]);
    feed.stop();
  });
});

describe("trouble", () => {
  test("is reported, and the node is asked again with growing pauses", async () => {
    const { clock, node, feed, outcomes, shown } = setting();
    node.failing.set("getblocktemplate", new Fault("node-busy"));
    feed.start(node.tip.hash);
    await pass(clock, 20_000, 250);
    expect(outcomes).toEqual(Array.from({ length: 8 }, () => "node-busy"));
    node.failing.clear();
    await pass(clock, 5_000, 250);
    expect(outcomes.at(-1)).toBeUndefined();
    expect(shown()).toEqual(["101 full"]);
    feed.stop();
  });

  test("with what is in the template is told by its own fault", async () => {
    const { node, feed, outcomes } = setting();
    node.results.set("getblocktemplate", () => ({ ...node.template(), rules: ["!quantum"] }));
    feed.start(node.tip.hash);
    await settle();
    expect(outcomes).toEqual(["node-rule-unknown"]);
    feed.stop();
  });

  test("after the end nothing is offered or reported any more", async () => {
    const { clock, node, feed, outcomes, shown, tip } = setting();
    node.hold("getblocktemplate");
    feed.start(node.tip.hash);
    await settle();
    feed.stop();
    node.release("getblocktemplate");
    node.newBlock();
    tip();
    await pass(clock, 60_000, 5_000);
    expect([shown(), outcomes, clock.pending]).toEqual([[], [], 0]);
  });
});
