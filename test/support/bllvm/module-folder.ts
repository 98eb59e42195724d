/**
 * How the node finds modules below `modules_dir` and what it checks before it runs one (blvm-node
 * `src/module/registry/discovery.rs`, `loader/loader.rs`).
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { parse } from "smol-toml";

/** What the node reads from module.toml; everything else is ignored. */
export interface ModuleManifest {
  readonly name: string;
  readonly version: string;
  readonly entryPoint: string;
  readonly capabilities: readonly string[];
  readonly binaryHash: string | undefined;
}

/** A module that could be loaded. */
export interface DiscoveredModule {
  readonly folder: string;
  readonly manifest: ModuleManifest;
  /** Canonical path of what is executed. */
  readonly entry: string;
}

/** What a scan gives. */
export interface Discovery {
  readonly modules: readonly DiscoveredModule[];
  /** Folders that were passed over, and why. */
  readonly skipped: readonly { readonly folder: string; readonly reason: string }[];
}

/** Looks into every direct sub-folder that has a module.toml. */
export function discoverModules(modulesDir: string): Discovery {
  const modules: DiscoveredModule[] = [];
  const skipped: { folder: string; reason: string }[] = [];
  mkdirSync(modulesDir, { recursive: true });
  for (const name of readdirSync(modulesDir).sort()) {
    const folder = join(modulesDir, name);
    if (!statSync(folder).isDirectory() || !existsSync(join(folder, "module.toml"))) continue;
    try {
      const manifest = readManifest(join(folder, "module.toml"));
      modules.push({ folder, manifest, entry: entryOf(modulesDir, folder, manifest.entryPoint) });
    } catch (error) {
      skipped.push({ folder, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { modules, skipped };
}

/** A module.toml. Throws when it is no TOML or lacks name, version or entry_point. */
export function readManifest(path: string): ModuleManifest {
  const table = parse(readFileSync(path, "utf8"));
  const { name, version, entry_point: entryPoint, capabilities = [], binary } = table;
  if (typeof name !== "string") throw new Error("missing field `name`");
  if (typeof version !== "string") throw new Error("missing field `version`");
  if (typeof entryPoint !== "string") throw new Error("missing field `entry_point`");
  if (!Array.isArray(capabilities)) throw new Error("invalid type for `capabilities`");
  const hash = (binary as { hash?: unknown } | undefined)?.hash;
  return {
    name,
    version,
    entryPoint,
    capabilities: capabilities.map(String),
    binaryHash: typeof hash === "string" ? hash : undefined,
  };
}

/**
 * The first of the four places that has an executable file which really lies inside `modulesDir`. Throws when none has.
 */
export function entryOf(modulesDir: string, folder: string, entryPoint: string): string {
  if (entryPoint.includes("..")) throw new Error(`Invalid entry_point: path traversal not allowed (${entryPoint})`);
  const inside = `${realpathSync(modulesDir)}${sep}`;
  const places = [
    join(folder, entryPoint),
    join(folder, "target/release", entryPoint),
    join(folder, "target/debug", entryPoint),
    join(modulesDir, entryPoint),
  ];
  for (const place of places) {
    if (!existsSync(place) || !statSync(place).isFile()) continue;
    const real = realpathSync(place);
    if (real.startsWith(inside) && (statSync(real).mode & 0o111) !== 0) return real;
  }
  throw new Error(`Module binary not found for entry_point: ${entryPoint} in ${folder}`);
}

/**
 * The check of `[binary] hash`. With `registry` (the node's default setting: an index on the network that does not know this
 * module, or cannot be reached) a manifest without one is refused. Throws with the node's words.
 */
export function checkBinary({ manifest, entry }: DiscoveredModule, registry: boolean): void {
  const { name, binaryHash } = manifest;
  if (binaryHash === undefined) {
    if (registry) throw new Error(`Module '${name}' not found in registry`);
    return;
  }
  const actual = createHash("sha256").update(readFileSync(entry)).digest("hex");
  if (actual !== binaryHash.replace(/^(sha256:)+/, "").toLowerCase()) {
    throw new Error(`Binary hash mismatch for module ${name}: expected ${binaryHash}, got ${actual}`);
  }
}
