/** `install-module`: puts the module where a bllvm node finds it, says whether it would start, or takes it away. */
import { existsSync } from "node:fs";
import { sep } from "node:path";
import { EXIT } from "../exit-codes.ts";
import { checkInstallation } from "../module/install/check.ts";
import { ENTRY, type Layout, layoutOf } from "../module/install/layout.ts";
import { type Change, layOut, remove, strangersIn } from "../module/install/write.ts";
import { colours, jsonLine, type Terminal } from "../terminal.ts";
import { PACKAGE_FOLDER } from "../version.ts";

/** Words behind `install-module`. */
export interface InstallModuleOptions {
  readonly modulesDir: string;
  readonly name?: string;
  readonly registered: boolean;
  readonly config?: string;
  readonly check: boolean;
  readonly uninstall: boolean;
  readonly json: boolean;
}

/** What the node's defaults leave no room for; the launcher says the same when it meets them. */
const LIMITS = `[module_resource_limits]
default_max_memory_bytes = 2147483648
default_max_child_processes = 4096
default_max_file_descriptors = 8192`;

/** Installs, checks or removes; returns the exit code. Throws `Fault("bllvm-install")`. */
export async function installModule(options: InstallModuleOptions, terminal: Terminal): Promise<number> {
  const { name, config } = options;
  const layout = layoutOf({ modulesDir: options.modulesDir, registered: options.registered, name, config });
  if (options.check) return check(layout, options.json, terminal);
  if (options.uninstall) {
    const changes = remove(layout);
    if (options.json) terminal.out(jsonLine({ folder: layout.folder, changes }));
    else tell(changes, terminal);
    for (const stranger of options.json ? [] : strangersIn(layout))
      terminal.out(`kept       ${layout.folder}/${stranger}`);
    return EXIT.ok.code;
  }
  const warnings = warningsOf();
  const changes = layOut(layout);
  const isNew = changes.some(({ change }) => change === "written");
  if (options.json) {
    terminal.out(jsonLine({ folder: layout.folder, name: layout.name, changed: isNew, changes, warnings }));
    return EXIT.ok.code;
  }
  for (const warning of warnings) terminal.err(`warning: ${warning}`);
  tell(changes, terminal);
  terminal.out(isNew ? nextSteps(layout, options) : "\nnothing changed");
  return EXIT.ok.code;
}

function tell(changes: readonly Change[], terminal: Terminal): void {
  for (const { path, change } of changes) terminal.out(`${change.padEnd(11)}${path}`);
}

function warningsOf(): string[] {
  const warnings: string[] = [];
  if (PACKAGE_FOLDER.split(sep).includes("_npx")) {
    warnings.push(
      `the program runs from npm's cache (${PACKAGE_FOLDER}), which npm may empty at any time: install it for good (npm install --global bllvm-stratum-v2) and run install-module again`,
    );
  }
  if (!existsSync(ENTRY)) warnings.push(`${ENTRY} is missing: npm run build makes it`);
  return warnings;
}

function nextSteps({ name, folder }: Layout, { modulesDir, registered }: InstallModuleOptions): string {
  const limits = LIMITS.split("\n").map((line) => `   ${line}`);
  const again = `bllvm-stratum-v2 install-module --modules-dir ${modulesDir}${name === "bllvm-stratum-v2" ? "" : ` --name ${name}`}`;
  const service = [
    "4. The node only registers the capabilities. Run the module itself as a service of the same user:",
    `   bllvm-stratum-v2 module --socket <modules.socket_dir>/node.sock --data-dir <modules.data_dir>/${name}`,
    `     --config ${folder}/config.toml`,
  ];
  return [
    "",
    "What to do next:",
    `1. Fill in bitcoin.payout in ${folder}/config.toml, and look whether all is well:`,
    `   ${again} --check`,
    "2. The newest nodes load what is named alone, and the node's defaults leave Node.js little room. Put into the blvm.toml of the node:",
    "   [modules]",
    `   enabled_modules = ["${name}"]`,
    ...limits,
    "3. A node asks its registry before it loads a module, and waits up to a minute for it when it is offline:",
    '   registry_url = "" under [modules] turns that off.',
    ...(registered
      ? service
      : [
          `4. Restart the node. The module's log is module.log in its data folder, <modules.data_dir>/${name}`,
          "   A node that serves one connection at a time, as all published ones do, mostly does not serve a module that it starts: with",
          "   --registered the module runs as a service beside it and is served (docs/bllvm.md).",
        ]),
    "5. `bllvm-stratum-v2 doctor --module --node-config <blvm.toml>` looks at everything.",
  ].join("\n");
}

function check(layout: Layout, json: boolean, terminal: Terminal): number {
  const findings = checkInstallation(layout);
  const failed = findings.filter(({ result }) => result === "failed").length;
  if (json) terminal.out(jsonLine({ ok: failed === 0, findings }));
  else {
    const paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
    const mark = { ok: paint.green("ok     "), warning: paint.yellow("warning"), failed: paint.red("failed ") };
    for (const { check: name, result, detail, fix } of findings) {
      terminal.out(`${mark[result]} ${paint.bold(name)}: ${detail}`);
      if (fix !== undefined) terminal.out(`        fix: ${fix}`);
    }
    terminal.out(
      failed === 0 ? "the node will find and start the module" : `${failed} of ${findings.length} checks failed`,
    );
  }
  return failed === 0 ? EXIT.ok.code : EXIT.problems.code;
}
