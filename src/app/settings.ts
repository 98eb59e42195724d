/** From what the operator wrote to what the parts take: paths made absolute, scripts and numbers decoded, conflicts named. */

import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { scriptOfDescriptor } from "../bitcoin/descriptor.ts";
import type { NetworkName } from "../bitcoin/network.ts";
import { withoutCredentials } from "../daemon/address.ts";
import type { Credentials } from "../daemon/credentials.ts";
import type { ChainSettings, PluginPlaces } from "../host/chain-settings.ts";
import { utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { type LedgerAddress, ledgerAddress } from "../ledger/store/address.ts";
import { BITCOIN } from "../ledger/store/schema.ts";
import { checkCoinbaseFits } from "../mining/job.ts";
import { MAX_DIRECT_OUTPUT } from "../mining/job-payout.ts";
import type { Provider } from "../node/templates/provider-connection.ts";
import { chainsOf } from "./chain-settings.ts";
import type { LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { checkListeners } from "./listener-rules.ts";
import { checkRewardRules } from "./reward-rules.ts";
import { providersOf } from "./template-settings.ts";
import { type UpstreamSettings, upstreamOf } from "./upstream-settings.ts";
import { PACKAGE_FOLDER } from "./version.ts";

/** Where a server listens. */
export interface HostPort {
  /** Host name or IP address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** One Bitcoin node as configured. */
export interface NodeSettings {
  readonly name: string | undefined;
  readonly url: string;
  readonly credentials: Credentials;
  readonly zmqAddress: string | undefined;
}

/** Where the control API listens. */
export type ControlSettings =
  | { readonly kind: "socket"; readonly path: string }
  | { readonly kind: "tcp"; readonly address: HostPort; readonly tokenFile: string };

/** Checked values that are not just copied from the configuration. */
export interface Settings {
  readonly config: Config;
  /** The configuration file as messages call it; `undefined` when there is none. */
  readonly file: string | undefined;
  /** Folder that relative paths of the configuration start from, absolute. */
  readonly folder: string;
  readonly network: NetworkName;
  readonly listen: HostPort;
  /** Absolute. */
  readonly dataDir: string;
  /** scriptPubKey that is paid; `undefined` only where no own template is ever mined. */
  readonly payoutScript: Uint8Array | undefined;
  readonly tag: Uint8Array;
  readonly versionRollingMask: number;
  /** None where no own template is ever mined, unless they are configured all the same: then blocks of before are followed. */
  readonly nodes: readonly NodeSettings[];
  /** Template providers in order of preference; none where no own template is ever mined. */
  readonly providers: readonly Provider[];
  /** The pools above, in pool mode. */
  readonly upstream: UpstreamSettings | undefined;
  /** The bllvm node's own JSON-RPC, for its module; `undefined` when none is configured. */
  readonly bllvmRpc: NodeSettings | undefined;
  /** Auxiliary chains, also those that rest. */
  readonly chains: readonly ChainSettings[];
  readonly plugins: PluginPlaces;
  /** `undefined` for no control API. */
  readonly control: ControlSettings | undefined;
  /** Where the ledger is. */
  readonly ledger: LedgerAddress;
}

/** The part of the settings that is about merge mining: what a reload takes over. */
export type MergeSettings = Pick<Settings, "file" | "folder" | "chains" | "plugins">;

/**
 * Checks what the schema cannot. A module of the bllvm node has that node beside those of `[[bitcoind]]`, so that there may be none of them. Throws `Fault`
 * `config-*`; the cause says what is wrong with the value.
 */
export function settingsOf(loaded: LoadedConfig, as: "server" | "module" = "server"): Settings {
  const { config, file, folder } = loaded;
  checkRewardRules(config, file);
  checkListeners(config, file);
  const merge = mergeSettingsOf(loaded);
  const upstream = upstreamOf(loaded);
  const isSolo = minesOwnTemplates({ upstream });
  checkOwnTemplates(loaded, paysOurselves({ upstream }));
  const providers = isSolo ? providersOf(loaded) : [];
  return {
    ...merge,
    config,
    network: config.bitcoin.network,
    listen: parseHostPort(config.stratum_v2.listen_addr),
    dataDir: absolute(config.stratum_v2.data_dir, folder),
    payoutScript:
      paysOurselves({ upstream }) || config.bitcoin.payout !== undefined ? payoutScriptOf(loaded) : undefined,
    tag: tagOf(config.bitcoin, merge.chains, file),
    versionRollingMask: Number(config.jobs.version_rolling_mask),
    nodes: (as === "module" || !isSolo || providers.length > 0) && config.bitcoind.length === 0 ? [] : nodesOf(loaded),
    providers,
    upstream,
    bllvmRpc: bllvmRpcOf(loaded),
    control: controlOf(loaded),
    ledger: ledgerAddressOf(loaded),
  };
}

/** Throws `Fault("config-invalid")` where others are to be served templates, or jobs made of them, and there are none of our own. */
function checkOwnTemplates({ config, file }: LoadedConfig, isSolo: boolean): void {
  if (isSolo) return;
  for (const section of ["job_declaration", "template_server"] as const) {
    if (config[section].listen_addr === undefined) continue;
    const cause = new Error('there are no templates of our own in pool mode, expected fallback = "solo" in [upstream]');
    throw new Fault("config-invalid", { file, key: `${section}.listen_addr` }, { cause });
  }
}

/** Whether own templates are ever mined: always without pools above, as their last resort, and at pools that let us declare jobs. */
export function minesOwnTemplates({ upstream }: Pick<Settings, "upstream">): boolean {
  return paysOurselves({ upstream }) || upstream?.pools.some(({ jds }) => jds !== undefined) === true;
}

/** Whether own templates are ever mined for our own payout. */
export function paysOurselves({ upstream }: Pick<Settings, "upstream">): boolean {
  return upstream === undefined || upstream.fallback === "solo";
}

/** Where the ledger of a configuration is. Throws `Fault("ledger-address")`. */
export function ledgerAddressOf({ config, folder }: Pick<LoadedConfig, "config" | "folder">): LedgerAddress {
  const named = config.ledger.database;
  const database = named === undefined || /^[a-z]+:/i.test(named) ? named : absolute(named, folder);
  return ledgerAddress(database, absolute(config.stratum_v2.data_dir, folder));
}

/**
 * Chains, and where their plugins are looked for. Plugins and their keys are checked when they are loaded. Throws `Fault("config-invalid")` for a chain
 * that goes by Bitcoin's name: the ledger would take its blocks and its coins for bitcoins.
 */
export function mergeSettingsOf({ config, file, folder }: LoadedConfig): MergeSettings {
  const { plugins_dir } = config.merge_mining;
  const chains = chainsOf(config);
  if (chains.some(({ name }) => name === BITCOIN)) {
    const key = BITCOIN in config.chains ? `chains.${BITCOIN}` : "stratum_v2.secondary_chains";
    const cause = new Error(`${BITCOIN} is the parent chain's own name, expected another one`);
    throw new Fault("config-invalid", { file, key }, { cause });
  }
  const beside = dirname(PACKAGE_FOLDER);
  const npm = [folder, process.cwd(), PACKAGE_FOLDER].map((at) => join(at, "node_modules"));
  return {
    file,
    folder,
    chains,
    plugins: {
      builtIn: join(PACKAGE_FOLDER, "plugins"),
      compiled: join(PACKAGE_FOLDER, "dist/plugins"),
      pluginsDir: plugins_dir === undefined ? undefined : absolute(plugins_dir, folder),
      // An installed package has its siblings around it.
      npm: [...new Set(basename(beside) === "node_modules" ? [...npm, beside] : npm)],
    },
  };
}

/** Where the control API listens; `undefined` when it is off. Throws `Fault` `config-control-token` or `config-listen-address`. */
export function controlOf({ config, file, folder }: LoadedConfig): ControlSettings | undefined {
  const { enabled, listen, token_file } = config.control;
  if (!enabled) return undefined;
  if (listen === undefined) {
    if (token_file !== undefined) throw new Fault("config-control-token", { file });
    return { kind: "socket", path: join(absolute(config.stratum_v2.data_dir, folder), "control.sock") };
  }
  if (token_file === undefined) throw new Fault("config-control-token", { file });
  return { kind: "tcp", address: parseHostPort(listen), tokenFile: absolute(token_file, folder) };
}

/** Bytes of a coinbase that are kept free for a channel's own payout; 0 where all blocks pay the pool. */
export function payoutReserveOf({ bitcoin }: Config): number {
  return bitcoin.coinbase_pays === "pool" ? 0 : MAX_DIRECT_OUTPUT;
}

/** The scriptPubKey of `bitcoin.payout`. Throws `Fault` `config-no-payout`, or `config-invalid` with what is wrong as cause. */
export function payoutScriptOf({ config, file }: LoadedConfig): Uint8Array {
  const { network, payout } = config.bitcoin;
  if (payout === undefined) throw new Fault("config-no-payout", { file });
  return named(file, "bitcoin.payout", () => scriptOfDescriptor(payout, network));
}

/**
 * The bytes of `bitcoin.pool_tag`. Throws `Fault("config-invalid")` when it leaves other parts of a coinbase no room, the
 * commitment of `chains` included.
 */
export function tagOf(bitcoin: Config["bitcoin"], chains: readonly ChainSettings[], file?: string): Uint8Array {
  const tag = utf8(bitcoin.pool_tag);
  // Chains that rest may be enabled while mining.
  named(file, "bitcoin.pool_tag", () => checkCoinbaseFits({ tag, mergeMining: chains.length > 0 }));
  return tag;
}

/** The nodes of `[[bitcoind]]`. Throws `Fault` `config-no-node`, `config-node-credentials` or `config-node-twice`. */
export function nodesOf({ config, file, folder }: LoadedConfig): readonly NodeSettings[] {
  if (config.bitcoind.length === 0) throw new Fault("config-no-node", { file });
  const nodes = config.bitcoind.map((node, index) =>
    named(file, `bitcoind.${index}`, () => ({
      name: node.name,
      url: node.url,
      credentials: credentialsOf(node, folder),
      zmqAddress: node.zmq_hashblock,
    })),
  );
  // Answers to blocks and metrics are kept by name.
  const names = nodes.map(({ name, url }) => name ?? url);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Fault("config-node-twice", { file, node: withoutCredentials(twice) });
  return nodes;
}

/** The JSON-RPC of `[bllvm]`. Throws `Fault("config-node-credentials")`. */
export function bllvmRpcOf({ config: { bllvm }, folder }: LoadedConfig): NodeSettings | undefined {
  const { rpc_url: url } = bllvm;
  if (url === undefined) return undefined;
  return { name: "bllvm rpc", url, credentials: credentialsOf({ ...bllvm, url }, folder), zmqAddress: undefined };
}

/** Reads a value and, when that fails, says which key it was. */
function named<T>(file: string | undefined, key: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Fault("config-invalid", { file, key }, { cause });
  }
}

/** Takes `host:port` or `[host]:port` apart, which the schema has checked. Throws `Fault("config-listen-address")`. */
export function parseHostPort(text: string): HostPort {
  const at = text.lastIndexOf(":");
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  const digits = text.slice(at + 1);
  const port = Number(digits);
  if (at < 1 || !/^\d+$/.test(digits) || port > 65_535) throw new Fault("config-listen-address", { address: text });
  return { host, port };
}

/** Keys that say who we are to a node. */
type Login = Pick<Config["bitcoind"][number], "url" | "user" | "password" | "password_file"> &
  Partial<Pick<Config["bitcoind"][number], "cookie_file">>;

function credentialsOf(node: Login, folder: string): Credentials {
  const given = [node.cookie_file, node.password, node.password_file].filter((value) => value !== undefined);
  if (given.length > 1) throw new Fault("config-node-credentials", { url: withoutCredentials(node.url) });
  if (node.cookie_file !== undefined) return { kind: "cookie", path: absolute(node.cookie_file, folder) };
  const user = node.user ?? "";
  if (node.password_file !== undefined)
    return { kind: "passwordFile", user, path: absolute(node.password_file, folder) };
  if (node.password !== undefined) return { kind: "password", user, password: node.password };
  return { kind: "none" };
}

/** `path` as an absolute one: `~` is the home folder, the rest starts at `folder`. */
export function absolute(path: string, folder: string): string {
  if (path === "~" || path.startsWith("~/")) return join(homedir(), path.slice(1));
  return isAbsolute(path) ? path : resolve(folder, path);
}
