/** The words of `payout` and `payout-address` on the command line. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Terminal } from "./terminal.ts";

/** What commands are made with. */
export interface CommandTools {
  readonly terminal: Terminal;
  readonly set: (running: Promise<number>) => Promise<void>;
  readonly config: () => Option;
  readonly json: (doc: string) => Option;
}

const PAYOUT_HELP = `
Without --execute, --resume, --cancel or --mark-paid nothing is changed: the plan is shown, with everybody who is left out and why.
Whoever has "no address" there gets one by payout-address set; what is "kept" is paid when --only names it.

Chains whose daemon is of Bitcoin Core's family are paid through its wallet (wallet_url in [rewards.CHAIN]). A payout is signed,
written down and only then sent, and sent again after a crash: nobody is paid twice, however often this is run. Run it again
later, or with --resume, to see a payout through to six confirmations.

RSK, Elastos and Hathor are paid by hand: export the plan with --format json --out FILE, pay it with a wallet of yours, then hand
it back with --mark-paid FILE --txid ID. The books take each file once.`;

/** Adds them. */
export function addPayoutCommands(cli: Command, { terminal, set, config, json }: CommandTools): void {
  const chain = (): Option =>
    new Option("--chain <name>", "bitcoin, or a chain's name: namecoin of [chains.namecoin]").makeOptionMandatory();
  cli
    .command("payout")
    .description("show what a chain owes to whom, and pay it through the chain's wallet")
    .addOption(config())
    .addOption(chain())
    .addOption(new Option("--dry-run", "show the plan and pay nothing; the default").conflicts(VERBS))
    .addOption(new Option("--execute", "pay the plan, after what an earlier run left").default(false))
    .addOption(new Option("--resume", "only finish what an earlier run left").default(false))
    .addOption(
      new Option("--cancel <id>", "cancel a payout that can no longer reach its payees").argParser(wholeNumber),
    )
    .addOption(new Option("--mark-paid <file>", "post a JSON plan that was paid by hand"))
    .addOption(new Option("--txid <id...>", "with --mark-paid: the transactions that paid it"))
    .option("--force", "with --cancel or --mark-paid: without the proof that it is safe", false)
    .addOption(
      new Option(
        "--only <payee>",
        "plan for this payee alone, also what is kept for it; named as payout-address set does",
      ).conflicts(["resume", "cancel", "markPaid"]),
    )
    .addOption(new Option("--format <form>", "form of the plan").choices(["table", "csv", "json"]).default("table"))
    .option("--out <file>", "write the plan into this file")
    .option("--yes", "with --execute: do not ask", false)
    .addHelpText("after", PAYOUT_HELP)
    .action(async (options, command: Command) => {
      const verbs = VERBS.filter((verb) => options[verb] !== undefined && options[verb] !== false);
      if (verbs.length > 1) command.error(`error: ${verbs.join(" and ")} exclude each other`);
      const { payout } = await import("./commands/payout.ts");
      await set(payout(options, terminal));
    });
  const addresses = cli.command("payout-address").description("where miners, operator and beneficiaries are paid");
  addresses
    .command("list")
    .description("show the registered addresses of a chain")
    .addOption(config())
    .addOption(chain())
    .addOption(json("print one JSON line for each"))
    .action(async (options) => {
      const { listAddresses } = await import("./commands/payout-address.ts");
      await set(listAddresses(options, terminal));
    });
  addresses
    .command("set")
    .description("register an address, or replace the one before")
    .argument("<payee>", "a user identity, an account (its part before the first dot), operator, or beneficiary:NAME")
    .argument("<address>", "an address of that chain")
    .addOption(config())
    .addOption(chain())
    .option("--least <coins>", "least payment to it, in coins; the chain's when left out")
    .addOption(json("print one JSON line"))
    .action(async (payee: string, address: string, options) => {
      const { setAddress } = await import("./commands/payout-address.ts");
      await set(setAddress(payee, address, options, terminal));
    });
  addresses
    .command("remove")
    .description("forget an address; what is owed stays owed")
    .argument("<payee>", "as it was registered")
    .addOption(config())
    .addOption(chain())
    .addOption(json("print one JSON line"))
    .action(async (payee: string, options) => {
      const { removeAddress } = await import("./commands/payout-address.ts");
      await set(removeAddress(payee, options, terminal));
    });
}

/** What `payout` can do beside looking: one at a time. */
const VERBS = ["execute", "resume", "cancel", "markPaid"];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected a payout's number");
  return value;
}
