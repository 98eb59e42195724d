/** The built program on a devnet node, with throwaway plugin folders outside the checkout and its control socket at hand. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { compactFromTarget, targetOfDifficulty } from "../../src/bitcoin/target.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { MockMiner } from "./mock-miner.ts";
import { type Program, program } from "./program.ts";
import { pause } from "./until.ts";

/** Every share is acknowledged at once and takes some 64 hashes. */
const BASE = `[stratum_v2]
listen_addr = "127.0.0.1:0"
SEED
[jobs]
ack_shares = 1
[vardiff]
min_difficulty = ${2 ** -26}
max_difficulty = ${2 ** -26}
[merge_mining]
plugins_dir = "plugins"
[bitcoin]
network = "regtest"
payout = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
[[bitcoind]]
url = "NODE"
cookie_file = ".cookie"
`;

/** A plugin that does as its table says: the ways in which plugins go wrong, by name. */
const SOURCE = `import { PLUGIN_API, toHex, z } from "bllvm-stratum-v2/plugin";
import { EventEmitter } from "node:events";

const never = () => new Promise(() => {});
export const plugin = {
  name: "NAME",
  api: PLUGIN_API,
  coin: { symbol: "FAK", decimals: 8 },
  config: z.strictObject({
    behave: z.string().default("well"),
    tip: z.string().default("a"),
    chain_id: z.number().int().default(7),
    password: z.string().optional(),
  }),
  open(config, host) {
    const is = (name) => config.behave === name;
    if (is("refuse")) throw new Error("payout is an address of another network");
    const hash = new Uint8Array(32).fill(config.chain_id);
    const work = () => ({
      id: toHex(hash), hash, parent: config.tip, height: 5, target: 2n ** 200n, value: undefined, details: {},
    });
    return {
      async start() {
        if (is("hang-in-start")) await never();
        if (is("throw-in-start")) throw new Error("no such wallet");
        const offer = () => host.offer(is("offer-garbage") ? { id: 5 } : work());
        offer();
        host.clock.every(100, offer);
        if (is("throw-in-timer")) host.clock.after(300, () => { throw new Error("in a timer"); });
        if (is("leak-rejection")) setTimeout(() => void Promise.reject(new Error("a forgotten catch")), 300);
        if (is("leak-exception")) setTimeout(() => { throw new Error("nobody listens"); }, 300);
        if (is("leak-event")) setTimeout(() => new EventEmitter().emit("error", new Error("an emitter without listener")), 300);
        if (is("leak-nothing")) setTimeout(() => void Promise.reject(undefined), 300);
        if (is("leak-timer")) setInterval(() => {}, 1000);
        if (is("trouble")) host.trouble("the daemon is synchronising");
        host.log.info("the config was read", { behave: config.behave });
      },
      async stop() {
        if (is("hang-in-stop")) await never();
      },
      commit(work) {
        if (is("throw-in-commit")) throw new Error("cannot read properties of undefined");
        if (is("promise-in-commit")) return Promise.reject(new Error("later"));
        if (is("slow-commit")) for (const end = Date.now() + 1100; Date.now() < end; );
        if (is("commit-garbage")) return { kind: "auxpow", chainId: -1, hash: work.hash };
        return { kind: "auxpow", chainId: config.chain_id, hash: work.hash, strictChainId: false };
      },
      async submit() {
        return { verdict: "accepted", reason: "" };
      },
      async status() {
        return { state: "confirmed", confirmations: 1, reward: undefined };
      },
    };
  },
};
`;

/** What a test may choose. */
export interface ChainServerOptions {
  /** TOML behind the base: tables of chains. */
  readonly chains?: string;
  /** Lines of `[stratum_v2]`. */
  readonly seed?: string;
  /** Names of plugin folders. */
  readonly plugins?: readonly string[];
  /** Modules of further plugins, by name. */
  readonly sources?: Readonly<Record<string, string>>;
}

/** A folder with a configuration and plugins, and what a test does with them. */
export class ChainFolder {
  readonly path = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-chains-"));
  readonly config = join(this.path, "config.toml");
  /** The Bitcoin node's URL; nothing listens there unless a test sees to it. */
  node = "http://127.0.0.1:1";

  constructor(plugins: readonly string[] = ["fake"]) {
    onTestFinished(() => rmSync(this.path, { recursive: true, force: true }));
    for (const name of plugins) this.plugin(name);
  }

  /** Writes a plugin's folder. */
  plugin(
    name: string,
    changes: { readonly manifest?: object; readonly source?: string; readonly folder?: string } = {},
  ): void {
    const folder = join(this.path, changes.folder ?? join("plugins", name));
    mkdirSync(folder, { recursive: true });
    const manifest = {
      name: `bllvm-stratum-v2-plugin-${name}`,
      version: "1.0.0",
      description: "For tests",
      type: "module",
      main: "./index.js",
      "bllvm-stratum-v2": { plugin: name, api: 1 },
      ...changes.manifest,
    };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "index.js"), changes.source ?? SOURCE.replace("NAME", name));
  }

  /** Writes the configuration: the base and what is given. */
  write(chains = "", seed = ""): void {
    writeFileSync(this.config, `${BASE.replace("SEED", seed).replace("NODE", this.node)}${chains}`);
  }

  /** Runs a command of the program with this configuration. */
  run(...words: readonly string[]): Program {
    return program([...words, "-c", this.config], { cwd: this.path });
  }
}

/** A chain as the API tells it. */
export interface ToldChain {
  readonly name: string;
  readonly state: string;
  readonly trouble?: string;
  readonly restarts: number;
  readonly mining?: { readonly inJob: boolean; readonly work?: { readonly parent: string } };
}

/** A running server. */
export interface ChainServer {
  readonly folder: ChainFolder;
  readonly server: Program;
  /** Asks the control socket; resolves with status and JSON. */
  ask<T = unknown>(method: string, path: string): Promise<{ readonly status: number; readonly body: T }>;
  /** A chain as `/v1/status` tells it. */
  chain(name: string): Promise<ToldChain>;
  /** Resolves with the chain as soon as `ready` says so. */
  until(name: string, ready: (chain: ToldChain) => boolean): Promise<ToldChain>;
  /** A miner that is set up. */
  miner(): Promise<MockMiner>;
  /** Lines of the log so far. */
  log(): readonly { readonly level: number; readonly msg: string }[];
  /** Stops the server; resolves with its exit code. */
  stop(): Promise<number>;
}

/** Starts `start -c config.toml --json` on a node of its own, and resolves once miners can connect. */
export async function chainServer(options: ChainServerOptions = {}): Promise<ChainServer> {
  const folder = new ChainFolder(options.plugins);
  for (const [name, source] of Object.entries(options.sources ?? {})) folder.plugin(name, { source });
  const node = new DevnetNode(
    { clock: systemClock, random: systemRandom(), log: silentLog },
    { cookieDirectory: folder.path, nBits: compactFromTarget(targetOfDifficulty(1)) },
  );
  await node.start(new AbortController().signal);
  onTestFinished(() => node.stop());
  folder.node = node.url;
  folder.write(options.chains, options.seed);
  const server = folder.run("start", "--json");
  const { listening, authorityPublicKey } = JSON.parse(await server.line((line) => line.includes('"listening"')));
  const ask: ChainServer["ask"] = (method, path) => askSocket(join(folder.path, "data/control.sock"), method, path);
  const chain = async (name: string): Promise<ToldChain> => {
    const { body } = await ask<{ chains: ToldChain[] }>("GET", "/v1/status");
    const found = body.chains.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no chain ${name} in ${JSON.stringify(body)}`);
    return found;
  };
  return {
    folder,
    server,
    ask,
    chain,
    async until(name, ready) {
      const deadline = performance.now() + 30_000;
      for (;;) {
        const now = await chain(name);
        if (ready(now)) return now;
        if (performance.now() > deadline)
          throw new Error(`waited in vain: ${JSON.stringify(now)}\n${server.err.join("\n")}`);
        await pause(20);
      }
    },
    async miner() {
      const noise = new NoiseInitiator(
        { crypto: nodeCrypto({ log: silentLog }), clock: systemClock, random: systemRandom() },
        { authorityPublicKey: decodeAuthorityPublicKey(authorityPublicKey) },
      );
      const miner = await MockMiner.connect(listening, { noise });
      onTestFinished(() => miner.destroy());
      await miner.setup();
      return miner;
    },
    log: () => server.err.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)),
    async stop() {
      server.kill("SIGTERM");
      return await server.ended;
    },
  };
}

/** One request to a control socket, or to `host:port`. */
export function askSocket<T>(
  at: string,
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<{ readonly status: number; readonly body: T }> {
  const [host = "", port = ""] = at.split(":");
  const where = at.startsWith("/") ? { socketPath: at } : { host, port: Number(port) };
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, method, path, agent: false, headers: options.headers ?? {} }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    asked.on("error", reject);
    asked.end(options.body);
  });
}
