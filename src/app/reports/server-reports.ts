/** The reports of a running server, as its control API asks for them: text parameters in, with today's difficulties. */
import { workOfTarget } from "../../bitcoin/target.ts";
import { REPORTS, type ReportName } from "../../host/report-routes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { ChainWorkStatus } from "../../merge/chain-status.ts";
import type { Job } from "../../mining/job.ts";
import type { LoadedConfig } from "../config/load.ts";
import { LedgerReader } from "../ledger-reading.ts";
import { pluginLoader } from "../parts.ts";
import { type MergeSettings, mergeSettingsOf } from "../settings.ts";
import { coinsOf } from "./coins.ts";
import { LedgerReports, type ReportRequest } from "./ledger-reports.ts";

/** What a server's reports are made of. */
export interface ServerReportsDeps {
  /** The configuration as its file has it now: chains may have come by a reload. May throw for a file that cannot be used just now. */
  readonly loaded: () => LoadedConfig;
  readonly clock: Pick<Clock, "nowMs">;
  readonly work: () => readonly ChainWorkStatus[];
  readonly job: () => Pick<Job, "bitcoinTarget"> | undefined;
}

/** The reports of a server, with its chains as they are configured now. */
export function serverReports({ loaded, clock, work, job }: ServerReportsDeps): LedgerReports {
  const first = loaded();
  const settings = (): MergeSettings => {
    try {
      return mergeSettingsOf(loaded());
    } catch {
      // Somebody is writing in it: what the server was started with still tells most coins.
      return mergeSettingsOf(first);
    }
  };
  return new LedgerReports({
    clock,
    reader: new LedgerReader(first),
    coins: () => coinsOf(settings(), pluginLoader()),
    chains: () => settings().chains.map(({ name }) => name),
    difficulties: () => difficultiesOf(work(), job()),
  });
}

/** Answers `ControlPort.report`. */
export function textReports(
  reports: LedgerReports,
): (name: ReportName, parameters: URLSearchParams) => Promise<unknown> {
  return async (name, parameters) => await reports[name](requestOf(name, parameters));
}

/** Hashes that a block takes now, by chain. */
export function difficultiesOf(
  work: readonly ChainWorkStatus[],
  job: Pick<Job, "bitcoinTarget"> | undefined,
): Map<string, bigint> {
  const hashes = new Map<string, bigint>();
  if (job !== undefined) hashes.set("bitcoin", workOfTarget(job.bitcoinTarget));
  for (const { chain, work: offered } of work) {
    // A tag that nothing solves has no blocks to wait for.
    if (offered === undefined || !Number.isFinite(offered.difficulty)) continue;
    hashes.set(chain, BigInt(Math.max(1, Math.round(offered.difficulty * 2 ** 32))));
  }
  return hashes;
}

/** The request of query parameters. Throws `Fault("report-query")` for one that the report does not take, comes twice, or is not what it must be. */
export function requestOf(name: ReportName, parameters: URLSearchParams): ReportRequest {
  const takes = REPORTS.find((row) => row.name === name)?.takes ?? [];
  for (const [key] of parameters) {
    if (!takes.includes(key)) throw new Fault("report-query", { unknown: key.slice(0, 40), known: takes.join(" ") });
    if (parameters.getAll(key).length > 1) throw new Fault("report-query", { twice: key });
  }
  const text = (key: string): string | undefined => parameters.get(key) ?? undefined;
  const number = (key: string): number | undefined => {
    const given = text(key);
    if (given !== undefined && !/^\d{1,15}$/.test(given))
      throw new Fault("report-query", { [key]: given.slice(0, 40) });
    return given === undefined ? undefined : Number(given);
  };
  const flag = (key: string): boolean | undefined => {
    const given = text(key);
    if (given !== undefined && given !== "true" && given !== "false") {
      throw new Fault("report-query", { [key]: given.slice(0, 40) });
    }
    return given === undefined ? undefined : given === "true";
  };
  return {
    chain: text("chain"),
    pool: text("pool"),
    since: text("since"),
    worker: text("worker"),
    state: text("state"),
    block: text("block"),
    limit: number("limit"),
    after: number("after"),
    workers: flag("workers"),
    accounts: flag("accounts"),
  };
}
