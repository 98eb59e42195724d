import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configSchema } from "../../../src/app/config/schema.ts";
import { checkDataNetwork, claimDataNetwork } from "../../../src/app/data-network.ts";
import { ledgerOf } from "../../../src/app/ledger-of.ts";
import { silentLog } from "../../../src/kernel/log.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-network-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a data folder", () => {
  test("is the network's that first started on it, and no other's", async () => {
    const dataDir = join(folder, "data");
    expect(await checkDataNetwork(dataDir, "mainnet")).toBe("nobody's");
    await claimDataNetwork(dataDir, "testnet", silentLog);
    await claimDataNetwork(dataDir, "testnet", silentLog);
    expect(readFileSync(join(dataDir, "network"), "utf8")).toBe("testnet\n");
    await expect(claimDataNetwork(dataDir, "mainnet", silentLog)).rejects.toMatchObject({
      code: "config-data-network",
      data: { was: "testnet", network: "mainnet" },
    });
    expect(readFileSync(join(dataDir, "network"), "utf8")).toBe("testnet\n");
  });

  test("of a trial on testnet is not paid out in bitcoins", async () => {
    const config = configSchema.parse({ stratum_v2: { data_dir: "data" }, bitcoin: { network: "mainnet" } });
    await claimDataNetwork(join(folder, "data"), "testnet", silentLog);
    await expect(ledgerOf({ config, folder }, { create: true })).rejects.toMatchObject({ code: "config-data-network" });
  });

  test("that cannot be marked stops no server", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const lines: string[] = [];
    await claimDataNetwork(join(file, "data"), "mainnet", { ...silentLog, warn: (line) => void lines.push(line) });
    expect(lines[0]).toContain("cannot be marked as a folder of mainnet");
  });
});
