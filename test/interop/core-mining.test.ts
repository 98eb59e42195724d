/**
 * The whole program, as an operator runs it, on real Bitcoin Core nodes: two regtest nodes with segwit transactions, our
 * server by its command line, our miner through standard and extended channels, a node killed and restarted under load.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Program, program } from "../support/program.ts";
import { findBitcoind, RegtestNode } from "./regtest-node.ts";

const binary = findBitcoind();
if (binary === undefined) console.warn("SKIPPED: no bitcoind found; set BITCOIND to its path to test against it");

const block = z.object({
  height: z.number(),
  tx: z.array(
    z.object({
      txid: z.string(),
      hash: z.string(),
      vout: z.array(z.object({ scriptPubKey: z.object({ hex: z.string() }) })),
    }),
  ),
});
const PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const PAYOUT_SCRIPT = "0014751e76e8199196d454941c45d1b3a323f1433bd6";

describe.skipIf(binary === undefined)("the program on Bitcoin Core", () => {
  const folder = mkdtempSync(join(tmpdir(), "core-mining-"));
  let first: RegtestNode;
  let second: RegtestNode;
  let server: Program;
  let url: string;

  const height = async (node: RegtestNode): Promise<number> => z.number().parse(await node.call("getblockcount"));
  const until = async (check: () => Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> => {
    const end = Date.now() + timeoutMs;
    while (!(await check().catch(() => false))) {
      if (Date.now() > end)
        throw new Error(`${what} did not happen; the server said:\n${server.err.slice(-20).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const tip = async (node: RegtestNode): Promise<z.output<typeof block>> =>
    block.parse(await node.call("getblock", await node.call("getbestblockhash"), 2));

  beforeAll(async () => {
    first = await RegtestNode.create(binary as string, "first");
    second = await RegtestNode.create(binary as string, "second");
    await first.start();
    await second.start();
    await second.call("addnode", `127.0.0.1:${first.p2pPort}`, "add");
    await first.call("createwallet", "w");
    const own = z.string().parse(await first.call("getnewaddress", "", "bech32"));
    await first.call("generatetoaddress", 120, own);
    for (const kind of ["bech32", "bech32m", "p2sh-segwit", "legacy", "bech32"]) {
      await first.call("sendtoaddress", await first.call("getnewaddress", "", kind), 1);
    }
    writeFileSync(
      join(folder, "config.toml"),
      `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "addr(${PAYOUT})"
[templates]
failback_s = 5
[vardiff]
shares_per_minute = 60
[[bitcoind]]
name = "first"
url = "${first.url}"
cookie_file = "${first.cookie}"
zmq_hashblock = "${first.zmqAddress}"
[[bitcoind]]
name = "second"
url = "${second.url}"
cookie_file = "${second.cookie}"
`,
    );
    server = program(["start", "-c", "config.toml", "--json"], { cwd: folder });
    url = JSON.parse(await server.line((line) => line.includes('"listening"'))).url;
  });

  afterAll(async () => {
    server?.kill("SIGTERM");
    await server?.ended;
    await first?.remove();
    await second?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("doctor has nothing to say against the two nodes", async () => {
    const doctor = program(["doctor", "-c", "config.toml"], { cwd: folder });
    const code = await doctor.ended;
    expect(doctor.out.filter((line) => line.startsWith("failed")).join("\n")).toBe("");
    expect(code).toBe(0);
  });

  test.each([["standard"], ["extended"]] as const)(
    "a block with transactions is found through a %s channel",
    async (kind) => {
      const own = z.string().parse(await first.call("getnewaddress", "", "bech32"));
      for (let i = 0; i < 3; i++) await first.call("sendtoaddress", own, 0.5);
      const before = await height(first);
      // Templates are refreshed for risen fees; the block has to hold the transactions, so the next template is waited for.
      await new Promise((resolve) => setTimeout(resolve, 11_000));
      const miner = program(["mine", url, "--json", ...(kind === "extended" ? ["--extended"] : [])], { cwd: folder });
      await until(async () => (await height(first)) > before, "a block");
      miner.kill("SIGINT");
      await miner.ended;
      const found = block.parse(await first.call("getblock", await first.call("getblockhash", before + 1), 2));
      expect(found.tx.length).toBeGreaterThanOrEqual(4);
      expect(found.tx.some(({ txid, hash }) => txid !== hash)).toBe(true);
      expect(found.tx[0]?.vout[0]?.scriptPubKey.hex).toBe(PAYOUT_SCRIPT);
    },
  );

  test("the preferred node is killed under load: mining goes on with the other, and comes back", async () => {
    const miner = program(["mine", url, "--json", "--extended"], { cwd: folder });
    await miner.line((line) => line.includes('"shareAccepted"'));
    await first.stop("SIGKILL");
    const at = await height(second);
    await until(async () => (await height(second)) >= at + 3, "three blocks on the second node");
    await first.start();
    await second.call("addnode", `127.0.0.1:${first.p2pPort}`, "onetry");
    await until(async () => (await height(first)) >= at + 3, "the first node to catch up");
    await until(async () => (await tip(first)).height === (await tip(second)).height, "both nodes to agree");
    const now = await height(first);
    await until(async () => (await height(first)) > now + 2, "blocks on both nodes");
    miner.kill("SIGINT");
    await miner.ended;
    expect(miner.out.filter((line) => line.includes('"disconnected"'))).toEqual([]);
    const summary = JSON.parse(miner.out.at(-1) ?? "");
    expect(summary.shares.accepted).toBeGreaterThan(5);
  });

  test("every found block was answered by both nodes, none was refused", async () => {
    const blocks = join(folder, "data", "blocks");
    await until(
      async () => readdirSync(blocks).every((name) => name.endsWith(".done.json")),
      "answers to all blocks",
      90_000,
    );
    const { readFileSync } = await import("node:fs");
    const answers = readdirSync(blocks).flatMap((name) => JSON.parse(readFileSync(join(blocks, name), "utf8")).answers);
    expect(answers.length).toBeGreaterThan(5);
    expect(answers.filter(({ verdict }) => verdict === "rejected")).toEqual([]);
  });
});
