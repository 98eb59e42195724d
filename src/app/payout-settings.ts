/** What `[rewards.NAME]` says about payouts, as their parts take it. */
import { scriptOfAddress } from "../bitcoin/address.ts";
import type { NetworkName } from "../bitcoin/network.ts";
import { withoutCredentials } from "../daemon/address.ts";
import type { Credentials } from "../daemon/credentials.ts";
import { diskFiles } from "../daemon/files.ts";
import { nodeHttpPost } from "../daemon/http.ts";
import { RpcClient } from "../daemon/rpc.ts";
import { Fault } from "../kernel/fault.ts";
import type { AddressCheck } from "../ledger/payouts/addresses.ts";
import { type Coin, unitsOf } from "../ledger/payouts/coins.ts";
import type { PlanOptions } from "../ledger/payouts/plan.ts";
import type { FeeFrom } from "../ledger/payouts/wallet.ts";
import type { LoadedConfig } from "./config/load.ts";
import { type Config, configSchema } from "./config/schema.ts";
import { commonsTerms } from "./reward-rules.ts";
import { absolute } from "./settings.ts";
import { systemClock } from "./system.ts";

/** What is paid at the least unless the operator says otherwise, in coins. */
const LEAST_COINS = "0.001";
/** An output below this is not relayed by Bitcoin Core (dust of P2PKH at the default rate), and its kin took that over. */
const CORE_DUST = 546n;
/** A wallet with many coins takes its time to choose. */
const WALLET_TIMEOUT_MS = 120_000;

type Table = Config["rewards"][string];

/** The chain's table with its defaults, also when it has none. */
export function rewardsOf({ config }: LoadedConfig, chain: string): Table {
  return config.rewards[chain] ?? configSchema.shape.rewards.unwrap().valueType.parse({});
}

/** How plans of a chain are made. Throws `Fault` `payout-amount` or `config-invalid`. */
export function planOptionsOf(
  loaded: LoadedConfig,
  chain: string,
  coin: Coin,
): Omit<PlanOptions, "createdMs"> & { readonly feeFrom: FeeFrom } {
  const { min_payment, max_payments, payout_fee_from, wallet_url } = rewardsOf(loaded, chain);
  return {
    chain,
    coin,
    least: leastOf(loaded, chain, coin, min_payment),
    dust: wallet_url === undefined ? 1n : CORE_DUST,
    maxPayments: max_payments,
    commons: commonsTerms(loaded.config),
    feeFrom: payout_fee_from,
  };
}

/** A connection to the wallet; `undefined` when none is configured. Its owner closes it. Throws `Fault` `config-node-credentials` or `node-url-invalid`. */
export function walletRpc(loaded: LoadedConfig, chain: string): RpcClient | undefined {
  const table = rewardsOf(loaded, chain);
  if (table.wallet_url === undefined) return undefined;
  const base = table.wallet_url.replace(/\/+$/, "");
  const url = table.wallet === undefined ? base : `${base}/wallet/${encodeURIComponent(table.wallet)}`;
  return new RpcClient(
    { clock: systemClock, files: diskFiles, http: nodeHttpPost },
    { name: `${chain} wallet`, url, credentials: credentialsOf(table, loaded.folder), timeoutMs: WALLET_TIMEOUT_MS },
  );
}

/** Knows Bitcoin's addresses; for other chains only their daemons do. */
export function addressCheck(network: NetworkName): AddressCheck {
  return (chain, text) => {
    if (chain !== "bitcoin") return "unknown";
    try {
      scriptOfAddress(text, network);
      return "valid";
    } catch (error) {
      if (error instanceof Fault) return "invalid";
      throw error;
    }
  };
}

function leastOf({ file }: LoadedConfig, chain: string, coin: Coin, text: string | undefined): bigint {
  if (text === undefined) return coin.decimals >= 3 ? unitsOf(LEAST_COINS, coin) : 1n;
  try {
    return unitsOf(text, coin);
  } catch (cause) {
    throw new Fault("config-invalid", { file, key: `rewards.${chain}.min_payment` }, { cause });
  }
}

function credentialsOf(table: Table, folder: string): Credentials {
  const { wallet_url = "", wallet_cookie_file, wallet_user: user = "", wallet_password, wallet_password_file } = table;
  const given = [wallet_cookie_file, wallet_password, wallet_password_file].filter((value) => value !== undefined);
  if (given.length > 1) throw new Fault("config-node-credentials", { url: withoutCredentials(wallet_url) });
  if (wallet_cookie_file !== undefined) return { kind: "cookie", path: absolute(wallet_cookie_file, folder) };
  if (wallet_password_file !== undefined) {
    return { kind: "passwordFile", user, path: absolute(wallet_password_file, folder) };
  }
  return wallet_password === undefined ? { kind: "none" } : { kind: "password", user, password: wallet_password };
}
