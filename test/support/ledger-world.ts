/**
 * The built program with its ledger among a Bitcoin node, a Namecoin daemon and an RSK node, of which a test decides to the share what is found: each chain's
 * target is four times as hard as the one before it.
 */
import type { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import type { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import { RSK_MATURITY, type WorldDaemons } from "./ledger-truth.ts";
import { bits, MergeWorld, type MergeWorldOptions, namecoinTable, rskTable } from "./merge-world.ts";
import type { Wanted } from "./mock-channel.ts";
import { program } from "./program.ts";
import { pause } from "./until.ts";

/** What a share is to win; the hash of `all` meets every target, as a block of Bitcoin mostly does. */
export const WINS = {
  nothing: { above: bits(250), atMost: bits(252) },
  namecoin: { above: bits(248), atMost: bits(250) },
  namecoinAndRsk: { above: bits(246), atMost: bits(248) },
  all: { atMost: bits(246) },
} as const satisfies Record<string, Wanted>;

/** Hashes that the ledger counts for a share of these channels, whose target is 2^252: each meets it with a chance of 1/16. */
export const WORK_OF_SHARE = 16n;

/** What of the configuration a test chooses. */
export interface LedgerWorldOptions extends Pick<MergeWorldOptions, "bitcoin"> {
  /** Lines of `[ledger]`. */
  readonly ledger?: string;
  /** Further tables. */
  readonly tables?: string;
}

/** A printed report. */
export interface Report {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** The world, its daemons, and what its operator types. */
export class LedgerWorld implements WorldDaemons {
  readonly world: MergeWorld;
  readonly namecoin: NamecoinDaemon;
  readonly rsk: RskDaemon;

  private constructor(world: MergeWorld, namecoin: NamecoinDaemon, rsk: RskDaemon) {
    this.world = world;
    this.namecoin = namecoin;
    this.rsk = rsk;
  }

  /** Daemons that run and a configuration that is written; the server is not started. Credit is written, and blocks are asked for, three times a second. */
  static async open({ bitcoin, ledger = "", tables = "" }: LedgerWorldOptions = {}): Promise<LedgerWorld> {
    const world = await MergeWorld.open({
      bitcoinBits: 246,
      channelBits: 252,
      ...(bitcoin === undefined ? {} : { bitcoin }),
      more: `[ledger]\nflush_s = 0.3\nfollow_s = 0.3\n${ledger}\n${tables}`,
    });
    const namecoin = await world.namecoin(250);
    const rsk = await world.rsk(248);
    // REMASC pays fees alone.
    rsk.addTransaction(1_000_000_000_007n);
    rsk.refreshWork();
    world.write(namecoinTable(namecoin), rskTable(rsk, `maturity = ${RSK_MATURITY}`));
    return new LedgerWorld(world, namecoin, rsk);
  }

  get node(): MergeWorld["node"] {
    return this.world.node;
  }

  /** Resolves when the newest job is on all tips, commits to exactly these chains, and no other one followed it for a while. */
  async ready(...chains: readonly string[]): Promise<void> {
    const wanted = [...chains].sort().join(",");
    const tips: Record<string, () => number> = {
      namecoin: () => this.namecoin.chain.tip.height,
      rsk: () => this.rsk.chain.tip.number,
    };
    const deadline = performance.now() + 20_000;
    let since = performance.now();
    let last: number | undefined;
    for (;;) {
      const { job, chains: told } = await this.world.status();
      const onTips = chains.every((name) => {
        const mining = told.find((each) => each.name === name)?.mining;
        return mining?.inJob === true && mining.work?.height === (tips[name]?.() ?? 0) + 1;
      });
      const isSettled =
        onTips && job?.height === this.node.chain.tip.height + 1 && [...job.chains].sort().join(",") === wanted;
      if (!isSettled || job.id !== last) since = performance.now();
      last = job?.id;
      if (performance.now() - since > 400) return;
      if (performance.now() > deadline) throw new Error(`no job for ${wanted}: ${JSON.stringify({ job, told })}`);
      await pause(20);
    }
  }

  /** Runs a command of the program on this configuration. */
  async run(...words: readonly string[]): Promise<Report> {
    const command = program([...words, "-c", this.world.config], { cwd: this.world.folder });
    return { code: await command.ended, out: command.out, err: command.err };
  }

  /** A report as JSON; throws when the command fails. Amounts are decimal text. */
  async report<T>(...words: readonly string[]): Promise<T> {
    const { code, out, err } = await this.run(...words, "--json");
    if (code !== 0) throw new Error(`${words.join(" ")}: ${code}\n${[...out, ...err].join("\n")}`);
    return JSON.parse(out.at(-1) ?? "") as T;
  }

  /** Messages of the server's log with at least this level (30 info, 40 warn, 50 error). */
  said(level = 30): string[] {
    return this.world
      .log()
      .filter((line) => line.level >= level)
      .map(({ msg }) => msg);
  }
}
