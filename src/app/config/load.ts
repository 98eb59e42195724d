/** Reads a configuration file and says in words what is wrong with it: file, key, what stands there, what was expected. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { Fault } from "../../kernel/fault.ts";
import { configMistakes } from "../../merge/config-mistakes.ts";
import { type Config, configSchema } from "./schema.ts";
import { tomlFault } from "./toml-fault.ts";

/** A configuration and where it came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path of the file; `undefined` when only defaults are used. */
  readonly file: string | undefined;
  /** Absolute folder that relative paths of the configuration start from. */
  readonly folder: string;
}

/**
 * Loads `path`, or only the defaults when it is `undefined`. Throws `Fault` `config-unreadable`, `config-not-toml` or
 * `config-invalid`; the latter's message has one line for each mistake.
 */
export function loadConfig(path: string | undefined): LoadedConfig {
  if (path === undefined) return { config: configSchema.parse({}), file: undefined, folder: process.cwd() };
  const file = resolve(path);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new Fault("config-unreadable", { file }, { cause });
  }
  return { config: parseConfig(text, path), file, folder: dirname(file) };
}

/** Checks the text of a configuration file. `name` is what messages call the file. */
export function parseConfig(text: string, name: string): Config {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw tomlFault(name, cause);
  }
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  const lines = configMistakes(result.error, raw, configSchema);
  throw new Fault(
    "config-invalid",
    { file: name },
    { cause: new Error(`\n${lines.map((line) => `  ${name}: ${line}`).join("\n")}`) },
  );
}
