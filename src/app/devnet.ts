/** The embedded default: a regtest node in this process, and the settings of a server that mines on it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptOfAddress } from "../bitcoin/address.ts";
import { compactFromTarget, targetOfDifficulty } from "../bitcoin/target.ts";
import { DevnetNode } from "../devnet/node/node.ts";
import { utf8 } from "../kernel/bytes.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import { type Config, configSchema } from "./config/schema.ts";
import { parseHostPort, type Settings } from "./settings.ts";
import { systemClock, systemRandom } from "./system.ts";

/** About 6 million hashes a block: some seconds for one thread of the CPU miner. */
export const DEVNET_DIFFICULTY = 6e6 / 2 ** 32;

/** BIP173's example key on regtest: nobody needs these coins. */
const DEVNET_PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/** Configuration for miners that are CPUs watched by people: a share a second, told at once. */
export function devnetConfig(): Config {
  return configSchema.parse({ vardiff: { shares_per_minute: 60 }, jobs: { ack_s: 1 } });
}

/** A started node and what a server on it is configured with. */
export interface Devnet {
  readonly node: DevnetNode;
  readonly settings: Settings;
  /** Stops the node and removes the folder; to be stopped after the server. */
  readonly part: Part;
}

/**
 * Starts the node. Everything but its nodes, network and payout is taken from `config`; found blocks are journalled in a
 * temporary folder. Throws `Fault` `devnet-*`.
 */
export async function startDevnet(config: Config, listen: string, log: Log, signal: AbortSignal): Promise<Devnet> {
  const node = new DevnetNode(
    { clock: systemClock, random: systemRandom(), log },
    {
      nBits: compactFromTarget(targetOfDifficulty(DEVNET_DIFFICULTY)),
      transactions: { atLeast: 12, perSecond: 2, atMost: 200 },
    },
  );
  await node.start(signal);
  const dataDir = await mkdtemp(join(tmpdir(), "bllvm-stratum-v2-devnet-"));
  return {
    node,
    settings: {
      config,
      network: "regtest",
      listen: parseHostPort(listen),
      dataDir,
      payoutScript: scriptOfAddress(DEVNET_PAYOUT, "regtest"),
      tag: utf8(config.bitcoin.pool_tag),
      versionRollingMask: Number(config.jobs.version_rolling_mask),
      nodes: [
        {
          name: "devnet",
          url: node.url,
          credentials: { kind: "password", user: node.user, password: node.password },
          zmqAddress: undefined,
        },
      ],
    },
    part: {
      name: "devnet",
      start: async () => undefined,
      async stop() {
        await node.stop();
        await rm(dataDir, { recursive: true, force: true });
      },
    },
  };
}
