/** Pool mode as the operator wants it: which pools, whom they credit, and what is mined when none of them works. */
import { parseServerUrl } from "../client/url.ts";
import { Fault } from "../kernel/fault.ts";
import type { UpstreamPool } from "../upstream/pool-connection.ts";
import { parsePoolUrl } from "../upstream/pool-url.ts";
import type { LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";

/** Checked values of `pool_url`, `[[pools]]` and `[upstream]`. */
export interface UpstreamSettings {
  /** In order of preference, one at least. */
  readonly pools: readonly UpstreamPool[];
  readonly channels: "aggregated" | "per_miner";
  /** How jobs are declared to pools with a `jds`. */
  readonly declare: "full_template" | "coinbase_only";
  /** Extranonce bytes that miners of extended channels roll. */
  readonly rollableBytes: number;
  readonly workerNames: boolean;
  readonly fallback: "none" | "solo";
  readonly failbackMs: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Whether whatever is mined pays by way of a pool, so that no payout of our own is needed. */
export function isPaidByPools({ stratum_v2, pools, upstream }: Config): boolean {
  return (stratum_v2.pool_url !== undefined || pools.length > 0) && upstream.fallback === "none";
}

/** How own templates are called where pools have their names. */
export const SOLO = "solo";

/**
 * The pools above us; `undefined` when none is configured. Throws `Fault` `config-no-pool-user` or `config-pool-twice`, or `config-invalid` with
 * what is wrong as cause.
 */
export function upstreamOf({ config, file }: Pick<LoadedConfig, "config" | "file">): UpstreamSettings | undefined {
  const { upstream, stratum_v2 } = config;
  const first = stratum_v2.pool_url === undefined ? [] : [{ key: "stratum_v2.pool_url", url: stratum_v2.pool_url }];
  const rows: readonly Row[] = [...first, ...config.pools.map((pool, i) => ({ ...pool, key: `pools.${i}.url` }))];
  if (rows.length === 0) return undefined;
  const pools = rows.map((row) => poolOf(row, upstream.user, file));
  const names = pools.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Fault("config-pool-twice", { file, pool: twice });
  checkClientCertificate(upstream, file);
  if (upstream.channels === "per_miner" && pools.some(({ jds }) => jds !== undefined)) {
    const cause = new Error("per_miner: jobs of ours are declared on one channel for everybody, expected aggregated");
    throw new Fault("config-invalid", { file, key: "upstream.channels" }, { cause });
  }
  return {
    pools,
    declare: upstream.declare,
    channels: upstream.channels,
    rollableBytes: upstream.extranonce_bytes,
    workerNames: upstream.worker_names,
    fallback: upstream.fallback,
    failbackMs: upstream.failback_s * 1000,
    connectTimeoutMs: upstream.connect_timeout_s * 1000,
    idleTimeoutMs: upstream.idle_timeout_s * 1000,
  };
}

/** Half a certificate is none. */
function checkClientCertificate(upstream: Config["upstream"], file: string | undefined): void {
  const { client_certificate_file: chain, client_key_file: key } = upstream;
  if ((chain === undefined) === (key === undefined)) return;
  const missing = key === undefined ? "client_key_file" : "client_certificate_file";
  const cause = new Error("missing: half a certificate, expected both or none");
  throw new Fault("config-invalid", { file, key: `upstream.${missing}` }, { cause });
}

/** Whether all jobs are a pool's, and no own template is ever mined. */
export function isPoolAlone({ stratum_v2, pools, upstream }: Config): boolean {
  const declares = pools.some(({ jds }) => jds !== undefined);
  return (stratum_v2.pool_url !== undefined || pools.length > 0) && upstream.fallback === "none" && !declares;
}

/** One pool as written. */
interface Row {
  /** Where its address stands. */
  readonly key: string;
  readonly url: string;
  readonly name?: string | undefined;
  readonly user?: string | undefined;
  readonly jds?: string | undefined;
}

function poolOf(
  { key, url, name, user, jds }: Row,
  common: string | undefined,
  file: string | undefined,
): UpstreamPool {
  let address: ReturnType<typeof parsePoolUrl>;
  try {
    address = parsePoolUrl(url);
  } catch (cause) {
    throw new Fault("config-invalid", { file, key }, { cause });
  }
  const { host, port } = address;
  const shown = name ?? `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (shown === SOLO) {
    const cause = new Error(`${SOLO} stands for own templates, expected another name`);
    throw new Fault("config-invalid", { file, key: key.replace(/url$/, "name") }, { cause });
  }
  const userIdentity = user ?? common;
  if (userIdentity === undefined) throw new Fault("config-no-pool-user", { file, pool: shown });
  if (jds === undefined) return { name: shown, url, address, userIdentity };
  try {
    return { name: shown, url, address, userIdentity, jds: parseServerUrl(jds) };
  } catch (cause) {
    throw new Fault("config-invalid", { file, key: key.replace(/url$/, "jds") }, { cause });
  }
}
