/** `demo`: node, server and miner in one process, and what happens told line by line. */

import { CpuMiner } from "../../devnet/miner/miner.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import { silentLog } from "../../kernel/log.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";
import type { MiningJobCreated, ShareSubmitted } from "../../pool/events.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { authorityPublicKey, generateAuthoritySecretKey } from "../../sv2/noise/authority-key.ts";
import { type Devnet, devnetConfig, startDevnet } from "../devnet.ts";
import { EXIT } from "../exit-codes.ts";
import { aborted } from "../interrupt.ts";
import { createLog } from "../log.ts";
import { type RunningServer, startServer } from "../run.ts";
import { parseHostPort } from "../settings.ts";
import { systemClock, systemRandom } from "../system.ts";
import { colours, hashrateText, jsonLine, type Terminal } from "../terminal.ts";
import { TOKENS } from "../tokens.ts";

/** Words behind `demo`. */
export interface DemoOptions {
  readonly once: boolean;
  readonly json: boolean;
}

const MINER = "demo.cpu";
/** What one thread does at first guess; vardiff mends it within seconds. */
const NOMINAL_HASHRATE = 1_500_000;
const SAT = 100_000_000;

/** Runs until a block was accepted (`once`) or `signal` aborts; returns the exit code. */
export async function demo(options: DemoOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  const log = createLog({ level: "warn", format: options.json ? "json" : "pretty" });
  const teller = new Teller(options.json, terminal);
  teller.hello();

  const devnet = await startDevnet(devnetConfig(), "127.0.0.1:0", log, signal);
  const secret = generateAuthoritySecretKey(systemRandom());
  const server = await startServer({ settings: devnet.settings, authoritySecretKey: secret, log }, signal, [
    devnet.part,
  ]);
  teller.listening(server, devnet);
  const accepted = follow(server, teller);

  const { host, port } = parseHostPort(server.listening[0] ?? "");
  const miner = new CpuMiner(
    { clock: systemClock, random: systemRandom(), log: silentLog, crypto: nodeCrypto({ log: silentLog }) },
    {
      host,
      port,
      authorityPublicKey: authorityPublicKey(secret),
      userIdentity: MINER,
      nominalHashrate: NOMINAL_HASHRATE,
    },
  );
  miner.on("connected", () =>
    teller.tell("connected", "the miner is connected, encrypted, and has checked the server's key", {}),
  );
  miner.on("hashrate", ({ hashesPerSecond }) => teller.hashrate(hashesPerSecond));
  await miner.start(signal);
  await Promise.race(options.once ? [accepted, aborted(signal)] : [aborted(signal)]);
  await miner.stop();
  await server.stop();
  teller.goodbye(systemClock.monotonicMs() - startedMs);
  return options.once && teller.counts.blocksAccepted === 0 ? EXIT.failed.code : EXIT.ok.code;
}

/** Tells everything that the server announces; resolves at the first accepted block. */
function follow(server: RunningServer, teller: Teller): Promise<void> {
  const bus = server.container.resolve(TOKENS.bus);
  bus.on("MiningJobCreated", (job) => teller.job(job));
  bus.on("ShareSubmitted", (share) => teller.share(share));
  const current = server.container.resolve(TOKENS.jobMaker).current();
  if (current !== undefined) {
    const { jobId, prevHash, payoutValue, template, createdMs } = current;
    const { height, transactionCount } = template;
    teller.job({ jobId, height, prevHash, cause: "newBlock", value: payoutValue, transactionCount, atMs: createdMs });
  }
  return new Promise((resolve) => {
    server.container.resolve(TOKENS.blockSink).onAnswer((block, answer) => {
      teller.answer(block, answer);
      if (answer.verdict === "accepted") resolve();
    });
  });
}

/** Prints events for people, or as JSON lines. */
class Teller {
  readonly counts = { blocksFound: 0, blocksAccepted: 0, blocksRejected: 0, sharesAccepted: 0, sharesRejected: 0 };
  readonly #json: boolean;
  readonly #terminal: Terminal;
  readonly #paint: ReturnType<typeof colours>;
  #hashrate = "";

  constructor(json: boolean, terminal: Terminal) {
    this.#json = json;
    this.#terminal = terminal;
    this.#paint = colours(terminal.interactive && process.env.NO_COLOR === undefined);
  }

  /** One event: a sentence for people, the facts for programs. */
  tell(event: string, sentence: string, facts: Readonly<Record<string, unknown>>): void {
    if (this.#json) this.#terminal.out(jsonLine({ event, ...facts }));
    else this.#terminal.out(`${this.#paint.dim(new Date().toTimeString().slice(0, 8))}  ${sentence}`);
  }

  hello(): void {
    if (this.#json) return;
    this.#terminal.out(
      this.#paint.bold(
        "bllvm-stratum-v2 demo: a Bitcoin node (regtest), a Stratum V2 server and a CPU miner in one process.",
      ),
    );
    this.#terminal.out(
      "A share shows that the miner works; a block is a share lucky enough for the network. Ctrl-C ends the demo.\n",
    );
  }

  listening(server: RunningServer, { node }: Devnet): void {
    const [listening = ""] = server.listening;
    const url = `stratum2+tcp://${listening}/${server.authorityPublicKey}`;
    this.tell("node", `Bitcoin node at ${node.url}, block ${node.chain.tip.height}`, {
      url: node.url,
      height: node.chain.tip.height,
    });
    this.tell("listening", `server at ${this.#paint.cyan(url)}`, {
      listening,
      authorityPublicKey: server.authorityPublicKey,
    });
  }

  job({ jobId, height, cause, value, transactionCount }: MiningJobCreated): void {
    const why = {
      newBlock: "new block to find",
      refresh: "fresh transactions",
      fill: "transactions added",
      aux: "an auxiliary chain has new work",
    }[cause];
    this.tell(
      "job",
      `job     #${jobId} for block ${height}: ${why}, ${transactionCount} transactions, worth ${Number(value) / SAT} BTC`,
      { jobId, height, cause, transactionCount, value },
    );
  }

  share({ userIdentity, errorCode, difficulty, jobId, block }: ShareSubmitted): void {
    const { dim, green, yellow } = this.#paint;
    if (errorCode === undefined) this.counts.sharesAccepted += 1;
    else this.counts.sharesRejected += 1;
    const outcome = errorCode === undefined ? green("accepted") : yellow(`rejected: ${errorCode}`);
    const rate = this.#hashrate === "" ? "" : dim(` (${this.#hashrate})`);
    this.tell(
      "share",
      `share   ${outcome} from ${userIdentity}, job #${jobId}, difficulty ${difficulty.toPrecision(3)}${rate}`,
      {
        userIdentity,
        jobId,
        accepted: errorCode === undefined,
        errorCode,
        difficulty,
      },
    );
    if (!block) return;
    this.counts.blocksFound += 1;
    this.tell("blockFound", this.#paint.bold(`BLOCK   found by ${userIdentity}; written down and submitted`), {
      userIdentity,
      jobId,
    });
  }

  answer(block: FoundBlock, { verdict, node, reason }: BlockAnswer): void {
    const hash = toDisplayHex(block.hash);
    const accepted = verdict === "accepted" || verdict === "duplicate";
    if (accepted) this.counts.blocksAccepted += 1;
    else this.counts.blocksRejected += 1;
    const { green, red, bold } = this.#paint;
    const outcome = accepted ? green("accepted") : red(`${verdict} (${reason})`);
    this.tell(
      accepted ? "blockAccepted" : "blockRefused",
      bold(`BLOCK   ${block.height} ${outcome} by node ${node}: ${Number(block.reward) / SAT} BTC, ${hash}`),
      { height: block.height, hash, node, verdict, reason, reward: block.reward },
    );
  }

  hashrate(hashesPerSecond: number): void {
    this.#hashrate = hashrateText(hashesPerSecond);
  }

  goodbye(elapsedMs: number): void {
    const { blocksFound, blocksAccepted, blocksRejected, sharesAccepted, sharesRejected } = this.counts;
    if (this.#json) {
      this.#terminal.out(
        jsonLine({
          event: "summary",
          bitcoin: { blocksFound, blocksAccepted, blocksRejected },
          shares: { accepted: sharesAccepted, rejected: sharesRejected },
          elapsedMs: Math.round(elapsedMs),
        }),
      );
      return;
    }
    this.#terminal.out(
      `\n${blocksAccepted} blocks accepted, ${sharesAccepted} shares accepted, ${sharesRejected} rejected in ${Math.round(elapsedMs / 1000)} s.`,
    );
    if (blocksAccepted > 0)
      this.#terminal.out("Mine on your own node: README.md, then `bllvm-stratum-v2 doctor -c config.toml`.");
  }
}
