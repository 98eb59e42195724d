/**
 * Which network a data folder belongs to. Its journals and its ledger call the parent chain `bitcoin` on every network: a folder of a trial on
 * testnet that a server on mainnet took over would owe, and pay, its test coins in bitcoins.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NetworkName } from "../bitcoin/network.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";

/** The file that says it, one line. */
const FILE = "network";

/** Throws `Fault("config-data-network")` for a folder of another network; one that does not say whose it is may be of any. */
export async function checkDataNetwork(dataDir: string, network: NetworkName): Promise<"its" | "nobody's"> {
  const path = join(dataDir, FILE);
  const text = await readFile(path, "utf8").catch(() => "");
  const was = text.trim().slice(0, 32);
  if (was === "") return "nobody's";
  if (was !== network) throw new Fault("config-data-network", { folder: dataDir, was, network });
  return "its";
}

/**
 * As `checkDataNetwork`, and a folder that is nobody's is this network's from now on. A folder that cannot be written stops no server: the log
 * says so.
 */
export async function claimDataNetwork(dataDir: string, network: NetworkName, log: Log): Promise<void> {
  if ((await checkDataNetwork(dataDir, network)) === "its") return;
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(join(dataDir, FILE), `${network}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    log.warn(`${dataDir} cannot be marked as a folder of ${network}: ${describe(error)}`, { error });
  }
}
