/** The embedded default: a regtest node in this process, and the settings of a server that mines on it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptOfAddress } from "../bitcoin/address.ts";
import { compactFromTarget, targetOfDifficulty } from "../bitcoin/target.ts";
import { DevnetNode } from "../devnet/node/node.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { LoadedConfig } from "./config/load.ts";
import { configSchema } from "./config/schema.ts";
import { controlOf, mergeSettingsOf, parseHostPort, type Settings, tagOf } from "./settings.ts";
import { systemClock, systemRandom } from "./system.ts";

/** About 6 million hashes a block: some seconds for one thread of the CPU miner. */
export const DEVNET_DIFFICULTY = 6e6 / 2 ** 32;

/** BIP173's example key on regtest: nobody needs these coins. */
const DEVNET_PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

/** Configuration for miners that are CPUs watched by people: a share a second, told at once. */
export function devnetConfig(): LoadedConfig {
  const config = configSchema.parse({ vardiff: { shares_per_minute: 60 }, jobs: { ack_s: 1 } });
  return { config, file: undefined, folder: process.cwd() };
}

/** A started node and what a server on it is configured with. */
export interface Devnet {
  readonly node: DevnetNode;
  readonly settings: Settings;
  /** Stops the node and removes the folder; to be stopped after the server. */
  readonly part: Part;
}

/**
 * Starts the node. Everything but its nodes, network and payout is taken from `loaded`; found blocks are journalled in a
 * temporary folder. Throws `Fault` `config-*` or `devnet-*`; nothing is left running then.
 */
export async function startDevnet(
  loaded: LoadedConfig,
  listen: string,
  log: Log,
  signal: AbortSignal,
): Promise<Devnet> {
  const { config } = loaded;
  const address = parseHostPort(listen);
  const merge = mergeSettingsOf(loaded);
  const tag = tagOf(config.bitcoin, merge.chains);
  // Without a file nobody knows where the socket would be.
  const control = loaded.file === undefined ? undefined : controlOf(loaded);
  const node = new DevnetNode(
    { clock: systemClock, random: systemRandom(), log },
    {
      nBits: compactFromTarget(targetOfDifficulty(DEVNET_DIFFICULTY)),
      transactions: { atLeast: 12, perSecond: 2, atMost: 200 },
    },
  );
  // Before the node, whose sockets keep the process alive: nothing may fail once it runs.
  const dataDir = await mkdtemp(join(tmpdir(), "bllvm-stratum-v2-devnet-"));
  const removeDataDir = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    await node.start(signal);
  } catch (error) {
    await removeDataDir();
    throw error;
  }
  return {
    node,
    settings: {
      ...merge,
      config,
      control,
      network: "regtest",
      listen: address,
      dataDir,
      payoutScript: scriptOfAddress(DEVNET_PAYOUT, "regtest"),
      tag,
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
        await removeDataDir();
      },
    },
  };
}
