/** The job source and the block sink against a real Bitcoin Core (BITCOIND or the PATH), on regtest and loopback. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { type Rpc, RpcClient } from "../../src/daemon/rpc.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { toDisplayHex } from "../../src/kernel/bytes.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import type { BlockAnswer, TemplateCause } from "../../src/mining/ports.ts";
import type { Template } from "../../src/mining/template.ts";
import { blockTemplate } from "../../src/node/bitcoind/answers.ts";
import { checkPayout, examineNode } from "../../src/node/bitcoind/examine.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS } from "../../src/node/bitcoind/job-source.ts";
import { BlockJournal } from "../../src/node/bitcoind/journal.ts";
import { raceNotices } from "../../src/node/bitcoind/notice-race.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS } from "../../src/node/bitcoind/submit.ts";
import { recordingLog } from "../support/recording-log.ts";
import { solveTemplate } from "../support/solve-template.ts";
import { findBitcoind, RegtestNode } from "./regtest-node.ts";

const binary = findBitcoind();
if (binary === undefined) console.warn("SKIPPED: no bitcoind found; set BITCOIND to its path to test against it");

const never = new AbortController().signal;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `check` holds. */
async function until(check: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!check()) {
    if (Date.now() > end) throw new Error(`${what} did not happen`);
    await pause(20);
  }
}

function source(
  nodes: readonly RegtestNode[],
  options: Partial<typeof JOB_SOURCE_DEFAULTS | Record<string, unknown>> = {},
  log = silentLog,
) {
  const templates: { template: Template; cause: TemplateCause }[] = [];
  const jobs = new BitcoindJobSource(
    {
      nodes: nodes.map((node) => ({ rpc: node.rpc, zmqAddress: node.zmqAddress })),
      clock: systemClock,
      log,
      meter: silentMeter,
      connect: connectTcp,
    },
    { ...JOB_SOURCE_DEFAULTS, ...(options as object), network: "regtest" },
  );
  jobs.onTemplate((template, cause) => templates.push({ template, cause }));
  return { jobs, templates };
}

describe.skipIf(binary === undefined)("Bitcoin Core", () => {
  let a: RegtestNode;
  let b: RegtestNode;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "blocks-"));
    a = await RegtestNode.create(binary ?? "", "a");
    b = await RegtestNode.create(binary ?? "", "b");
    await Promise.all([a.start(), b.start()]);
    await a.call("addnode", `127.0.0.1:${b.p2pPort}`, "onetry");
    await a.call("createwallet", "w");
    const address = String(await a.call("getnewaddress"));
    await a.call("generatetoaddress", 110, address);
    for (let tries = 0; (await b.call("getblockcount")) !== 110; tries++) {
      if (tries > 100) throw new Error("the nodes do not connect");
      await pause(100);
    }
  }, 60_000);

  afterAll(async () => {
    await Promise.all([a?.remove(), b?.remove()]);
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const sink = (nodes: readonly Rpc[], name: string) => {
    const journal = new BlockJournal({ files: diskFiles }, { folder: join(folder, name), keep: 100 });
    const log = recordingLog();
    const part = new BitcoindBlockSink(
      { nodes, journal, clock: systemClock, log, meter: silentMeter },
      BLOCK_SINK_DEFAULTS,
    );
    const answers: BlockAnswer[] = [];
    part.onAnswer((_block, answer) => answers.push(answer));
    return { part, answers, log };
  };

  test("a block made of its template with segwit transactions is accepted, by the second node as a duplicate or too", async () => {
    for (let i = 0; i < 5; i++) await a.call("sendtoaddress", String(await a.call("getnewaddress")), 0.5 + i);
    await pause(6_000);
    const { jobs, templates } = source([a]);
    await jobs.start(never);
    const template = jobs.current();
    expect(template?.transactionCount).toBe(6);
    const { part, answers } = sink([a.client("a"), b.client("b")], "accepted");
    await part.start(never);
    const found = solveTemplate(template as Template);
    part.submit(found);
    await until(() => answers.length === 2, "two answers");
    expect(answers.find(({ node }) => node === "a")?.verdict).toBe("accepted");
    expect(["accepted", "duplicate"]).toContain(answers.find(({ node }) => node === "b")?.verdict);
    expect(await a.call("getbestblockhash")).toBe(toDisplayHex(found.hash));
    await until(() => templates.at(-1)?.template.height === (template?.height ?? 0) + 1, "the next template");
    expect(templates.at(-1)?.cause).toBe("newBlock");
    const files = (): string[] => readdirSync(join(folder, "accepted"));
    await until(
      () => files().length === 1 && files()[0]?.endsWith(".done.json") === true,
      "the end of the journal entry",
    );
    await part.stop();
    await jobs.stop();
  }, 60_000);

  test("answers to late, wrong and orphaned blocks are understood", async () => {
    const { jobs } = source([a]);
    await jobs.start(never);
    const template = jobs.current() as Template;
    const { part, answers } = sink([a.client("a")], "answers");
    await part.start(never);
    const verdictOf = async (block: ReturnType<typeof solveTemplate>): Promise<string> => {
      const before = answers.length;
      part.submit(block);
      await until(() => answers.length > before, "an answer");
      const { verdict, reason } = answers.at(-1) as BlockAnswer;
      return `${verdict} ${reason}`.trim();
    };
    expect(await verdictOf(solveTemplate(template, { extraValue: 1n }))).toBe("rejected bad-cb-amount");
    const first = solveTemplate(template);
    expect(await verdictOf(first)).toBe("accepted");
    expect(await verdictOf(first)).toBe("duplicate duplicate");
    expect(await verdictOf(solveTemplate(template, { extranonce: new Uint8Array(20).fill(7) }))).toBe(
      "stale inconclusive",
    );
    await part.stop();
    await jobs.stop();
  }, 60_000);

  test("an empty template on the new block is offered at once, is valid, and the full one follows", async () => {
    const { jobs, templates } = source([a], { emptyAfterMs: 0 });
    await jobs.start(never);
    await a.generate(1);
    await until(() => templates.length >= 3, "two more templates");
    expect(templates.map(({ cause }) => cause)).toEqual(["newBlock", "newBlock", "fill"]);
    const [, empty, full] = templates.map(({ template }) => template);
    expect(empty?.transactionCount).toBe(1);
    expect(empty?.height).toBe(full?.height);
    expect(empty?.nBits).toBe(full?.nBits);
    expect(empty?.minTime).toBe(full?.minTime);
    expect(empty?.version).toBe(full?.version);
    expect(empty?.coinbase).toEqual(full?.coinbase);
    const { part, answers } = sink([a.client("a")], "empty");
    await part.start(never);
    part.submit(solveTemplate(empty as Template));
    await until(() => answers.length === 1, "an answer");
    expect(answers[0]?.verdict).toBe("accepted");
    await part.stop();
    await jobs.stop();
  }, 60_000);

  test("a coinbase value of the empty template is right across halvings", async () => {
    const { jobs, templates } = source([a], { emptyAfterMs: 0 });
    await jobs.start(never);
    const height = Number(await a.call("getblockcount"));
    await a.generate(149 - height);
    await pause(300);
    templates.length = 0;
    await a.generate(1);
    await until(() => templates.length >= 2, "the templates of height 151");
    expect(templates.map(({ template }) => template.coinbaseValue)).toEqual([2_500_000_000n, 2_500_000_000n]);
    expect(templates[0]?.template.height).toBe(151);
    await jobs.stop();
  }, 60_000);

  test("work moves to the second node when the first is killed, and a block goes to both once it is back", async () => {
    const log = recordingLog();
    const { jobs, templates } = source([a, b], { failbackMs: 1_500, pollMs: 1_000 }, log);
    await jobs.start(never);
    expect(jobs.status().active).toBe("a");
    const { part, answers } = sink([a.client("a"), b.client("b")], "failover");
    await part.start(never);
    const killed = Date.now();
    await a.stop("SIGKILL");
    await until(() => jobs.status().active === "b", "the change to b");
    const changedMs = Date.now() - killed;
    await until(() => templates.at(-1)?.template.id.startsWith("b/") === true, "a template of b");
    expect(templates.at(-1)?.cause).toBe("refresh");
    part.submit(solveTemplate(templates.at(-1)?.template as Template));
    await until(() => answers.length === 1, "the answer of b");
    expect(answers[0]).toEqual({ node: "b", verdict: "accepted", reason: "" });
    await a.start();
    await a.call("addnode", `127.0.0.1:${b.p2pPort}`, "onetry");
    await until(() => answers.length === 2, "the answer of a", 30_000);
    expect(answers[1]?.node).toBe("a");
    expect(["accepted", "duplicate"]).toContain(answers[1]?.verdict);
    await until(() => jobs.status().active === "a", "the return to a", 30_000);
    console.info(
      `failover after kill -9: ${changedMs} ms; log:\n${log.lines
        .filter(({ level }) => level !== "debug")
        .map(({ message }) => `  ${message}`)
        .join("\n")}`,
    );
    await part.stop();
    await jobs.stop();
  }, 90_000);

  test("a block found while the only node is away is submitted after a restart of both", async () => {
    const { jobs } = source([b]);
    await jobs.start(never);
    const block = solveTemplate(jobs.current() as Template);
    await jobs.stop();
    await b.stop();
    const before = sink([b.client("b")], "resume");
    await before.part.start(never);
    before.part.submit(block);
    await pause(500);
    await before.part.stop();
    expect(before.answers).toEqual([]);
    const after = sink([b.client("b")], "resume");
    await after.part.start(never);
    await b.start();
    await until(() => after.answers.length === 1, "the answer after the restart", 30_000);
    expect(after.answers[0]?.verdict).toBe("accepted");
    await after.part.stop();
  }, 60_000);

  test("every kind of wrong access is told in words", async () => {
    const deps = { clock: systemClock, files: diskFiles, http: nodeHttpPost };
    const wrong = async (url: string, credentials: ConstructorParameters<typeof RpcClient>[1]["credentials"]) => {
      const rpc = new RpcClient(deps, { name: "x", url, credentials, timeoutMs: 5_000 });
      const fault = await rpc.call("getblocktemplate", [{ rules: ["segwit"] }], z.unknown()).catch((e: unknown) => e);
      rpc.close();
      return fault instanceof Fault ? fault.code : fault;
    };
    const password = { kind: "password", user: "nobody", password: "secret" } as const;
    const cookie = { kind: "cookie", path: a.cookie } as const;
    expect(await wrong(a.url, password)).toBe("node-unauthorized");
    expect(await wrong(a.url, { kind: "none" })).toBe("node-unauthorized");
    expect(await wrong(a.url, { kind: "cookie", path: `${a.cookie}x` })).toBe("node-cookie");
    expect(await wrong(`${a.url}/nope`, cookie)).toBe("node-not-found");
    expect(await wrong(a.url.replace("http", "https"), cookie)).toBe("node-wants-http");
    expect(await wrong(`http://127.0.0.1:${a.p2pPort}`, cookie)).toBe("node-not-http");
    expect(await wrong(`http://127.0.0.1:${a.zmqPort}`, cookie)).toBe("node-not-http");
    expect(await wrong("http://127.0.0.1:1", cookie)).toBe("node-refused");
    const rpc = a.client();
    const unknown = await rpc.call("nosuchmethod", [], z.unknown()).catch((e: unknown) => e);
    expect(unknown instanceof Fault && unknown.code).toBe("node-method-unknown");
    await expect(rpc.call("getblocktemplate", [{ rules: ["segwit"] }], blockTemplate)).resolves.toBeDefined();
    await checkPayout(rpc, Uint8Array.from([0, 20, ...new Uint8Array(20)]), "regtest");
    rpc.close();
  }, 60_000);

  test("doctor's examination finds a good node good and a wrong network wrong", async () => {
    const deps = { rpc: a.rpc, clock: systemClock, log: silentLog, connect: connectTcp };
    const good = await examineNode(deps, { network: "regtest", zmqAddress: a.zmqAddress, staleTipMs: 5_400_000 });
    expect(good.faults.map(({ code }) => code)).toEqual([]);
    expect(good.template?.height).toBeGreaterThan(0);
    const wrong = await examineNode(deps, { network: "mainnet", staleTipMs: 5_400_000 });
    expect(wrong.faults.map(({ code }) => code)).toEqual(["node-wrong-network"]);
    const noZmq = await examineNode(deps, {
      network: "regtest",
      zmqAddress: "tcp://127.0.0.1:1",
      staleTipMs: 5_400_000,
    });
    expect(noZmq.faults.map(({ message }) => message)).toEqual([expect.stringContaining("ECONNREFUSED")]);
  }, 60_000);

  test("the notices of a new block are compared", async () => {
    const race = raceNotices(
      { rpc: a.client("race"), clock: systemClock, connect: connectTcp },
      { network: "regtest", zmqAddress: a.zmqAddress, blocks: 40, timeoutMs: 60_000, pollMs: 250 },
      never,
    );
    await race.ready;
    await pause(500);
    for (let i = 0; i < 42; i++) {
      await a.generate(1);
      await pause(300 + 10 * (i % 7));
    }
    const results = await race.results;
    const ms = (value: number): string => `${value.toFixed(2)} ms`;
    console.table(results.map((row) => ({ ...row, median: ms(row.median), p90: ms(row.p90), max: ms(row.max) })));
    expect(results.every(({ told }) => told >= 40)).toBe(true);
  }, 90_000);
});
