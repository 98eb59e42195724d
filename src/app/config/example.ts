/** Writes `config.toml.example` and the reference page from the rows of the schema. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { PACKAGE_FOLDER } from "../version.ts";
import type { KeyRow, SectionRow } from "./rows.ts";
import { SECTIONS } from "./schema.ts";

const HEAD = `# Configuration of bllvm-stratum-v2. Copy it to config.toml and change what you need:
# every key that is commented out shows its default, or an example where it has none.
# Generated from the schema by \`npm run docs\`; \`bllvm-stratum-v2 doctor -c config.toml\` checks yours.
`;

/** The default of a key as TOML text, or `undefined` when it has none. */
export function defaultOf(row: KeyRow): string | undefined {
  const parsed = (row.schema as z.ZodType).safeParse(undefined);
  return parsed.success && parsed.data !== undefined ? tomlValue(parsed.data) : undefined;
}

/** Plugins whose own examples stand in ours. */
const SHOWN_PLUGINS = ["namecoin", "rsk"];

/** The working configuration of a built-in plugin, commented out: nothing is mined but Bitcoin until an operator wants it. */
function chainExample(plugin: string): string {
  const lines = readFileSync(join(PACKAGE_FOLDER, "plugins", plugin, "config.toml"), "utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line) => (line === "" ? "" : `# ${line}`)).join("\n");
}

/** The line that opens a section. */
function headOf(name: string, row: SectionRow): string {
  if (row.kind === "named") return `# [${name}.mychain]`;
  if (row.kind === "table") return `[${name}]`;
  return Object.keys(row.keys).some((key) => shown(name, key)) ? `[[${name}]]` : `# [[${name}]]`;
}

/** The whole commented example file. */
export function renderExample(): string {
  const blocks = Object.entries(SECTIONS).map(([name, row]) => {
    const keys = Object.entries(row.keys as Readonly<Record<string, KeyRow>>).map(([key, keyRow]) => {
      const value = defaultOf(keyRow) ?? keyRow.example ?? '""';
      return `${comment(keyRow.doc)}\n${shown(name, key) ? "" : "# "}${key} = ${value}`;
    });
    const examples = name === "chains" ? SHOWN_PLUGINS.map((plugin) => `\n${chainExample(plugin)}\n`) : [];
    return `${comment(row.doc)}\n${headOf(name, row)}\n\n${keys.join("\n\n")}\n${examples.join("")}`;
  });
  return `${HEAD}\n${blocks.join("\n")}`;
}

/** The reference page `docs/configuration.md`. */
export function renderReference(): string {
  const parts = Object.entries(SECTIONS).map(([name, row]) => {
    const rows = Object.entries(row.keys as Readonly<Record<string, KeyRow>>).map(([key, keyRow]) => {
      const fallback = defaultOf(keyRow);
      return `| \`${key}\` | ${fallback === undefined ? "none" : `\`${fallback}\``} | ${keyRow.doc.replaceAll("|", "\\|")} |`;
    });
    const head = { table: `[${name}]`, array: `[[${name}]]`, named: `[${name}.NAME]` }[row.kind];
    return `## \`${head}\`\n\n${row.doc}\n\n| key | default | what it does |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `# Configuration\n\nGenerated from the schema by \`npm run docs\`. Durations end in \`_s\` and are seconds; relative paths start at the folder of the configuration file. An unknown key or a bad value stops the program before it does anything, with the file, the key and what was expected.\n\nA running server reads the file again at SIGHUP and at \`bllvm-stratum-v2 reload\`, and no miner is dropped for it: chains start, stop and start anew as \`[chains.*]\`, \`merge_mining_enabled\`, \`secondary_chains\` and \`plugins_dir\` say. Other keys that changed are named in the log and take a restart; a file with a mistake changes nothing. Changed code of a plugin takes a restart too.\n\n${parts.join("\n")}`;
}

/** Keys that the example sets: without them nothing can be mined. */
function shown(section: string, key: string): boolean {
  return (
    (section === "stratum_v2" && (key === "enabled" || key === "listen_addr")) ||
    (section === "bitcoin" && (key === "network" || key === "payout")) ||
    (section === "bitcoind" && (key === "url" || key === "cookie_file"))
  );
}

function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  if (typeof value === "number" && value >= 1e12) return value.toExponential();
  return String(value);
}

/** `text` as comment lines of at most 118 characters. */
function comment(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last.length + word.length + 3 > 118) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.map((line) => `# ${line}`).join("\n");
}
