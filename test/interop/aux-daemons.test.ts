/**
 * The whole program on real daemons of auxiliary chains: Bitcoin Core (BITCOIND, a binary) and, by their addresses,
 * namecoind (NAMECOIN_RPC), RSKj (RSK_RPC, RSK_WS) and Elastos (ELA_RPC), e.g. `http://user:password@127.0.0.1:18543`. All are
 * to be in regtest with no other miner; namecoind needs a block before it makes work. Those without an address are left out.
 * AUX_RESTART names a program that kills and starts the daemon of the chain in its one argument and ends when it answers again.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
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
    /** A block of somebody else's. */
    other: async (rpc: RpcClient) => {
      await rpc.call("generatetoaddress", [1, "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ"], z.unknown());
    },
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
    other: async (rpc: RpcClient) => {
      await rpc.call("evm_mine", [], z.unknown());
    },
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
    other: async (rpc: RpcClient) => {
      await rpc.call("discretemining", { count: 1 }, z.unknown());
    },
    parent: async (rpc: RpcClient, height: number): Promise<string | undefined> => {
      const hash = await rpc.call("getblockhash", { height: height - 1 }, z.string());
      return await rpc.call("getblock", { blockhash: hash, verbosity: 0 }, z.string());
    },
  },
} as const;
type Name = keyof typeof CHAINS;
const present = (Object.keys(CHAINS) as Name[]).filter((name) => CHAINS[name].url !== undefined);
const ready = binary !== undefined && present.length > 0;
const restart = process.env.AUX_RESTART;
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

  /** The miner's words of one kind. */
  const told = (event: string, from = 0) =>
    miner.out.slice(from).flatMap((line) => {
      const words = JSON.parse(line) as { event: string; errorCode?: string; future?: boolean };
      return words.event === event ? [words] : [];
    });
  const mineWith = async (...args: readonly string[]): Promise<void> => {
    miner.kill("SIGINT");
    await miner.ended;
    miner = program(["mine", url, "--json", "--extended", ...args], { cwd: folder });
    await miner.line((line) => line.includes('"job"'));
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  test("a block of somebody else's on any chain brings the miner a job and costs it no share", async () => {
    // So slow that hardly a Bitcoin block comes between and makes jobs of its own.
    await mineWith("--max-hashrate", "0.2");
    for (const name of present) {
      const waits: number[] = [];
      for (let round = 0; round < 5; round++) {
        await pause(1500 + Math.random() * 1000);
        const from = miner.out.length;
        const startMs = performance.now();
        await CHAINS[name].other(rpcOf(name));
        await until(async () => told("job", from).length > 0, `a job for a new block of ${name}`, 10_000);
        waits.push(performance.now() - startMs);
      }
      waits.sort((a, b) => a - b);
      console.info(
        `${name}: from the order to mine a block to the miner's job, in steps of 100 ms: ${waits.map(Math.round)}`,
      );
    }
    expect(told("shareRejected")).toEqual([]);
    expect(told("disconnected")).toEqual([]);
  });

  test.skipIf(restart === undefined)(
    "a daemon that is killed and comes back costs no share and is mined again",
    async () => {
      await mineWith();
      let whileAway = 0;
      for (const name of present) {
        const from = miner.out.length;
        const startMs = performance.now();
        await promisify(execFile)(restart as string, [name]);
        const awayMs = performance.now() - startMs;
        const accepted = told("shareAccepted", from).length;
        const height = await heightOf(name);
        await until(
          async () => (await heightOf(name)) >= height + 2,
          `two blocks of ${name} after its restart`,
          60_000,
        );
        const backMs = performance.now() - startMs - awayMs;
        console.info(
          `${name} was away for ${Math.round(awayMs)} ms, in which ${accepted} answers to shares came; mined again after ${Math.round(backMs)} ms`,
        );
        whileAway += accepted;
      }
      expect(whileAway).toBeGreaterThan(0);
      const refusals = told("shareRejected").map(({ errorCode }) => errorCode);
      console.info(`refused shares: ${JSON.stringify(refusals)} of ${told("shareFound").length}`);
      // Of Bitcoin's own blocks, which come by the second here.
      expect(refusals.filter((code) => code !== "stale-share")).toEqual([]);
      expect(told("disconnected")).toEqual([]);
    },
  );

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

  test.skipIf(!present.includes("namecoin"))(
    "a block of ours that its daemon takes back is mined once more",
    async () => {
      // What was under way then may be refused: its parent is invalid now.
      await mineWith();
      const before = await heightOf("namecoin");
      await until(async () => (await heightOf("namecoin")) > before, "a block of namecoin");
      const height = await heightOf("namecoin");
      const best = await rpcOf("namecoin").call("getbestblockhash", [], z.string());
      await rpcOf("namecoin").call("invalidateblock", [best], z.unknown());
      const startMs = performance.now();
      await until(
        async () => (await heightOf("namecoin")) > height + 1,
        "a block in the place of the one taken back",
        60_000,
      );
      console.info(`namecoin: two blocks past the one taken back after ${Math.round(performance.now() - startMs)} ms`);
    },
  );
});
