/** What the demo prints: each event as a sentence for people, or as a JSON line for programs, and a sum at the end. */
import { toDisplayHex } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { RewardDistributed } from "../../ledger/events.ts";
import { type Coin, coinsText } from "../../ledger/payouts/coins.ts";
import type { AuxAnswer, FoundAux, MergeEvents } from "../../merge/found-aux.ts";
import type { AuxEntry } from "../../mining/aux.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";
import type { MiningJobCreated, ShareSubmitted } from "../../pool/events.ts";
import type { Devnet } from "../devnet.ts";
import type { RunningServer } from "../run.ts";
import { colours, hashrateText, jsonLine, type Terminal } from "../terminal.ts";

/** The chains beside Bitcoin, in the order of the summary. */
export const DEMO_CHAINS = ["namecoin", "rsk"] as const;

const BTC: Coin = { symbol: "BTC", decimals: 8 };
const COINS: Readonly<Record<string, Coin>> = {
  bitcoin: BTC,
  namecoin: { symbol: "NMC", decimals: 8 },
  rsk: { symbol: "RBTC", decimals: 18 },
};
/** Chains' answers to one header come within this time of each other, ms. */
const TOGETHER_MS = 400;

/** What became of a chain's blocks. A stale one came after another miner's and is no fault of anybody. */
interface BlockCounts {
  blocksFound: number;
  blocksAccepted: number;
  blocksRejected: number;
  blocksStale?: number;
}

/** What the teller is made with. */
export interface TellerOptions {
  readonly json: boolean;
}

/** Prints events and counts them. */
export class Teller {
  readonly #deps: { readonly terminal: Terminal; readonly clock: Clock };
  readonly #json: boolean;
  readonly #paint: ReturnType<typeof colours>;
  readonly #bitcoin: BlockCounts = { blocksFound: 0, blocksAccepted: 0, blocksRejected: 0 };
  readonly #chains = new Map<string, BlockCounts>(
    DEMO_CHAINS.map((chain) => [chain, { blocksFound: 0, blocksAccepted: 0, blocksRejected: 0, blocksStale: 0 }]),
  );
  readonly #shares = { accepted: 0, rejected: 0 };
  /** What each header that won something won, and when it is to be told. */
  readonly #wins = new Map<string, { readonly blocks: string[]; readonly timer: Timer }>();
  #hashrate = "";

  constructor(deps: { readonly terminal: Terminal; readonly clock: Clock }, { json }: TellerOptions) {
    this.#deps = deps;
    this.#json = json;
    this.#paint = colours(deps.terminal.interactive && process.env.NO_COLOR === undefined);
  }

  /** Whether Bitcoin and every other chain took a block. */
  get hasAll(): boolean {
    return [this.#bitcoin, ...this.#chains.values()].every(({ blocksAccepted }) => blocksAccepted > 0);
  }

  /** One event: a sentence for people, the facts for programs. */
  tell(event: string, sentence: string, facts: Readonly<Record<string, unknown>>): void {
    const { terminal } = this.#deps;
    if (this.#json) terminal.out(jsonLine({ event, ...facts }));
    else terminal.out(`${this.#paint.dim(new Date().toTimeString().slice(0, 8))}  ${sentence}`);
  }

  /** What this is. */
  hello(): void {
    if (this.#json) return;
    const { terminal } = this.#deps;
    terminal.out(
      this.#paint.bold(
        "bllvm-stratum-v2 demo: Bitcoin, Namecoin and RSK daemons (regtest), a Stratum V2 server and a CPU miner in one process.",
      ),
    );
    terminal.out(
      "Every hash counts for all three chains. A share shows that the miner works; a block is a share lucky enough for a chain. Ctrl-C ends the demo.\n",
    );
  }

  /** Where everything listens. */
  listening(server: RunningServer, { node, namecoin, rsk }: Devnet): void {
    const [listening = ""] = server.listening;
    const daemons = [
      ["node", "Bitcoin node", node.url, node.chain.tip.height],
      ["namecoin", "Namecoin daemon", namecoin.url, namecoin.chain.tip.height],
      ["rsk", "RSK node", rsk.url, rsk.chain.tip.number],
    ] as const;
    for (const [event, name, url, height] of daemons) {
      this.tell(event, `${name} at ${url}, block ${height}`, { url, height });
    }
    const url = `stratum2+tcp://${listening}/${server.authorityPublicKey}`;
    this.tell("listening", `server at ${this.#paint.cyan(url)}`, {
      listening,
      authorityPublicKey: server.authorityPublicKey,
    });
  }

  /** A chain joined the jobs or left them, or is in trouble. */
  chain({ chain, state, trouble }: MergeEvents["ChainChanged"]): void {
    const { cyan, yellow } = this.#paint;
    if (trouble !== undefined) {
      this.tell("chain", `chain   ${cyan(chain)} ${yellow(`${state}: ${trouble}`)}`, { chain, state, trouble });
    } else if (state === "mined") {
      this.tell("chain", `chain   ${cyan(chain)} is in the jobs: every share may be a block of it`, { chain, state });
    }
  }

  /** A block that another miner found. */
  foreign(chain: string, height: number): void {
    this.tell("foreignBlock", `other   a miner elsewhere found ${this.#paint.cyan(chain)} ${height}`, {
      chain,
      height,
    });
  }

  /** A job for miners, and the chains that it commits to. */
  job({ jobId, height, cause, value, transactionCount }: MiningJobCreated, aux: readonly AuxEntry[]): void {
    const why = {
      newBlock: "new block to find",
      refresh: "fresh transactions",
      fill: "transactions added",
      aux: "a merge-mined chain has a new block",
    }[cause];
    this.tell(
      "job",
      `job     #${jobId} for block ${height}: ${why}, ${transactionCount} transactions, worth ${this.#coins("bitcoin", value)}`,
      {
        jobId,
        height,
        cause,
        transactionCount,
        value,
        works: aux.map(({ chain, work }) => ({ chain, work: work.id, height: work.height })),
      },
    );
  }

  /** A share that was judged. */
  share({ userIdentity, errorCode, difficulty, jobId, block }: ShareSubmitted): void {
    const { dim, green, yellow } = this.#paint;
    if (errorCode === undefined) this.#shares.accepted += 1;
    else this.#shares.rejected += 1;
    const outcome = errorCode === undefined ? green("accepted") : yellow(`rejected: ${errorCode}`);
    const rate = this.#hashrate === "" ? "" : dim(` (${this.#hashrate})`);
    this.tell(
      "share",
      `share   ${outcome} from ${userIdentity}, job #${jobId}, difficulty ${difficulty.toPrecision(3)}${rate}`,
      { userIdentity, jobId, accepted: errorCode === undefined, errorCode, difficulty },
    );
    if (!block) return;
    this.#bitcoin.blocksFound += 1;
    const sentence = `BLOCK   of ${this.#paint.cyan("bitcoin")} found by ${userIdentity}; written down and submitted`;
    this.tell("blockFound", this.#paint.bold(sentence), { userIdentity, jobId });
  }

  /** A node's word on a Bitcoin block. */
  answer(block: FoundBlock, { verdict, node, reason }: BlockAnswer): void {
    const hash = toDisplayHex(block.hash);
    const accepted = verdict === "accepted" || verdict === "duplicate";
    if (accepted) this.#bitcoin.blocksAccepted += 1;
    else this.#bitcoin.blocksRejected += 1;
    const { green, red, bold, cyan } = this.#paint;
    const outcome = accepted ? green("accepted") : red(`${verdict} (${reason})`);
    const sentence = `BLOCK   ${cyan("bitcoin")} ${block.height} ${outcome}: ${this.#coins("bitcoin", block.reward)}, ${hash}`;
    this.tell(accepted ? "blockAccepted" : "blockRefused", bold(sentence), {
      height: block.height,
      hash,
      node,
      verdict,
      reason,
      reward: block.reward,
      foundMs: block.foundMs,
    });
    if (accepted) this.#won(hash, `bitcoin ${block.height}`);
  }

  /** A share that is a block of another chain. */
  auxFound({ chain, work, userIdentity, jobId, proof, foundMs }: FoundAux): void {
    this.#countsOf(chain).blocksFound += 1;
    const { bold, cyan } = this.#paint;
    const sentence = `BLOCK   of ${cyan(chain)} found by ${userIdentity}; written down and submitted`;
    this.tell("auxBlockFound", bold(sentence), {
      chain,
      height: work.height,
      work: work.id,
      header: toDisplayHex(proof.headerHash),
      userIdentity,
      jobId,
      foundMs,
    });
  }

  /** A daemon's last word on a block of another chain. */
  auxAnswer(found: FoundAux, answer: AuxAnswer): void {
    const { chain, work } = found;
    const { verdict, reason, blockHash, height } = answer;
    const accepted = verdict === "accepted" || verdict === "duplicate";
    const counts = this.#countsOf(chain);
    if (accepted) counts.blocksAccepted += 1;
    else if (verdict === "stale") counts.blocksStale = (counts.blocksStale ?? 0) + 1;
    else counts.blocksRejected += 1;
    const { bold, green, red, yellow, cyan } = this.#paint;
    const worth = COINS[chain] === undefined || work.value === undefined ? "" : ` ${this.#coins(chain, work.value)},`;
    const outcome = accepted
      ? `${green(reason === "IMPORTED_NOT_BEST" ? "accepted beside another one" : "accepted")}:${worth} ${blockHash}`
      : verdict === "stale"
        ? yellow("came too late, another miner was faster")
        : red(`${verdict} (${reason})`);
    this.tell(accepted ? "auxBlockAccepted" : "auxBlockRefused", bold(`BLOCK   ${cyan(chain)} ${height} ${outcome}`), {
      chain,
      height,
      hash: blockHash,
      verdict,
      reason,
      reward: work.value,
    });
    if (accepted) this.#won(toDisplayHex(found.proof.headerHash), `${chain} ${height}`);
  }

  /** A reward that stands on its workers' accounts, or was taken back from an orphan. */
  reward({ chain, height, step, amount, accounts, blockHash }: RewardDistributed): void {
    const { cyan, green, yellow } = this.#paint;
    const done = step === "reverse" ? yellow("taken back: an orphan") : green("divided");
    this.tell("reward", `reward  of ${cyan(chain)} ${height} ${done}, ${this.#coins(chain, amount)}`, {
      chain,
      height,
      hash: blockHash,
      step,
      amount,
      accounts,
    });
  }

  /** What the miner does. */
  hashrate(hashesPerSecond: number): void {
    this.#hashrate = hashrateText(hashesPerSecond);
  }

  /** The sum, the last line. */
  goodbye(elapsedMs: number): void {
    const { terminal } = this.#deps;
    for (const header of [...this.#wins.keys()]) this.#tellWins(header);
    if (this.#json) {
      terminal.out(
        jsonLine({
          event: "summary",
          bitcoin: this.#bitcoin,
          chains: Object.fromEntries(this.#chains),
          shares: this.#shares,
          elapsedMs: Math.round(elapsedMs),
        }),
      );
      return;
    }
    const accepted = [["bitcoin", this.#bitcoin] as const, ...this.#chains].map(
      ([chain, { blocksAccepted }]) => `${blocksAccepted} of ${chain}`,
    );
    const { accepted: good, rejected: bad } = this.#shares;
    terminal.out(
      `\nBlocks accepted: ${accepted.join(", ")}; ${good} shares accepted, ${bad} rejected, in ${Math.round(elapsedMs / 1000)} s.`,
    );
    if (this.#bitcoin.blocksAccepted > 0)
      terminal.out("Mine on your own node: README.md, then `bllvm-stratum-v2 doctor -c config.toml`.");
  }

  /** Exact, without the zeros at the end. */
  #coins(chain: string, amount: bigint): string {
    const coin = COINS[chain];
    return coin === undefined ? String(amount) : `${coinsText(amount, coin).replace(/\.?0+$/, "")} ${coin.symbol}`;
  }

  #countsOf(chain: string): BlockCounts {
    const counts = this.#chains.get(chain) ?? { blocksFound: 0, blocksAccepted: 0, blocksRejected: 0 };
    this.#chains.set(chain, counts);
    return counts;
  }

  /** One header may win several chains, whose answers come one by one: they are told together. */
  #won(header: string, block: string): void {
    const wins = this.#wins.get(header);
    if (wins !== undefined) wins.blocks.push(block);
    else {
      const timer = this.#deps.clock.after(TOGETHER_MS, () => this.#tellWins(header));
      this.#wins.set(header, { blocks: [block], timer });
    }
  }

  #tellWins(header: string): void {
    const wins = this.#wins.get(header);
    this.#wins.delete(header);
    if (wins === undefined) return;
    wins.timer.cancel();
    const { blocks } = wins;
    if (blocks.length < 2) return;
    const { bold, green } = this.#paint;
    this.tell("oneHeader", bold(green(`ONE HEADER won ${blocks.join(", ")}`)), { header, blocks });
  }
}
