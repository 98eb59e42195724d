/** The snapshot that the control API gives of the whole server: read from what is in memory, nobody is asked. */
import type { ChainHealth } from "../host/plugin-host.ts";
import { describe } from "../kernel/fault.ts";
import type { CreditLedger } from "../ledger/credit/credit-ledger.ts";
import type { LedgerStatus } from "../ledger/store/connection.ts";
import type { ChainWorkStatus } from "../merge/chain-status.ts";
import type { Job } from "../mining/job.ts";
import type { NodeStatus } from "../node/bitcoind/status.ts";
import type { BllvmState } from "../node/bllvm/bllvm-node.ts";
import type { ProviderStatus } from "../node/templates/providers.ts";
import type { MemoryMeter } from "../ops/memory-meter.ts";
import type { UpstreamStatus } from "../upstream/standing.ts";
import { SOLO } from "./upstream-settings.ts";
import { VERSION } from "./version.ts";

/** What it is made of. */
export interface StatusParts {
  /** Wall times, ms since the Unix epoch. */
  readonly startedMs: number;
  readonly nowMs: number;
  readonly meter: Pick<MemoryMeter, "total" | "byLabel">;
  readonly connections: number;
  readonly chains: readonly ChainHealth[];
  readonly work: readonly ChainWorkStatus[];
  readonly job: Job | undefined;
  /** `undefined` without pools above. */
  readonly upstream: UpstreamStatus | undefined;
  readonly ledger: LedgerHealth;
  readonly nodes: readonly NodeStatus[];
  readonly providers: readonly ProviderStatus[];
  readonly bllvm: BllvmState | undefined;
  /** Monotonic ms. */
  readonly monotonicMs: number;
}

/** A Bitcoin node that work may be taken from. */
export type NodeHealth = Pick<NodeStatus, "name" | "active" | "trust" | "height" | "tip" | "fault" | "warnings">;

/** The connection to the bllvm node whose module this is. */
export interface BllvmHealth extends Omit<BllvmState, "sinceMs"> {
  /** How long the phase lasts, ms. */
  readonly forMs: number;
  /** Events that came since the start, by name. */
  readonly events: Readonly<Record<string, number>>;
}

/** One chain: its health, and what merge mining knows of it. */
export interface ChainStatus extends ChainHealth {
  readonly mining: Omit<ChainWorkStatus, "chain"> | undefined;
}

/** How the ledger stands. */
export interface LedgerHealth {
  /** Whether its database is open; one that is may still take nothing, and `trouble` says why. */
  readonly open: boolean;
  /** Since when, ms since the Unix epoch; before the start 0. */
  readonly sinceMs: number;
  /** What keeps it from being written, in words; `undefined` when all is well. */
  readonly trouble: string | undefined;
  /** Accepted shares whose credit is in memory alone: a crash would lose it. */
  readonly unwrittenShares: number;
  /** Accepted shares since the start that nobody gets credit for. */
  readonly lostShares: number;
}

/** The ledger's health, from its connection and from what waits for it. */
export function ledgerHealthOf(
  { open, sinceMs, fault }: LedgerStatus,
  { pendingShares, lostShares }: Pick<CreditLedger, "pendingShares" | "lostShares">,
): LedgerHealth {
  const trouble = fault === undefined ? undefined : describe(fault);
  return { open, sinceMs, trouble, unwrittenShares: pendingShares, lostShares };
}

/** The server at one moment. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeMs: number;
  readonly connections: number;
  readonly channels: number;
  readonly shares: { readonly accepted: number; readonly rejected: number };
  readonly blocks: { readonly found: number };
  readonly job:
    | {
        readonly id: number;
        readonly height: number;
        readonly chains: readonly string[];
        /** Whose job it is, in pool mode; `undefined` for an own one. */
        readonly pool: string | undefined;
      }
    | undefined;
  /** The pools above, in pool mode; else `undefined`. */
  readonly upstream: UpstreamStatus | undefined;
  readonly chains: readonly ChainStatus[];
  readonly ledger: LedgerHealth;
  /** In order of preference. */
  readonly nodes: readonly NodeHealth[];
  /** Template providers, in order of preference. */
  readonly providers: readonly ProviderStatus[];
  /** `undefined` for a server that is no module. */
  readonly bllvm: BllvmHealth | undefined;
}

/** Puts the parts together. */
export function statusOf({
  startedMs,
  nowMs,
  meter,
  connections,
  chains,
  work,
  job,
  upstream,
  ledger,
  nodes,
  providers,
  bllvm,
  monotonicMs,
}: StatusParts): ServerStatus {
  return {
    version: VERSION,
    uptimeMs: nowMs - startedMs,
    connections,
    channels: meter.total("channels"),
    shares: { accepted: meter.total("shares_accepted_total"), rejected: meter.total("shares_rejected_total") },
    blocks: { found: meter.total("blocks_found_total") },
    job:
      job === undefined
        ? undefined
        : {
            id: job.jobId,
            height: job.template.height,
            chains: job.aux?.entries.map(({ chain }) => chain) ?? [],
            pool: job.pool?.pool,
          },
    upstream,
    chains: chains.map((health) => {
      const found = work.find(({ chain }) => chain === health.name);
      if (found === undefined) return { ...health, mining: undefined };
      const { chain: _, ...mining } = found;
      return { ...health, mining: upstream === undefined ? mining : inPoolMode(mining, upstream, job) };
    }),
    ledger,
    nodes: nodes.map(({ name, active, trust, height, tip, fault, warnings }) => {
      return { name, active, trust, height, tip, fault, warnings };
    }),
    providers,
    bllvm: bllvm === undefined ? undefined : bllvmHealthOf(bllvm, meter, monotonicMs),
  };
}

/** Own templates are made all the time, so that they are ready; what counts is whether miners get them. */
function inPoolMode<T extends Pick<ChainWorkStatus, "inJob" | "dropped">>(
  mining: T,
  { miningFor }: UpstreamStatus,
  job: Job | undefined,
): T {
  // Jobs of ours, at home or declared to a pool.
  if (miningFor === SOLO || (job?.pool !== undefined && job.aux !== undefined)) return mining;
  const dropped = miningFor === undefined ? "no pool works" : `the coinbase is that of pool ${miningFor}`;
  return { ...mining, inJob: false, dropped };
}

function bllvmHealthOf({ sinceMs, ...state }: BllvmState, meter: StatusParts["meter"], nowMs: number): BllvmHealth {
  return { ...state, forMs: Math.round(nowMs - sinceMs), events: meter.byLabel("bllvm_events_total") };
}
