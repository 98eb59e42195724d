/** Reads a configuration file and says in words what is wrong with it: file, key, what stands there, what was expected. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { Fault } from "../../kernel/fault.ts";
import type { KeyRow, SectionRow } from "./rows.ts";
import { type Config, configSchema, SECTIONS } from "./schema.ts";

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
    throw new Fault("config-not-toml", { file: name, line: cause.line, column: cause.column }, { cause });
  }
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => explain(issue, raw));
  throw new Fault(
    "config-invalid",
    { file: name },
    { cause: new Error(`\n${lines.map((line) => `  ${name}: ${line}`).join("\n")}`) },
  );
}

/** One line for each mistake of an issue. */
function explain(issue: z.core.$ZodIssue, raw: unknown): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(path);
    return issue.keys.map((unknown) => {
      const near = nearest(unknown, known);
      const advice = near === undefined ? `known keys are ${known.join(", ")}` : `did you mean "${near}"?`;
      return `${[...path, unknown].join(".")}: unknown key; ${advice}`;
    });
  }
  return [`${path.join(".")}: ${found(valueAt(raw, path), path)}; ${expectation(issue)}`];
}

function found(value: unknown, path: readonly string[]): string {
  if (value === undefined) return "is missing";
  // A password must not reach a terminal or a log even when its type is wrong.
  if (path.at(-1) === "password") return "has a bad value";
  return `is ${JSON.stringify(value)?.slice(0, 80) ?? typeof value}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${issue.expected === "int" ? "a whole number" : `a ${issue.expected}`}`;
    case "too_small":
      return `expected ${issue.origin === "string" ? "a text of " : ""}at least ${issue.minimum}${issue.inclusive === false ? " (not itself)" : ""}`;
    case "too_big":
      return `expected ${issue.origin === "string" ? "a text of " : ""}at most ${issue.maximum}`;
    case "invalid_value":
      return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    default:
      return `expected ${issue.message}`;
  }
}

function valueAt(raw: unknown, path: readonly string[]): unknown {
  let value = raw;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function keysAt(path: readonly string[]): string[] {
  const [name] = path;
  if (name === undefined) return Object.keys(SECTIONS);
  const row = (SECTIONS as Readonly<Record<string, SectionRow<Readonly<Record<string, KeyRow>>>>>)[name];
  return row === undefined ? [] : Object.keys(row.keys);
}

/** The known name that differs least from `name`, when it is near enough to be a slip of the finger. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein distance; both texts are config keys, so a row of the matrix is small. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
