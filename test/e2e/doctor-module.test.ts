/** `doctor --module` on live systems: each cause that the module's documentation lists under Troubleshooting is found, with what to do. */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BllvmWorld, NAME } from "../support/bllvm-world.ts";
import { program } from "../support/program.ts";

interface Finding {
  readonly check: string;
  readonly result: "ok" | "warning" | "failed";
  readonly detail: string;
  readonly fix?: string;
}

async function doctor(...words: readonly string[]): Promise<Finding[]> {
  const running = program(["doctor", "--module", "--json", ...words]);
  await running.ended;
  const { findings } = JSON.parse(running.out[0] ?? `{"findings":[]}`) as { findings: Finding[] };
  expect(findings.length, running.err.join("\n")).toBeGreaterThan(0);
  for (const { result, fix, check } of findings) expect(result === "ok" || fix !== undefined, check).toBe(true);
  return findings;
}

const trouble = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check && finding.result !== "ok");

const ROOMY = `[module_resource_limits]
default_max_memory_bytes = 2147483648
default_max_child_processes = 4096
default_max_file_descriptors = 8192
`;

/** A node's blvm.toml beside the world's node. */
function nodeConfig(world: BllvmWorld, modules = "", limits = ROOMY): string {
  const file = join(world.node.dataDir, "blvm.toml");
  writeFileSync(
    file,
    `[modules]\nmodules_dir = ${JSON.stringify(world.modulesDir)}\nregistry_url = ""\n${modules}\n${limits}`,
  );
  return file;
}

describe("module not loading", () => {
  test("nothing is installed; then all is in order but that it does not run", async () => {
    const world = await BllvmWorld.start();
    const words = ["--node-config", nodeConfig(world)];
    mkdirSync(world.modulesDir, { recursive: true });
    expect(trouble(await doctor(...words), "manifest")).toMatchObject({ result: "failed" });
    await world.install();
    const findings = await doctor(...words);
    expect(findings.filter(({ result }) => result === "failed").map(({ check }) => check)).toEqual(["module"]);
    expect(trouble(findings, "module")?.fix).toContain("bllvm-stratum-v2 module --socket");
    expect(findings.find(({ check }) => check === "node socket")).toMatchObject({ result: "ok" });
  });

  test("the binary is not where it should be, not executable, or another than its hash says", async () => {
    const world = await BllvmWorld.start();
    const words = ["--node-config", nodeConfig(world)];
    await world.install();
    const launcher = join(world.modulesDir, NAME, NAME);
    chmodSync(launcher, 0o644);
    expect(trouble(await doctor(...words), NAME)?.detail).toContain("not executable");
    writeFileSync(launcher, "#!/bin/bash\n");
    expect(trouble(await doctor(...words), "manifest")?.detail).toContain("not the sha256");
    rmSync(launcher);
    expect(trouble(await doctor(...words), NAME)).toMatchObject({ result: "failed" });
  });

  test("the manifest is missing, is no TOML, or lacks capabilities", async () => {
    const world = await BllvmWorld.start();
    const words = ["--node-config", nodeConfig(world)];
    await world.install();
    const manifest = join(world.modulesDir, NAME, "module.toml");
    const text = readFileSync(manifest, "utf8");
    // The seed's own list: with it the node takes away what every module has.
    writeFileSync(
      manifest,
      text.replace(/capabilities = \[[^\]]*\]/, 'capabilities = ["read_blockchain", "subscribe_events"]'),
    );
    const capabilities = trouble(await doctor(...words), "capabilities");
    expect(capabilities).toMatchObject({ result: "failed", detail: expect.stringContaining("read_chain_state") });
    expect(capabilities?.fix).toContain('"read_chain_state", "publish_events"');
    writeFileSync(manifest, "name = \n");
    expect(trouble(await doctor(...words), "manifest")).toMatchObject({ result: "failed" });
    rmSync(manifest);
    expect(trouble(await doctor(...words), "manifest")).toMatchObject({ result: "failed" });
  });

  test("the node loads no modules, not this one, or grants no room", async () => {
    const world = await BllvmWorld.start();
    await world.install();
    const of = async (modules: string, limits?: string) =>
      (await doctor("--node-config", nodeConfig(world, modules, limits))).filter(
        ({ check, result }) => check === "node configuration" && result !== "ok",
      );
    expect(await of("enabled = false")).toMatchObject([
      { result: "failed", detail: expect.stringContaining("enabled") },
    ]);
    expect(await of(`disabled_modules = ["${NAME}"]`)).toMatchObject([{ result: "failed" }]);
    expect(await of('enabled_modules = ["blvm-zmq"]')).toMatchObject([{ result: "warning" }]);
    // The node's defaults.
    const defaults = await of("", "");
    expect(defaults.map(({ detail }) => detail.slice(0, 20))).toEqual([
      "512 MiB of address s",
      "10 child processes, ",
      "256 files: no more t",
    ]);
    for (const { fix } of defaults) expect(fix).toContain("default_max_memory_bytes = 2147483648");
    expect(await of("")).toEqual([]);
  });

  test("the node's log has a complaint, and so has the module's", async () => {
    const world = await BllvmWorld.start();
    await world.install();
    const log = join(world.node.dataDir, "node.log");
    writeFileSync(
      log,
      `2026-12-01T00:00:00Z  INFO blvm_node::module: Loading ${NAME}\n\u001b[2m2026-12-01T00:00:01Z\u001b[0m \u001b[31mERROR\u001b[0m blvm_node::module::manager: Failed to auto-load module ${NAME}: Binary hash mismatch\n2026-12-01T00:00:02Z ERROR blvm_node::p2p: other\n`,
    );
    mkdirSync(world.dataDir, { recursive: true });
    writeFileSync(
      join(world.dataDir, "module.log"),
      '{"level":50,"msg":"of an earlier run"}\n{"level":30,"msg":"configured by x"}\n{"level":50,"msg":"no payout is configured"}\n',
    );
    const findings = await doctor("--node-config", nodeConfig(world), "--node-log", log);
    expect(findings.filter(({ check }) => check === "node log").map(({ detail }) => detail)).toEqual([
      expect.stringContaining("Binary hash mismatch"),
    ]);
    expect(findings.filter(({ check }) => check === "module.log").map(({ detail }) => detail)).toEqual([
      "no payout is configured",
    ]);
  });

  test("the node is not there, or its socket is another user's", async () => {
    const world = await BllvmWorld.start();
    await world.install();
    await world.node.kill();
    rmSync(world.node.socketPath, { force: true });
    const missing = trouble(await doctor("--node-config", nodeConfig(world)), "node socket");
    expect(missing).toMatchObject({ result: "failed", fix: expect.stringContaining("Start the node") });
  });
});

describe("mining jobs not created", () => {
  test("a module that is served and has jobs is in order", async () => {
    const world = await BllvmWorld.start({ concurrent: true, permissions: { [NAME]: CAPABILITIES } });
    const module = world.attach();
    await module.says("miners connect to");
    await module.says("work is taken from node bllvm");
    const findings = await doctor(
      "--data-dir",
      world.dataDir,
      "--socket",
      world.node.socketPath,
      "-c",
      world.configFile(world.config()),
    );
    expect(findings.filter(({ result }) => result === "failed")).toEqual([]);
    expect(findings.find(({ check }) => check === "node link")?.detail).toMatch(/^served by node 0\.1\.54 \(wire s3\)/);
    expect(findings.find(({ check }) => check === "jobs")?.detail).toMatch(/^job \d+ at height 111/);
    expect(findings.find(({ check }) => check === "node JSON-RPC")?.detail).toContain("at height 110");
    // It has not touched the node's socket.
    expect(world.node.connections).toHaveLength(1);
  });

  test("the node's JSON-RPC is missed where blocks are ours, and not where all jobs are a pool's", async () => {
    const world = await BllvmWorld.start();
    const mine = '[bitcoin]\nnetwork = "regtest"\npayout = "raw(51)"\n';
    const words = ["--data-dir", world.dataDir, "--socket", world.node.socketPath, "-c"];
    expect(trouble(await doctor(...words, world.configFile(mine)), "node JSON-RPC")).toMatchObject({
      result: "warning",
      detail: expect.stringContaining("their coinbase alone"),
    });
    const pool = `${mine}[[pools]]\nurl = "stratum2+tcp://127.0.0.1:1"\n[upstream]\nuser = "farm"\n`;
    expect(trouble(await doctor(...words, world.configFile(pool)), "node JSON-RPC")).toBeUndefined();
    const fallback = world.configFile(`${pool}fallback = "solo"\n`);
    expect(trouble(await doctor(...words, fallback), "node JSON-RPC")).toMatchObject({ result: "warning" });
  });

  test("a module that starves, one without permissions, and a JSON-RPC that is not there", async () => {
    const world = await BllvmWorld.start();
    const module = await world.install(world.config().replace(/rpc_url = .*/, 'rpc_url = "http://127.0.0.1:1"'));
    await module.spawner.load(NAME);
    await module.says("serves one connection at a time");
    const findings = await doctor("--node-config", nodeConfig(world));
    const link = trouble(findings, "node link");
    expect(link).toMatchObject({ result: "warning", detail: expect.stringContaining("not served") });
    expect(link?.fix).toContain("--registered");
    expect(trouble(findings, "jobs")).toMatchObject({ result: "failed" });
    expect(trouble(findings, "node JSON-RPC")).toMatchObject({ result: "failed" });
  }, 60_000);

  test("a module that the node gives no capabilities", async () => {
    const world = await BllvmWorld.start();
    const module = world.attach();
    await module.says("Not sent any more");
    await module.says("work is taken from node bllvm");
    const words = ["--data-dir", world.dataDir, "-c", world.configFile(world.config())];
    expect(trouble(await doctor(...words), "permissions")).toMatchObject({
      result: "warning",
      detail: expect.stringContaining("PublishEvent (needs publish_events)"),
    });
  }, 60_000);
});

const CAPABILITIES = [
  "read_blockchain",
  "read_chain_state",
  "subscribe_events",
  "publish_events",
  "queue_inbound_block",
  "register_module_api",
  "read_network",
];
