import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/app/config/load.ts";
import { parseHostPort, settingsOf } from "../../../src/app/settings.ts";
import { toHex } from "../../../src/kernel/bytes.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";

const NODE = '[[bitcoind]]\nurl = "http://127.0.0.1:8332"\ncookie_file = "cookie"\n';
const PAYOUT = '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n';

function settings(text: string): ReturnType<typeof settingsOf> {
  return settingsOf({ config: parseConfig(text, "config.toml"), file: "/etc/pool/config.toml", folder: "/etc/pool" });
}

function fault(text: string): Fault {
  try {
    settings(text);
  } catch (error) {
    if (error instanceof Fault) return error;
  }
  throw new Error("the settings were accepted");
}

describe("settings", () => {
  test("paths start at the file's folder, the payout becomes a script, the mask a number", () => {
    const { dataDir, payoutScript, versionRollingMask, nodes } = settings(PAYOUT + NODE);
    expect(dataDir).toBe("/etc/pool/data");
    expect(payoutScript && toHex(payoutScript)).toBe("0014751e76e8199196d454941c45d1b3a323f1433bd6");
    expect(versionRollingMask).toBe(0x1fffe000);
    expect(nodes[0]?.credentials).toEqual({ kind: "cookie", path: "/etc/pool/cookie" });
  });

  test("what cannot be started with is told by its own code", () => {
    expect(fault(NODE).code).toBe("config-no-payout");
    expect(fault(PAYOUT).code).toBe("config-no-node");
    expect(fault(PAYOUT + NODE + NODE).code).toBe("config-node-twice");
  });

  test("an address of another network names the key, the cause and the network it belongs to", () => {
    const wrong = fault(PAYOUT.replace("[bitcoin]", '[bitcoin]\nnetwork = "testnet"') + NODE);
    expect(wrong.code).toBe("config-invalid");
    expect(inWords(wrong)).toMatch(/key bitcoin\.payout.*belongsTo mainnet/);
  });

  test("two kinds of credentials for a node are refused, and its password stays out of the message", () => {
    const both = fault(`${PAYOUT}[[bitcoind]]\nurl = "http://u:hush@h:1"\ncookie_file = "c"\npassword = "hush"\n`);
    expect(inWords(both)).toContain("more than one kind of credentials");
    expect(inWords(both)).not.toContain("hush");
  });

  test.each([
    ["chains.bitcoin", '[chains.bitcoin]\nplugin = "namecoin"\n'],
    ["chains.bitcoin", '[chains.bitcoin]\nplugin = "namecoin"\nenabled = false\n'],
    ["stratum_v2.secondary_chains", '[stratum_v2]\nsecondary_chains = ["bitcoin"]\n'],
  ])("a chain by Bitcoin's name would mix two coins in one account: %s is refused", (key, table) => {
    const refused = fault(PAYOUT + NODE + table);
    expect(refused.code).toBe("config-invalid");
    expect(inWords(refused)).toContain(`key ${key}`);
    expect(inWords(refused)).toContain("the parent chain's own name");
  });

  test("work that a window may reach is kept as long", () => {
    const refused = fault(`${PAYOUT}${NODE}[ledger]\nkeep_days = 60\nmax_window_days = 61\n`);
    expect(refused.code).toBe("config-invalid");
    expect(inWords(refused)).toMatch(/key ledger\.keep_days.*work of 61 days may share a reward.*kept for 60 only/);
    expect(() => settings(`${PAYOUT}${NODE}[ledger]\nkeep_days = 60\nmax_window_days = 60\n`)).not.toThrow();
  });

  test.each([
    ["revenue_split", "[revenue_split]\nenabled = true\ncore = 61\n", "make 101, expected 100"],
    [
      "rewards.rsk",
      "[rewards.rsk]\nfee_percent = 100\n[stratum_v2.merge_mining_fee]\nenabled = true\n",
      "more than the whole",
    ],
  ])("parts of a reward that are more than all of it are refused: %s", (key, tables, words) => {
    const refused = fault(PAYOUT + NODE + tables);
    expect(refused.code).toBe("config-invalid");
    expect(inWords(refused)).toContain(`key ${key}`);
    expect(inWords(refused)).toContain(words);
  });

  test.each([
    ["0.0.0.0:3333", { host: "0.0.0.0", port: 3333 }],
    ["[::]:0", { host: "::", port: 0 }],
    ["pool.example.com:65535", { host: "pool.example.com", port: 65_535 }],
  ])("%s is an address to listen on", (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
  });

  test.each(["3333", ":3333", "host:65536", "host:"])("%j is none", (text) => {
    expect(() => parseHostPort(text)).toThrow("no address to listen on");
  });
});
