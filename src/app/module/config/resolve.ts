/**
 * The configuration of a module, from everything that may say something about it, low to high: our defaults, config.toml in the
 * module's folder (the seed's place), config.toml in the data folder (where the node's own kit for modules looks), `--config`, and
 * what the operator says in the node's configuration (`MODULE_CONFIG_*`). One schema checks the result; a mistake is told with the file
 * or the variable that it stands in.
 */
import { dirname, join } from "node:path";
import { parse, TomlError } from "smol-toml";
import { Fault } from "../../../kernel/fault.ts";
import { configMistakes } from "../../../merge/config-mistakes.ts";
import type { LoadedConfig } from "../../config/load.ts";
import { configSchema } from "../../config/schema.ts";
import { tomlFault } from "../../config/toml-fault.ts";
import type { Launch } from "../launch.ts";
import { withAbsolutePaths } from "./file-paths.ts";
import { withoutFlatKeys } from "./flat-keys.ts";
import { type Layer, type Merged, mergeLayers, type Table, valueAt } from "./layer.ts";
import { overridesOf } from "./overrides.ts";

/** A module's configuration. */
export interface ResolvedConfig extends LoadedConfig {
  /** Sentences about what has no effect; each names its file or variable. */
  readonly warnings: readonly string[];
  /** What said something, low to high. */
  readonly sources: readonly string[];
}

/** What the configuration depends on. */
export interface ConfigSurroundings {
  readonly launch: Pick<Launch, "moduleFolder" | "dataDir" | "configFile">;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where paths of variables start when there is neither data folder nor file. */
  readonly cwd: string;
  /** The text of a file, `undefined` when there is none. Throws the system's error. */
  readonly read: (path: string) => string | undefined;
}

/** Throws `Fault` `config-unreadable`, `config-not-toml`, `config-invalid`, or `bllvm-data-dir-unknown` when nothing says where data is to be. */
export function resolveConfig({ launch, env, cwd, read }: ConfigSurroundings): ResolvedConfig {
  const { moduleFolder, dataDir, configFile } = launch;
  const files: Layer[] = [];
  const warnings: string[] = [];
  let own: { readonly table: Table; readonly raw: Table } = { table: {}, raw: {} };
  const places = new Set(
    [moduleFolder, dataDir].flatMap((folder) => (folder === undefined ? [] : [join(folder, "config.toml")])),
  );
  for (const path of [
    ...[...places].filter((place) => place !== configFile),
    ...(configFile === undefined ? [] : [configFile]),
  ]) {
    const text = textOf(path, read);
    if (text === undefined) {
      if (path === configFile) throw new Fault("config-unreadable", { file: path });
      continue;
    }
    const raw = tableOf(text, path);
    const parsed = withoutFlatKeys(raw);
    warnings.push(...parsed.warnings.map((warning) => `${path}: ${warning}`));
    if (moduleFolder !== undefined && dirname(path) === moduleFolder) own = { table: parsed.table, raw };
    files.push({ name: path, table: withAbsolutePaths(parsed.table, dirname(path)) });
  }
  const file = files.at(-1)?.name;
  const folder = file === undefined ? (dataDir ?? cwd) : dirname(file);
  const overrides = overridesOf(env, own);
  const fromEnv = overrides.layers.map(({ name, table }) => ({
    name,
    table: withAbsolutePaths(table, dataDir ?? folder),
  }));
  const below = dataDir === undefined ? [] : [{ name: "DATA_DIR", table: { stratum_v2: { data_dir: dataDir } } }];
  const merged = mergeLayers([...below, ...files, ...fromEnv]);
  if (valueAt(merged.table, ["stratum_v2", "data_dir"]) === undefined && file === undefined) {
    throw new Fault("bllvm-data-dir-unknown");
  }
  return {
    config: checked(merged, file),
    file,
    folder,
    warnings: [...warnings, ...overrides.warnings],
    sources: [...files, ...fromEnv].map(({ name }) => name),
  };
}

function textOf(path: string, read: ConfigSurroundings["read"]): string | undefined {
  try {
    return read(path);
  } catch (cause) {
    throw new Fault("config-unreadable", { file: path }, { cause });
  }
}

function tableOf(text: string, file: string): Table {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw tomlFault(file, cause);
  }
}

function checked(merged: Merged, file: string | undefined): LoadedConfig["config"] {
  const result = configSchema.safeParse(merged.table);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => {
    const single = issue.code === "unrecognized_keys" ? issue.keys.map((key) => ({ ...issue, keys: [key] })) : [issue];
    return single.flatMap((one) => {
      const path = one.code === "unrecognized_keys" ? [...one.path, ...one.keys] : one.path;
      const from = merged.originOf(path) ?? file ?? "configuration";
      return configMistakes({ issues: [one] }, merged.table, configSchema).map((line) => `  ${from}: ${line}`);
    });
  });
  throw new Fault("config-invalid", { file }, { cause: new Error(`\n${lines.join("\n")}`) });
}
