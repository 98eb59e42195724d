import { describe, expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import { silentMeter } from "../../../../src/kernel/meter.ts";
import type { BlockAnswer, FoundBlock } from "../../../../src/mining/ports.ts";
import { BlockJournal } from "../../../../src/node/bitcoind/journal.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS, type BlockSinkOptions } from "../../../../src/node/bitcoind/submit.ts";
import { readSubmitError, readSubmitResult } from "../../../../src/node/bitcoind/submit-answer.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import core from "../../../vectors/bitcoind-rpc.json" with { type: "json" };
import { FakeNode, MemoryFiles, pass, settle } from "./fakes.ts";

const never = new AbortController().signal;
const block = (fill = 7, height = 101): FoundBlock => ({
  hash: new Uint8Array(32).fill(fill),
  height,
  prevHash: new Uint8Array(32).fill(1),
  templateId: "a/1",
  source: "bitcoind",
  header: new Uint8Array(80),
  coinbase: Uint8Array.of(1),
  block: Uint8Array.of(0xb1, 0x0c, fill),
  reward: 5n,
  finderReward: 0n,
  finderAddress: undefined,
  userIdentity: "miner",
  foundMs: 1,
});

function setting(names: readonly string[] = ["a", "b"], options: Partial<BlockSinkOptions> = {}) {
  const clock = new FakeClock();
  const files = new MemoryFiles();
  const nodes = names.map((name) => new FakeNode({ clock }, { name }));
  for (const node of nodes) node.results.set("submitblock", () => null);
  const log = recordingLog();
  const make = () => {
    const journal = new BlockJournal({ files }, { folder: "j", keep: 10 });
    const sink = new BitcoindBlockSink(
      { nodes, journal, clock, log, meter: silentMeter },
      { ...BLOCK_SINK_DEFAULTS, ...options },
    );
    const answers: BlockAnswer[] = [];
    sink.onAnswer((_block, answer) => answers.push(answer));
    return { sink, answers };
  };
  const loud = () => log.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  return { clock, files, nodes, log, make, loud, ...make() };
}

describe("a found block", () => {
  test("is on the disk before any node gets it, and goes to all nodes at once", async () => {
    const { sink, files, nodes, answers } = setting();
    await sink.start(never);
    const order: string[] = [];
    files.before = (step) => order.push(step.replace(/\S*0000000101\S*/g, "file"));
    for (const node of nodes) {
      node.results.set("submitblock", (params) => {
        order.push(`submit ${node.name} ${String(params[0])}`);
        return null;
      });
    }
    sink.submit(block());
    expect(order).toEqual(["write file"]);
    await settle();
    expect(order.slice(0, 5)).toEqual([
      "write file",
      "rename file file",
      "sync j",
      "submit a b10c07",
      "submit b b10c07",
    ]);
    expect(answers).toEqual([
      { node: "a", verdict: "accepted", reason: "" },
      { node: "b", verdict: "accepted", reason: "" },
    ]);
    expect([...files.texts.keys()]).toEqual([expect.stringMatching(/\.done\.json$/)]);
    await sink.stop();
  });

  test.each(["writeSynced", "rename", "syncFolder"] as const)("waits for a slow disk's %s", async (step) => {
    const { sink, files, nodes, answers } = setting();
    await sink.start(never);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const real = files[step].bind(files) as (...args: string[]) => Promise<void>;
    files[step] = async (...args: string[]) => {
      await held;
      await real(...args);
    };
    sink.submit(block());
    await settle();
    expect(nodes.map((node) => node.count("submitblock"))).toEqual([0, 0]);
    release();
    await settle();
    expect(nodes.map((node) => node.count("submitblock"))).toEqual([1, 1]);
    expect(answers.length).toBe(2);
    await sink.stop();
  });

  test("is submitted from memory when the disk fails, loudly", async () => {
    const { sink, files, answers, loud } = setting();
    await sink.start(never);
    files.before = () => {
      throw new Error("no space left on device");
    };
    sink.submit(block());
    await settle();
    expect(answers.map(({ verdict }) => verdict)).toEqual(["accepted", "accepted"]);
    expect(loud()[0]).toContain("could not be written to the journal (folder j): no space left on device");
    await sink.stop();
  });

  test("does not wait for a disk that hangs", async () => {
    const { sink, files, answers, clock, loud } = setting();
    await sink.start(never);
    files.writeSynced = () => new Promise(() => undefined);
    sink.submit(block());
    await pass(clock, 950);
    expect(answers).toEqual([]);
    await pass(clock, 100);
    expect(answers.length).toBe(2);
    expect(loud()[0]).toContain("the journal's disk hangs");
  });

  test("is offered to a node that is away until it takes it", async () => {
    const { sink, nodes, answers, clock, log } = setting();
    await sink.start(never);
    const [, b] = nodes;
    b?.crash();
    sink.submit(block());
    await pass(clock, 20_000, 250);
    expect(answers.map(({ node }) => node)).toEqual(["a"]);
    const tries = b?.count("submitblock") ?? 0;
    // 0.25, 0.5, 1, 2, 4, then every 5 seconds.
    expect(tries).toBe(8);
    expect(log.lines.filter(({ message }) => message.includes("node b has not taken it yet")).length).toBe(1);
    if (b !== undefined) b.down = new Fault("node-warming-up", { node: "b" });
    await pass(clock, 5_000, 250);
    expect(log.lines.at(-1)?.message).toContain("the node is starting");
    if (b !== undefined) b.down = undefined;
    await pass(clock, 5_000, 250);
    expect(answers.at(-1)).toEqual({ node: "b", verdict: "accepted", reason: "" });
    await sink.stop();
  });

  test("counts as known when the node says duplicate on a repeated offer", async () => {
    const { sink, nodes, answers, clock } = setting(["a"]);
    await sink.start(never);
    nodes[0]?.results.set("submitblock", () => {
      nodes[0]?.results.set("submitblock", () => "duplicate");
      throw new Fault("node-timeout", { node: "a" });
    });
    sink.submit(block());
    await pass(clock, 300);
    expect(answers).toEqual([{ node: "a", verdict: "duplicate", reason: "duplicate" }]);
    await sink.stop();
  });

  test("waits for a parent that the node has not seen yet, for a time", async () => {
    const { sink, nodes, answers, clock } = setting(["a", "b"], { parentWaitMs: 10_000 });
    await sink.start(never);
    for (const node of nodes) node.results.set("submitblock", () => "prev-blk-not-found");
    sink.submit(block());
    await pass(clock, 3_000, 250);
    expect(answers).toEqual([]);
    nodes[0]?.results.set("submitblock", () => null);
    await pass(clock, 20_000, 250);
    expect(answers).toEqual([
      { node: "a", verdict: "accepted", reason: "" },
      { node: "b", verdict: "stale", reason: "prev-blk-not-found" },
    ]);
    await sink.stop();
  });

  test("is given up at nodes that stay away once another has it, so that nothing piles up", async () => {
    const { sink, nodes, clock, files, log } = setting(["a", "b"], { othersWaitMs: 60_000 });
    await sink.start(never);
    nodes[1]?.crash();
    sink.submit(block());
    await pass(clock, 59_000, 500);
    expect([...files.texts.keys()][0]).not.toContain("done");
    await pass(clock, 10_000, 500);
    expect([...files.texts.keys()]).toEqual([expect.stringContaining("done")]);
    expect(log.lines.at(-1)?.message).toContain("node b gave no answer; others did");
    await sink.stop();
  });

  test("is kept for ever while no node has answered", async () => {
    const { sink, nodes, clock, answers } = setting(["a"], { othersWaitMs: 1_000 });
    await sink.start(never);
    nodes[0]?.crash();
    sink.submit(block());
    await pass(clock, 3_600_000, 5_000);
    if (nodes[0] !== undefined) nodes[0].down = undefined;
    await pass(clock, 5_000, 500);
    expect(answers.map(({ verdict }) => verdict)).toEqual(["accepted"]);
    await sink.stop();
  });

  test("that is refused is said loudly with the node's words", async () => {
    const { sink, nodes, answers, loud } = setting(["a"]);
    await sink.start(never);
    nodes[0]?.results.set("submitblock", () => "bad-txnmrklroot");
    sink.submit(block());
    await settle();
    expect(answers).toEqual([{ node: "a", verdict: "rejected", reason: "bad-txnmrklroot" }]);
    expect(loud()[0]).toBe(`block ${"07".repeat(32)} at height 101 was REFUSED by node a: bad-txnmrklroot`);
    await sink.stop();
  });

  test("whose transactions are not known here is waited for until the node has heard of it", async () => {
    const { sink, nodes, answers, clock } = setting(["a", "b"]);
    const [a, b] = nodes;
    const known = (confirmations: number) => () => ({ confirmations });
    for (const node of nodes) node.failing.set("getblockheader", new Fault("node-rpc-error", { rpcCode: -5 }));
    await sink.start(never);
    sink.submit({ ...block(), block: undefined });
    await pass(clock, 1000);
    expect(answers).toEqual([]);
    a?.failing.delete("getblockheader");
    a?.results.set("getblockheader", known(1));
    await pass(clock, 6000);
    expect(answers).toEqual([{ node: "a", verdict: "accepted", reason: "" }]);
    b?.failing.delete("getblockheader");
    b?.results.set("getblockheader", known(-1));
    await pass(clock, 6000);
    expect(answers[1]).toMatchObject({ node: "b", verdict: "stale", reason: expect.stringContaining("beside") });
    expect(nodes[0]?.count("submitblock")).toBe(0);
    await sink.stop();
  });

  test("that nobody submits is given up as stale in the end", async () => {
    const { sink, nodes, answers, clock } = setting(["a"]);
    nodes[0]?.failing.set("getblockheader", new Fault("node-rpc-error", { rpcCode: -5 }));
    await sink.start(never);
    sink.submit({ ...block(), block: undefined });
    await pass(clock, 700_000, 10_000);
    expect(answers).toMatchObject([{ verdict: "stale", reason: expect.stringContaining("never heard of it") }]);
    await sink.stop();
  });

  test("handed over twice is submitted once", async () => {
    const { sink, nodes } = setting(["a"]);
    await sink.start(never);
    sink.submit(block());
    sink.submit(block());
    await settle();
    expect(nodes[0]?.count("submitblock")).toBe(1);
    await sink.stop();
  });

  test("is on its way before the log is told of it", async () => {
    const { sink, files, nodes, log } = setting(["a"]);
    await sink.start(never);
    const { info } = log;
    log.info = () => {
      log.info = info;
      throw new Error("no space left on device");
    };
    expect(() => sink.submit(block())).toThrow();
    await settle();
    expect(nodes[0]?.count("submitblock")).toBe(1);
    expect(files.texts.size).toBe(1);
    await sink.stop();
  });

  test("harms nobody when a listener throws", async () => {
    const { sink, answers, loud } = setting(["a"]);
    await sink.start(never);
    const stop = sink.onAnswer(() => {
      throw new Error("listener broke");
    });
    sink.submit(block());
    await settle();
    expect(answers.length).toBe(1);
    expect(loud()).toEqual(["a listener for block answers failed: listener broke"]);
    stop();
    sink.submit(block(8));
    await settle();
    expect(loud().length).toBe(1);
    await sink.stop();
  });
});

describe("a restart", () => {
  test("takes up blocks without a last word, and only those", async () => {
    const before = setting(["a", "b"]);
    await before.sink.start(never);
    before.nodes[0]?.crash();
    before.nodes[1]?.crash();
    before.sink.submit(block(7));
    await pass(before.clock, 1_000);
    await before.sink.stop();
    expect(before.clock.pending).toBe(0);
    for (const node of before.nodes) node.down = undefined;

    const after = before.make();
    await after.sink.start(never);
    await settle();
    expect(after.answers.map(({ node, verdict }) => [node, verdict])).toEqual([
      ["a", "accepted"],
      ["b", "accepted"],
    ]);
    expect(before.nodes[0]?.calls.at(-1)).toEqual({ method: "submitblock", params: ["b10c07"] });
    await after.sink.stop();

    const later = before.make();
    await later.sink.start(never);
    await settle();
    expect(later.answers).toEqual([]);
    await later.sink.stop();
  });

  test("tells of journal files that it cannot read", async () => {
    const { sink, files, loud } = setting(["a"]);
    files.texts.set(`j/0000000101-${"07".repeat(32)}.json`, "cut");
    await sink.start(never);
    expect(loud()[0]).toContain("a file in the journal of found blocks cannot be read");
    await sink.stop();
  });

  test("does not begin without a journal", async () => {
    const { sink, files } = setting(["a"]);
    files.before = () => {
      throw new Error("read-only file system");
    };
    await expect(sink.start(never)).rejects.toThrow("folder of found blocks cannot be used");
  });
});

describe("bounds", () => {
  test("only so many blocks wait at a time: those that some node has make room, others are refused loudly", async () => {
    const { sink, nodes, clock, answers, loud } = setting(["a", "b"], { maxPending: 3 });
    await sink.start(never);
    nodes[1]?.crash();
    for (const fill of [1, 2, 3, 4]) sink.submit(block(fill));
    await pass(clock, 500);
    // The fourth came while no node had answered yet.
    expect(loud()).toEqual([expect.stringContaining("3 others wait for an answer already")]);
    expect(answers.length).toBe(3);
    sink.submit(block(5));
    await pass(clock, 500);
    expect(answers.length).toBe(4);
    expect(loud().length).toBe(1);
    await sink.stop();
  });

  test("late blocks that wait for a dead node do not keep new ones out", async () => {
    const { sink, nodes, clock, answers, loud } = setting(["a", "b"], { maxPending: 3 });
    await sink.start(never);
    nodes[1]?.crash();
    nodes[0]?.results.set("submitblock", () => "inconclusive");
    for (const fill of [1, 2, 3]) sink.submit(block(fill));
    await pass(clock, 500);
    nodes[0]?.results.set("submitblock", () => null);
    sink.submit(block(4));
    await pass(clock, 500);
    expect(answers.map(({ verdict }) => verdict)).toEqual(["stale", "stale", "stale", "accepted"]);
    expect(loud()).toEqual([]);
    await sink.stop();
  });

  test("blocks without an answer make room for one on another parent, and are taken up at the next start", async () => {
    const { sink, nodes, clock, answers, loud, make } = setting(["a"], { maxPending: 3 });
    await sink.start(never);
    nodes[0]?.crash();
    for (const fill of [1, 2, 3]) sink.submit(block(fill));
    await pass(clock, 500);
    const next = { ...block(4, 102), prevHash: new Uint8Array(32).fill(9) };
    sink.submit(next);
    if (nodes[0] !== undefined) nodes[0].down = undefined;
    await pass(clock, 10_000);
    expect(nodes[0]?.calls.some(({ params }) => params?.[0] === "b10c04")).toBe(true);
    expect(answers).toHaveLength(3);
    expect(loud()).toEqual([]);
    await sink.stop();
    const later = make();
    await later.sink.start(never);
    await settle();
    expect(nodes[0]?.calls.at(-1)).toEqual({ method: "submitblock", params: ["b10c01"] });
    expect(later.answers).toHaveLength(1);
    await later.sink.stop();
  });

  test("a node is not flooded: four submissions at a time", async () => {
    const { sink, nodes, answers } = setting(["a"]);
    await sink.start(never);
    nodes[0]?.hold("submitblock");
    for (let fill = 1; fill <= 10; fill++) sink.submit(block(fill));
    await settle();
    expect(nodes[0]?.count("submitblock")).toBe(4);
    nodes[0]?.release("submitblock");
    await settle();
    await settle();
    expect(answers.length).toBe(10);
    await sink.stop();
  });
});

describe("draining", () => {
  test("waits for the first answer of every block, not for all nodes", async () => {
    const { sink, nodes, clock } = setting();
    await sink.start(never);
    nodes[1]?.crash();
    nodes[0]?.hold("submitblock");
    await sink.drained(never);
    sink.submit(block());
    let isDrained = false;
    void sink.drained(never).then(() => {
      isDrained = true;
    });
    await pass(clock, 500);
    expect(isDrained).toBe(false);
    nodes[0]?.release("submitblock");
    await settle();
    expect(isDrained).toBe(true);
    await sink.stop();
  });

  test("ends with its signal", async () => {
    const { sink, nodes } = setting(["a"]);
    await sink.start(never);
    nodes[0]?.hold("submitblock");
    sink.submit(block());
    const stop = new AbortController();
    const drained = sink.drained(stop.signal);
    await settle();
    stop.abort();
    await drained;
    await sink.stop();
  });
});

describe("answers to submitblock", () => {
  const recorded = Object.entries(core.answers as unknown as Record<string, { bodyText?: string }>).flatMap(
    ([name, { bodyText = "" }]) => {
      if (!name.startsWith("submitblock") || name.includes("no params")) return [];
      const { result = null, error } = JSON.parse(bodyText) as {
        result?: string | null;
        error?: { code: number; message: string } | null;
      };
      const reading = error
        ? readSubmitError(new Fault("node-rpc-error", { rpcCode: error.code, says: error.message }))
        : readSubmitResult(result);
      return [[name.slice(12), reading] as const];
    },
  );

  test("of Bitcoin Core 31.1 are understood one by one", () => {
    const verdicts = Object.fromEntries(
      recorded.map(([name, reading]) => [
        name,
        reading.kind === "verdict" ? `${reading.verdict} ${reading.reason}`.trim() : `${reading.kind}`,
      ]),
    );
    expect(verdicts).toEqual({
      "undecodable hex": "rejected Block decode failed",
      "not hex": "rejected Block decode failed",
      "high-hash (valid block, hash above target)": "rejected high-hash",
      "garbage merkle root": "rejected bad-txnmrklroot",
      "unknown parent": "wait",
      "bad coinbase amount": "rejected bad-cb-amount",
      "bad height in coinbase": "rejected bad-cb-height",
      "wrong witness commitment": "rejected bad-witness-merkle-match",
      "missing witness commitment": "rejected unexpected-witness",
      "witness nonce of 31 bytes": "rejected bad-witness-nonce-size",
      "time too old": "rejected time-too-old",
      "time too new": "wait",
      "wrong bits": "rejected bad-diffbits",
      "version 1": "rejected bad-version(0x00000001)",
      "same invalid block again": "rejected duplicate-invalid",
      accepted: "accepted",
      duplicate: "duplicate duplicate",
      "duplicate (jsonrpc 2.0)": "duplicate duplicate",
      "sibling of the tip": "stale inconclusive",
      "accepted, coinbase serialized without witness": "accepted",
    });
  });

  test("of BIP22 beyond Core's are understood too", () => {
    const verdict = (word: string): unknown => {
      const reading = readSubmitResult(word);
      return reading.kind === "verdict" ? reading.verdict : reading.kind;
    };
    expect(verdict("duplicate-inconclusive")).toBe("duplicate");
    expect(verdict("duplicate-invalid")).toBe("rejected");
    expect(verdict("stale-prevblk")).toBe("stale");
    expect(verdict("stale-work")).toBe("stale");
    expect(verdict("rejected")).toBe("rejected");
    expect(verdict("bad-prevblk")).toBe("rejected");
    // A name that every object has is no word of BIP22.
    expect(verdict("constructor")).toBe("rejected");
    expect(readSubmitError(new Fault("node-rpc-error", { rpcCode: -20 })).kind).toBe("away");
    expect(readSubmitError(new Fault("node-busy")).kind).toBe("away");
    // Core's code for every exception that it did not foresee, such as a disk that failed for a moment.
    expect(readSubmitError(new Fault("node-rpc-error", { rpcCode: -1, says: "I/O error" }))).toEqual({
      kind: "wait",
      otherwise: "rejected",
      reason: "I/O error",
    });
    expect(readSubmitError(new Error("x")).kind).toBe("away");
  });
});
