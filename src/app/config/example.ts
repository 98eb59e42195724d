/** Writes `config.toml.example` and the reference page from the rows of the schema. */
import type { z } from "zod";
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

/** Further keys of the example's chains: those of their plugins. */
const CHAINS = `
# Keys of the namecoin plugin.
# payout_address = "N6..."

# [[chains.namecoin.daemons]]
# url = "http://127.0.0.1:8336"
`;

/** The line that opens a section; nothing is mined but Bitcoin until a chain's is uncommented. */
function headOf(name: string, row: SectionRow): string {
  if (row.kind === "named") return `# [${name}.namecoin]`;
  return row.kind === "array" ? `[[${name}]]` : `[${name}]`;
}

/** The whole commented example file. */
export function renderExample(): string {
  const blocks = Object.entries(SECTIONS).map(([name, row]) => {
    const keys = Object.entries(row.keys as Readonly<Record<string, KeyRow>>).map(([key, keyRow]) => {
      const value = defaultOf(keyRow) ?? keyRow.example ?? '""';
      return `${comment(keyRow.doc)}\n${shown(name, key) ? "" : "# "}${key} = ${value}`;
    });
    return `${comment(row.doc)}\n${headOf(name, row)}\n\n${keys.join("\n\n")}\n${row.kind === "named" ? CHAINS : ""}`;
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
    const head = row.kind === "named" ? `[${name}.NAME]` : headOf(name, row);
    return `## \`${head}\`\n\n${row.doc}\n\n| key | default | what it does |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `# Configuration\n\nGenerated from the schema by \`npm run docs\`. Durations end in \`_s\` and are seconds; relative paths start at the folder of the configuration file. An unknown key or a bad value stops the program before it does anything, with the file, the key and what was expected.\n\n${parts.join("\n")}`;
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
