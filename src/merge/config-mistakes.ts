/**
 * Says in words what is wrong with a configuration: which key, what stands there, what was expected, and which key was
 * meant by one that nobody knows. For the whole file and for a chain's table under its plugin's schema alike.
 */
import type { z } from "zod";

/** Texts of a value that are shown. */
const MAX_SHOWN = 80;
/** Keys whose values must not reach a terminal or a log, even when their type is wrong. */
const SECRET = /^(.*_)?(password|passphrase|secret|token|key)$/i;

/**
 * One line for each mistake, e.g. `stratum_v2.listen_adr: unknown key; did you mean "listen_addr"?`. `raw` is what was checked
 * against `schema`; `more` names keys that are known at its top besides the schema's own.
 */
export function configMistakes(
  error: { readonly issues: readonly z.core.$ZodIssue[] },
  raw: unknown,
  schema: unknown,
  more: readonly string[] = [],
): string[] {
  return error.issues.flatMap((issue) => explain(issue, raw, schema, more));
}

function explain(issue: z.core.$ZodIssue, raw: unknown, schema: unknown, more: readonly string[]): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = [...keysAt(schema, path), ...(path.length === 0 ? more : [])];
    return issue.keys.map((unknown) => `${[...path, unknown].join(".")}: unknown key; ${adviceOn(unknown, known)}`);
  }
  const key = path.at(-1) ?? "";
  const wanted = expectation(issue, key);
  // "payout: is missing; payout is missing: the address …" would say it twice.
  if (wanted.startsWith(`${key} is missing`)) return [`${path.join(".")}: ${wanted.slice(key.length + 1)}`];
  return [`${path.join(".")}: ${found(valueAt(raw, path), path)}; ${wanted}`];
}

/** What to write instead of `unknown`: `did you mean "url"?`, or all that is known. */
export function adviceOn(unknown: string, known: readonly string[]): string {
  const near = nearest(unknown, known);
  return near === undefined ? `known keys are ${known.join(", ")}` : `did you mean "${near}"?`;
}

function found(value: unknown, path: readonly string[]): string {
  if (value === undefined) return "is missing";
  if (path.some((name) => SECRET.test(name))) return "has a bad value";
  const text = JSON.stringify(value, (name, inner) => (SECRET.test(name) ? "…" : inner)) ?? typeof value;
  return `is ${text.replaceAll(/\/\/[^/@\s"]*@/g, "//…@").slice(0, MAX_SHOWN)}`;
}

/** What zod itself says begins so; anything else was written by the author of the schema, who knows better. */
const ZODS_OWN = /^(Invalid|Too (small|big)|Unrecognized)\b/;
/** Begins a thing that is wanted, whatever follows: `a host that is known`. */
const NAMES_A_THING = /^(an?|the|one|each|at least|at most) /;
/** Sets a sentence apart from the name of a thing: `payout is no address`, `Choose one.`, `no address`. */
const SENTENCE = /^([A-Z]|not? )|\b(is|are|has|have|must|needs?|cannot|does|expected)\b/;

function expectation(issue: z.core.$ZodIssue, key: string): string {
  const { message } = issue;
  if (issue.code !== "invalid_key" && !ZODS_OWN.test(message)) {
    const says = message.startsWith(`${key} `) || message.startsWith(`${key}:`);
    return says || (SENTENCE.test(message) && !NAMES_A_THING.test(message)) ? message : `expected ${message}`;
  }
  switch (issue.code) {
    case "invalid_type":
      return `expected ${TYPES[issue.expected] ?? `a ${issue.expected}`}`;
    case "too_small":
      return `expected ${issue.origin === "string" ? "a text of " : ""}at least ${issue.minimum}${issue.inclusive === false ? " (not itself)" : ""}`;
    case "too_big":
      return `expected ${issue.origin === "string" ? "a text of " : ""}at most ${issue.maximum}`;
    case "invalid_value":
      return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "invalid_format":
      return `expected ${issue.format === "regex" ? `a text that matches ${issue.pattern}` : `a valid ${issue.format}`}`;
    case "invalid_key":
      return `expected ${issue.issues[0]?.message ?? message}`;
    default:
      return `expected ${message}`;
  }
}

/** Types in the words of a TOML file, where they differ from zod's. */
const TYPES: Readonly<Record<string, string>> = {
  int: "a whole number",
  array: "a list",
  object: "a table",
};

function valueAt(raw: unknown, path: readonly string[]): unknown {
  let value = raw;
  for (const name of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

/** What a zod schema says of itself, as far as the way to a key goes; a plugin's may come from another copy of zod. */
interface Definition {
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly element?: unknown;
  readonly valueType?: unknown;
  readonly innerType?: unknown;
  readonly in?: unknown;
  readonly options?: readonly unknown[];
}

/** Keys that the object at `path` of `schema` may have; none where the schema does not tell. */
function keysAt(schema: unknown, path: readonly string[]): string[] {
  const def = (schema as { readonly _zod?: { readonly def?: Definition } } | undefined)?._zod?.def;
  if (def === undefined) return [];
  const around = def.innerType ?? def.in;
  if (around !== undefined) return keysAt(around, path);
  if (def.options !== undefined) return [...new Set(def.options.flatMap((option) => keysAt(option, path)))];
  const [name, ...rest] = path;
  if (name === undefined) return Object.keys(def.shape ?? {});
  return keysAt(def.shape?.[name] ?? def.element ?? def.valueType, rest);
}

/** The known name that differs least from `name`, when it is near enough to be a slip of the finger. */
export function nearest(name: string, known: readonly string[]): string | undefined {
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
