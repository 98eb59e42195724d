/** What an installation consists of: the files of the module's folder, made from the program's own and from where Node.js and the program are. */
import { lstatSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { Fault } from "../../../kernel/fault.ts";
import { PACKAGE_FOLDER } from "../../version.ts";
import { MODULE_NAME, MODULE_NAME_PATTERN } from "../module-name.ts";
import { FIRST_CONFIG } from "./config-text.ts";

/** The launcher of the package: a file of its own, since its sha256 is in module.toml. */
export const LAUNCHER_SOURCE = join(PACKAGE_FOLDER, "src/app/module", MODULE_NAME);
/** The manifest of the package. */
export const MANIFEST_SOURCE = join(PACKAGE_FOLDER, "module.toml");
/** The compiled entry that the launcher starts. */
export const ENTRY = join(PACKAGE_FOLDER, "dist/src/module.js");

/** The operator's file, which is made once. */
export const CONFIG_FILE = "config.toml";
/** What the launcher reads: where Node.js and the program are. */
export const LAUNCH_FILE = "launch.env";
/** What nodes look for. */
export const MANIFEST_FILE = "module.toml";
/** The entry point, in the order in which nodes look for it; the second place is the one of the module's documentation. */
export const LAUNCHERS = [MODULE_NAME, `target/release/${MODULE_NAME}`] as const;

/** One file of the folder. */
export interface PlannedFile {
  /** Below the module's folder. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Whether it is written only where there is none. */
  readonly once: boolean;
}

/** What to install. */
export interface LayoutOptions {
  readonly modulesDir: string;
  readonly name: string | undefined;
  readonly registered: boolean;
  readonly config: string | undefined;
}

/** A whole installation. */
export interface Layout {
  /** Absolute. */
  readonly modulesDir: string;
  readonly name: string;
  /** Absolute: `<modulesDir>/<name>`. */
  readonly folder: string;
  readonly files: readonly PlannedFile[];
}

/** Throws `Fault("bllvm-install")` for a name that nodes mistake, and for paths that launch.env cannot hold. */
export function layoutOf({ modulesDir: given, name = MODULE_NAME, registered, config }: LayoutOptions): Layout {
  if (!MODULE_NAME_PATTERN.test(name)) {
    const why = "a name has letters, digits and - alone, 64 at most: nodes cut it off at a _";
    throw new Fault("bllvm-install", { name, why });
  }
  const modulesDir = resolve(given);
  const folder = join(modulesDir, name);
  const launch = [
    ["node", process.execPath],
    ["entry", ENTRY],
    ["mode", registered ? "registered" : "spawned"],
    ...(config === undefined ? [] : [["config", resolve(config)]]),
  ] as const;
  if (launch.some(([, value]) => /[\r\n]/.test(value ?? ""))) {
    throw new Fault("bllvm-install", { why: "a path has a line feed in it" });
  }
  const launcher = readFileSync(LAUNCHER_SOURCE, "utf8");
  return {
    modulesDir,
    name,
    folder,
    files: [
      ...LAUNCHERS.map((path) => ({ path, text: launcher, mode: 0o755, once: false })),
      { path: LAUNCH_FILE, text: launch.map((line) => `${line.join("=")}\n`).join(""), mode: 0o644, once: false },
      { path: CONFIG_FILE, text: FIRST_CONFIG, mode: 0o600, once: true },
      // Last: a folder without it is no module yet.
      { path: MANIFEST_FILE, text: manifestOf(name), mode: 0o644, once: false },
    ],
  };
}

/** Where a link at the folder's place leads, when that is outside of the modules' folder; `undefined` when all is well. */
export function elsewhereOf(modulesDir: string, folder: string): string | undefined {
  try {
    if (!lstatSync(folder).isSymbolicLink()) return undefined;
    const real = realpathSync(folder);
    return real.startsWith(`${realpathSync(modulesDir)}${sep}`) ? undefined : real;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function manifestOf(name: string): string {
  return readFileSync(MANIFEST_SOURCE, "utf8").replace(/^name = .*$/m, `name = ${JSON.stringify(name)}`);
}
