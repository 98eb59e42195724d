/** The node's command line: words in, text and an exit code out. */
import { describe, expect, test } from "vitest";
import { NODE_CLI_SUBCOMMANDS, NodeCli, type NodeCliDeps } from "../../../../src/app/module/api/node-cli.ts";
import type { BlocksAnswer, ReportRequest, RewardsAnswer } from "../../../../src/app/reports/ledger-reports.ts";
import type { ServerStatus } from "../../../../src/app/status.ts";
import { Fault } from "../../../../src/kernel/fault.ts";
import type { ConnectedMiner } from "../../../../src/node/bllvm/module-api/ports.ts";
import { MemoryMeter } from "../../../../src/ops/memory-meter.ts";
import { recordingLog } from "../../../support/recording-log.ts";

const STATUS: ServerStatus = {
  version: "1.2.3",
  uptimeMs: 3_600_000,
  connections: 2,
  channels: 3,
  shares: { accepted: 10, rejected: 1 },
  blocks: { found: 0 },
  job: { id: 7, height: 100, chains: ["namecoin"], pool: undefined },
  upstream: undefined,
  chains: [
    {
      name: "namecoin",
      plugin: "namecoin",
      version: "1.0.0",
      state: "running",
      sinceMs: 0,
      trouble: "its daemon says \u001b[31mno",
      restarts: 2,
      nextStartMs: undefined,
      mining: undefined,
    },
  ],
  ledger: { open: false, sinceMs: 0, trouble: "the disk is full", unwrittenShares: 5, lostShares: 0 },
  providers: [],
  nodes: [],
  bllvm: undefined,
};

function miner(n: number): ConnectedMiner {
  const counts = { accepted: n, acceptedDifficulty: n, rejected: {}, blocks: 0 };
  const rates = { difficulty: 8, hashrate: 1.5e12 };
  return { connectionId: n, channelId: 2, kind: "extended", userIdentity: `miner${n}\u202e`, ...rates, ...counts };
}

function stage(change: Partial<NodeCliDeps> = {}) {
  const asked: ReportRequest[] = [];
  const [meter, log] = [new MemoryMeter(), recordingLog()];
  const pages: [number, number][] = [];
  const cli = new NodeCli({
    meter,
    log,
    status: () => STATUS,
    miners: (first, most) => {
      pages.push([first, most]);
      return Array.from({ length: 150 }, (_, i) => miner(i)).slice(first, first + most);
    },
    reports: {
      rewards: async (request): Promise<RewardsAnswer> => {
        asked.push(request);
        return { coins: {}, chains: [] };
      },
      blocks: async (request): Promise<BlocksAnswer> => {
        asked.push(request);
        return { coins: {}, blocks: [], next: undefined };
      },
    },
    ...change,
  });
  const run = async (subcommand: string, ...words: string[]) => {
    const answer = await cli.run(subcommand, words);
    if (answer.type !== "Cli") throw new Error(`answered as ${answer.type}`);
    return answer;
  };
  return { run, asked, pages, meter, log };
}

describe("subcommands", () => {
  test("are told to the node with what they take", () => {
    expect(NODE_CLI_SUBCOMMANDS.map(({ name }) => name)).toEqual(["status", "miners", "chains", "rewards", "blocks"]);
    expect(NODE_CLI_SUBCOMMANDS.find(({ name }) => name === "miners")?.args).toEqual([
      { name: "limit", required: false, takesValue: true },
      { name: "offset", required: false, takesValue: true },
      { name: "json", required: false, takesValue: false },
    ]);
  });

  test("status: lines for people, nothing unseen in them", async () => {
    const { run } = stage();
    expect(await run("status")).toEqual({
      type: "Cli",
      exitCode: 0,
      stderr: "",
      stdout: `bllvm-stratum-v2 1.2.3, up 1 h 0 min
2 connections, 3 channels, 10 shares accepted, 1 rejected, 0 Bitcoin blocks found
job 7 at height 100 with namecoin
namecoin  running  no work, started again 2 times
    its daemon says \\u{1b}[31mno
the ledger is not written: the disk is full
`,
    });
    expect(JSON.parse((await run("status", "--json")).stdout)).toMatchObject({ version: "1.2.3", channels: 3 });
    const pool = { name: "main", url: "u", state: "mining", trouble: undefined, retryInMs: undefined } as const;
    const pooled = stage({
      status: () => ({
        ...STATUS,
        job: { id: 8, height: 101, chains: [], pool: "main" },
        upstream: { miningFor: "main", forMs: 61_000, pools: [{ ...pool, connection: undefined }] },
      }),
    });
    expect((await pooled.run("status")).stdout).toContain(
      "\njob 8 at height 101 of pool main\nmining for main, for 1 min\nmain  is mined for\n",
    );
  });

  test("miners: a page of a hundred, or as asked", async () => {
    const { run, pages } = stage();
    const { stdout } = await run("miners");
    expect(stdout.trimEnd().split("\n")).toHaveLength(101);
    expect(stdout).toContain("miner0\\u{202e}");
    expect((await run("miners", "--limit", "2", "offset=148")).stdout).toMatch(/miner148.*\nminer149/);
    expect((await run("miners", "--offset=999")).stdout).toBe("no more channels\n");
    expect(pages).toEqual([
      [0, 100],
      [148, 2],
      [999, 100],
    ]);
  });

  test("rewards and blocks: the request that was typed", async () => {
    const { run, asked } = stage();
    expect(await run("rewards", "--chain", "namecoin", "since=7d", "--worker=a=b")).toMatchObject({
      stdout: "nothing was found yet, and nobody is owed anything\n",
      exitCode: 0,
    });
    await run("blocks", "--state", "mature", "--limit", "5", "--after", "9");
    expect(asked).toEqual([
      { chain: "namecoin", since: "7d", worker: "a=b" },
      { state: "mature", limit: 5, after: 9 },
    ]);
    expect((await run("blocks", "--json")).stdout).toBe('{"coins":{},"blocks":[]}\n');
  });

  test("a long answer is cut", async () => {
    const { run } = stage({
      miners: () => Array.from({ length: 1000 }, () => ({ ...miner(1), userIdentity: "x".repeat(255) })),
    });
    const { stdout } = await run("miners", "--json", "--limit", "1000");
    expect(stdout.length).toBe((1 << 18) + 2);
    expect(stdout.endsWith("…\n")).toBe(true);
  });
});

describe("what is not understood", () => {
  test.each([
    ["no such subcommand", "money", [], /there is no "money".*known status miners chains rewards blocks/],
    ["one of every object", "constructor", [], /there is no "constructor"/],
    ["no such option", "status", ["--limit", "1"], /there is no "--limit".*known --json/],
    ["a value that is missing", "blocks", ["--chain"], /--chain needs a value/],
    ["a number that is none", "miners", ["--limit", "many"], /--limit needs a value/],
    ["too many words", "miners", Array.from({ length: 33 }, () => "json"), /too much/],
    ["too long a word", "blocks", ["--chain", "x".repeat(257)], /too much/],
  ])("%s", async (_what, subcommand, words, error) => {
    const { run, meter } = stage();
    const answer = await run(subcommand, ...words);
    expect(answer).toMatchObject({ exitCode: 2, stdout: "" });
    expect(answer.stderr).toMatch(error);
    expect(answer.stderr).toContain("a word on the node's command line is not understood");
    expect(meter.total("bllvm_api_calls_total")).toBe(1);
  });

  test("a report that cannot be made: its words and its advice, exit code 1", async () => {
    const refuse = () => Promise.reject(new Fault("report-no-ledger", { file: "x" }));
    const { run } = stage({ reports: { rewards: refuse, blocks: refuse } });
    expect(await run("blocks")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(/^there is no ledger yet \(file x\)\. The server makes it/),
    });
    expect(await run("miners", "--limit", "0")).toMatchObject({ exitCode: 1 });
  });

  test("a mistake of ours: nothing of it for the caller, all of it in our log", async () => {
    const fail = () => Promise.reject(new TypeError("no such table in /home/pool/ledger.sqlite"));
    const { run, log } = stage({ reports: { rewards: fail, blocks: fail } });
    expect(await run("blocks")).toEqual({
      type: "Cli",
      exitCode: 1,
      stdout: "",
      stderr: "an internal error; this module's log has it\n",
    });
    expect(log.lines).toMatchObject([
      { level: "error", message: expect.stringMatching(/blocks failed: no such table/), fields: { error: {} } },
    ]);
    await run("money");
    expect(log.lines).toHaveLength(1);
  });
});
