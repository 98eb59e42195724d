/** One log line a minute for whoever watches the log: who mines, how fast, what was found. */
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { MemoryMeter } from "../ops/memory-meter.ts";
import type { LedgerHealth } from "./status.ts";
import { hashrateText } from "./terminal.ts";
import { SOLO } from "./upstream-settings.ts";

/** Hashes that a share of difficulty 1 takes on average. */
const HASHES_PER_DIFFICULTY = 2 ** 32;

/** What the line is made of. */
export interface StatusLineDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: MemoryMeter;
  readonly server: { readonly connections: number };
  readonly ledger: () => LedgerHealth;
  /** In pool mode, what is mined for; `undefined` for nothing. */
  readonly miningFor?: () => string | undefined;
}

/** Writes the line at a fixed distance. */
export class StatusLine implements Part {
  readonly name = "status line";
  readonly #deps: StatusLineDeps;
  readonly #everyMs: number;
  #timer: Timer | undefined;
  #lastMs = 0;
  #lastDifficulty = 0;

  constructor(deps: StatusLineDeps, options: { readonly everyMs: number }) {
    this.#deps = deps;
    this.#everyMs = options.everyMs;
  }

  async start(_signal: AbortSignal): Promise<void> {
    this.#lastMs = this.#deps.clock.monotonicMs();
    this.#timer = this.#deps.clock.every(this.#everyMs, () => this.#write());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  #write(): void {
    const { clock, log, meter, server, miningFor } = this.#deps;
    const ledger = this.#deps.ledger();
    const nowMs = clock.monotonicMs();
    const difficulty = meter.total("shares_accepted_difficulty_total");
    const hashrate = ((difficulty - this.#lastDifficulty) * HASHES_PER_DIFFICULTY * 1000) / (nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#lastDifficulty = difficulty;
    const fields = {
      connections: server.connections,
      channels: meter.total("channels"),
      hashrate: hashrateText(hashrate),
      sharesAccepted: meter.total("shares_accepted_total"),
      sharesRejected: meter.total("shares_rejected_total"),
      blocksFound: meter.total("blocks_found_total"),
      ...(miningFor === undefined ? {} : { miningFor: miningFor() }),
      ...ledgerFields(ledger),
    };
    const rejected = fields.sharesRejected === 0 ? "" : `, ${fields.sharesRejected} rejected`;
    log.info(
      `${fields.connections} connections, ${fields.channels} channels, ${fields.hashrate}, ${fields.sharesAccepted} shares${rejected}, ${fields.blocksFound} blocks${poolWords(miningFor)}${ledgerWords(ledger)}`,
      fields,
    );
  }
}

function poolWords(miningFor: StatusLineDeps["miningFor"]): string {
  if (miningFor === undefined) return "";
  const name = miningFor();
  return name === undefined ? "; no pool works" : `; for ${name === SOLO ? "own templates" : `pool ${name}`}`;
}

/** A ledger that is well is no news. */
function ledgerFields({ trouble, unwrittenShares, lostShares }: LedgerHealth) {
  return trouble === undefined && lostShares === 0 ? {} : { ledgerTrouble: trouble, unwrittenShares, lostShares };
}

function ledgerWords({ trouble, unwrittenShares, lostShares }: LedgerHealth): string {
  const away = trouble === undefined ? "" : `; credit of ${unwrittenShares} shares waits in memory: ${trouble}`;
  return lostShares === 0 ? away : `${away}; nobody gets credit for ${lostShares} shares`;
}
