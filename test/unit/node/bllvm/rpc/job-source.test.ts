/** The job source and the block sink of `bitcoind/` with a Bitcoin Core node in front and the bllvm node behind it. */
import { describe, expect, test } from "vitest";
import type { DevnetNode } from "../../../../../src/devnet/node/node.ts";
import { toDisplayHex } from "../../../../../src/kernel/bytes.ts";
import { Fault } from "../../../../../src/kernel/fault.ts";
import { silentMeter } from "../../../../../src/kernel/meter.ts";
import type { BlockAnswer, TemplateCause } from "../../../../../src/mining/ports.ts";
import type { Template } from "../../../../../src/mining/template.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS } from "../../../../../src/node/bitcoind/job-source.ts";
import { BlockJournal } from "../../../../../src/node/bitcoind/journal.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS } from "../../../../../src/node/bitcoind/submit.ts";
import { rpcOf } from "../../../../support/daemon-rpc.ts";
import type { FakeClock } from "../../../../support/fake-clock.ts";
import { solveTemplate } from "../../../../support/solve-template.ts";
import { MemoryFiles, pass, settle } from "../../bitcoind/fakes.ts";
import { regtest } from "./fakes.ts";
import { type WorldOptions, world } from "./world.ts";

const never = new AbortController().signal;

async function setting(withCore: boolean, choice: WorldOptions = {}, coresOwn?: (clock: FakeClock) => DevnetNode) {
  const all = world(choice);
  const { clock, log, devnet, rpc } = all;
  const stopping = new AbortController();
  const coreChain = coresOwn?.(clock) ?? devnet;
  // A call that waits at the embedded node ends with the test, as with the connection.
  const core = rpcOf({ name: "core", call: (method, params) => coreChain.call(method, params, stopping.signal) });
  const nodes = withCore ? [core, rpc] : [rpc];
  const source = new BitcoindJobSource(
    {
      nodes: nodes.map((node) => ({ rpc: node, isLastResort: node === rpc })),
      clock,
      log,
      meter: silentMeter,
      connect: () => ({ write() {}, destroy() {} }),
    },
    { ...JOB_SOURCE_DEFAULTS, network: "regtest" },
  );
  const sink = new BitcoindBlockSink(
    {
      nodes,
      journal: new BlockJournal({ files: new MemoryFiles() }, { folder: "j", keep: 10 }),
      clock,
      log,
      meter: silentMeter,
    },
    BLOCK_SINK_DEFAULTS,
  );
  const answers: BlockAnswer[] = [];
  sink.onAnswer((_block, answer) => answers.push(answer));
  const seen: { template: Template; cause: TemplateCause }[] = [];
  source.onTemplate((template, cause) => seen.push({ template, cause }));
  await sink.start(never);
  const started = source.start(never);
  await pass(clock, 100);
  await started;
  const shown = () =>
    seen.map(
      ({ template: { id, height, transactionCount }, cause }) =>
        `${id.split("/")[0]} ${height} ${cause} ${transactionCount}`,
    );
  const stop = async () => {
    stopping.abort();
    await source.stop();
    await sink.stop();
  };
  return { ...all, core, source, sink, seen, shown, answers, stop };
}

describe("the bllvm node alone", () => {
  test("gives work, tells of new blocks by its events, and takes the blocks that are made of it", async () => {
    const { source, sink, devnet, clock, answers, shown, node, stop } = await setting(false);
    expect(source.status()).toMatchObject({
      active: "bllvm",
      nodes: [{ trust: "trusted", chain: "regtest", version: "/bllvm:0.1.54/", connections: undefined, height: 110 }],
    });
    await devnet.generate(1);
    await settle();
    // Not a millisecond has passed.
    expect(shown()).toEqual(["bllvm 111 newBlock 1", "bllvm 112 newBlock 1"]);
    expect(source.status().nodes[0]?.notices).toMatchObject({ wait: 1 });
    const template = source.current();
    if (template === undefined) throw new Error("no work");
    sink.submit(solveTemplate(template));
    await pass(clock, 100);
    expect(answers).toEqual([{ node: "bllvm", verdict: "accepted", reason: "" }]);
    expect(devnet.chain.tip.height).toBe(112);
    expect(source.current()?.height).toBe(113);
    expect(toDisplayHex(source.current()?.prevHash ?? new Uint8Array(0))).toBe(devnet.chain.tip.key);
    await stop();
    expect(clock.pending).toBe(0);
    // The looks of the chain and of the two ways at the connection, and the target's at two events stay as long as the RPC.
    expect(node.listening).toBe(4);
  });

  test("costs few requests a block", async () => {
    const { node, devnet, stop } = await setting(false);
    await devnet.generate(1);
    await settle();
    const before = node.total;
    await devnet.generate(1);
    await settle();
    expect(node.total - before).toBeLessThanOrEqual(10);
    await stop();
  });

  test("stands in empty after a new block while its JSON-RPC makes the template", async () => {
    const { devnet, jsonRpc, clock, shown, seen, stop } = await setting(false);
    jsonRpc.held.set("getblocktemplate", []);
    await devnet.generate(1);
    await pass(clock, 100, 10);
    expect(shown()).toEqual(["bllvm 111 newBlock 1", "bllvm 112 newBlock 1"]);
    jsonRpc.release("getblocktemplate");
    await pass(clock, 100, 10);
    expect(seen.at(-1)?.cause).toBe("fill");
    await stop();
  });

  test("that goes away is left, and comes back by itself", async () => {
    const { node, source, devnet, clock, shown, stop } = await setting(false, { hasJsonRpc: false });
    node.turn("down");
    await pass(clock, 3_000);
    expect(source.status()).toMatchObject({ active: undefined, nodes: [{ up: false, fault: { code: "bllvm-away" } }] });
    node.phase = "up";
    await devnet.generate(1);
    await pass(clock, 5_000);
    expect(source.status().active).toBe("bllvm");
    expect(shown().at(-1)).toBe("bllvm 112 newBlock 1");
    await stop();
  });

  test("whose IPC goes away is read by JSON-RPC: work goes on, blocks are told and taken", async () => {
    const { node, source, sink, answers, devnet, clock, shown, log, stop } = await setting(false);
    node.turn("starving");
    await devnet.generate(1);
    await pass(clock, 2_500);
    expect(source.status()).toMatchObject({ active: "bllvm", nodes: [{ trust: "trusted", height: 111 }] });
    expect(shown().at(-1)).toBe("bllvm 112 newBlock 1");
    const template = source.current();
    if (template === undefined) throw new Error("no work");
    sink.submit(solveTemplate(template));
    await pass(clock, 2_500);
    expect(answers).toEqual([{ node: "bllvm", verdict: "accepted", reason: "" }]);
    expect(devnet.chain.tip.height).toBe(112);
    const reads = node.total;
    await pass(clock, 5_000);
    expect(node.total).toBe(reads);
    node.turn("up");
    await devnet.generate(1);
    await pass(clock, 1_000);
    expect(shown().at(-1)).toBe("bllvm 114 newBlock 1");
    expect(node.total).toBeGreaterThan(reads);
    const said = log.lines.map(({ message }) => message).filter((message) => message.includes("is read by"));
    expect(said).toEqual([
      "the chain of the bllvm node is read by its JSON-RPC while IPC is not served",
      "the chain of the bllvm node is read by IPC again",
    ]);
    await stop();
  });

  test("that closes the connection at one read is asked by JSON-RPC, and nobody notices", async () => {
    const { node, source, devnet, clock, log, stop } = await setting(false);
    node.failing.set("chainInfo", new Fault("bllvm-request-closed"));
    await devnet.generate(1);
    await pass(clock, 12_000);
    expect(source.status()).toMatchObject({ active: "bllvm", nodes: [{ trust: "trusted", height: 111 }] });
    expect(log.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    await stop();
  });

  test("whose numbers contradict each other gives no work", async () => {
    const { node, source, devnet, clock, log, stop } = await setting(false);
    node.twists.chainInfo = (info) => ({ ...info, height: info.height - 4 });
    await devnet.generate(1);
    await pass(clock, 15_000, 500);
    expect(source.status()).toMatchObject({ active: undefined, nodes: [{ fault: { code: "bllvm-height-disputed" } }] });
    expect(log.lines.some(({ message }) => message.includes("contradicts itself about the height"))).toBe(true);
    await stop();
  });
});

describe("behind Bitcoin Core", () => {
  test("it takes over when Core dies, and Core is gone back to", async () => {
    const { core, source, devnet, clock, shown, stop } = await setting(true);
    expect(source.status().active).toBe("core");
    core.isDown = true;
    await pass(clock, 15_000, 500);
    expect(source.status().active).toBe("bllvm");
    await devnet.generate(1);
    await pass(clock, 100);
    expect(shown().at(-1)).toBe("bllvm 112 newBlock 1");
    core.isDown = false;
    await pass(clock, JOB_SOURCE_DEFAULTS.failbackMs + 15_000, 1000);
    expect(source.status().active).toBe("core");
    await stop();
  });

  test("every block goes to both", async () => {
    const { core, sink, source, answers, clock, stop } = await setting(true);
    const template = source.current();
    if (template === undefined) throw new Error("no work");
    sink.submit(solveTemplate(template));
    await pass(clock, 1_000);
    expect(answers.map(({ node }) => node).sort()).toEqual(["bllvm", "core"]);
    expect(answers.every(({ verdict }) => verdict === "accepted" || verdict === "duplicate")).toBe(true);
    expect(core.isDown).toBe(false);
    await stop();
  });
});

describe("a bllvm node with a longer chain of its own", () => {
  test("does not take the work away from Core: it may be one that the network refuses", async () => {
    const { source, devnet, clock, stop } = await setting(true, {}, (time) => regtest(time));
    await devnet.generate(5);
    await pass(clock, 30_000, 500);
    expect(source.status()).toMatchObject({
      active: "core",
      nodes: [
        { trust: "trusted", height: 110 },
        { trust: "trusted", height: 115 },
      ],
    });
    await stop();
  });
});
