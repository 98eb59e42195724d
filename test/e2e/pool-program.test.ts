/**
 * The whole program three levels deep, as an operator runs it: three configuration files, three processes, a node under the lowest and a miner on
 * the highest. What the miner finds is a block of the node's chain.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { compactFromTarget } from "../../src/bitcoin/target.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { type Program, program } from "../support/program.ts";
import { until } from "../support/until.ts";

/** Some 2^16 hashes a block, 2^12 a share. */
const node = new DevnetNode(
  { clock: systemClock, random: systemRandom(), log: silentLog },
  { nBits: compactFromTarget(2n ** 240n), transactions: { atLeast: 3 } },
);
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-levels-"));
  await node.start(new AbortController().signal);
});

afterAll(async () => {
  await node.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the file of one level and returns its path. */
function configOf(name: string, port: number, more: string): string {
  const path = join(folder, `${name}.toml`);
  const common = `[stratum_v2]
listen_addr = "127.0.0.1:${port}"
data_dir = "${name}"
[vardiff]
min_difficulty = 1e-6
max_difficulty = 1e-6
[jobs]
ack_shares = 1
[ledger]
flush_s = 0.3
`;
  writeFileSync(path, common + more);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function started(config: string): Promise<{ readonly server: Program; readonly url: string }> {
  const server = program(["start", "-c", config, "--json"]);
  const { url } = JSON.parse(await server.line((line) => line.includes('"listening"')));
  return { server, url };
}

const poolMode = (url: string, more = ""): string =>
  `[bitcoin]\nnetwork = "regtest"\n[upstream]\nuser = "farm"\n${more}[[pools]]\nname = "below"\nurl = "${url}"\n`;

test("a block that is found on the highest level is accepted by the node, and a level that dies costs no miner", async () => {
  const low = await started(
    configOf(
      "low",
      0,
      `[bitcoin]\nnetwork = "regtest"\npayout = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
[[bitcoind]]\nurl = "${node.url}"\nuser = "${node.user}"\npassword = "${node.password}"\n`,
    ),
  );
  const middleConfig = configOf(
    "middle",
    await freePort(),
    `${poolMode(low.url, "extranonce_bytes = 12\n")}[chains.namecoin]\n`,
  );
  const middle = await started(middleConfig);
  const highConfig = configOf("high", 0, poolMode(middle.url));

  const doctor = program(["doctor", "-c", highConfig, "--json"]);
  expect(await doctor.ended, doctor.out.join("\n")).toBe(0);
  const { findings } = JSON.parse(doctor.out[0] ?? "");
  const pool = findings.filter(({ check }: { check: string }) => check === "pool below");
  expect(pool.map(({ detail }: { detail: string }) => detail)).toEqual([
    "127.0.0.1 is an address",
    expect.stringContaining("takes connections"),
    expect.stringContaining("its key is the one of the URL"),
    expect.stringContaining("12 bytes of extranonce"),
    expect.stringContaining("its first job for block"),
  ]);

  const high = await started(highConfig);
  const before = node.chain.tip.height;
  const miner = program(["mine", high.url, "--json", "--user", "alice.rig1"]);
  await until("two blocks were found", () => node.chain.tip.height >= before + 2, 30_000);
  const said = middle.server.err.join("\n");
  expect(said).toContain("the pool owns the coinbase");
  expect(said).toContain("namecoin rests");

  middle.server.kill("SIGKILL");
  await until("the loss was told", () => high.server.err.some((line) => line.includes("lost pool below")));
  const again = await started(middleConfig);
  await until(
    "the pool is back",
    () => high.server.err.filter((line) => line.includes("mining for pool below")).length === 2,
    20_000,
  );
  const height = node.chain.tip.height;
  await until("another block was found", () => node.chain.tip.height > height, 30_000);

  miner.kill("SIGINT");
  expect(await miner.ended, miner.err.join("\n")).toBe(0);
  expect(miner.out.filter((line) => line.includes('"event":"connected"'))).toHaveLength(1);
  const workers = program(["workers", "-c", highConfig, "--pool", "below", "--json"]);
  expect(await workers.ended, workers.err.join("\n")).toBe(0);
  expect(workers.out.join("\n")).toContain('"alice.rig1"');
  for (const { server } of [high, again, low]) {
    server.kill("SIGTERM");
    expect(await server.ended, server.err.join("\n")).toBe(0);
  }
}, 120_000);
