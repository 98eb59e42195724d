/** The ports of the module API on the server's parts. */
import type { Job } from "../../../mining/job.ts";
import type { ModuleApiPorts, RewardsPage, RewardsQuery } from "../../../node/bllvm/module-api/ports.ts";
import type { MiningServer } from "../../../pool/server.ts";
import type { LedgerReports } from "../../reports/ledger-reports.ts";
import type { ServerStatus } from "../../status.ts";

/** What the ports read. */
export interface ApiPortsDeps {
  readonly status: () => ServerStatus;
  readonly reports: Pick<LedgerReports, "blocks">;
  readonly jobs: { current(): Job | undefined };
  readonly server: Pick<MiningServer, "channels">;
  readonly channels: ModuleApiPorts["channels"];
}

/** All ports. */
export function apiPorts({ status, reports, jobs, server, channels }: ApiPortsDeps): ModuleApiPorts {
  return {
    job: () => jobs.current(),
    miners: (first, most) => server.channels(first, most),
    stats() {
      const now = status();
      const { accepted: acceptedShares, rejected: rejectedShares } = now.shares;
      return { channels: now.channels, acceptedShares, rejectedShares, status: now };
    },
    chains: () =>
      status().chains.map(({ name, state, trouble, mining }) => ({
        name,
        state,
        trouble: trouble ?? mining?.dropped ?? (state === "running" ? undefined : `the chain is ${state}`),
      })),
    rewards: (query) => rewardsOf(reports, query),
    channels,
  };
}

/** Rewards are found aux blocks with what they pay; the ledger's own report has them, its bounds included. */
async function rewardsOf(
  reports: Pick<LedgerReports, "blocks">,
  { chain, blockHash, height, limit, after }: RewardsQuery,
): Promise<RewardsPage> {
  const answer = await reports.blocks({ chain, hash: blockHash, height, limit, after, aux: true });
  if (!("blocks" in answer)) throw new TypeError("the report on blocks has no page of them");
  return {
    rewards: answer.blocks.map((block) => ({
      chain: block.chain,
      blockHash: block.blockHash,
      headerHash: block.headerHash,
      height: block.height,
      state: block.state,
      confirmations: block.confirmations,
      isUncle: block.uncle,
      reward: block.actual,
      expected: block.expected,
      coin: answer.coins[block.chain],
      finder: block.finder,
      foundMs: block.foundMs,
      alsoWon: block.alsoWon,
    })),
    next: answer.next,
  };
}
