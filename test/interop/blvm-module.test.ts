/**
 * The built program as a module of the published bllvm node: installed by its own command, started by the node's own spawner
 * or as a service beside it, with a miner of ours connected to it. On regtest a share is a block, about every second.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFailed, test } from "vitest";
import { type Program, program } from "../support/program.ts";
import { until as untilWithin } from "../support/until.ts";
import { blvm } from "./foreign/blvm-crates.ts";
import { BlvmHarness } from "./foreign/blvm-harness.ts";
import { BlvmRegtestNode, RPC_PASSWORD, RPC_USER } from "./foreign/blvm-regtest-node.ts";
import { CAPABILITIES, MODULE_NAME } from "./foreign/stub-module.ts";

const { harness, node: binary, version } = await blvm();
const BLOCKS = 16;
const ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const WAIT_MS = 60_000;
const until = (what: string, ready: () => boolean): Promise<void> => untilWithin(what, ready, WAIT_MS);
/** What the README tells an operator to give a module. */
const LIMITS = {
  default_max_memory_bytes: 2_147_483_648,
  default_max_child_processes: 4096,
  default_max_file_descriptors: 8192,
};
const config = (bllvm = ""): string => `[stratum_v2]
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "addr(${ADDRESS})"
[vardiff]
shares_per_minute = 60
min_difficulty = 0.00001
[bllvm]
${bllvm}`;

interface Line {
  readonly msg: string;
  readonly level: number;
  readonly listening?: string;
  readonly authorityPublicKey?: string;
}

const parsed = (lines: readonly string[]): Line[] =>
  lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));

/** Resolves with the first line that says `text`. */
async function says(lines: () => Line[], text: string): Promise<Line> {
  const find = (): Line | undefined => lines().find(({ msg }) => msg.includes(text));
  await until(`the module says "${text}"`, () => find() !== undefined);
  return find() as Line;
}

/** A miner of ours at the server of the module, at `hashrate` H/s: a block takes it some 43,000 hashes. */
async function mine(lines: () => Line[], hashrate: number): Promise<Program> {
  const { listening, authorityPublicKey } = await says(lines, "miners connect to");
  const url = `stratum2+tcp://${listening}/${authorityPublicKey}`;
  return program(["mine", url, "--json", "--max-hashrate", String(hashrate)]);
}

const jobsOnNewBlocks = (miner: Program): number => miner.out.filter((line) => line.includes('"newBlock"')).length;

/** The module as a service at `socket`; its log is shown when the test fails. */
function service(folder: string, socket: string, toml: string): { program: Program; lines: () => Line[] } {
  const dataDir = join(folder, "data", MODULE_NAME);
  mkdirSync(dataDir, { recursive: true });
  const file = join(folder, "service.toml");
  writeFileSync(file, toml);
  const running = program(["module", "--socket", socket, "--data-dir", dataDir, "-c", file]);
  onTestFailed(() => console.info(running.err.slice(-60).join("\n")));
  return { program: running, lines: () => parsed(running.err) };
}

async function install(modules: string, toml: string, ...words: readonly string[]): Promise<void> {
  const installing = program(["install-module", "--modules-dir", modules, ...words]);
  expect(await installing.ended, installing.err.join("\n")).toBe(0);
  writeFileSync(join(modules, MODULE_NAME, "config.toml"), toml);
}

describe.skipIf(harness === undefined)(`the module of blvm-node ${version}'s module system`, () => {
  let node: BlvmHarness;
  afterEach(() => node.stop());

  test("as a service: a NewBlock becomes a job, a block of a miner becomes the node's, our events arrive", async () => {
    node = await BlvmHarness.start(harness ?? "");
    await node.mine(BLOCKS);
    await node.command("permit", { module: MODULE_NAME, capabilities: CAPABILITIES });
    const module = service(node.folder, node.socket, config());
    const miner = await mine(module.lines, 50_000);
    await until("a block of ours is in the chain", () => node.verdicts().length > 0);
    expect(node.verdicts()[0]).toMatchObject({ verdict: "accepted", height: BLOCKS + 1 });
    await until("it is told", () => node.events("ShareSubmitted").length > 0);

    const { block } = await node.mine();
    await until("a job on somebody else's block", () =>
      node.events("MiningJobCreated").some(({ fields }) => fields.prev_hash === block),
    );
    const jobs = jobsOnNewBlocks(miner);
    const found = node.verdicts().length;
    await until("work and blocks go on", () => jobsOnNewBlocks(miner) > jobs && node.verdicts().length > found);
    module.program.kill("SIGTERM");
    expect(await module.program.ended).toBe(0);
    // A block may have been found on what was no longer the tip.
    const refused = node.verdicts().flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
    expect(refused.filter((reason) => reason !== "does not extend the tip")).toEqual([]);
    expect(module.lines().filter(({ level }) => level >= 50)).toEqual([]);
  });

  test("spawned by the node: its start does not hang, and the module says that it waits to be served", async () => {
    node = await BlvmHarness.start(harness ?? "", LIMITS);
    await node.mine(BLOCKS);
    await install(join(node.folder, "modules"), config());
    expect(await node.command("load")).toEqual({ modules: [MODULE_NAME] });
    const file = join(node.folder, "data", MODULE_NAME, "module.log");
    const lines = (): Line[] => (existsSync(file) ? parsed(readFileSync(file, "utf8").split("\n")) : []);
    onTestFailed(() => console.info(existsSync(file) ? readFileSync(file, "utf8") : "no module.log"));
    await says(lines, "serves one connection at a time");
    expect(node.events("ModuleInstalled").map(({ fields }) => fields.module_name)).toEqual([MODULE_NAME]);
    expect(node.events("ModuleCrashed")).toEqual([]);
    // Its waiting connection goes with it, which ends the server whose lock would keep the node from its end.
    expect(await node.command("stop")).toMatchObject({ hangs: false });
  });
});

describe.skipIf(binary === undefined)(`the module of a whole blvm-node ${version}`, () => {
  let node: BlvmRegtestNode | undefined;
  afterEach(() => node?.remove());

  test("registered by its stand-in: blocks of a miner become the node's chain, its blocks become jobs", async () => {
    node = await BlvmRegtestNode.start(binary ?? "", MODULE_NAME, (modules) =>
      install(modules, config(), "--registered"),
    );
    const { log } = node;
    onTestFailed(() =>
      console.info(
        log
          .filter((line) => !/No peers|No blocks|audit/.test(line))
          .slice(-60)
          .join("\n"),
      ),
    );
    await node.call("generatetoaddress", [BLOCKS, ADDRESS]);
    writeFileSync(join(node.folder, "password"), `${RPC_PASSWORD}\n`);
    const credentials = `user = "${RPC_USER}"\npassword_file = "${join(node.folder, "password")}"`;
    const module = service(node.folder, node.socket, config(`rpc_url = "${node.rpcUrl}"\n${credentials}`));
    // Slow: two blocks of one height within a few ms make this node lose count of its heights.
    const miner = await mine(module.lines, 8_000);
    await says(module.lines, "serves this module");
    await says(module.lines, "was accepted by node bllvm");
    const height = Number(await node.call("getblockcount"));
    expect(height).toBeGreaterThan(BLOCKS);

    const jobs = jobsOnNewBlocks(miner);
    // The node refuses its own block when one of ours comes in meanwhile.
    const generated = (): Promise<unknown> | undefined => node?.call("generatetoaddress", [1, ADDRESS]);
    await expect.poll(generated, { timeout: WAIT_MS }).toHaveLength(1);
    await until("a job on it", () => jobsOnNewBlocks(miner) > jobs);
    const count = async (): Promise<number> => Number(await node?.call("getblockcount"));
    await expect.poll(count, { timeout: WAIT_MS, interval: 250 }).toBeGreaterThanOrEqual(height + 2);
    module.program.kill("SIGTERM");
    expect(await module.program.ended).toBe(0);
    // While the stand-in was registered there was no work.
    const errors = module.lines().filter(({ level, msg }) => level >= 50 && !msg.includes("gives work yet"));
    expect(errors).toEqual([]);
    expect(await node.stop()).toBe("ended");
  });
});
