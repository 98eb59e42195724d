/**
 * The whole program on real daemons of auxiliary chains: Bitcoin Core (BITCOIND, a binary) and, by their addresses,
 * namecoind (NAMECOIN_RPC), RSKj (RSK_RPC, RSK_WS) and Elastos (ELA_RPC), e.g. `http://user:password@127.0.0.1:18543`. All are
 * to be in regtest with no other miner; namecoind needs 17 blocks before it makes work. Those without an address are left out.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { type Program, program } from "../support/program.ts";
import { findBitcoind, RegtestNode } from "./regtest-node.ts";

const binary = findBitcoind();

/** What each daemon needs in the configuration, and how it is asked for its tip. */
const CHAINS = {
  namecoin: {
    url: process.env.NAMECOIN_RPC,
    keys: 'payout = "msTHUZmDNkrQkN7igdMth9jC7LAuCtRfWs"',
    daemonKeys: process.env.NAMECOIN_ZMQ === undefined ? "" : `zmq_hashblock = "${process.env.NAMECOIN_ZMQ}"`,
    height: async (rpc: RpcClient) => await rpc.call("getblockcount", [], z.number()),
    /** The block at `height`, or as much of it as holds the parent header, in hex. */
    parent: async (rpc: RpcClient, height: number): Promise<string | undefined> => {
      const hash = await rpc.call("getblockhash", [height], z.string());
      return await rpc.call("getblock", [hash, 0], z.string());
    },
  },
  rsk: {
    url: process.env.RSK_RPC,
    keys: "maturity = 10",
    daemonKeys: process.env.RSK_WS === undefined ? "" : `ws = "${process.env.RSK_WS}"`,
    height: async (rpc: RpcClient) => Number(await rpc.call("eth_blockNumber", [], z.string())),
    parent: async (rpc: RpcClient, height: number): Promise<string | undefined> => {
      const block = await rpc.call(
        "eth_getBlockByNumber",
        [`0x${height.toString(16)}`, false],
        z.looseObject({ bitcoinMergedMiningHeader: z.string().nullish() }),
      );
      return block.bitcoinMergedMiningHeader?.replace(/^0x/, "");
    },
  },
  elastos: {
    url: process.env.ELA_RPC,
    keys: 'payout = "8ZNizBf4KhhPjeJRGpox6rPcHE5Np6tFx3"',
    daemonKeys: "",
    height: async (rpc: RpcClient) => await rpc.call("getblockcount", {}, z.number()),
    parent: async (rpc: RpcClient, height: number): Promise<string | undefined> => {
      const hash = await rpc.call("getblockhash", { height: height - 1 }, z.string());
      return await rpc.call("getblock", { blockhash: hash, verbosity: 0 }, z.string());
    },
  },
} as const;
type Name = keyof typeof CHAINS;
const present = (Object.keys(CHAINS) as Name[]).filter((name) => CHAINS[name].url !== undefined);
const ready = binary !== undefined && present.length > 0;
if (!ready) {
  console.warn(
    "SKIPPED: set BITCOIND and NAMECOIN_RPC, RSK_RPC or ELA_RPC to mine on real daemons of auxiliary chains",
  );
}

describe.skipIf(!ready)(`the program on Bitcoin Core and ${present.join(", ")}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "aux-daemons-"));
  const daemons = new Map<Name, RpcClient>();
  const startedAt = new Map<Name, number>();
  let node: RegtestNode;
  let server: Program;
  let miner: Program;
  let url: string;

  const rpcOf = (name: Name): RpcClient => daemons.get(name) as RpcClient;
  const heightOf = async (name: Name): Promise<number> => await CHAINS[name].height(rpcOf(name));
  const until = async (check: () => Promise<boolean>, what: string, timeoutMs = 120_000): Promise<void> => {
    const end = Date.now() + timeoutMs;
    while (!(await check().catch(() => false))) {
      if (Date.now() > end) {
        throw new Error(`${what} did not happen; the server said:\n${server.err.slice(-30).join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  beforeAll(async () => {
    node = await RegtestNode.create(binary as string, "bitcoin");
    await node.start();
    await node.call("createwallet", "w");
    await node.call("generatetoaddress", 120, await node.call("getnewaddress", "", "bech32"));
    for (const kind of ["bech32", "bech32m", "legacy"]) {
      await node.call("sendtoaddress", await node.call("getnewaddress", "", kind), 1);
    }
    for (const name of present) {
      const options = {
        name,
        url: CHAINS[name].url as string,
        credentials: { kind: "none" },
        timeoutMs: 10_000,
      } as const;
      daemons.set(name, new RpcClient({ clock: systemClock, files: diskFiles, http: nodeHttpPost }, options));
      startedAt.set(name, await heightOf(name));
    }
    const tables = present.map((name) => {
      const { keys, daemonKeys, url } = CHAINS[name];
      return `[chains.${name}]\n${keys}\n[[chains.${name}.daemons]]\nname = "real"\nurl = "${url}"\n${daemonKeys}\n`;
    });
    writeFileSync(
      join(folder, "config.toml"),
      `[stratum_v2]
listen_addr = "127.0.0.1:0"
secondary_chains = ${JSON.stringify(present)}
[bitcoin]
network = "regtest"
payout = "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)"
[vardiff]
shares_per_minute = 60
[merge_mining]
clamp_min_difficulty = 1e-9
[log]
level = "debug"
[[bitcoind]]
name = "core"
url = "${node.url}"
cookie_file = "${node.cookie}"
zmq_hashblock = "${node.zmqAddress}"
${tables.join("\n")}`,
    );
    server = program(["start", "-c", "config.toml", "--json"], { cwd: folder });
    url = JSON.parse(await server.line((line) => line.includes('"listening"'))).url;
  });

  afterAll(async () => {
    miner?.kill("SIGINT");
    await miner?.ended;
    server?.kill("SIGTERM");
    await server?.ended;
    await node?.remove();
    for (const rpc of daemons.values()) rpc.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("every chain grows by what our miner finds", async () => {
    const bitcoinAt = z.number().parse(await node.call("getblockcount"));
    miner = program(["mine", url, "--json", "--extended"], { cwd: folder });
    await until(async () => z.number().parse(await node.call("getblockcount")) > bitcoinAt + 1, "two Bitcoin blocks");
    for (const name of present) {
      const before = startedAt.get(name) as number;
      await until(async () => (await heightOf(name)) >= before + 3, `three blocks of ${name}`);
    }
  });

  test("one header wins all chains", async () => {
    // A header of 80 bytes that stands in a block of every chain: RSK shows it alone, the others within their AuxPoW.
    const winners = async (): Promise<string[]> => {
      const texts = await Promise.all(
        present.map(async (name) => {
          const [from, to] = [startedAt.get(name) as number, await heightOf(name)];
          const blocks: string[] = [];
          for (let height = to; height > from && height > to - 40; height--) {
            blocks.push((await CHAINS[name].parent(rpcOf(name), height)) ?? "");
          }
          return blocks;
        }),
      );
      const best = z.number().parse(await node.call("getblockcount"));
      const headers: string[] = [];
      for (let height = best; height > 120 && height > best - 60; height--) {
        headers.push(
          z.string().parse(await node.call("getblockheader", await node.call("getblockhash", height), false)),
        );
      }
      return headers.filter((header) => texts.every((blocks) => blocks.some((block) => block.includes(header))));
    };
    let found: string[] = [];
    const look = async (): Promise<boolean> => {
      found = await winners();
      return found.length > 0;
    };
    await until(look, "a header that wins every chain");
    console.info(`one header in the blocks of Bitcoin, ${present.join(", ")}: ${found[0]}`);
    expect(found[0]).toHaveLength(160);
  });

  test("no daemon refused anything", async () => {
    miner.kill("SIGINT");
    await miner.ended;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const records = join(folder, "data", "aux-blocks");
    const answers = readdirSync(records)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(join(records, name), "utf8")));
    const verdicts = answers.map(({ chain, answer }) => `${chain} ${answer?.verdict} ${answer?.reason ?? ""}`);
    const counts = new Map<string, number>();
    for (const line of verdicts) counts.set(line, (counts.get(line) ?? 0) + 1);
    console.info([...counts].map(([line, count]) => `${count} x ${line}`).join("\n"));
    expect(verdicts.filter((line) => / (rejected|failed) /.test(line))).toEqual([]);
    for (const name of present) expect(verdicts.some((line) => line.startsWith(`${name} accepted`))).toBe(true);
  });
});
