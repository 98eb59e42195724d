/** The module as the bllvm node finds, starts, starves and kills it; the node's side is test/support/module-node.ts. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { compactFromTarget, targetOfDifficulty } from "../../src/bitcoin/target.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { HAS_PRLIMIT, type StartedModule, startModule } from "../support/module-node.ts";
import { program, run } from "../support/program.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { ROOT } from "../support/sources.ts";

const home = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-module-"));
const node = new DevnetNode(
  { clock: systemClock, random: seededRandom(1), log: silentLog },
  { cookieDirectory: home, nBits: compactFromTarget(targetOfDifficulty(0.0001)) },
);

beforeAll(async () => {
  chmodSync(home, 0o755);
  await node.start(new AbortController().signal);
});

afterAll(async () => {
  await node.stop();
  rmSync(home, { recursive: true, force: true });
});

const PAYOUT = "addr(bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080)";

function config(more = ""): string {
  return `[stratum_v2]
enabled = true
listen_addr = "127.0.0.1:0"
[bitcoin]
network = "regtest"
payout = "${PAYOUT}"
[vardiff]
shares_per_minute = 120
[[bitcoind]]
url = "${node.url}"
cookie_file = "${join(home, ".cookie")}"
${more}`;
}

interface Place {
  readonly cwd: string;
  readonly modulesDir: string;
  readonly folder: string;
  readonly launcher: string;
}

/** A node's folder with the module installed and configured. */
async function installed(name: string, toml = config(), words: readonly string[] = []): Promise<Place> {
  const cwd = join(home, name);
  const modulesDir = join(cwd, "modules");
  const installing = program(["install-module", "--modules-dir", modulesDir, ...words]);
  expect(await installing.ended, installing.err.join("\n")).toBe(0);
  const folder = join(modulesDir, "bllvm-stratum-v2");
  writeFileSync(join(folder, "config.toml"), toml);
  return { cwd, modulesDir, folder, launcher: join(folder, "bllvm-stratum-v2") };
}

const dataDir = "data/modules/bllvm-stratum-v2";

/** Configures a plugin that does not come with the program; `code` runs when it is loaded. */
async function withForeignPlugin({ cwd, folder }: Place, code = ""): Promise<void> {
  const plugins = join(cwd, "plugins");
  const made = program(["plugin", "new", "extcoin", "--dir", plugins]);
  expect(await made.ended, made.err.join("\n")).toBe(0);
  const entry = join(plugins, "extcoin/index.js");
  writeFileSync(entry, readFileSync(entry, "utf8") + code);
  const daemon = '[[chains.extcoin.daemons]]\nurl = "http://127.0.0.1:1"\nuser = "u"\npassword = "p"\n';
  const chain = `[merge_mining]\nplugins_dir = "${plugins}"\n[chains.extcoin]\npayout = "x"\n${daemon}`;
  writeFileSync(join(folder, "config.toml"), config(chain));
}

/** The URL for miners, once it is in module.log. */
async function urlOf(module: StartedModule): Promise<string> {
  let ended: number | undefined;
  void module.ended.then((code) => {
    ended = code;
  });
  await expect
    .poll(
      () => {
        if (ended !== undefined) throw new Error(`the module ended with ${ended}: ${module.log()}`);
        return module.log();
      },
      { timeout: 30_000, interval: 50 },
    )
    .toContain("miners connect to ");
  return /miners connect to (\S+?)"/.exec(module.log())?.[1] ?? "";
}

async function mines(module: StartedModule): Promise<void> {
  const miner = program(["mine", await urlOf(module), "--shares", "3", "--json"]);
  expect(await miner.ended, miner.err.join("\n") + module.log()).toBe(0);
}

async function stops(module: StartedModule): Promise<void> {
  module.kill("SIGTERM");
  expect(await module.ended, module.log()).toBe(0);
}

describe("install-module", () => {
  test("lays out what a node looks for, says what to do next, and a second time changes nothing", async () => {
    const modulesDir = join(home, "twice");
    const first = program(["install-module", "--modules-dir", modulesDir]);
    expect(await first.ended, first.err.join("\n")).toBe(0);
    const said = first.out.join("\n");
    expect(said).toContain("default_max_memory_bytes = 2147483648");
    expect(said).toContain('registry_url = ""');
    const folder = join(modulesDir, "bllvm-stratum-v2");
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
      "bllvm-stratum-v2",
      "config.toml",
      "launch.env",
      "module.toml",
      "target",
      "target/release",
      "target/release/bllvm-stratum-v2",
    ]);
    for (const launcher of ["bllvm-stratum-v2", "target/release/bllvm-stratum-v2"]) {
      expect(statSync(join(folder, launcher)).mode & 0o777).toBe(0o755);
    }
    const before = readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs);
    const second = program(["install-module", "--modules-dir", modulesDir, "--json"]);
    expect(await second.ended).toBe(0);
    expect(JSON.parse(second.out[0] ?? "")).toMatchObject({ changed: false, name: "bllvm-stratum-v2" });
    expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs)).toEqual(before);
  });

  test("mends what is damaged and never touches the operator's config.toml", async () => {
    const { modulesDir, folder } = await installed("mend", "# mine\n");
    writeFileSync(join(folder, "launch.env"), "node=/nowhere\n");
    chmodSync(join(folder, "bllvm-stratum-v2"), 0o644);
    const again = program(["install-module", "--modules-dir", modulesDir, "--json"]);
    expect(await again.ended).toBe(0);
    const written = JSON.parse(again.out[0] ?? "").changes.filter(
      ({ change }: { change: string }) => change === "written",
    );
    expect(written.map(({ path }: { path: string }) => path)).toEqual([
      join(folder, "bllvm-stratum-v2"),
      join(folder, "launch.env"),
    ]);
    expect(readFileSync(join(folder, "config.toml"), "utf8")).toBe("# mine\n");
  });

  test("refuses a name that a node cuts off, and a folder that leads elsewhere", async () => {
    const named = program(["install-module", "--modules-dir", join(home, "names"), "--name", "my_pool"]);
    expect(await named.ended).toBe(1);
    expect(named.err.join("\n")).toContain("the module cannot be installed there");
    mkdirSync(join(home, "linked"));
    mkdirSync(join(home, "elsewhere"));
    symlinkSync(join(home, "elsewhere"), join(home, "linked/bllvm-stratum-v2"));
    const linked = program(["install-module", "--modules-dir", join(home, "linked")]);
    expect(await linked.ended).toBe(1);
    expect(linked.err.join("\n")).toContain("nodes pass over it");
  });

  test.each(["target", "target/release", "launch.env"])(
    "does nothing through a link at %s: an administrator's hand would be led out of the folder",
    async (place) => {
      const { modulesDir, folder } = await installed(`planted-${place.replace("/", "-")}`);
      const victim = join(home, `victim-${place.replace("/", "-")}`);
      renameSync(join(folder, place), victim);
      symlinkSync(victim, join(folder, place));
      const launcher = place === "target" ? "release/bllvm-stratum-v2" : "bllvm-stratum-v2";
      const inside = place === "launch.env" ? victim : join(victim, launcher);
      chmodSync(inside, 0o600);
      const before = readdirSync(folder).map((name) => lstatSync(join(folder, name)).ino);
      for (const words of [[], ["--uninstall"]]) {
        const refused = program(["install-module", "--modules-dir", modulesDir, ...words]);
        expect(await refused.ended).toBe(1);
        expect(refused.err.join("\n")).toContain(`${join(folder, place)}`);
        expect(refused.err.join("\n")).toContain("it is a link, and nothing is done through links");
      }
      expect(readdirSync(folder).map((name) => lstatSync(join(folder, name)).ino)).toEqual(before);
      expect(statSync(inside).mode & 0o777).toBe(0o600);
    },
  );

  test("keeps a config.toml that the operator linked", async () => {
    const { modulesDir, folder } = await installed("linked-config");
    renameSync(join(folder, "config.toml"), join(home, "linked.toml"));
    symlinkSync(join(home, "linked.toml"), join(folder, "config.toml"));
    const again = program(["install-module", "--modules-dir", modulesDir]);
    expect(await again.ended, again.err.join("\n")).toBe(0);
    expect(again.out.join("\n")).toContain(`kept       ${join(folder, "config.toml")}`);
    expect(lstatSync(join(folder, "config.toml")).isSymbolicLink()).toBe(true);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "by an administrator it belongs to whom the modules' folder belongs to",
    async () => {
      const modulesDir = join(home, "owned");
      mkdirSync(modulesDir);
      chownSync(modulesDir, 65_534, 65_534);
      const installing = program(["install-module", "--modules-dir", modulesDir]);
      expect(await installing.ended).toBe(0);
      const all = readdirSync(modulesDir, { recursive: true }).map(
        (path) => statSync(join(modulesDir, String(path))).uid,
      );
      expect(new Set(all)).toEqual(new Set([65_534]));
    },
  );

  test("--uninstall leaves config.toml and what others put there, and needs an installation", async () => {
    const { modulesDir, folder } = await installed("away");
    writeFileSync(join(folder, "notes.txt"), "mine");
    const away = program(["install-module", "--modules-dir", modulesDir, "--uninstall"]);
    expect(await away.ended).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["config.toml", "notes.txt"]);
    const again = program(["install-module", "--modules-dir", modulesDir, "--uninstall"]);
    expect(await again.ended).toBe(1);
    expect(again.err.join("\n")).toContain("nothing is installed there");
    expect(readdirSync(folder).sort()).toEqual(["config.toml", "notes.txt"]);
  });
});

describe("the package as npm installs it", () => {
  test("installs, checks and runs from there, and says that npm's cache of npx is no place to stay", async () => {
    const modules = join(home, "_npx/0a1b2c/node_modules");
    mkdirSync(modules, { recursive: true });
    const [packed] = JSON.parse(
      execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", home], {
        cwd: ROOT,
        encoding: "utf8",
      }),
    );
    execFileSync("tar", ["-xzf", join(home, packed.filename), "-C", modules]);
    renameSync(join(modules, "package"), join(modules, "bllvm-stratum-v2"));
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    for (const name of Object.keys(dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(realpathSync(join(ROOT, "node_modules", name)), join(modules, name));
    }
    const cwd = join(home, "npm");
    const modulesDir = join(cwd, "modules");
    const main = join(modules, "bllvm-stratum-v2/dist/src/main.js");
    const installing = run(process.execPath, [main, "install-module", "--modules-dir", modulesDir]);
    expect(await installing.ended, installing.err.join("\n")).toBe(0);
    expect(installing.err.join("\n")).toContain("npm install --global bllvm-stratum-v2");
    const folder = join(modulesDir, "bllvm-stratum-v2");
    writeFileSync(join(folder, "config.toml"), config());
    const check = run(process.execPath, [main, "install-module", "--modules-dir", modulesDir, "--check"]);
    expect(await check.ended, check.out.join("\n")).toBe(0);
    expect(check.out.join("\n")).toContain(join(modules, "bllvm-stratum-v2/dist/src/module.js"));
    const module = startModule({ launcher: join(folder, "bllvm-stratum-v2"), cwd, dataDir });
    await mines(module);
    await stops(module);
  });
});

describe("install-module --check", () => {
  const damages: readonly (readonly [string, (place: Place) => void, string, RegExp])[] = [
    ["no folder", ({ folder }) => rmSync(folder, { recursive: true }), "folder", /no such file/],
    [
      "a folder that leads elsewhere",
      ({ folder, cwd }) => {
        renameSync(folder, join(cwd, "real"));
        symlinkSync(join(cwd, "real"), folder);
      },
      "folder",
      /is a link to/,
    ],
    ["no manifest", ({ folder }) => rmSync(join(folder, "module.toml")), "manifest", /no such file/],
    [
      "a changed launcher",
      ({ launcher }) => writeFileSync(launcher, "#!/bin/sh\nexit 0\n"),
      "manifest",
      /binary\.hash is not the sha256 of bllvm-stratum-v2/,
    ],
    [
      "another module's manifest",
      ({ folder }) => writeFileSync(join(folder, "module.toml"), 'name = "other"\nversion = "1.0"\n'),
      "manifest",
      /the name is "other"/,
    ],
    [
      "a launcher that is not executable",
      ({ launcher }) => chmodSync(launcher, 0o644),
      "bllvm-stratum-v2",
      /not executable/,
    ],
    [
      "no launcher at the documented place",
      ({ folder }) => rmSync(join(folder, "target/release/bllvm-stratum-v2")),
      "target/release/bllvm-stratum-v2",
      /no such file/,
    ],
    [
      "a Node.js that is gone",
      ({ folder }) =>
        writeFileSync(join(folder, "launch.env"), "node=/nowhere/node\nentry=/etc/passwd\nmode=spawned\n"),
      "launch.env",
      /\/nowhere\/node/,
    ],
    [
      "a Node.js that is too old",
      ({ folder, cwd }) => {
        writeFileSync(join(cwd, "old-node"), "#!/bin/sh\necho v18.19.0\n", { mode: 0o755 });
        writeFileSync(join(folder, "launch.env"), `node=${join(cwd, "old-node")}\nentry=/etc/passwd\nmode=spawned\n`);
      },
      "launch.env",
      /is v18\.19\.0; 20\.19 or newer/,
    ],
    [
      "a program that is gone",
      ({ folder }) =>
        writeFileSync(join(folder, "launch.env"), `node=${process.execPath}\nentry=/nowhere\nmode=spawned\n`),
      "launch.env",
      /\/nowhere/,
    ],
    [
      "a key that nobody knows",
      ({ folder }) => writeFileSync(join(folder, "config.toml"), config("[bitcoins]\n")),
      "configuration",
      /bitcoins: unknown key/,
    ],
    [
      "no payout",
      ({ folder }) => writeFileSync(join(folder, "config.toml"), "[stratum_v2]\nenabled = true\n"),
      "configuration",
      /bitcoin\.payout is not set/,
    ],
  ];

  test("finds nothing wrong with a whole installation", async () => {
    const { modulesDir } = await installed("whole");
    const check = program(["install-module", "--modules-dir", modulesDir, "--check", "--json"]);
    expect(await check.ended, check.out.join("\n")).toBe(0);
    expect(JSON.parse(check.out[0] ?? "").findings.map(({ result }: { result: string }) => result)).toEqual(
      Array.from({ length: 6 }, () => "ok"),
    );
  });

  const others: readonly (readonly [string, boolean, (place: Place, node: string) => void])[] = [
    ["a launch.env that others can write", false, ({ folder }) => chmodSync(join(folder, "launch.env"), 0o666)],
    ["a folder that others can write", false, ({ folder }) => chmodSync(folder, 0o777)],
    ["a Node.js that others can write", false, (_place, node) => chmodSync(node, 0o775)],
    ["a Node.js of another user", true, (_place, node) => chownSync(node, 65_534, 65_534)],
    ["a launch.env of another user", true, ({ folder }) => chownSync(join(folder, "launch.env"), 65_534, 65_534)],
  ];

  test.each(others.filter(([, asRoot]) => !asRoot || process.getuid?.() === 0).map((row) => [row[0], row[2]] as const))(
    "executes nothing that another user may have made: %s",
    async (what, loosen) => {
      const place = await installed(what.replaceAll(/\W/g, "-"));
      const trace = join(place.cwd, "executed");
      const node = join(place.cwd, "their-node");
      writeFileSync(node, `#!/bin/sh\necho yes >${trace}\necho v22.0.0\n`, { mode: 0o755 });
      writeFileSync(join(place.folder, "launch.env"), `node=${node}\nentry=/etc/passwd\nmode=spawned\n`);
      const words = ["install-module", "--modules-dir", place.modulesDir, "--check", "--json"];
      expect(await program(words).ended).toBe(0);
      expect(existsSync(trace)).toBe(true);
      rmSync(trace);
      loosen(place, node);
      const check = program(words);
      expect(await check.ended).toBe(0);
      expect(existsSync(trace)).toBe(false);
      const warned = JSON.parse(check.out[0] ?? "").findings.filter(
        ({ result }: { result: string }) => result === "warning",
      );
      expect(warned).toEqual([
        expect.objectContaining({ check: "launch.env", detail: expect.stringContaining("was not looked at") }),
      ]);
      expect(warned[0].fix).toContain(`${node} --version`);
    },
  );

  test.each(damages.map((row, index) => [row[0], index] as const))("names %s", async (_what, index) => {
    const [, damage, where, said] = damages[index]!;
    const place = await installed(`damage-${index}`);
    damage(place);
    const check = program(["install-module", "--modules-dir", place.modulesDir, "--check", "--json"]);
    expect(await check.ended).toBe(3);
    const failed = JSON.parse(check.out[0] ?? "").findings.filter(
      ({ result }: { result: string }) => result === "failed",
    );
    expect(failed.map(({ check: name }: { check: string }) => name)).toContain(where);
    const { detail, fix } = failed.find(({ check: name }: { check: string }) => name === where);
    expect(detail).toMatch(said);
    expect(fix).not.toBe("");
  });
});

describe("started by a node", () => {
  test("mines from either place, with relative paths, and keeps everything in DATA_DIR", async () => {
    const place = await installed("places");
    for (const launcher of [
      place.launcher,
      join(place.folder, "target/release/bllvm-stratum-v2"),
      "modules/bllvm-stratum-v2/bllvm-stratum-v2",
    ]) {
      const module = startModule({ launcher, cwd: place.cwd, dataDir });
      await mines(module);
      expect(module.log()).toContain(`"socket":"${join(place.cwd, "sockets/node.sock")}"`);
      await stops(module);
      rmSync(join(place.cwd, dataDir, "module.log"));
    }
    const kept = readdirSync(join(place.cwd, dataDir));
    expect(kept).toEqual(expect.arrayContaining(["authority.key", "ledger.sqlite", "network", "blocks"]));
    expect(
      readdirSync(place.cwd)
        .filter((name) => !name.startsWith("unread-"))
        .sort(),
    ).toEqual(["data", "modules"]);
    expect(existsSync(join(place.folder, "data"))).toBe(false);
  });

  test("a plugin that prints more than a pipe holds stops nothing", async () => {
    const place = await installed("talkative");
    await withForeignPlugin(place, 'process.stdout.write("x".repeat(1 << 18));');
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    await mines(module);
    expect(module.log().length).toBeGreaterThan(1 << 18);
    await stops(module);
  });

  test("with a module.log that cannot be opened it runs, and what it prints stops nothing", async () => {
    const place = await installed("no-log");
    await withForeignPlugin(
      place,
      'process.stdout.write("x".repeat(1 << 18));process.stderr.write("x".repeat(1 << 18));',
    );
    mkdirSync(join(place.cwd, dataDir, "module.log"), { recursive: true });
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    await expect
      .poll(() => existsSync(join(place.cwd, dataDir, "control.sock")), { timeout: 30_000, interval: 50 })
      .toBe(true);
    module.kill("SIGTERM");
    expect(await module.ended).toBe(0);
  });

  test.each([
    ["a module.log that cannot be opened", dataDir],
    ["no folder for data", ""],
  ])("with %s what Node.js itself prints goes nowhere", async (what, given) => {
    const place = await installed(what.replaceAll(" ", "-"));
    const entry = join(place.cwd, "talks.js");
    // Node.js waits here as long as the pipe is full.
    writeFileSync(
      entry,
      'for (const fd of [1, 2]) require("node:fs").writeSync(fd, "x".repeat(1 << 18));process.exit(43);',
    );
    writeFileSync(join(place.folder, "launch.env"), `node=${process.execPath}\nentry=${entry}\nmode=spawned\n`);
    mkdirSync(join(place.cwd, dataDir, "module.log"), { recursive: true });
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, env: { DATA_DIR: given } });
    expect(await module.ended).toBe(43);
  });

  test("module.log is for the node's user alone, also what the launcher writes", async () => {
    const place = await installed("modes");
    writeFileSync(join(place.folder, "launch.env"), "mode=spawned\n");
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    expect(await module.ended).toBe(69);
    expect(statSync(join(place.cwd, dataDir, "module.log")).mode & 0o777).toBe(0o600);
  });

  test("a path that ends with = is found", async () => {
    const place = await installed("equals");
    const entry = join(place.cwd, "program=");
    writeFileSync(entry, "process.exit(42)");
    writeFileSync(join(place.folder, "launch.env"), `node=${process.execPath}\nentry=${entry}\nmode=spawned\n`);
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    expect(await module.ended, module.log()).toBe(42);
  });

  test("a stand-in that is given no folder for data ends at once, and writes none", async () => {
    const place = await installed("no-data", config(), ["--registered"]);
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, env: { DATA_DIR: "" } });
    expect(await module.ended).toBe(69);
    expect(existsSync("/ipc.hold")).toBe(false);
  });

  test("killed without a warning it starts again at once, on the same socket, ledger and key", async () => {
    const place = await installed("killed");
    const first = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    await mines(first);
    first.kill("SIGKILL");
    await first.ended;
    expect(existsSync(join(place.cwd, dataDir, "control.sock"))).toBe(true);
    const key = /"authorityPublicKey":"(\w+)"/.exec(first.log())?.[1] ?? "no key";
    rmSync(join(place.cwd, dataDir, "module.log"));
    const second = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    await mines(second);
    expect(second.log()).toContain(key);
    expect(second.log()).toContain("the control API listens on");
    await stops(second);
  });

  test("variables of the node win over the file, whatever form their names have", async () => {
    const place = await installed("variables");
    const env = {
      "MODULE_CONFIG_STRATUM_V2.ENABLED": "false",
      MODULE_CONFIG_VERSION: "1",
      MODULE_CONFIG_NONSENSE: "1",
    };
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, env });
    expect(await module.ended).toBe(0);
    expect(module.log()).toContain("stratum_v2.enabled is false: nothing to do");
    expect(module.log()).toContain("MODULE_CONFIG_NONSENSE has no effect: there is no such key");
    expect(module.log()).not.toContain("MODULE_CONFIG_VERSION");
  });

  test("without a payout it ends with what to do in module.log", async () => {
    const place = await installed("unpaid", "[stratum_v2]\nenabled = true\n");
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    expect(await module.ended).toBe(2);
    expect(module.log()).toContain("bitcoin.payout is not set");
    expect(module.log()).toContain("What to do: Set bitcoin.payout to your address");
  });

  test("by an old node's arguments too", async () => {
    const place = await installed("legacy");
    const env = { MODULE_ID: "", SOCKET_PATH: "", DATA_DIR: "" };
    const args = ["--module-id", "m_1", "--socket-path", "data/modules/socket/m.sock", "--data-dir", dataDir];
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, env, args });
    await mines(module);
    expect(module.log()).toContain("module of the bllvm node, legacy");
    expect(module.log()).toContain(`"socket":"${join(place.cwd, "data/modules/socket")}"`);
    await stops(module);
  });

  test("a program that is gone is told in module.log, with another exit code", async () => {
    const place = await installed("gone");
    writeFileSync(
      join(place.folder, "launch.env"),
      `node=${process.execPath}\nentry=/nowhere/module.js\nmode=spawned\n`,
    );
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    expect(await module.ended).toBe(69);
    expect(module.log()).toContain("/nowhere/module.js, the program of launch.env, is gone.");
    expect(module.log()).toContain("install-module");
  });

  test("as a stand-in it holds the module off the socket, stays for the node to connect, and fails", async () => {
    const place = await installed("stand-in", config(), ["--registered"]);
    const hold = join(place.cwd, dataDir, "ipc.hold");
    const began = performance.now();
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir });
    await expect.poll(() => existsSync(hold)).toBe(true);
    expect(await module.ended).toBeGreaterThan(0);
    expect(performance.now() - began).toBeGreaterThan(2000);
    expect(existsSync(hold)).toBe(false);
    expect(module.log()).toContain("the capabilities are registered");
  });
});

describe("module: a service at a node's socket", () => {
  test("mines with its data where the node keeps it, and logs to standard error", async () => {
    const { cwd, folder } = await installed("attached");
    const words = [
      "--socket",
      join(cwd, "node.sock"),
      "--data-dir",
      join(cwd, dataDir),
      "-c",
      join(folder, "config.toml"),
    ];
    const module = program(["module", ...words]);
    const told = (text: string): string | undefined => module.err.find((line) => line.includes(text));
    await expect.poll(() => told("miners connect to "), { timeout: 30_000 }).toBeDefined();
    expect(told("module of the bllvm node, attached")).toContain(`"socket":"${join(cwd, "node.sock")}"`);
    expect(readdirSync(join(cwd, dataDir))).toEqual(expect.arrayContaining(["authority.key", "control.sock"]));
    expect(existsSync(join(cwd, dataDir, "module.log"))).toBe(false);
    module.kill("SIGTERM");
    expect(await module.ended).toBe(0);
  });

  test.each([
    [["--data-dir", "data"], true, /nothing says where the bllvm node's socket is/, /what to do: Give --socket/],
    [["--socket", "node.sock"], false, /nothing says where this module keeps its data/, /what to do: Give --data-dir/],
  ])("%j alone is the operator's to mend", async (words, isConfigured, what, help) => {
    const cwd = mkdtempSync(join(home, "words-"));
    const file = join(cwd, "config.toml");
    writeFileSync(file, config());
    const more = isConfigured ? ["-c", file] : [];
    const module = program(["module", ...words, ...more], { cwd });
    expect(await module.ended).toBe(2);
    expect(module.err.join("\n")).toMatch(what);
    expect(module.err.join("\n")).toMatch(help);
  });
});

describe.skipIf(!HAS_PRLIMIT)("under a node's limits", () => {
  const MIB = 1 << 20;

  test("with the 512 MiB of a node's defaults it mines without V8's compiler, and says so", async () => {
    const place = await installed("small");
    const limits = [`--as=${512 * MIB}`, "--nofile=256"];
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, limits });
    await mines(module);
    expect(module.log()).toContain("the node grants 512 MiB of address space");
    expect(module.log()).toContain("no more than 208 miners can be connected");
    expect(module.log()).toContain("default_max_memory_bytes = 2147483648");
    await stops(module);
  });

  test.each([1400, 2048, 4096])(
    "with %i MiB it has the compiler and WebAssembly, and a plugin of somebody else's",
    async (mib) => {
      const place = await installed(`room-${mib}`);
      await withForeignPlugin(place);
      const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, limits: [`--as=${mib * MIB}`] });
      await mines(module);
      expect(module.log()).not.toContain("WebAssembly does not work here");
      expect(module.log()).toContain("extcoin");
      await stops(module);
    },
  );

  test("with less than it can run in it ends at once with the limits to set", async () => {
    const place = await installed("tiny");
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, limits: [`--as=${256 * MIB}`] });
    expect(await module.ended).toBe(78);
    expect(module.log()).toContain("256 MiB of address space (RLIMIT_AS), and Node.js needs 384 at least");
    expect(module.log()).toContain("default_max_memory_bytes = 2147483648");
  });

  test("with too few files it ends, too", async () => {
    const place = await installed("few-files");
    const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, limits: ["--nofile=64"] });
    expect(await module.ended).toBe(78);
    expect(module.log()).toContain("64 open files (RLIMIT_NOFILE)");
  });

  // Root's tasks are not counted; another user is needed.
  describe.skipIf(process.getuid?.() !== 0)("of tasks, as a user who is not root", () => {
    const within = (tasks: number): readonly string[] => [
      "prlimit",
      `--nproc=${tasks}`,
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
    ];

    async function ofNobody(name: string): Promise<Place> {
      const place = await installed(name);
      for (const path of [
        place.cwd,
        ...readdirSync(place.cwd, { recursive: true }).map((each) => join(place.cwd, String(each))),
      ]) {
        chmodSync(path, 0o777);
      }
      mkdirSync(join(place.cwd, dataDir), { recursive: true });
      chmodSync(join(place.cwd, dataDir), 0o777);
      return place;
    }

    test("a limit that the node itself has used up is told instead of Node.js dying of it", async () => {
      const place = await ofNobody("tasks");
      writeFileSync(
        join(place.folder, "launch.env"),
        `node=${process.execPath}\nentry=${place.launcher}\nmode=spawned\n`,
      );
      const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, as: within(10) });
      expect(await module.ended).toBe(78);
      expect(module.log()).toMatch(/this user has \d+ tasks and may have 10 \(RLIMIT_NPROC\)/);
      expect(module.log()).toContain("default_max_child_processes = 4096");
    });

    test("and one that leaves just what the module needs is enough", async () => {
      const place = await ofNobody("enough-tasks");
      writeFileSync(join(place.folder, "config.toml"), config());
      chmodSync(join(home, ".cookie"), 0o644);
      const module = startModule({ launcher: place.launcher, cwd: place.cwd, dataDir, as: within(19) });
      await mines(module);
      await stops(module);
    });
  });
});
