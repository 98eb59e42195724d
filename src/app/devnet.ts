/**
 * The embedded default: a regtest Bitcoin node, a Namecoin daemon and an RSK node in this process, and the settings of a
 * server that mines on all three.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptOfAddress } from "../bitcoin/address.ts";
import { compactFromTarget, targetOfDifficulty } from "../bitcoin/target.ts";
import { NamecoinDaemon } from "../devnet/namecoin/daemon.ts";
import { DevnetNode } from "../devnet/node/node.ts";
import { RskDaemon } from "../devnet/rsk/daemon.ts";
import { HOST_KEYS } from "../host/chain-settings.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import { ledgerAddress } from "../ledger/store/address.ts";
import type { LoadedConfig } from "./config/load.ts";
import { type Config, configSchema } from "./config/schema.ts";
import { controlOf, mergeSettingsOf, parseHostPort, type Settings, tagOf } from "./settings.ts";
import { systemClock, systemRandom } from "./system.ts";

/** Hashes that a block takes on average. One thread of the CPU miner does about 1.5 million a second. */
const HASHES = { rsk: 1.5e6, namecoin: 3e6, bitcoin: 6e6 };
/** Mean time between blocks that others find on the auxiliary chains, ms. */
const OTHERS_EVERY_MS = { rsk: 12_000, namecoin: 25_000 };
/** Difficulty below which a chain binds no channel: far below these chains', which miners that are CPUs would miss otherwise. */
const CLAMP_MIN_DIFFICULTY = 1e-6;

/** BIP173's example key on regtest: nobody needs these coins. */
const BITCOIN_PAYOUT = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
/** The same key as an address of Namecoin's regtest. */
const NAMECOIN_PAYOUT = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";
/** Blocks until RSK pays on regtest. */
const RSK_MATURITY = 10;

/** Least share difficulty: seven shares a second of that CPU, so that a slow moment of it does not fill the screen. */
const MIN_DIFFICULTY = 5e-5;

/** Configuration for miners that are CPUs watched by people: two shares a second, told at once. */
export function devnetConfig(): LoadedConfig {
  const vardiff = { shares_per_minute: 120, min_difficulty: MIN_DIFFICULTY };
  const config = configSchema.parse({ vardiff, jobs: { ack_s: 1 }, ledger: { flush_s: 1, follow_s: 1 } });
  return { config, file: undefined, folder: process.cwd() };
}

/** Started daemons and what a server on them is configured with. */
export interface Devnet {
  readonly node: DevnetNode;
  readonly namecoin: NamecoinDaemon;
  readonly rsk: RskDaemon;
  readonly settings: Settings;
  /** A configuration with its chains `namecoin` and `rsk` on the embedded daemons. */
  adapt(loaded: LoadedConfig): LoadedConfig;
  /** Stops the daemons and removes the folder; to be stopped after the server. */
  readonly part: Part;
}

/**
 * Starts the daemons. Everything but the Bitcoin nodes, network and payout, and the daemons of `namecoin` and `rsk`, is taken from
 * `loaded`; found blocks are journalled in a temporary folder. Throws `Fault` `config-*` or `devnet-*`; nothing is left
 * running then.
 */
export async function startDevnet(
  loaded: LoadedConfig,
  listen: string,
  log: Log,
  signal: AbortSignal,
): Promise<Devnet> {
  const address = parseHostPort(listen);
  const { pools, stratum_v2 } = loaded.config;
  if (pools.length > 0 || stratum_v2.pool_url !== undefined)
    log.warn("--devnet mines on the embedded node: no pool is connected to");
  // Before the daemons, whose sockets keep the process alive: nothing may fail once they run.
  const tag = tagOf(loaded.config.bitcoin, mergeSettingsOf(adapted(loaded, { namecoin: {}, rsk: {} })).chains);
  // Without a file nobody knows where the socket would be.
  const control = loaded.file === undefined ? undefined : controlOf(loaded);
  const { node, namecoin, rsk } = daemons(log);
  const dataDir = await mkdtemp(join(tmpdir(), "bllvm-stratum-v2-devnet-"));
  const stop = async (): Promise<void> => {
    for (const each of [rsk, namecoin, node]) await each.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    for (const each of [node, namecoin, rsk]) await each.start(signal);
  } catch (error) {
    await stop();
    throw error;
  }
  const adapt = (config: LoadedConfig): LoadedConfig => inFolder(adapted(config, tablesOf(namecoin, rsk)), dataDir);
  const { config } = adapt(loaded);
  return {
    node,
    namecoin,
    rsk,
    adapt,
    settings: {
      ...mergeSettingsOf({ ...loaded, config }),
      config,
      control,
      ledger: ledgerAddress(undefined, dataDir),
      network: "regtest",
      listen: address,
      dataDir,
      payoutScript: scriptOfAddress(BITCOIN_PAYOUT, "regtest"),
      providers: [],
      tag,
      versionRollingMask: Number(config.jobs.version_rolling_mask),
      bllvmRpc: undefined,
      upstream: undefined,
      nodes: [
        {
          name: "devnet",
          url: node.url,
          credentials: { kind: "password", user: node.user, password: node.password },
          zmqAddress: undefined,
        },
      ],
    },
    part: { name: "devnet", start: async () => undefined, stop },
  };
}

function daemons(log: Log): Pick<Devnet, "node" | "namecoin" | "rsk"> {
  const deps = { clock: systemClock, random: systemRandom(), log };
  return {
    node: new DevnetNode(deps, {
      nBits: nBitsOf(HASHES.bitcoin),
      transactions: { atLeast: 12, perSecond: 2, atMost: 200 },
    }),
    namecoin: new NamecoinDaemon(deps, {
      nBits: nBitsOf(HASHES.namecoin),
      zmqPort: 0,
      blockEveryMs: OTHERS_EVERY_MS.namecoin,
      transactionEveryMs: 10_000,
    }),
    rsk: new RskDaemon(deps, {
      difficulty: HASHES.rsk,
      wsPort: 0,
      blockEveryMs: OTHERS_EVERY_MS.rsk,
      transactionEveryMs: 250,
    }),
  };
}

function nBitsOf(hashes: number): number {
  return compactFromTarget(targetOfDifficulty(hashes / 2 ** 32));
}

type Tables = Readonly<Record<"namecoin" | "rsk", Readonly<Record<string, unknown>>>>;

/** The keys of the plugins. */
function tablesOf(namecoin: NamecoinDaemon, rsk: RskDaemon): Tables {
  const { url, user, password, zmqAddress } = namecoin;
  return {
    namecoin: {
      payout: NAMECOIN_PAYOUT,
      network: "regtest",
      daemons: [{ name: "devnet", url, user, password, zmq_hashblock: zmqAddress }],
    },
    rsk: { maturity: RSK_MATURITY, daemons: [{ name: "devnet", url: rsk.url, ws: rsk.wsUrl }] },
  };
}

/** `loaded` with all that is written in `dataDir`: blocks of the devnet must not come into an operator's ledger. */
function inFolder(loaded: LoadedConfig, dataDir: string): LoadedConfig {
  const { config } = loaded;
  const { database: _, ...ledger } = config.ledger;
  return { ...loaded, config: { ...config, ledger, stratum_v2: { ...config.stratum_v2, data_dir: dataDir } } };
}

/** `loaded` with these chains; what it says of when they are mined stays. */
function adapted(loaded: LoadedConfig, tables: Tables): LoadedConfig {
  const chains: Config["chains"] = { ...loaded.config.chains };
  for (const [name, table] of Object.entries(tables)) {
    const ours: readonly string[] = HOST_KEYS;
    const kept = Object.entries(chains[name] ?? {}).filter(([key]) => ours.includes(key));
    chains[name] = { enabled: true, ...Object.fromEntries(kept), plugin: name, ...table };
  }
  const { merge_mining } = loaded.config;
  const { pool_url: _, ...stratum_v2 } = loaded.config.stratum_v2;
  const clamp = Math.min(merge_mining.clamp_min_difficulty, CLAMP_MIN_DIFFICULTY);
  return {
    ...loaded,
    config: {
      ...loaded.config,
      chains,
      merge_mining: { ...merge_mining, clamp_min_difficulty: clamp },
      // All is mined on the embedded node.
      stratum_v2,
      pools: [],
    },
  };
}
