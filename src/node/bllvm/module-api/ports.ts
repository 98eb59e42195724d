/** What the module API asks of the server: one port a question, all of them bounded and none of them asking a daemon. */
import type { ChannelSnapshot } from "../../../mining/channel.ts";
import type { Job } from "../../../mining/job.ts";
import type { MergeChannels } from "./merge-channels.ts";

/** A channel of a miner. */
export interface ConnectedMiner extends ChannelSnapshot {
  readonly connectionId: number;
}

/** A chain as the server is configured with it. */
export interface ApiChain {
  readonly name: string;
  /** `running`, `isolated`, `disabled` … */
  readonly state: string;
  /** Why the newest job does not commit to it, in words; `undefined` when it does. */
  readonly trouble: string | undefined;
}

/** The server in numbers. */
export interface PoolStats {
  readonly channels: number;
  readonly acceptedShares: number;
  readonly rejectedShares: number;
  /** The whole snapshot, as the control API's `/v1/status` tells it. */
  readonly status: unknown;
}

/** Which rewards are asked for. */
export interface RewardsQuery {
  readonly chain: string | undefined;
  /** Of the aux block as its chain prints it, or of the Bitcoin header that won it, display hex. */
  readonly blockHash: string | undefined;
  /** On the aux chain. */
  readonly height: number | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly after: number | undefined;
}

/** What one aux block pays. */
export interface BlockReward {
  readonly chain: string;
  readonly blockHash: string;
  /** Of the Bitcoin header that won it, display hex. */
  readonly headerHash: string;
  readonly height: number;
  /** As the ledger has it: `accepted`, `confirmed`, `mature`, `distributed`, `orphaned` … */
  readonly state: string;
  readonly confirmations: number;
  readonly isUncle: boolean;
  /** In base units: what the chain says, `undefined` until it did; and what was expected when it was found. */
  readonly reward: bigint | undefined;
  readonly expected: bigint | undefined;
  /** `undefined` when the chain's plugin is gone. */
  readonly coin: { readonly symbol: string; readonly decimals: number } | undefined;
  readonly finder: string;
  readonly foundMs: number;
  readonly alsoWon: readonly string[];
}

/** A page of rewards. */
export interface RewardsPage {
  readonly rewards: readonly BlockReward[];
  readonly next: number | undefined;
}

/** All of them. */
export interface ModuleApiPorts {
  /** The job that miners mine now. */
  readonly job: () => Job | undefined;
  /** Channels from number `first` on. */
  readonly miners: (first: number, most: number) => readonly ConnectedMiner[];
  readonly stats: () => PoolStats;
  /** Every configured chain. */
  readonly chains: () => readonly ApiChain[];
  /** Rejects with `Fault` `report-*` or `ledger-*`. */
  readonly rewards: (query: RewardsQuery) => Promise<RewardsPage>;
  readonly channels: Pick<MergeChannels, "register" | "find" | "isStopped">;
}
