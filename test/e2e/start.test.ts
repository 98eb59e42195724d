import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { compactFromTarget, targetOfDifficulty } from "../../src/bitcoin/target.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { program } from "../support/program.ts";
import { seededRandom } from "../support/seeded-random.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-start-"));
const config = join(folder, "config.toml");
const node = new DevnetNode(
  { clock: systemClock, random: seededRandom(1), log: silentLog },
  { cookieDirectory: folder, nBits: compactFromTarget(targetOfDifficulty(0.0001)) },
);

beforeAll(async () => {
  await node.start(new AbortController().signal);
  writeFileSync(
    config,
    `[stratum_v2]
listen_addr = "127.0.0.1:0"
data_dir = "state"
[bitcoin]
network = "regtest"
payout = "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)"
[vardiff]
shares_per_minute = 120
[[bitcoind]]
url = "${node.url}"
cookie_file = ".cookie"
`,
  );
});

afterAll(async () => {
  await node.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("doctor finds nothing wrong, and leaves nothing behind", async () => {
  const doctor = program(["doctor", "-c", config, "--json"]);
  expect(await doctor.ended, doctor.out.join("\n")).toBe(0);
  const { ok, findings } = JSON.parse(doctor.out[0] ?? "");
  expect(ok).toBe(true);
  expect(findings.map(({ check }: { check: string }) => check)).toEqual(
    expect.arrayContaining(["configuration", "authority key", "listening address", "payout", "coinbase", "clock"]),
  );
  expect(readdirSync(folder).sort()).toEqual([".cookie", "config.toml"]);
});

test("start -c config.toml: a miner's block reaches the node, the journal and the log", async () => {
  const before = node.chain.tip.height;
  const server = program(["start", "-c", config, "--json"]);
  const { url } = JSON.parse(await server.line((line) => line.includes('"listening"')));
  const miner = program(["mine", url, "--json", "--user", "alice.rig1"]);
  while (node.chain.tip.height === before) await new Promise((resolve) => setTimeout(resolve, 50));
  miner.kill("SIGINT");
  expect(await miner.ended, miner.err.join("\n")).toBe(0);
  server.kill("SIGTERM");
  expect(await server.ended, server.err.join("\n")).toBe(0);

  const state = join(folder, "state");
  expect(statSync(join(state, "authority.key")).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(state, "blocks")).filter((name) => name.endsWith(".done.json")).length).toBeGreaterThan(0);
  const log = server.err.map((line) => JSON.parse(line));
  expect(log.some(({ msg }) => msg.includes("miners connect to stratum2+tcp://127.0.0.1:"))).toBe(true);
  expect(server.err.join("\n")).not.toContain(node.password);
});

test("a second start has the same authority key", async () => {
  const keys: string[] = [];
  for (let i = 0; i < 2; i++) {
    const server = program(["start", "-c", config, "--json"]);
    keys.push(JSON.parse(await server.line((line) => line.includes('"listening"'))).authorityPublicKey);
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  }
  expect(keys[0]).toBe(keys[1]);
});
