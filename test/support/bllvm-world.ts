/** The built program as a module of the fake bllvm node, in each of the ways in which it can be started, with real miners. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFailed, onTestFinished } from "vitest";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "./bllvm/node.ts";
import { FakeModuleSpawner, type FakeModuleSpawnerOptions } from "./bllvm/spawner.ts";
import { type Program, program } from "./program.ts";
import { until } from "./until.ts";

/** The module's name, and what its manifest asks for. */
export const NAME = "bllvm-stratum-v2";
const PAYOUT = "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)";

/** A line of the module's log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly listening?: string;
  readonly authorityPublicKey?: string;
}

/** A node with a folder for modules, and the words that start ours. */
export class BllvmWorld {
  readonly node: FakeBllvmNode;
  readonly modulesDir: string;
  /** Where the module keeps its data. */
  readonly dataDir: string;
  readonly #home: string;

  private constructor(node: FakeBllvmNode, home: string) {
    this.node = node;
    this.#home = home;
    this.modulesDir = join(home, "modules");
    this.dataDir = join(node.dataDir, "data/modules", NAME);
  }

  /** Ends with the test. */
  static async start(options: FakeBllvmNodeOptions = {}): Promise<BllvmWorld> {
    const home = mkdtempSync(join(tmpdir(), "bllvm-w-"));
    const dataDir = join(home, "node");
    mkdirSync(dataDir);
    const node = await FakeBllvmNode.start({ dataDir, ...options });
    onTestFinished(async () => {
      await node.stop();
      rmSync(home, { recursive: true, force: true });
    });
    return new BllvmWorld(node, home);
  }

  /** A configuration; `bllvm` and `more` are TOML. */
  config({ rpc = true, more = "" }: { readonly rpc?: boolean; readonly more?: string } = {}): string {
    return `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "${PAYOUT}"
[vardiff]
shares_per_minute = 60
min_difficulty = 0.00001
[jobs]
ack_s = 0
[ledger]
flush_s = 60
[bllvm]
${rpc ? `rpc_url = "${this.node.rpcUrl}"` : ""}
${more}`;
  }

  /** Writes a configuration file beside the node. */
  configFile(toml: string): string {
    const file = join(this.#home, "config.toml");
    writeFileSync(file, toml);
    return file;
  }

  /** Runs the module as a service at the node's socket. */
  attach(toml = this.config()): Attached {
    mkdirSync(this.dataDir, { recursive: true });
    const words = ["--socket", this.node.socketPath, "--data-dir", this.dataDir, "-c", this.configFile(toml)];
    return new Attached(program(["module", ...words]));
  }

  /** Installs the module, and gives what loads it as the node does. */
  async install(
    toml = this.config(),
    options: Partial<FakeModuleSpawnerOptions> & { readonly words?: readonly string[] } = {},
  ): Promise<Spawned> {
    const { words = [], ...spawning } = options;
    const installing = program(["install-module", "--modules-dir", this.modulesDir, ...words]);
    expect(await installing.ended, installing.err.join("\n")).toBe(0);
    writeFileSync(join(this.modulesDir, NAME, "config.toml"), toml);
    const { node, modulesDir } = this;
    const spawner = new FakeModuleSpawner({ node }, { modulesDir, monitorMs: 100, ...spawning });
    onTestFinished(() => spawner.stop({ announce: false }));
    return new Spawned(spawner, join(this.dataDir, "module.log"));
  }
}

/** What a running module tells. */
abstract class Running {
  constructor() {
    // A test that fails shows what the module said.
    onTestFailed(() => void process.stderr.write(`the module said:\n${this.said()}\n`));
  }

  /** Its log so far. */
  abstract lines(): readonly LogLine[];

  /** Resolves with the first line that says `text`. */
  async says(text: string, timeoutMs = 20_000): Promise<LogLine> {
    const find = (): LogLine | undefined => this.lines().find(({ msg }) => msg.includes(text));
    await until(`the module says "${text}"; it said:\n${this.said()}`, () => find() !== undefined, timeoutMs).catch(
      () => {
        throw new Error(`the module did not say "${text}" but\n${this.said()}`);
      },
    );
    return find() as LogLine;
  }

  /** All sentences. */
  said(): string {
    return this.lines()
      .map(({ level, msg }) => `${level} ${msg}`)
      .join("\n");
  }

  /** A CPU miner connected to it; on regtest each share is a block, some in a second. */
  async mine(...words: readonly string[]): Promise<Program> {
    const { listening, authorityPublicKey } = await this.says("miners connect to");
    return program([
      "mine",
      `stratum2+tcp://${listening}/${authorityPublicKey}`,
      "--json",
      "--max-hashrate",
      "50000",
      ...words,
    ]);
  }
}

/** A service. */
export class Attached extends Running {
  readonly program: Program;

  constructor(running: Program) {
    super();
    this.program = running;
  }

  lines(): readonly LogLine[] {
    return parsed(this.program.err);
  }
}

/** A child of the node. */
export class Spawned extends Running {
  readonly spawner: FakeModuleSpawner;
  readonly #file: string;

  constructor(spawner: FakeModuleSpawner, file: string) {
    super();
    this.spawner = spawner;
    this.#file = file;
  }

  lines(): readonly LogLine[] {
    return existsSync(this.#file) ? parsed(readFileSync(this.#file, "utf8").split("\n")) : [];
  }
}

/** JSON lines; the launcher's own are text. */
function parsed(lines: readonly string[]): readonly LogLine[] {
  return lines.flatMap((line): LogLine[] => {
    if (line.trim() === "") return [];
    if (!line.startsWith("{")) return [{ level: 0, msg: line }];
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}
