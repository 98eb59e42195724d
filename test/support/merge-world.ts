/** The built program among real daemons: an embedded Bitcoin node, aux daemons, plugins of its own, and miners over Noise. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { ServerStatus } from "../../src/app/status.ts";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { compactFromTarget } from "../../src/bitcoin/target.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import type { NamecoinDaemonOptions } from "../../src/devnet/namecoin/options.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import type { RskDaemonOptions } from "../../src/devnet/rsk/options.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import { decodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { NoiseInitiator } from "../../src/sv2/noise/handshake.ts";
import { askSocket } from "./chain-server.ts";
import { MockMiner } from "./mock-miner.ts";
import { NAMECOIN_ADDRESS } from "./namecoin.ts";
import { type Program, program } from "./program.ts";
import { PUPPET } from "./puppet-plugin.ts";
import { seededRandom } from "./seeded-random.ts";
import { pause } from "./until.ts";

const crypto = nodeCrypto({ log: silentLog });
const never = new AbortController().signal;

/** Targets as powers of two: a hash meets 2^n - 1 with a chance of 2^(n-256). */
export const bits = (n: number): bigint => 2n ** BigInt(n) - 1n;

/** What of the configuration a test chooses. */
export interface MergeWorldOptions {
  /** The Bitcoin blocks' target is 2^this; 180, which no test meets. */
  readonly bitcoinBits?: number;
  /** The channels' target is 2^this; 250, some 64 hashes a share. */
  readonly channelBits?: number;
  /** Lines of `[bitcoin]`. */
  readonly bitcoin?: string;
  /** Lines of any section, e.g. `[jobs]` keys by section. */
  readonly more?: string;
}

/** A chain as the program tells it. */
export type ToldChain = ServerStatus["chains"][number];

/** A found block's file. */
export interface AuxFile {
  readonly name: string;
  readonly chain: string;
  readonly work: { readonly id: string };
  readonly proof: { readonly headerHash: string; readonly header: string; readonly auxpow: string | null };
  readonly answer: { readonly verdict: string; readonly reason: string } | null;
}

/** Everything that a test of merge mining needs; all of it ends with the test. */
export class MergeWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-merge-"));
  readonly config = join(this.folder, "config.toml");
  readonly auxFolder = join(this.folder, "data/aux-blocks");
  readonly node: DevnetNode;
  readonly #options: MergeWorldOptions;
  #server: Program | undefined;
  #listening = "";
  #authorityPublicKey = "";

  private constructor(options: MergeWorldOptions) {
    this.#options = options;
    const target = 2n ** BigInt(options.bitcoinBits ?? 180);
    this.node = new DevnetNode(
      { clock: systemClock, random: seededRandom(1), log: silentLog },
      // Tests ask for the coinbase of any of our blocks; a long one makes thousands.
      { nBits: compactFromTarget(target), transactions: { atLeast: 3 }, blocksKept: 50_000 },
    );
  }

  /** A node that runs, and a folder with the plugin `puppet` (support/puppet-plugin.ts); no server yet. */
  static async open(options: MergeWorldOptions = {}): Promise<MergeWorld> {
    const world = new MergeWorld(options);
    onTestFinished(async () => {
      world.#server?.kill("SIGKILL");
      await world.#server?.ended;
      await world.node.stop();
      rmSync(world.folder, { recursive: true, force: true });
    });
    world.plugin("puppet", PUPPET);
    await world.node.start(never);
    return world;
  }

  /** A Namecoin daemon that runs until the test ends. Blocks at 2^`targetBits`. */
  async namecoin(targetBits: number, options: NamecoinDaemonOptions = {}): Promise<NamecoinDaemon> {
    const nBits = compactFromTarget(2n ** BigInt(targetBits));
    const deps = { clock: systemClock, random: seededRandom(2), log: silentLog };
    const daemon = new NamecoinDaemon(deps, { nBits, ...options });
    await daemon.start(never);
    onTestFinished(() => daemon.stop());
    return daemon;
  }

  /** An RSK node that runs until the test ends. */
  async rsk(targetBits: number, options: RskDaemonOptions = {}): Promise<RskDaemon> {
    const deps = { clock: systemClock, random: seededRandom(3), log: silentLog };
    const daemon = new RskDaemon(deps, { difficulty: 2 ** (256 - targetBits), ...options });
    await daemon.start(never);
    onTestFinished(() => daemon.stop());
    return daemon;
  }

  /** Writes a plugin's folder. */
  plugin(name: string, source: string): void {
    const folder = join(this.folder, "plugins", name);
    mkdirSync(folder, { recursive: true });
    const manifest = {
      name: `bllvm-stratum-v2-plugin-${name}`,
      version: "1.0.0",
      description: "For tests",
      type: "module",
      main: "./index.js",
      "bllvm-stratum-v2": { plugin: name, api: 1 },
    };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "index.js"), source);
  }

  /** Writes the configuration with these tables of chains. */
  write(...chains: readonly string[]): void {
    const { channelBits = 250, bitcoin = "", more = "" } = this.#options;
    const difficulty = 2 ** (224 - channelBits);
    writeFileSync(
      this.config,
      `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)"
${bitcoin}
[[bitcoind]]
url = "${this.node.url}"
user = "${this.node.user}"
password = "${this.node.password}"
[merge_mining]
plugins_dir = "plugins"
[vardiff]
min_difficulty = ${difficulty}
max_difficulty = ${difficulty}
[jobs]
ack_shares = 1
${more}
${chains.join("\n")}
`,
    );
  }

  /** Starts the program; resolves once miners can connect. */
  async start(): Promise<void> {
    const server = program(["start", "-c", this.config, "--json"], { cwd: this.folder });
    this.#server = server;
    const line = await server.line((each) => each.includes('"listening"'));
    const { listening, authorityPublicKey } = JSON.parse(line);
    this.#listening = listening;
    this.#authorityPublicKey = authorityPublicKey;
  }

  /** The running program. */
  get server(): Program {
    if (this.#server === undefined) throw new TypeError("the server was not started");
    return this.#server;
  }

  /** Ends the program with `signal`; resolves with its exit code. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.server.kill(signal);
    return await this.server.ended;
  }

  /** One request to the control socket; throws for any answer but 200. */
  async ask<T>(method: "GET" | "POST", path: string): Promise<T> {
    const { status, body } = await askSocket<T>(join(this.folder, "data/control.sock"), method, path);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** The whole server as it tells itself. */
  async status(): Promise<ServerStatus> {
    return await this.ask<ServerStatus>("GET", "/v1/status");
  }

  /** A chain as `/v1/status` tells it. */
  async chain(name: string): Promise<ToldChain> {
    const { chains } = await this.status();
    const found = chains.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no chain ${name}`);
    return found;
  }

  /** Resolves with the chain as soon as `ready` says so. */
  async until(
    what: string,
    name: string,
    ready: (chain: ToldChain) => boolean,
    timeoutMs = 20_000,
  ): Promise<ToldChain> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const now = await this.chain(name);
      if (ready(now)) return now;
      if (performance.now() > deadline) {
        throw new Error(
          `waited in vain until ${what}: ${JSON.stringify(now)}\n${this.server.err
            .slice(-20)
            .map((line) => line.slice(0, 300))
            .join("\n")}`,
        );
      }
      await pause(20);
    }
  }

  /** Resolves once the newest job commits to all of `names`. */
  async mined(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.until(`${name} is in the job`, name, ({ mining }) => mining?.inJob === true);
  }

  /** A client after its handshake and set-up. */
  async miner(flags = 0): Promise<MockMiner> {
    const noise = new NoiseInitiator(
      { crypto, clock: systemClock, random: systemRandom() },
      { authorityPublicKey: decodeAuthorityPublicKey(this.#authorityPublicKey) },
    );
    const miner = await MockMiner.connect(this.#listening, { noise });
    onTestFinished(() => miner.destroy());
    await miner.setup({ flags });
    return miner;
  }

  /** Records of found aux blocks, oldest first; those that wait have no answer. */
  auxFiles(): AuxFile[] {
    const files: AuxFile[] = [];
    for (const name of this.auxNames()) {
      try {
        files.push({ name, ...JSON.parse(readFileSync(join(this.auxFolder, name), "utf8")) });
      } catch (error) {
        // It got its answer, and another name, in this moment.
        if ((error as { code?: string }).code !== "ENOENT") throw error;
      }
    }
    return files;
  }

  /** Their names. */
  auxNames(): string[] {
    try {
      return readdirSync(this.auxFolder)
        .filter((name) => name.endsWith(".json"))
        .sort();
    } catch {
      return [];
    }
  }

  /** Lines of the log so far. */
  log(): { readonly level: number; readonly msg: string; readonly [field: string]: unknown }[] {
    return this.server.err.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }
}

/** The table of a chain on the embedded Namecoin daemon. */
export function namecoinTable(daemon: NamecoinDaemon, more = ""): string {
  return `[chains.namecoin]
payout = "${NAMECOIN_ADDRESS}"
${more}
[[chains.namecoin.daemons]]
url = "${daemon.url}"
user = "${daemon.user}"
password = "${daemon.password}"
`;
}

/** The table of a chain on the embedded RSK node. */
export function rskTable(daemon: RskDaemon, more = ""): string {
  const ws = daemon.wsUrl === undefined ? "" : `ws = "${daemon.wsUrl}"`;
  return `[chains.rsk]\n${more}\n[[chains.rsk.daemons]]\nurl = "${daemon.url}"\n${ws}\n`;
}

/** The table of a chain of the puppet plugin. */
export function puppetTable(name: string, keys: Readonly<Record<string, string | number>> = {}): string {
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `[chains.${name}]\nplugin = "puppet"\n${lines.join("\n")}\n`;
}
