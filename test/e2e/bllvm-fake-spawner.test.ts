/** The fake node's module manager finds, checks, spawns and loses modules as the real one does. */

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { discoverModules } from "../support/bllvm/module-folder.ts";
import { FakeBllvmNode, type FakeBllvmNodeOptions } from "../support/bllvm/node.ts";
import { RawModule } from "../support/bllvm/raw-module.ts";
import { FakeModuleSpawner, type FakeModuleSpawnerOptions, type SpawnedModule } from "../support/bllvm/spawner.ts";
import { ROOT } from "../support/sources.ts";
import { pause, until } from "../support/until.ts";

const NAME = "some-module";
const CAPABILITIES = '["read_chain_state", "publish_events"]';
/** Stays until it is killed. */
const STAY = "#!/bin/bash\nexec sleep 60\n";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "bllvm-m-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Puts a module into `modulesDir`; its entry is `script` at `place`. */
function install(
  modulesDir: string,
  script: string,
  { place = "run", hash = true, name = NAME }: { place?: string; hash?: boolean; name?: string } = {},
): string {
  const entry = join(modulesDir, name, place);
  mkdirSync(dirname(entry), { recursive: true });
  writeFileSync(entry, script);
  chmodSync(entry, 0o755);
  const digest = createHash("sha256").update(script).digest("hex");
  writeFileSync(
    join(modulesDir, name, "module.toml"),
    `name = "${name}"\nversion = "0.1.0"\nentry_point = "run"\ncapabilities = ${CAPABILITIES}\n` +
      (hash ? `[binary]\nhash = "sha256:${digest}"\n` : ""),
  );
  return entry;
}

async function world(
  script: string,
  options: Partial<FakeModuleSpawnerOptions> = {},
  nodeOptions: FakeBllvmNodeOptions = {},
) {
  const node = await FakeBllvmNode.start(nodeOptions);
  const modulesDir = folder();
  install(modulesDir, script);
  const spawner = new FakeModuleSpawner({ node }, { modulesDir, monitorMs: 50, ...options });
  onTestFinished(async () => {
    await spawner.stop({ announce: false });
    await node.stop();
  });
  return { node, spawner, modulesDir };
}

/** Resolves with what the module wrote into a file of its data folder. */
async function written({ dataDir }: SpawnedModule, name: string): Promise<string> {
  const path = join(dataDir, name);
  await until(`${name} is written`, () => existsSync(path));
  return readFileSync(path, "utf8");
}

describe("discovery", () => {
  test("looks in four places, in order, for a file that may be executed", () => {
    const modulesDir = folder();
    const last = join(modulesDir, "run");
    writeFileSync(last, STAY, { mode: 0o755 });
    const entry = () => discoverModules(modulesDir).modules[0]?.entry;
    const debug = install(modulesDir, STAY, { place: "target/debug/run" });
    expect(entry()).toBe(debug);
    const release = install(modulesDir, STAY, { place: "target/release/run" });
    expect(entry()).toBe(release);
    const first = install(modulesDir, STAY);
    expect(entry()).toBe(first);
    for (const path of [first, release, debug]) chmodSync(path, 0o644);
    expect(entry()).toBe(last);
    chmodSync(last, 0o644);
    expect(discoverModules(modulesDir)).toMatchObject({
      modules: [],
      skipped: [{ reason: expect.stringContaining("Module binary not found") }],
    });
  });

  test("passes over a link that leads out, a way up, and what is no manifest, and goes on", () => {
    const modulesDir = folder();
    const outside = join(folder(), "run");
    writeFileSync(outside, STAY, { mode: 0o755 });
    const entry = install(modulesDir, STAY, { name: "a-link" });
    rmSync(entry);
    symlinkSync(outside, entry);
    install(modulesDir, STAY, { name: "good" });
    install(modulesDir, STAY, { name: "up" });
    writeFileSync(join(modulesDir, "up/module.toml"), 'name = "up"\nversion = "1.0"\nentry_point = "../good/run"\n');
    mkdirSync(join(modulesDir, "bad"));
    writeFileSync(join(modulesDir, "bad/module.toml"), 'name = "bad"\n');
    const { modules, skipped } = discoverModules(modulesDir);
    expect(modules.map(({ manifest }) => manifest.name)).toEqual(["good"]);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("not found"),
      "missing field `version`",
      expect.stringContaining("path traversal"),
    ]);
  });

  test("reads the manifest of this very package", () => {
    const modulesDir = folder();
    install(modulesDir, STAY, { place: "target/release/bllvm-stratum-v2" });
    writeFileSync(join(modulesDir, NAME, "module.toml"), readFileSync(join(ROOT, "module.toml")));
    expect(discoverModules(modulesDir).modules[0]?.manifest).toMatchObject({
      name: "bllvm-stratum-v2",
      entryPoint: "bllvm-stratum-v2",
    });
  });
});

describe("loading", () => {
  test("needs a hash with the default registry, and the right one always", async () => {
    const { node, modulesDir, spawner } = await world(STAY);
    install(modulesDir, STAY, { hash: false });
    await expect(spawner.load(NAME)).rejects.toThrow("not found in registry");
    const lenient = new FakeModuleSpawner({ node }, { modulesDir, registry: false });
    onTestFinished(() => lenient.stop({ announce: false }));
    await lenient.load(NAME);
    const entry = install(modulesDir, STAY);
    writeFileSync(entry, `${STAY}# changed\n`);
    await expect(spawner.load(NAME)).rejects.toThrow("hash mismatch");
    await expect(spawner.load("unknown")).rejects.toThrow("not found");
  });

  test("gives no arguments, an empty input, relative paths and the config in the environment", async () => {
    const script =
      '#!/bin/bash\n{ echo "args=$#"; echo "input=$(cat)"; pwd; env; } >"$DATA_DIR/seen.tmp"\n' +
      'mv "$DATA_DIR/seen.tmp" "$DATA_DIR/seen"\nexec sleep 60\n';
    const overrides = { "stratum_v2.listen_addr": "0.0.0.0:1" };
    const { node, spawner, modulesDir } = await world(script, { overrides });
    writeFileSync(join(modulesDir, NAME, "config.toml"), "[stratum_v2]\nenabled = true\n");
    const module = await spawner.load(NAME);
    const lines = (await written(module, "seen")).split("\n");
    expect(module.moduleId).toMatch(/^some-module_[0-9a-f]{32}$/);
    expect(lines).toEqual(
      expect.arrayContaining([
        "args=0",
        "input=",
        node.dataDir,
        `MODULE_NAME=${NAME}`,
        `MODULE_ID=${module.moduleId}`,
        "SOCKET_PATH=data/modules/sockets/node.sock",
        `DATA_DIR=data/modules/${NAME}`,
        "MODULE_CONFIG_STRATUM_V2=stratum_v2.enabled,true",
        "MODULE_CONFIG_STRATUM_V2.LISTEN_ADDR=0.0.0.0:1",
        "MODULE_CONFIG_VERSION=0.1.0",
      ]),
    );
  });

  test("never reads what the module writes: its 64 KiB are full once, and it stops for ever", async () => {
    const script = '#!/bin/bash\nhead -c 65536 /dev/zero\ntouch "$DATA_DIR/full"\necho more\ntouch "$DATA_DIR/never"\n';
    const { spawner } = await world(script);
    const module = await spawner.load(NAME);
    await written(module, "full");
    await pause(300);
    expect(existsSync(join(module.dataDir, "never"))).toBe(false);
    expect(module.process.end).toBeUndefined();
    await module.process.kill();
    expect(module.process.output.out).toHaveLength(65536);
  });

  test("sets limits from outside", async () => {
    const script = '#!/bin/bash\nsleep 0.3\nulimit -n >"$DATA_DIR/limit"\nexec sleep 60\n';
    const { spawner } = await world(script, { limits: { files: 99, addressSpace: 1 << 30 } });
    expect(await written(await spawner.load(NAME), "limit")).toBe("99\n");
  });

  test("does not end while another connection is served, and lets the module starve afterwards", async () => {
    const { node, spawner } = await world(STAY);
    const module = await RawModule.greet(node.socketPath, NAME);
    let loaded = false;
    const loading = spawner.load(NAME).then((entry) => {
      loaded = true;
      return entry;
    });
    await until("the heartbeat connection waits", () => node.waiting === 1);
    await pause(100);
    expect(loaded).toBe(false);
    expect(node.permissions.of(NAME)).toBeUndefined();
    module.close();
    const { heartbeat } = await loading;
    expect(node.permissions.of(NAME)).toEqual(["read_chain_state", "publish_events"]);
    expect(node.modules).toMatchObject([{ moduleId: NAME, status: { name: "Running" } }]);
    const back = await RawModule.greet(node.socketPath, NAME, { wait: false });
    onTestFinished(() => back.close());
    await until("heartbeats go on", () => (heartbeat?.beats.length ?? 0) >= 3);
    expect(heartbeat?.beats).not.toContain("timeout");
    expect([node.waiting, back.received.length]).toEqual([1, 0]);
    // A node without a tip fails its own heartbeat, and with it loses the connection that kept everybody out.
    node.switches.hasTip = false;
    await until("the module is served", () => back.received.length === 1);
    expect(heartbeat?.beats.at(-1)).toBe("failed");
  });

  test("an exit with 0 keeps the heartbeat connection, any other drops it; both keep the permissions", async () => {
    const leaving = (code: number) => `#!/bin/bash\nsleep 0.3\nexit ${code}\n`;
    for (const [code, state, beating] of [
      [0, "exited", 1],
      [3, "crashed", 0],
    ] as const) {
      const { node, spawner } = await world(leaving(code));
      const module = await spawner.load(NAME);
      await until("the end was noticed", () => module.state === state);
      await pause(50);
      expect(node.served).toHaveLength(beating);
      expect(node.permissions.of(NAME)).toEqual(["read_chain_state", "publish_events"]);
      if (code === 0) continue;
      const attached = await RawModule.greet(node.socketPath, NAME);
      const event = { name: "NodeShutdown", value: { reason: "", timeoutSeconds: 0n } } as const;
      const answer = await attached.ask({ name: "PublishEvent", value: { eventType: event.name, event } });
      expect(answer?.name).toBe("EventPublished");
      attached.close();
    }
  });

  test("tells before it kills, and takes its own socket's file along", async () => {
    const { node, spawner } = await world(STAY, {}, { concurrent: true });
    const module = await spawner.load(NAME);
    const listener = await RawModule.greet(node.socketPath, "listener");
    await listener.ask({ name: "SubscribeEvents", value: { eventTypes: ["NodeShutdown", "DataMaintenance"] } });
    const startedMs = performance.now();
    await spawner.stop();
    expect(performance.now() - startedMs).toBeGreaterThan(190);
    expect(listener.events.map(({ name }) => name)).toEqual(["NodeShutdown", "DataMaintenance"]);
    expect(module.process.end).toEqual({ code: null, signal: "SIGKILL" });
    expect(existsSync(node.socketPath)).toBe(false);
    listener.close();
  });

  test("a killed node leaves its modules alive, with pipes that nobody holds", async () => {
    const script =
      '#!/bin/bash\ntrap "" PIPE\nwhile sleep 0.05; do echo tick || { touch "$DATA_DIR/broken"; exec sleep 60; }; done\n';
    const { node, spawner } = await world(script);
    const module = await spawner.load(NAME);
    await node.kill();
    spawner.abandon();
    await written(module, "broken");
    expect(module.process.end).toBeUndefined();
    await node.listen();
    const again = await spawner.load(NAME);
    expect(again.moduleId).not.toBe(module.moduleId);
  });
});

describe("the legacy way", () => {
  test("passes arguments, waits for the module's own socket and beats there", async () => {
    const server = `#!/usr/bin/env node
const fs = require("node:fs"), net = require("node:net"), args = process.argv.slice(2);
fs.writeFileSync(args[5] + "/args", JSON.stringify({ args, env: process.env.SOCKET_PATH ?? null, name: process.env.MODULE_NAME }));
net.createServer((socket) => socket.on("data", (data) => {
  fs.writeFileSync(args[5] + "/beat", data.toString("hex"));
  socket.write(Buffer.from("00000033010000000000000000000000010105000000" + "00".repeat(32) + "00", "hex"));
})).listen(args[3]);
`;
    const { node, spawner } = await world(server, { legacy: true }, { schema: "n1" });
    const module = await spawner.load(NAME);
    const seen = JSON.parse(await written(module, "args")) as Record<string, unknown>;
    expect(seen).toEqual({
      args: [
        "--module-id",
        module.moduleId,
        "--socket-path",
        `data/modules/sockets/${NAME}.sock`,
        "--data-dir",
        `data/modules/${NAME}`,
      ],
      env: null,
      name: NAME,
    });
    await until("a heartbeat was answered", () => module.heartbeat?.beats[0] === "ok");
    expect(await written(module, "beat")).toBe("000000140000000000000000000000000400000005000000");
    // The node's own interface is elsewhere, and free.
    expect(node.socketPath).toBe(join(node.dataDir, "data/modules/socket"));
    const attached = await RawModule.greet(node.socketPath, NAME, { wire: node.wire });
    attached.close();
  });

  test("gives up on a module that does not listen", { timeout: 15_000 }, async () => {
    const { spawner } = await world(STAY, { legacy: true }, { schema: "n0" });
    await expect(spawner.load(NAME)).rejects.toThrow("did not appear");
  });
});
