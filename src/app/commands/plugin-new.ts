/** `plugin new`: a copy of the template under another name, which works and keeps the contract as it is. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, Fault } from "../../kernel/fault.ts";
import { PLUGIN_NAME } from "../../merge/plugin-manifest.ts";
import { EXIT } from "../exit-codes.ts";
import { colours, type Terminal } from "../terminal.ts";
import { PACKAGE_FOLDER } from "../version.ts";

/** The template's own names. Each stands for nothing else in its files. */
const TEMPLATE = { folder: "plugins/template", name: "examplecoin", title: "Examplecoin", symbol: "EXC" } as const;
/** Characters of a coin's symbol that is made of a name. */
const SYMBOL_LENGTH = 4;

/** Makes `<dir>/<name>`; returns the exit code. Throws `Fault` `plugin-new-name` or `plugin-new-folder`. */
export function newPlugin(name: string, options: { readonly dir: string }, terminal: Terminal): number {
  if (!PLUGIN_NAME.test(name)) throw new Fault("plugin-new-name", { name });
  const folder = resolve(options.dir, name);
  const source = join(PACKAGE_FOLDER, TEMPLATE.folder);
  try {
    mkdirSync(resolve(options.dir), { recursive: true });
    mkdirSync(folder);
    for (const file of readdirSync(source)) {
      writeFileSync(join(folder, file), renamed(readFileSync(join(source, file), "utf8"), name), { flag: "wx" });
    }
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const why = exists ? "it exists already" : describe(cause);
    throw new Fault("plugin-new-folder", { folder, why }, exists ? {} : { cause });
  }
  const { bold, dim } = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  const shown = relative(process.cwd(), folder) || ".";
  terminal.out(`made ${bold(folder)}`);
  for (const [file, doc] of FILES) terminal.out(`    ${file.padEnd(16)}${dim(doc)}`);
  terminal.out(`\nIt keeps the contract already; see for yourself:  bllvm-stratum-v2 plugin check ${shown}`);
  return EXIT.ok.code;
}

const FILES = [
  ["index.js", "the plugin: begin here"],
  ["kit.js", "a pretend daemon that it is checked with"],
  ["package.json", "its name and version"],
  ["config.toml", "what operators put into their configuration"],
  ["README.md", "what it needs, its keys, what errors mean"],
  ["plugin.test.js", "the checks for `node --test`"],
] as const;

function renamed(text: string, name: string): string {
  const words = name.split("-").filter((word) => word !== "");
  const title = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  const symbol = name
    .replaceAll(/[^a-z0-9]/g, "")
    .slice(0, SYMBOL_LENGTH)
    .toUpperCase();
  return text.replaceAll(TEMPLATE.name, name).replaceAll(TEMPLATE.title, title).replaceAll(TEMPLATE.symbol, symbol);
}
