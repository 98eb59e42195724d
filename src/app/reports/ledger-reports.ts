/**
 * The reports as commands print them and the control API answers them: one request in, one plain object out, with the coins that its amounts are of. What is asked for is
 * text from a command line or a URL and checked here.
 */
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { Coin } from "../../ledger/payouts/coins.ts";
import { type BlockHistory, blockHistories } from "../../ledger/reports/block-history.ts";
import { type BlocksPage, listBlocks } from "../../ledger/reports/blocks.ts";
import { type ChainRewards, chainRewards } from "../../ledger/reports/chain-rewards.ts";
import { type ChainEffort, effortReport } from "../../ledger/reports/effort.ts";
import { isChainOfLedger } from "../../ledger/reports/known-chain.ts";
import { type WorkerRewardsPage, workerRewards } from "../../ledger/reports/worker-rewards.ts";
import { type WorkersPage, workersReport } from "../../ledger/reports/workers.ts";
import type { LedgerStore } from "../../ledger/store/open.ts";
import type { Coins } from "./coin-text.ts";
import { sinceMsOf } from "./time-text.ts";

/** What a report is asked for, as it was typed; all may be left out. */
export interface ReportRequest {
  readonly chain?: string | undefined;
  /** A whole identity; an account with `accounts`. */
  readonly worker?: string | undefined;
  /** An ISO date or how long ago. */
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: number | undefined;
  /** `rewards`: by worker, page by page. */
  readonly workers?: boolean | undefined;
  /** `workers`: work on this pool's jobs alone. */
  readonly pool?: string | undefined;
  /** `workers`: by account. */
  readonly accounts?: boolean | undefined;
  /** `blocks`: in this state alone. */
  readonly state?: string | undefined;
  /** `blocks`: the history of this one. */
  readonly block?: string | undefined;
  /** `blocks`: at this height of their own chain. */
  readonly height?: number | undefined;
  /** `blocks`: with this hash, or won by the Bitcoin header with it. */
  readonly hash?: string | undefined;
  /** `blocks`: of auxiliary chains alone. */
  readonly aux?: boolean | undefined;
}

/** Goes with every report: coins by chain. A chain that is missing has no plugin here any more. */
export interface WithCoins {
  readonly coins: Readonly<Record<string, Coin>>;
}

/** What `rewards` gives. */
export type RewardsAnswer = WithCoins & ({ readonly chains: readonly ChainRewards[] } | WorkerRewardsPage);
/** What `blocks` gives. */
export type BlocksAnswer = WithCoins & (BlocksPage | { readonly histories: readonly BlockHistory[] });
/** What `workers` gives. */
export type WorkersAnswer = WithCoins & WorkersPage;
/** What `effort` gives. */
export type EffortAnswer = WithCoins & { readonly chains: readonly ChainEffort[] };

/** What the reports work with. */
export interface LedgerReportsDeps {
  readonly clock: Pick<Clock, "nowMs">;
  /** Opens the ledger for one report. */
  readonly reader: { run<T>(work: (store: LedgerStore) => Promise<T>): Promise<T> };
  readonly coins: () => Promise<Coins>;
  /** Names of the configured chains, without Bitcoin. */
  readonly chains: () => readonly string[];
  /** Hashes that a block takes now, by chain; empty where nothing is mined just now. */
  readonly difficulties: () => ReadonlyMap<string, bigint>;
}

/** All reports. Every method throws `Fault` `report-*` for a request that cannot be answered, and what `reader` throws. */
export class LedgerReports {
  readonly #deps: LedgerReportsDeps;

  constructor(deps: LedgerReportsDeps) {
    this.#deps = deps;
  }

  /** The coins that configured chains pay. */
  coins(): Promise<Coins> {
    return this.#deps.coins();
  }

  /** What was found, what became of it and who is owed what; with `worker` or `workers` by worker. */
  rewards(request: ReportRequest): Promise<RewardsAnswer> {
    return this.#ask<{ readonly chains: readonly ChainRewards[] } | WorkerRewardsPage>(
      request,
      async ({ db }, asked) => {
        if (request.worker !== undefined || request.workers === true) return await workerRewards(db, asked);
        return { chains: await chainRewards(db, asked) };
      },
    );
  }

  /** Found blocks, newest first, or the history of one. */
  blocks(request: ReportRequest): Promise<BlocksAnswer> {
    const { state, block, height, hash, aux } = request;
    return this.#ask<BlocksPage | { readonly histories: readonly BlockHistory[] }>(request, async ({ db }, asked) => {
      if (block !== undefined) return { histories: await blockHistories(db, block) };
      return await listBlocks(db, { ...asked, state, height, hash, aux });
    });
  }

  /** Who mines, how fast, for which pools, and what each is owed. */
  workers(request: ReportRequest): Promise<WorkersAnswer> {
    const { accounts, pool } = request;
    return this.#ask(request, ({ db, kind }, asked) => workersReport(db, { ...asked, accounts, pool }, kind));
  }

  /** Work since the last blocks, and luck. */
  effort(request: ReportRequest): Promise<EffortAnswer> {
    const difficulties = this.#deps.difficulties();
    return this.#ask(request, async ({ db }, asked) => ({
      chains: await effortReport(db, { ...asked, difficulties }),
    }));
  }

  async #ask<T>(request: ReportRequest, ask: (store: LedgerStore, asked: Asked) => Promise<T>): Promise<T & WithCoins> {
    const { chain, worker, since, limit, after } = request;
    const { clock, reader, coins, chains } = this.#deps;
    const nowMs = clock.nowMs();
    const sinceMs = since === undefined ? undefined : sinceMsOf(since, nowMs);
    const report = await reader.run(async (store) => {
      const isKnown = chain === undefined || chain === "bitcoin" || chains().includes(chain);
      if (!isKnown && !(await isChainOfLedger(store.db, chain))) {
        throw new Fault("report-chain-unknown", { chain: chain.slice(0, 40) });
      }
      return await ask(store, { chain, worker, sinceMs, limit, after, nowMs });
    });
    return { coins: Object.fromEntries(await coins()), ...report };
  }
}

interface Asked {
  readonly chain: string | undefined;
  readonly worker: string | undefined;
  readonly sinceMs: number | undefined;
  readonly limit: number | undefined;
  readonly after: number | undefined;
  readonly nowMs: number;
}
