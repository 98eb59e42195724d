/**
 * What the node's command line offers for us (`RegisterCliSpec`): the reports of our own command line, as text. Whether a node ever asks depends on its
 * version (reference 1.8, defect 3): up to v0.1.54 its `runmodulecli` waits for a lock that is never released.
 */
import { z } from "zod";
import { Fault } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { BllvmCliSubcommand, BllvmInvocationAnswer } from "../../../node/bllvm/bllvm-node.ts";
import { errorText } from "../../../node/bllvm/module-api/error-text.ts";
import type { ConnectedMiner } from "../../../node/bllvm/module-api/ports.ts";
import { BLOCKS_FORM } from "../../commands/blocks.ts";
import { chainLines, NO_CHAIN } from "../../commands/chains.ts";
import { printAnswer, type ReportForm } from "../../commands/report-command.ts";
import { REWARDS_FORM } from "../../commands/rewards.ts";
import { EXIT } from "../../exit-codes.ts";
import type { LedgerReports, ReportRequest, WithCoins } from "../../reports/ledger-reports.ts";
import { plainJson, plainText } from "../../reports/plain-text.ts";
import { tableLines } from "../../reports/table.ts";
import { spanText } from "../../reports/time-text.ts";
import type { ServerStatus } from "../../status.ts";
import { colours, hashrateText, jsonLine, type Terminal } from "../../terminal.ts";
import { poolLines } from "../../upstream-words.ts";

/** What the command line works with. */
export interface NodeCliDeps {
  readonly status: () => ServerStatus;
  /** Channels from number `first` on. */
  readonly miners: (first: number, most: number) => readonly ConnectedMiner[];
  readonly reports: Pick<LedgerReports, "rewards" | "blocks">;
  readonly log: Log;
  readonly meter: Meter;
}

/** Name that the node's command line knows us by, and what it says of us. */
export const NODE_CLI = { name: "stratum-v2", about: "The Stratum V2 mining server with merge mining" } as const;

/** Characters of an answer; a terminal has long scrolled past it. */
const MAX_OUTPUT = 1 << 18;
/** Words that are read, and characters of each. */
const MAX_WORDS = 32;
const MAX_WORD = 256;

/** Options by name: a value's schema, or `true` for one that takes none. */
const whole = z.coerce.number().int().min(0).max(1e12);
const OPTIONS = {
  json: true,
  limit: whole,
  offset: whole,
  after: whole,
  chain: z.string().min(1),
  since: z.string().min(1),
  worker: z.string().min(1),
  state: z.string().min(1),
  block: z.string().min(1),
} as const;
type OptionName = keyof typeof OPTIONS;

/** Options that were given. */
interface Given extends Pick<ReportRequest, "limit" | "after" | "chain" | "since" | "worker" | "state" | "block"> {
  readonly json?: boolean;
  readonly offset?: number;
}

/** Where an answer is printed: what a terminal gets, collected. */
type Paper = Pick<Terminal, "out" | "err">;

/** A subcommand. */
interface Subcommand {
  readonly about: string;
  readonly takes: readonly OptionName[];
  readonly run: (deps: NodeCliDeps, given: Given, paper: Paper) => void | Promise<void>;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  status: {
    about: "The server at this moment",
    takes: ["json"],
    run: ({ status }, given, paper) => tell(given, paper, status(), statusLines),
  },
  miners: {
    about: "Open channels: who mines, how fast, how hard",
    takes: ["limit", "offset", "json"],
    run({ miners }, given, paper) {
      const { offset = 0, limit = 100 } = given;
      if (limit < 1 || limit > 1000) throw new Fault("report-query", { limit, least: 1, most: 1000 });
      tell(given, paper, miners(offset, limit), (page) => minerLines(page, offset));
    },
  },
  chains: {
    about: "Auxiliary chains: state, work, finds",
    takes: ["json"],
    run: ({ status }, given, paper) =>
      tell(given, paper, status().chains, (chains) =>
        chains.length === 0 ? [NO_CHAIN] : chains.flatMap((chain) => chainLines(chain, colours(false))),
      ),
  },
  rewards: {
    about: "What each chain paid and who is owed what",
    takes: ["chain", "since", "worker", "limit", "after", "json"],
    run: ({ reports }, given, paper) => report(given, paper, reports.rewards(given), REWARDS_FORM),
  },
  blocks: {
    about: "Found blocks, newest first, or the history of one",
    takes: ["chain", "since", "worker", "state", "block", "limit", "after", "json"],
    run: ({ reports }, given, paper) => report(given, paper, reports.blocks(given), BLOCKS_FORM),
  },
};

/** The subcommands as the node lists them. */
export const NODE_CLI_SUBCOMMANDS: readonly BllvmCliSubcommand[] = Object.entries(SUBCOMMANDS).map(
  ([name, { about, takes }]) => ({
    name,
    about,
    args: takes.map((each) => ({ name: each, required: false, takesValue: OPTIONS[each] !== true })),
  }),
);

/** Answers the node's command line. */
export class NodeCli {
  readonly #deps: NodeCliDeps;

  constructor(deps: NodeCliDeps) {
    this.#deps = deps;
  }

  /** Runs a subcommand with the words behind it: `--limit 10`, `--limit=10`, `limit=10`. Never rejects; the exit code is our own command line's. */
  async run(subcommand: string, words: readonly string[]): Promise<BllvmInvocationAnswer> {
    const { log, meter } = this.#deps;
    const found = Object.hasOwn(SUBCOMMANDS, subcommand) ? SUBCOMMANDS[subcommand] : undefined;
    const [out, err]: [string[], string[]] = [[], []];
    let exitCode: number = EXIT.ok.code;
    try {
      const paper = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
      if (found === undefined)
        throw usage(`there is no ${JSON.stringify(subcommand.slice(0, 60))}`, Object.keys(SUBCOMMANDS));
      await found.run(this.#deps, given(words, found.takes), paper);
    } catch (error) {
      err.push(errorText(error, `the node's command line: ${subcommand.slice(0, 60)}`, log));
      exitCode = error instanceof Fault && error.code === "bllvm-cli" ? EXIT.usage.code : EXIT.failed.code;
    }
    const method = found === undefined ? "unknown" : `cli ${subcommand}`;
    meter.count("bllvm_api_calls_total", 1, { method, answer: exitCode === EXIT.ok.code ? "ok" : "error" });
    return { type: "Cli", stdout: textOf(out), stderr: textOf(err), exitCode };
  }
}

function tell<T>({ json }: Given, paper: Paper, value: T, lines: (value: T) => readonly string[]): void {
  if (json === true) paper.out(plainJson(jsonLine(value)));
  else for (const line of lines(value)) paper.out(plainText(line));
}

async function report<A extends WithCoins>(
  { json = false }: Given,
  paper: Paper,
  answer: Promise<A>,
  form: ReportForm<A>,
): Promise<void> {
  printAnswer(await answer, { json, csv: false }, paper, form);
}

function statusLines({
  version,
  uptimeMs,
  connections,
  channels,
  shares,
  blocks,
  job,
  upstream,
  chains,
  ledger,
}: ServerStatus): string[] {
  const mined =
    job?.pool === undefined
      ? job === undefined || job.chains.length === 0
        ? ""
        : ` with ${job.chains.join(", ")}`
      : ` of pool ${job.pool}`;
  return [
    `bllvm-stratum-v2 ${version}, up ${spanText(uptimeMs)}`,
    `${connections} connections, ${channels} channels, ${shares.accepted} shares accepted, ${shares.rejected} rejected, ${blocks.found} Bitcoin blocks found`,
    job === undefined ? "no job yet" : `job ${job.id} at height ${job.height}${mined}`,
    ...poolLines(upstream),
    ...chains.flatMap((chain) => chainLines(chain, colours(false))),
    ledger.trouble === undefined ? "the ledger is written" : `the ledger is not written: ${ledger.trouble}`,
  ];
}

function minerLines(miners: readonly ConnectedMiner[], offset: number): string[] {
  if (miners.length === 0) return [offset === 0 ? "nobody mines" : "no more channels"];
  return tableLines(
    [
      { title: "user" },
      { title: "connection", right: true },
      { title: "channel", right: true },
      { title: "rate", right: true },
      { title: "difficulty", right: true },
      { title: "accepted", right: true },
      { title: "blocks", right: true },
    ],
    miners.map(({ userIdentity, connectionId, channelId, hashrate, difficulty, accepted, blocks }) => [
      userIdentity,
      String(connectionId),
      String(channelId),
      hashrateText(hashrate),
      difficulty.toPrecision(4),
      String(accepted),
      String(blocks),
    ]),
  );
}

/** The options among the words. Throws `Fault("bllvm-cli")`. */
function given(words: readonly string[], takes: readonly OptionName[]): Given {
  const known = takes.map((each) => `--${each}`);
  if (words.length > MAX_WORDS || words.some(({ length }) => length > MAX_WORD)) throw usage("that is too much", known);
  const options: Record<string, unknown> = {};
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = "", value] = /^(?:--)?([a-z]+)(?:=(.*))?$/su.exec(word) ?? [];
    const option = takes.find((each) => each === name);
    if (option === undefined) throw usage(`there is no ${JSON.stringify(word.slice(0, 60))}`, known);
    const schema = OPTIONS[option];
    if (schema === true) {
      options[option] = true;
      continue;
    }
    const parsed = schema.safeParse(value ?? rest.shift());
    if (!parsed.success) throw usage(`--${option} needs a value: ${parsed.error.issues[0]?.message ?? ""}`, known);
    options[option] = parsed.data;
  }
  return options;
}

function usage(why: string, known: readonly string[]): Fault {
  return new Fault("bllvm-cli", { why, known: known.join(" ") });
}

function textOf(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join("");
  return text.length <= MAX_OUTPUT ? text : `${text.slice(0, MAX_OUTPUT)}…\n`;
}
