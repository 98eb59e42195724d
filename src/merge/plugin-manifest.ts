/** What the server looks for in the `package.json` of a plugin's folder, before any of its code runs. */
import { z } from "zod";
import { PLUGIN_API } from "./plugin.ts";

/** What a chain's or plugin's name looks like. */
export const PLUGIN_NAME = /^[a-z][a-z0-9-]{0,31}$/;

const manifestSchema = z.looseObject({
  name: z.string().min(1),
  version: z.string().min(1).max(100),
  description: z.string().max(1000).default(""),
  type: z.literal("module"),
  main: z.string().min(1),
  "bllvm-stratum-v2": z.looseObject({ plugin: z.string().regex(PLUGIN_NAME), api: z.number().int() }),
});

/** What a plugin's folder says of itself. */
export interface PluginManifest {
  /** Name of the plugin; `plugin` in the chain's table. */
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** The version of the contract that it was written for; another than `PLUGIN_API` cannot be loaded. */
  readonly api: number;
  /** Entry module, relative to the folder. */
  readonly main: string;
}

/** What stands in each key, for the sentence about one that is wrong. */
const EXPECTED: Readonly<Record<string, string>> = {
  name: "a text",
  version: "a version such as 1.0.0",
  description: "a text of at most 1000 characters",
  type: '"module"',
  main: 'the path of the entry module, such as "./index.js"',
  "bllvm-stratum-v2": `{ "plugin": "<name>", "api": ${PLUGIN_API} }`,
  "bllvm-stratum-v2.plugin": "1 to 32 of a-z, 0-9 and -, a letter first",
  "bllvm-stratum-v2.api": `a whole number, ${PLUGIN_API} for this version`,
};

/** Reads the text of a `package.json`. `flaw` is one clause that names the key (`main is missing, expected ...`). */
export function readManifest(text: string): { readonly manifest: PluginManifest } | { readonly flaw: string } {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { flaw: "it is not valid JSON" };
  }
  const parsed = manifestSchema.safeParse(raw);
  if (!parsed.success) {
    const key = parsed.error.issues[0]?.path.join(".") ?? "";
    if (key === "") return { flaw: "it is not an object" };
    return { flaw: `${key} must be ${EXPECTED[key] ?? "something else"}` };
  }
  const { version, description, main, "bllvm-stratum-v2": own } = parsed.data;
  return { manifest: { name: own.plugin, api: own.api, version, description, main } };
}
