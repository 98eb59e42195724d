/** Looks at an installation as the node and the launcher will: everything that would keep the module from being loaded or from starting. */
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, Fault } from "../../../kernel/fault.ts";
import type { Finding } from "../../commands/doctor-chains.ts";
import { adviceOf } from "../../failure.ts";
import { settingsOf } from "../../settings.ts";
import { resolveConfig } from "../config/resolve.ts";
import { MODULE_NAME_PATTERN } from "../module-name.ts";
import { readIfThere } from "../read-if-there.ts";
import { elsewhereOf, LAUNCH_FILE, LAUNCHERS, type Layout, MANIFEST_FILE } from "./layout.ts";
import { nodeVersionOf } from "./node-version.ts";

/** The oldest Node.js that runs the program, as in package.json. */
const LEAST_NODE = [20, 19] as const;
/** What a look saw, and what is no reason to fail. */
interface Seen {
  readonly detail: string;
  readonly warnings: readonly string[];
  /** What to do about the warnings. */
  readonly fix: string;
}

const AGAIN = "Run `bllvm-stratum-v2 install-module` again.";

/** Findings in the order in which a node meets them. Never throws for what it finds. */
export function checkInstallation({
  modulesDir,
  folder,
  name,
}: Pick<Layout, "modulesDir" | "folder" | "name">): Finding[] {
  const checks: readonly (readonly [string, string, () => Seen | string])[] = [
    ["folder", AGAIN, () => checkFolder(modulesDir, folder)],
    ["manifest", AGAIN, () => checkManifest(folder, name)],
    ...LAUNCHERS.map((path): readonly [string, string, () => string] => [
      path,
      AGAIN,
      () => checkLauncher(folder, path),
    ]),
    [LAUNCH_FILE, AGAIN, () => checkLaunch(folder)],
    ["configuration", "", () => checkConfig(modulesDir, folder)],
  ];
  return checks.flatMap(([check, fix, look]): Finding[] => {
    try {
      const seen = look();
      if (typeof seen === "string") return [{ check, result: "ok", detail: seen }];
      return [
        { check, result: "ok", detail: seen.detail },
        ...seen.warnings.map((warning): Finding => ({ check, result: "warning", detail: warning, fix: seen.fix })),
      ];
    } catch (error) {
      const advice = error instanceof Fault ? adviceOf(error) : fix === "" ? AGAIN : fix;
      return [{ check, result: "failed", detail: describe(error), fix: advice }];
    }
  });
}

function checkFolder(modulesDir: string, folder: string): string {
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
  const elsewhere = elsewhereOf(modulesDir, folder);
  if (elsewhere !== undefined)
    throw new Error(`${folder} is a link to ${elsewhere}: nodes pass over what is outside of their folder`);
  return folder;
}

function checkManifest(folder: string, name: string): string {
  const manifest = parse(readFileSync(join(folder, MANIFEST_FILE), "utf8"));
  const { name: given, version, entry_point } = manifest;
  if (given !== name)
    throw new Error(`the name is ${JSON.stringify(given)}, that of the folder ${JSON.stringify(name)}`);
  if (!MODULE_NAME_PATTERN.test(name)) throw new Error(`nodes cut the name ${name} off at its _`);
  if (entry_point !== LAUNCHERS[0])
    throw new Error(`entry_point is ${JSON.stringify(entry_point)}, not ${LAUNCHERS[0]}`);
  const { hash } = (manifest.binary ?? {}) as { readonly hash?: unknown };
  const actual = sha256(join(folder, LAUNCHERS[0]));
  if (typeof hash !== "string" || hash.replace(/^sha256:/, "") !== actual) {
    throw new Error(
      `binary.hash is not the sha256 of ${LAUNCHERS[0]}, which is ${actual}: nodes with a registry do not load it`,
    );
  }
  return `${name} ${String(version)}, its hash is the launcher's`;
}

function checkLauncher(folder: string, path: string): string {
  const file = join(folder, path);
  if ((statSync(file).mode & 0o111) === 0) throw new Error(`${file} is not executable`);
  if (sha256(file) !== sha256(join(folder, LAUNCHERS[0]))) throw new Error(`${file} is another than ${LAUNCHERS[0]}`);
  return "executable";
}

function checkLaunch(folder: string): Seen | string {
  const { node, entry, mode } = launchOf(folder);
  if (node === undefined || entry === undefined) throw new Error("it does not say where Node.js and the program are");
  if (mode !== "spawned" && mode !== "registered")
    throw new Error(`mode is ${String(mode)}, not spawned or registered`);
  accessSync(node, constants.X_OK);
  accessSync(entry, constants.R_OK);
  const asked = nodeVersionOf(node, join(folder, LAUNCH_FILE));
  if ("why" in asked) {
    return {
      detail: `${mode}: ${node} runs ${entry}`,
      warnings: [`the version of ${node} was not looked at, for that would execute it, and ${asked.why}`],
      fix: `As the node's user, run \`${node} --version\`: ${LEAST_NODE.join(".")} or newer is needed.`,
    };
  }
  const { version } = asked;
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    throw new Error(`${node} is ${version}; ${LEAST_NODE.join(".")} or newer is needed`);
  }
  return `${mode}: Node.js ${version} runs ${entry}`;
}

function checkConfig(modulesDir: string, folder: string): Seen {
  const loaded = resolveConfig({
    // The node's data folder is not known here: any will do to see whether the file can be used.
    launch: { moduleFolder: folder, dataDir: join(modulesDir, "data"), configFile: launchOf(folder).config },
    env: {},
    cwd: folder,
    read: (path) => readIfThere(path),
  });
  settingsOf(loaded, "module");
  const fix = "Remove it, or see docs/configuration.md.";
  return { detail: loaded.sources.join(", "), warnings: loaded.warnings, fix };
}

function launchOf(folder: string): Readonly<Record<string, string | undefined>> {
  const lines = readFileSync(join(folder, LAUNCH_FILE), "utf8").split("\n");
  return Object.fromEntries(
    lines
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
