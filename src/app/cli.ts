/** The command line: what can be typed, and how a failure is told. Commands are loaded when they are called. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { describe, Fault } from "../kernel/fault.ts";
import { EXIT, exitCodeText } from "./exit-codes.ts";
import { adviceOf, exitCodeOf } from "./failure.ts";
import { interruptSignal } from "./interrupt.ts";
import { addModuleCommands } from "./module-words.ts";
import { addPayoutCommands } from "./payout-words.ts";
import type { Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Runs `argv` (without the two words for node and script) and returns the exit code; see `EXIT`. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok.code;
  const set = async (running: Promise<number>): Promise<void> => {
    exitCode = await running;
  };
  try {
    await program(terminal, set).parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok.code : EXIT.usage.code;
    terminal.err(`error: ${describe(error)}`);
    if (error instanceof Fault) {
      terminal.err(`  what to do: ${adviceOf(error)}`);
    } else if (error instanceof Error && error.stack !== undefined) {
      terminal.err(error.stack);
    }
    return exitCodeOf(error);
  }
}

function program(terminal: Terminal, set: (running: Promise<number>) => Promise<void>): Command {
  const cli = new Command("bllvm-stratum-v2")
    .description("Stratum V2 mining server: mines Bitcoin for SV2 miners over encrypted connections.")
    .version(VERSION, "-V, --version", "print the version and end")
    .helpOption("-h, --help", "print this help and end")
    .addHelpText("after", exitCodeText())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .showHelpAfterError("(--help shows what can be typed)")
    .showSuggestionAfterError();
  const config = (): Option =>
    new Option("-c, --config <file>", "configuration file (config.toml.example shows every key)");
  const json = (doc: string): Option => new Option("--json", doc).default(false);

  cli
    .command("start")
    .description("run the server until it is interrupted")
    .addOption(config())
    .option("--devnet", "take work from an embedded regtest node instead of the configured ones", false)
    .option("--listen <host:port>", "listen here instead of stratum_v2.listen_addr")
    .addOption(json("print one JSON line with `listening` and `authorityPublicKey` once miners can connect"))
    .action(async (options) => {
      const { start } = await import("./commands/start.ts");
      await set(start(options, terminal, interruptSignal(terminal)));
    });
  cli
    .command("demo")
    .description(
      "watch a miner find Bitcoin, Namecoin and RSK blocks with the same hashes: embedded daemons, this server and a CPU miner in one process",
    )
    .option("--once", "end as soon as each of the three chains accepted a block", false)
    .addOption(json("print JSON lines; the last one sums up"))
    .action(async (options) => {
      const { demo } = await import("./commands/demo.ts");
      await set(demo(options, terminal, interruptSignal(terminal)));
    });
  cli
    .command("doctor")
    .description(
      "check configuration, keys, ledger, address, nodes, payout, clock and chains; every failure names cause and fix",
    )
    .addOption(config())
    .option("--module", "look at the module of a bllvm node: whether it is loaded, served and has jobs", false)
    .option("--modules-dir <dir>", "with --module: modules.modules_dir of the node's blvm.toml")
    .option("--data-dir <dir>", "with --module: the node's folder for the module's data")
    .option("--socket <path>", "with --module: the node's IPC socket")
    .option("--node-config <file>", "with --module: the node's blvm.toml, which tells the three above")
    .option("--node-log <file>", "with --module: the node's log, searched for complaints about the module")
    .addOption(json("print the findings as one JSON line"))
    .action(async (options) => {
      const { doctor } = await import("./commands/doctor.ts");
      await set(doctor(options, terminal, interruptSignal(terminal)));
    });
  cli
    .command("keygen")
    .description("make an authority key; miners check it against the public key in the pool's URL")
    .argument("[file]", "where the secret key is written (readable by this user only)", "data/authority.key")
    .option("--show-secret", "print the secret key too, for other SV2 software", false)
    .addOption(json("print one JSON line"))
    .action(async (file: string, options) => {
      const { keygen } = await import("./commands/keygen.ts");
      await set(keygen(file, options, terminal));
    });
  cli
    .command("mine")
    .description("try an SV2 server with a CPU miner")
    .argument("<url>", "stratum2+tcp://HOST:PORT/AUTHORITY_KEY, or tcp://HOST:PORT to leave the key unchecked")
    .option("-u, --user <identity>", "user identity of the channel", "bllvm-stratum-v2.cpu")
    .option("--extended", "open an extended channel instead of a standard one", false)
    .option("--worker <name>", "name this worker in every share (extension 0x0002; needs --extended)")
    .option("--shares <n>", "end after so many accepted shares", wholeNumber)
    .option("--max-hashrate <h/s>", "do not hash faster than this", positiveNumber)
    .option(
      "--chains",
      "also tell how each chain of the server stands (extension 0x4353, on a second connection)",
      false,
    )
    .option("--client-cert <file>", "own certificate (PEM) for a TLS or QUIC server that wants one; needs --client-key")
    .option("--client-key <file>", "its private key (PEM); needs --client-cert")
    .addOption(json("print JSON lines"))
    .action(async (url: string, options, command: Command) => {
      if ((options.clientCert === undefined) !== (options.clientKey === undefined)) {
        command.error("error: --client-cert and --client-key need each other");
      }
      if (options.worker !== undefined && !options.extended) {
        command.error("error: --worker needs --extended: shares of a standard channel cannot name a worker");
      }
      const { mine } = await import("./commands/mine.ts");
      await set(mine(url, options, terminal, interruptSignal(terminal)));
    });
  addPluginCommands(cli, { terminal, set, config, json });
  addChainCommands(cli, { terminal, set, config, json });
  addReportCommands(cli, { terminal, set, config, json });
  addPayoutCommands(cli, { terminal, set, config, json });
  addModuleCommands(cli, { terminal, set, config, json });
  cli
    .command("docs", { hidden: true })
    .description("check the generated pages, or write them")
    .option("--write", "write them", false)
    .action(async (options) => {
      const { docs } = await import("./commands/docs.ts");
      await set(docs(options, terminal));
    });
  return cli;
}

/** What the groups of commands are made with. */
interface Tools {
  readonly terminal: Terminal;
  readonly set: (running: Promise<number>) => Promise<void>;
  readonly config: () => Option;
  readonly json: (doc: string) => Option;
}

function addPluginCommands(cli: Command, { terminal, set, config, json }: Tools): void {
  const plugin = cli.command("plugin").description("chain plugins: what is there and how it is");
  plugin
    .command("list")
    .description("show the plugins that were found, the chains that use them and their health")
    .addOption(config())
    .addOption(json("print one JSON line"))
    .action(async (options) => {
      const { listPlugins } = await import("./commands/plugin-list.ts");
      await set(listPlugins(options, terminal));
    });
  plugin
    .command("check")
    .description("show whether a plugin's folder keeps the contract, with its own pretend daemon (kit.js)")
    .argument("<folder>", "the plugin's folder")
    .addOption(json("print the report as one JSON line"))
    .action(async (folder: string, options) => {
      const { checkPlugin } = await import("./commands/plugin-check.ts");
      await set(checkPlugin(folder, options, terminal));
    });
  plugin
    .command("new")
    .description("make the folder of a new plugin, one that works and keeps the contract as it is")
    .argument("<name>", "the chain's name: a-z, 0-9 and -")
    .option("--dir <folder>", "make it in this folder", ".")
    .action(async (name: string, options) => {
      const { newPlugin } = await import("./commands/plugin-new.ts");
      await set(Promise.resolve(newPlugin(name, options, terminal)));
    });
}

function addChainCommands(cli: Command, { terminal, set, config, json }: Tools): void {
  const chain = cli.command("chain").description("chains of the running server, changed without dropping a miner");
  chain
    .command("list")
    .description("show every configured chain: state, work, finds, trouble")
    .addOption(config())
    .addOption(json("print one JSON line"))
    .action(async (options) => {
      const { listChains } = await import("./commands/chains.ts");
      await set(listChains(options, terminal));
    });
  const verbs = {
    enable: "start a chain that rests, until the server starts anew",
    disable: "stop a chain, until the server starts anew",
    restart: "stop a chain and start it anew at once",
  } as const;
  for (const verb of ["enable", "disable", "restart"] as const) {
    chain
      .command(verb)
      .description(verbs[verb])
      .argument("<name>", "the chain's name: namecoin of [chains.namecoin]")
      .addOption(config())
      .addOption(json("print one JSON line"))
      .action(async (name: string, options) => {
        const { changeChain } = await import("./commands/chains.ts");
        await set(changeChain(verb, name, options, terminal));
      });
  }
  cli
    .command("reload")
    .description("let the running server read its configuration file again: chains follow it at once")
    .addOption(config())
    .addOption(json("print one JSON line"))
    .action(async (options) => {
      const { reload } = await import("./commands/chains.ts");
      await set(reload(options, terminal));
    });
}

/** Reports on the ledger; they work beside a running server and without one. */
function addReportCommands(cli: Command, { terminal, set, config, json }: Tools): void {
  const report = (name: string, description: string): Command =>
    cli
      .command(name)
      .description(description)
      .addOption(config())
      .addOption(json("print one JSON line; amounts in the coins' base units").conflicts("csv"))
      .addOption(new Option("--csv", "print CSV for a spreadsheet").default(false))
      .option("--chain <name>", "this chain alone: bitcoin, or namecoin of [chains.namecoin]");
  const paged = (name: string, description: string): Command =>
    report(name, description)
      .option("--limit <n>", "so many entries, up to 1000; 100 when left out", wholeNumber)
      .option("--after <n>", "the entries after these: what the last page said", wholeNumber);
  const since = (doc: string): Option => new Option("--since <time>", `${doc}: an ISO date, or how long ago (24h, 7d)`);

  paged("rewards", "show what each chain paid, what became of it, and who is owed what")
    .option("--worker <identity>", "what this worker earned, was paid and is owed")
    .option("--workers", "what every worker earned, was paid and is owed", false)
    .addOption(since("what was found, earned and paid from then on"))
    .action(async (options) => {
      const { rewards } = await import("./commands/rewards.ts");
      await set(rewards(options, terminal));
    });
  paged("blocks", "show found blocks, newest first, or everything that happened to one")
    .argument("[block]", "key, hash, or Bitcoin header's hash of one")
    .option("--state <state>", "in this state alone, e.g. orphaned")
    .option("--worker <identity>", "found by this worker")
    .addOption(since("found from then on"))
    .action(async (block: string | undefined, options) => {
      const { blocks } = await import("./commands/blocks.ts");
      await set(blocks({ ...options, block }, terminal));
    });
  paged("workers", "show who mines, how fast, for which pools, and what each is owed")
    .option("--worker <identity>", "this worker alone; with --accounts this account")
    .addOption(new Option("--pool <name>", "work for this pool of [[pools]] alone").conflicts("chain"))
    .option("--accounts", "by account: user identities up to their first dot", false)
    .addOption(since("shares from then on, 24h when left out"))
    .action(async (options) => {
      const { workers } = await import("./commands/workers.ts");
      await set(workers(options, terminal));
    });
  report("effort", "show the work since each chain's last block, and its luck")
    .addOption(since("luck from then on, 30d when left out"))
    .action(async (options) => {
      const { effort } = await import("./commands/effort.ts");
      await set(effort(options, terminal));
    });
  const ledger = cli.command("ledger").description("the ledger's database");
  ledger
    .command("set-reward")
    .description("say what a mature block pays whose chain never tells: its reward waits for that")
    .argument("<block>", "its key or hash: `blocks --state mature` shows those that wait")
    .argument("<coins>", "what it pays, in coins, e.g. 6.25")
    .requiredOption("--chain <name>", "its chain: namecoin of [chains.namecoin]")
    .addOption(config())
    .addOption(json("print one JSON line"))
    .action(async (block: string, coins: string, options) => {
      const { setRewardByHand } = await import("./commands/set-reward.ts");
      await set(setRewardByHand(block, coins, options, terminal));
    });
  ledger
    .command("check")
    .description("show whether the database is whole and its books balance")
    .addOption(config())
    .addOption(json("print the findings as one JSON line"))
    .action(async (options) => {
      const { checkLedger } = await import("./commands/ledger-check.ts");
      await set(checkLedger(options, terminal));
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}
