/**
 * How the node hands a module's config.toml over as environment (blvm-node `loader.rs`, `load_module_config`): one level
 * only, so a table becomes one entry of keys and values between commas, and keys keep their dots and dashes.
 */
import { existsSync, readFileSync } from "node:fs";
import { parse, type TomlValue } from "smol-toml";

/** The entries of the config.toml at `path`; none when there is no file. */
export function readModuleConfig(path: string): Record<string, string> {
  return existsSync(path) ? moduleConfig(readFileSync(path, "utf8")) : {};
}

/** The entries of a config.toml. What is no TOML is read as lines of `key = value`. */
export function moduleConfig(content: string): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(parse(content)).map(([key, value]) => [key, flat(key, value)]));
  } catch {
    return Object.fromEntries(content.split("\n").flatMap(line));
  }
}

/** The variables for `entries`: names in upper case. */
export function configVariables(entries: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(entries).map(([key, value]) => [`MODULE_CONFIG_${key.toUpperCase()}`, value]),
  );
}

/** A value at the top: text as it is, items of an array and of a table as TOML writes them, joined by commas. */
function flat(key: string, value: TomlValue): string {
  if (Array.isArray(value)) return value.map(tomlText).join(",");
  if (typeof value === "object" && !(value instanceof Date)) {
    return Object.entries(value)
      .flatMap(([sub, each]) => [`${key}.${sub}`, tomlText(each)])
      .join(",");
  }
  return typeof value === "string" ? value : tomlText(value);
}

function tomlText(value: TomlValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(tomlText).join(", ")}]`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "object") return String(value);
  return `{ ${Object.entries(value)
    .map(([key, each]) => `${key} = ${tomlText(each)}`)
    .join(", ")} }`;
}

function line(text: string): (readonly [string, string])[] {
  const trimmed = text.trim();
  const at = trimmed.indexOf("=");
  return trimmed.startsWith("#") || at < 0 ? [] : [[trimmed.slice(0, at).trim(), trimmed.slice(at + 1).trim()]];
}
