/** `plugin check`: whether a plugin's folder keeps the contract, shown by the kit with the folder's own rehearsal. */
import { join, relative, resolve } from "node:path";
import { isInside } from "../../host/discovery.ts";
import { importWith, PluginLoader } from "../../host/loader.ts";
import { diskPlugins } from "../../host/plugin-files.ts";
import { Fault } from "../../kernel/fault.ts";
import { type KitReport, type KitResult, runChecks } from "../../kit/checks.ts";
import type { Rehearsal } from "../../kit/rehearsal.ts";
import { readManifest } from "../../merge/plugin-manifest.ts";
import { EXIT } from "../exit-codes.ts";
import { systemClock } from "../system.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";
import { OWN_MODULES, PACKAGE_FOLDER } from "../version.ts";

/** How long a plugin that let nothing go may keep the program from ending, ms. */
const LINGER_MS = 300;

/** What is checked. */
interface Candidate {
  readonly folder: string;
  readonly packageJson: unknown;
  readonly plugin: Awaited<ReturnType<PluginLoader["load"]>>;
  readonly rehearsal: Rehearsal;
}

/** Runs all checks of the plugin in `folder` and prints how they went; returns the exit code. */
export async function checkPlugin(
  folder: string,
  options: { readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const ended = (): void => {
    terminal.err(
      "error: the plugin, or its kit.js, ended the process (process.exit): a plugin throws an Error instead.",
    );
    process.exitCode = EXIT.problems.code;
  };
  process.on("exit", ended);
  let report: KitReport;
  let at: string;
  try {
    const { plugin, rehearsal, packageJson, folder: found } = await candidate(resolve(folder));
    at = found;
    const print = options.json ? () => {} : printer(terminal);
    report = await runChecks(plugin, rehearsal, { packageJson, folder: at, onResult: print });
  } finally {
    process.off("exit", ended);
  }
  if (options.json) terminal.out(jsonLine({ folder: at, ...report }));
  else terminal.out(sum(report));
  const code = report.ok ? EXIT.ok.code : EXIT.problems.code;
  // Only fires when something keeps the process alive: whatever a bad plugin left behind.
  setTimeout(() => process.exit(code), LINGER_MS).unref();
  return code;
}

/** Throws the fault of a folder that is no plugin, or that has no rehearsal. */
async function candidate(path: string): Promise<Candidate> {
  const file = join(path, "package.json");
  const text = await diskPlugins.text(file);
  if (text === undefined) throw new Fault("plugin-manifest", { file, why: "there is no such file" });
  const read = readManifest(text);
  if ("flaw" in read) throw new Fault("plugin-manifest", { file, why: read.flaw });
  const folder = await diskPlugins.real(path);
  // Only compiled plugins find our modules by themselves: every other folder has a package.json of its own.
  const importModule = importWith({ modules: OWN_MODULES, packageFolder: join(PACKAGE_FOLDER, "dist") });
  if (!isInside(folder, resolve(folder, read.manifest.main)))
    throw new Fault("plugin-manifest", { file, why: "main must be a file of the plugin's own folder" });
  const entry = await moduleIn(folder, read.manifest.main);
  if (entry === undefined)
    throw new Fault("plugin-manifest", { file, why: `main names ${read.manifest.main}, and there is no such file` });
  const found = { ...read.manifest, origin: "plugins_dir", folder, entry } as const;
  const plugin = await new PluginLoader({ clock: systemClock, importModule }).load(found);
  const kit = await moduleIn(folder, "kit.js");
  if (kit === undefined) throw new Fault("plugin-rehearsal-missing", { file: join(folder, "kit.js") });
  return { folder, plugin, packageJson: JSON.parse(text), rehearsal: await rehearsalIn(kit, importModule) };
}

/** A module of the folder; those of our own plugins are where the compiler put them. */
async function moduleIn(folder: string, name: string): Promise<string | undefined> {
  const compiled = join(PACKAGE_FOLDER, "dist", relative(PACKAGE_FOLDER, folder));
  for (const place of [folder, ...(folder.startsWith(PACKAGE_FOLDER) ? [compiled] : [])]) {
    if (await diskPlugins.isFile(resolve(place, name))) return resolve(place, name);
  }
  return undefined;
}

async function rehearsalIn(file: string, importModule: (file: string) => Promise<unknown>): Promise<Rehearsal> {
  let module: { readonly rehearsal?: Partial<Rehearsal> };
  try {
    module = (await importModule(file)) as typeof module;
  } catch (cause) {
    throw new Fault("plugin-rehearsal-shape", { file, why: "it cannot be loaded" }, { cause });
  }
  const { rehearsal } = module;
  if (typeof rehearsal?.open !== "function")
    throw new Fault("plugin-rehearsal-shape", { file, why: "it exports no rehearsal with an open function" });
  return rehearsal as Rehearsal;
}

function printer(terminal: Terminal): (result: KitResult) => void {
  const { green, red, yellow, dim, bold } = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  const mark = { passed: green("✓"), failed: red("✗"), blocked: yellow("?"), "left out": dim("-") };
  return ({ rule, says, outcome, seen, advice, blockedBy, durationMs }) => {
    const time = durationMs < 1000 ? "" : dim(` (${(durationMs / 1000).toFixed(1)} s)`);
    terminal.out(`${mark[outcome]} ${bold(rule)}: ${says}${time}`);
    if (outcome === "left out") terminal.out(dim(`    left out: ${seen}`));
    if (outcome === "blocked") terminal.out(dim(`    cannot be judged before ${blockedBy} holds: ${seen}`));
    if (outcome !== "failed") return;
    terminal.out(`    ${red("seen")}: ${seen}`);
    terminal.out(`    ${yellow("to do")}: ${advice}`);
  };
}

function sum({ plugin, results, ok, durationMs }: KitReport): string {
  const count = (outcome: KitResult["outcome"]): number => results.filter((each) => each.outcome === outcome).length;
  const parts = [
    `${count("passed")} rules hold`,
    ...(["failed", "blocked", "left out"] as const)
      .filter((outcome) => count(outcome) > 0)
      .map((outcome) => `${count(outcome)} ${outcome}`),
  ];
  const verdict = ok ? `${plugin} keeps the contract` : `${plugin} does not keep the contract yet`;
  return `\n${verdict}: ${parts.join(", ")} (${(durationMs / 1000).toFixed(1)} s)`;
}
