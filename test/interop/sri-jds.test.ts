/**
 * SRI's pool_sv2 with its job declaration server, on a Bitcoin Core with IPC (BITCOIN_NODE), as the foreign pool of our Job Declaration Client mode: one header
 * wins the pool's Bitcoin block, and Namecoin and RSK for us.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { TOKENS } from "../../src/app/tokens.ts";
import { composedServer, devnetDaemons } from "../support/composed-server.ts";
import { MockChannel } from "../support/mock-channel.ts";
import { run } from "../support/program.ts";
import { until } from "../support/until.ts";
import { BITCOIN_NODE, startCoreWithIpc } from "./foreign/core-ipc.ts";
import { foreign } from "./foreign/install.ts";
import { POOL_SV2 } from "./foreign/pins.ts";
import { freePort } from "./foreign/translator.ts";

const binary = BITCOIN_NODE === undefined ? undefined : await foreign(POOL_SV2);
if (BITCOIN_NODE === undefined) console.warn("SKIPPED: set BITCOIN_NODE to test against SRI's job declaration server");

const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

async function sriPool(dataDir: string) {
  const folder = mkdtempSync(join(tmpdir(), "interop-sri-jds-"));
  const [port, jdsPort] = [await freePort(), await freePort()];
  writeFileSync(
    join(folder, "pool.toml"),
    `authority_public_key = "${KEY}"
authority_secret_key = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n"
cert_validity_sec = 3600
listen_address = "127.0.0.1:${port}"
coinbase_reward_script = "addr(${ADDRESS})"
server_id = 1
pool_signature = "interop"
shares_per_minute = 60.0
share_batch_size = 1
supported_extensions = []
required_extensions = []

[template_provider_type.BitcoinCoreIpc]
version = 31
network = "regtest"
data_dir = "${dataDir}"
fee_threshold = 100
min_interval = 1

[jds]
listen_address = "127.0.0.1:${jdsPort}"
`,
  );
  const program = run(binary ?? "", ["-c", join(folder, "pool.toml")], { cwd: folder });
  onTestFinished(async () => {
    program.kill("SIGTERM");
    await program.ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const said = (): string => [...program.out, ...program.err].join("\n");
  let code: number | undefined;
  void program.ended.then((ended) => {
    code = ended;
  });
  await until("the pool", () => said().includes("ready to accept connections") || code !== undefined, 60_000);
  if (code !== undefined) throw new Error(`the pool ended with ${code}; it said:\n${said()}`);
  const url = (at: number): string => `stratum2+tcp://127.0.0.1:${at}/${KEY}`;
  return { url: url(port), jds: url(jdsPort), said };
}

describe.skipIf(binary === undefined)("our jobs at SRI's pool_sv2", () => {
  test("are declared, mined and paid there, and win our chains", { timeout: 180_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "interop-core-ipc-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const core = await startCoreWithIpc(folder);
    await core.rpc("generatetoaddress", 101, ADDRESS);
    const pool = await sriPool(folder);
    const daemons = await devnetDaemons();
    const server = await composedServer(
      { pools: [{ name: "sri", url: pool.url, jds: pool.jds }], upstream: { user: "farm" } },
      daemons,
      {
        nodes: [
          {
            name: "core",
            url: `http://127.0.0.1:${core.port}`,
            credentials: { kind: "password", user: "u", password: "p" },
            zmqAddress: undefined,
          },
        ],
      },
    );
    const jobs = server.running.container.resolve(TOKENS.jobs);
    const ready = async (): Promise<void> => {
      const height = Number(await core.rpc("getblockcount")) + 1;
      const isReady = (): boolean => {
        const job = jobs.current();
        const heights = new Map(job?.aux?.entries.map(({ chain, work }) => [chain, work.height]));
        const isNewest =
          heights.get("namecoin") === daemons.namecoin.chain.tip.height + 1 &&
          heights.get("rsk") === daemons.rsk.chain.tip.number + 1;
        return job?.pool?.pool === "sri" && job.template.height === height && isNewest;
      };
      await until("a declared job of both chains", isReady, 30_000).catch((error: unknown) => {
        const lines = server.log.slice(-25).map(({ level, message }) => `${level} ${message}`);
        throw new Error(`${String(error)}\n${lines.join("\n")}\nthe pool said:\n${pool.said().slice(-3000)}`);
      });
    };
    for (let block = 0; block < 2; block++) {
      await ready();
      await until("the pool's word on it", () => pool.said().includes("SetCustomMiningJob"), 10_000);
      const before = Number(await core.rpc("getblockcount"));
      const [nmc, rsk] = [daemons.namecoin.chain.tip.height, daemons.rsk.chain.tip.number];
      const channel = await MockChannel.extended(await server.miner());
      channel.submit(channel.find({ atMost: 2n ** 246n - 1n }));
      for (let tries = 0; Number(await core.rpc("getblockcount")) <= before; tries++) {
        if (tries > 100) throw new Error(`no block; the pool said:\n${pool.said().slice(-3000)}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await until("a Namecoin block", () => daemons.namecoin.chain.tip.height > nmc, 10_000);
      await until("an RSK block", () => daemons.rsk.chain.tip.number > rsk, 10_000);
    }
    const best = (await core.rpc("getblock", await core.rpc("getbestblockhash"), 2)) as {
      tx: { vout: { value: number; scriptPubKey: { address?: string } }[] }[];
    };
    expect(best.tx[0]?.vout[0]?.scriptPubKey.address).toBe(ADDRESS);
    const shares = server.running.container.resolve(TOKENS.upstream)?.status().pools[0]?.connection as {
      shares: { accepted: number; refused: number };
    };
    expect(shares.shares.refused).toBe(0);
    expect(pool.said()).not.toContain("panicked");
  });
});
