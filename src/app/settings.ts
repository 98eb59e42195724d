/** From what the operator wrote to what the parts take: paths made absolute, scripts and numbers decoded, conflicts named. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { scriptOfDescriptor } from "../bitcoin/descriptor.ts";
import type { NetworkName } from "../bitcoin/network.ts";
import { withoutCredentials } from "../daemon/address.ts";
import type { Credentials } from "../daemon/credentials.ts";
import { utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import { checkCoinbaseFits } from "../mining/job.ts";
import type { LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";

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

/** Checked values that are not just copied from the configuration. */
export interface Settings {
  readonly config: Config;
  readonly network: NetworkName;
  readonly listen: HostPort;
  /** Absolute. */
  readonly dataDir: string;
  /** scriptPubKey that is paid. */
  readonly payoutScript: Uint8Array;
  readonly tag: Uint8Array;
  readonly versionRollingMask: number;
  readonly nodes: readonly NodeSettings[];
}

/** Checks what the schema cannot. Throws `Fault` `config-*`; the cause says what is wrong with the value. */
export function settingsOf(loaded: LoadedConfig): Settings {
  const { config, file, folder } = loaded;
  if (config.stratum_v2.pool_url !== undefined) throw new Fault("config-pool-mode", { file });
  return {
    config,
    network: config.bitcoin.network,
    listen: parseHostPort(config.stratum_v2.listen_addr),
    dataDir: absolute(config.stratum_v2.data_dir, folder),
    payoutScript: payoutScriptOf(loaded),
    tag: tagOf(config.bitcoin, file),
    versionRollingMask: Number(config.jobs.version_rolling_mask),
    nodes: nodesOf(loaded),
  };
}

/** The scriptPubKey of `bitcoin.payout`. Throws `Fault` `config-no-payout`, or `config-invalid` with what is wrong as cause. */
export function payoutScriptOf({ config, file }: LoadedConfig): Uint8Array {
  const { network, payout } = config.bitcoin;
  if (payout === undefined) throw new Fault("config-no-payout", { file });
  return named(file, "bitcoin.payout", () => scriptOfDescriptor(payout, network));
}

/** The bytes of `bitcoin.pool_tag`. Throws `Fault("config-invalid")` when it leaves other parts of a coinbase no room. */
export function tagOf(bitcoin: Config["bitcoin"], file?: string): Uint8Array {
  const tag = utf8(bitcoin.pool_tag);
  named(file, "bitcoin.pool_tag", () => checkCoinbaseFits({ tag }));
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

function credentialsOf(node: Config["bitcoind"][number], folder: string): Credentials {
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
