/** The words of the life as a module of the bllvm node. */
import { type Command, Option } from "commander";
import { interruptSignal } from "./interrupt.ts";
import type { CommandTools } from "./payout-words.ts";

/** Adds `module` and `install-module` to `cli`. */
export function addModuleCommands(cli: Command, { terminal, set, config, json }: CommandTools): void {
  cli
    .command("module")
    .description("run as a module of a bllvm node that somebody else starts: a service of its own at the node's socket")
    .option("--socket <path>", "the node's IPC socket; SOCKET_PATH or bllvm.socket when left out")
    .option("--data-dir <dir>", "the node's folder for this module's data; DATA_DIR when left out")
    .addOption(config())
    .action(async (options) => {
      const { module } = await import("./commands/module.ts");
      await set(module(options, interruptSignal(terminal)));
    });
  cli
    .command("install-module")
    .description(
      "lay the module out in the folder that a bllvm node loads modules from, or look at or remove what is there",
    )
    .requiredOption("--modules-dir <dir>", "modules.modules_dir of the node's blvm.toml")
    .option("--name <name>", "the module's name, for a second one on the same node")
    .option(
      "--registered",
      "install a stand-in that registers the capabilities; the module itself runs as a service (`module`)",
      false,
    )
    .option("-c, --config <file>", "a configuration that the module reads beside the config.toml of its folder")
    .addOption(
      new Option("--check", "change nothing: say whether what is there works").default(false).conflicts("uninstall"),
    )
    .option("--uninstall", "remove what was laid out; config.toml and files of others stay", false)
    .addOption(json("print one JSON line"))
    .action(async (options) => {
      const { installModule } = await import("./commands/install-module.ts");
      await set(installModule(options, terminal));
    });
}
