/** The job source and the block sink on embedded nodes over real HTTP: work, failover, restarts, and blocks that get through. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import type { BlockAnswer, TemplateCause } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import { examineNode } from "../../src/node/bitcoind/examine.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS, type JobSourceOptions } from "../../src/node/bitcoind/job-source.ts";
import { BlockJournal } from "../../src/node/bitcoind/journal.ts";
import { raceNotices } from "../../src/node/bitcoind/notice-race.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS } from "../../src/node/bitcoind/submit.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { solveTemplate } from "../support/solve-template.ts";

const never = new AbortController().signal;
let folder: string;
let ends: (() => Promise<void>)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "node-"));
  ends = [];
});

afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(folder, { recursive: true, force: true });
});

async function until(check: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!check()) {
    if (Date.now() > end) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function devnet(name: string, peer?: DevnetNode): Promise<DevnetNode> {
  const deps = { clock: systemClock, random: seededRandom(name.charCodeAt(0)), log: silentLog };
  const node = new DevnetNode(deps, { name, initialBlocks: 101, ...(peer === undefined ? {} : { peer }) });
  await node.start(never);
  ends.push(() => node.stop());
  return node;
}

function client(node: DevnetNode): RpcClient {
  const rpc = new RpcClient(
    { clock: systemClock, files: diskFiles, http: nodeHttpPost },
    {
      name: node.name,
      url: node.url,
      credentials: { kind: "password", user: node.user, password: node.password },
      timeoutMs: 2_000,
    },
  );
  ends.push(async () => rpc.close());
  return rpc;
}

async function work(nodes: readonly DevnetNode[], options: Partial<JobSourceOptions> = {}) {
  const source = new BitcoindJobSource(
    {
      nodes: nodes.map((node) => ({ rpc: client(node) })),
      clock: systemClock,
      log: silentLog,
      meter: silentMeter,
      connect: connectTcp,
    },
    { ...JOB_SOURCE_DEFAULTS, network: "regtest", pollMs: 500, failbackMs: 700, ...options },
  );
  const seen: { template: Template; cause: TemplateCause }[] = [];
  source.onTemplate((template, cause) => seen.push({ template, cause }));
  await source.start(never);
  ends.push(() => source.stop());
  return { source, seen, active: () => source.status().active };
}

async function blocks(nodes: readonly DevnetNode[], name = "blocks") {
  const sink = new BitcoindBlockSink(
    {
      nodes: nodes.map(client),
      journal: new BlockJournal({ files: diskFiles }, { folder: join(folder, name), keep: 10 }),
      clock: systemClock,
      log: silentLog,
      meter: silentMeter,
    },
    BLOCK_SINK_DEFAULTS,
  );
  const answers: BlockAnswer[] = [];
  sink.onAnswer((_block, answer) => answers.push(answer));
  await sink.start(never);
  ends.push(() => sink.stop());
  const files = () => readdirSync(join(folder, name)).map((file) => file.replace(/^\d+-[0-9a-f]+/, ""));
  return { sink, answers, files };
}

test("a block made of its template, with transactions, is accepted by all nodes and followed by the next work", async () => {
  const a = await devnet("a");
  const b = await devnet("b", a);
  const { source, seen } = await work([a, b]);
  const { sink, answers, files } = await blocks([a, b]);
  const template = source.current() as Template;
  expect(template.transactionCount).toBeGreaterThan(10);
  const found = solveTemplate(template);
  sink.submit(found);
  await sink.drained(AbortSignal.timeout(5_000));
  await until(() => answers.length === 2, "two answers");
  expect(answers.find(({ node }) => node === "a")?.verdict).toBe("accepted");
  expect(answers.find(({ node }) => node === "b")?.verdict).toMatch(/accepted|duplicate/);
  await until(() => seen.at(-1)?.template.height === template.height + 1, "the next work");
  expect(seen.at(-1)?.cause).toBe("newBlock");
  await until(() => files()[0] === ".done.json", "the end of the journal entry");
});

test("an empty block made before the template came is accepted too", async () => {
  const a = await devnet("a");
  const { seen } = await work([a], { emptyAfterMs: 0 });
  a.disturbances.set("getblocktemplate", { kind: "delay", ms: 400 });
  await a.generate(1);
  await until(() => seen.length === 2, "the empty template");
  const { sink, answers } = await blocks([a]);
  sink.submit(solveTemplate(seen[1]?.template as Template));
  await until(() => answers.length === 1, "an answer");
  expect([seen[1]?.template.transactionCount, answers[0]?.verdict]).toEqual([1, "accepted"]);
  await until(
    () => seen.at(-1)?.template.height === 104 && seen.at(-1)?.cause === "fill",
    "the full template behind it",
  );
});

describe("failover", () => {
  test("when the first node is stopped, and back when it has been there again for a while", async () => {
    const a = await devnet("a");
    const b = await devnet("b", a);
    const { source, seen, active } = await work([a, b]);
    await a.stop();
    await until(() => active() === "b", "the change to b", 2_000);
    await until(() => seen.at(-1)?.template.id.startsWith("b/") === true, "work from b");
    expect(seen.at(-1)?.cause).toBe("refresh");
    await b.generate(1);
    await until(() => source.current()?.height === 103, "work on the new block");
    await a.start(never);
    a.connect(b);
    await until(() => active() === "a", "the return to a");
    await a.generate(1);
    await until(() => source.current()?.height === 104, "work on a's block");
  });

  test.each([
    ["hangs", (node: DevnetNode) => node.disturbances.set("*", { kind: "hang" })],
    ["cuts every connection", (node: DevnetNode) => node.disturbances.set("*", { kind: "drop" })],
    [
      "is too busy",
      (node: DevnetNode) =>
        node.disturbances.set("*", { kind: "http", status: 503, body: "Work queue depth exceeded" }),
    ],
    [
      "fails to make templates",
      (node: DevnetNode) => node.disturbances.set("getblocktemplate", { kind: "error", code: -1, message: "odd" }),
    ],
    ["warms up", (node: DevnetNode) => node.disturbances.set("*", { kind: "error", code: -28, message: "Loading" })],
  ])(
    "when the first node %s",
    async (_name, disturb) => {
      const a = await devnet("a");
      const b = await devnet("b", a);
      const { active, seen } = await work([a, b], { askMs: 300 });
      expect(active()).toBe("a");
      disturb(a);
      await until(() => active() === "b", "the change to b");
      await until(() => seen.at(-1)?.template.id.startsWith("b/") === true, "work from b");
      a.disturbances.clear();
      await until(() => active() === "a", "the return to a");
    },
    30_000,
  );

  test("when the first node no longer hears of blocks", async () => {
    const a = await devnet("a");
    const b = await devnet("b", a);
    const { active, source } = await work([a, b], { lagMs: 300 });
    a.disconnect(b);
    await b.generate(2);
    await until(() => active() === "b", "the change to b");
    await until(() => source.current()?.height === 104, "work on b's block");
    expect(source.status().nodes[0]?.fault?.code).toBe("node-behind");
  });
});

test("a reorganisation is followed, and a block on the branch that lost is told as stale", async () => {
  const a = await devnet("a");
  const b = await devnet("b", a);
  const { source, seen } = await work([a]);
  a.disconnect(b);
  await a.generate(1);
  await until(() => source.current()?.height === 103, "work on a's block");
  const lost = solveTemplate(source.current() as Template);
  await b.generate(3);
  a.connect(b);
  await until(() => source.current()?.height === 105, "work on b's branch");
  expect(seen.at(-1)?.cause).not.toBe("refresh");
  const { sink, answers } = await blocks([a]);
  sink.submit(lost);
  await until(() => answers.length === 1, "an answer");
  expect(answers[0]).toEqual({ node: "a", verdict: "stale", reason: "inconclusive" });
});

test("a block found while every node is away is in the journal, and gets through after a restart of this side", async () => {
  const a = await devnet("a");
  const { source } = await work([a]);
  const block = solveTemplate(source.current() as Template);
  const { sink, answers, files } = await blocks([a]);
  await a.stop();
  sink.submit(block);
  await until(() => files().includes(".json"), "the journal entry");
  await sink.stop();
  expect(answers).toEqual([]);
  const again = await blocks([a]);
  await a.start(never);
  await until(() => again.answers.length === 1, "an answer");
  expect(again.answers[0]?.verdict).toBe("accepted");
  await until(() => again.files()[0] === ".done.json", "the end of the journal entry");
});

test("a node that is stopped and started under load of submissions answers all of them in the end", async () => {
  const a = await devnet("a");
  const { source } = await work([a]);
  const { sink, answers } = await blocks([a]);
  const template = source.current() as Template;
  const siblings = Array.from({ length: 20 }, (_, i) =>
    solveTemplate(template, { extranonce: new Uint8Array(20).fill(i) }),
  );
  for (const block of siblings.slice(0, 10)) sink.submit(block);
  await a.stop();
  for (const block of siblings.slice(10)) sink.submit(block);
  await a.start(never);
  await until(() => answers.length === 20, "all answers");
  expect(answers.filter(({ verdict }) => verdict === "rejected")).toEqual([]);
  expect(answers.filter(({ verdict }) => verdict === "accepted" || verdict === "duplicate").length).toBeGreaterThan(0);
});

test("an examination finds what is wrong with a node", async () => {
  const a = await devnet("a");
  const look = (network: "regtest" | "mainnet", payoutScript?: Uint8Array) =>
    examineNode(
      { rpc: client(a), clock: systemClock, log: silentLog, connect: connectTcp },
      { network, staleTipMs: 5_400_000, ...(payoutScript === undefined ? {} : { payoutScript }) },
    );
  const witness = Uint8Array.from([0, 20, ...new Uint8Array(20)]);
  const good = await look("regtest", witness);
  expect([good.faults.map(({ code }) => code), good.judgement.trust, good.template?.height]).toEqual([
    [],
    "trusted",
    102,
  ]);
  expect((await look("mainnet")).faults.map(({ code }) => code)).toEqual(["node-wrong-network"]);
  a.disturbances.set("validateaddress", { kind: "error", code: -1, message: "odd" });
  expect((await look("regtest", witness)).faults.map(({ code }) => code)).toEqual(["node-rpc-error"]);
  await a.stop();
  expect((await look("regtest")).faults.map(({ code }) => code)).toEqual(["node-refused"]);
});

test("the notices of new blocks can be compared", async () => {
  const a = await devnet("a");
  const race = raceNotices(
    { rpc: client(a), clock: systemClock, connect: connectTcp },
    { network: "regtest", blocks: 5, timeoutMs: 20_000, pollMs: 50 },
    never,
  );
  await race.ready;
  for (let i = 0; i < 6; i++) {
    await a.generate(1);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const results = await race.results;
  expect(results.map(({ kind }) => kind).sort()).toEqual(["longpoll", "poll", "wait"]);
  for (const { told, median, max } of results) expect([told >= 5, median <= max]).toEqual([true, true]);
});
