/** `MODULE_CONFIG_*`: forms of names and values that blvm-node 7d6dd52 makes (`src/module/manager.rs`, `loader.rs`). */
import { describe, expect, test } from "vitest";
import { SECTIONS } from "../../../../../src/app/config/schema.ts";
import { type Overrides, overridesOf } from "../../../../../src/app/module/config/overrides.ts";

const none = { table: {}, raw: {} };

function overrides(variables: Readonly<Record<string, string>>): Overrides {
  const env = Object.fromEntries(Object.entries(variables).map(([name, text]) => [`MODULE_CONFIG_${name}`, text]));
  return overridesOf({ PATH: "/bin", ...env }, none);
}

const tableOf = (name: string, text: string): unknown => overrides({ [name]: text }).layers[0]?.table;

describe("overridesOf", () => {
  test.each(["LISTEN_ADDR", "STRATUM_V2.LISTEN_ADDR", "STRATUM_V2_LISTEN_ADDR"])("MODULE_CONFIG_%s", (name) => {
    expect(tableOf(name, "0.0.0.0:1")).toEqual({ stratum_v2: { listen_addr: "0.0.0.0:1" } });
    expect(overrides({ [name]: "0.0.0.0:1" }).layers[0]?.name).toBe(`MODULE_CONFIG_${name}`);
  });

  test.each([
    ["STRATUM_V2.ENABLED", "false", { stratum_v2: { enabled: false } }],
    ["ENABLED", "TRUE", { stratum_v2: { enabled: true } }],
    ["STRATUM_V2_SERVER_ID", "7", { stratum_v2: { server_id: 7 } }],
    ["VARDIFF.MIN_DIFFICULTY", "1e-6", { vardiff: { min_difficulty: 1e-6 } }],
    ["LEDGER.FEE_PERCENT", "1.5", { ledger: { fee_percent: 1.5 } }],
    ["STRATUM_V2.SECONDARY_CHAINS", '"rsk","namecoin"', { stratum_v2: { secondary_chains: ["rsk", "namecoin"] } }],
    ["STRATUM_V2.SECONDARY_CHAINS", '["rsk"]', { stratum_v2: { secondary_chains: ["rsk"] } }],
    ["STRATUM_V2.SECONDARY_CHAINS", "rsk, namecoin", { stratum_v2: { secondary_chains: ["rsk", "namecoin"] } }],
    ["STRATUM_V2.SECONDARY_CHAINS", "", { stratum_v2: { secondary_chains: [] } }],
    ["ACCESS.ALLOW", '"a,b","c"', { access: { allow: ["a,b", "c"] } }],
    ["ACCESS.REQUIRED_EXTENSIONS", "1,2", { access: { required_extensions: [1, 2] } }],
    ["STRATUM_V2.MERGE_MINING_FEE.ENABLED", "true", { stratum_v2: { merge_mining_fee: { enabled: true } } }],
    ["STRATUM_V2_MERGE_MINING_FEE_FEE_PERCENTAGE", "2", { stratum_v2: { merge_mining_fee: { fee_percentage: 2 } } }],
    ["BITCOIN.PAYOUT", '"addr(bc1q)"', { bitcoin: { payout: "addr(bc1q)" } }],
    ["BITCOIN.POOL_TAG", "12", { bitcoin: { pool_tag: "12" } }],
    ["CHAINS.NAMECOIN.ENABLED", "false", { chains: { namecoin: { enabled: false } } }],
    ["CHAINS.NAMECOIN.UPDATE", "2", { chains: { namecoin: { update: 2 } } }],
    ["CHAINS.NAMECOIN.POLL_S", "2", { chains: { namecoin: { poll_s: 2 } } }],
    ["REWARDS.BITCOIN.MIN_PAYMENT", "0.05", { rewards: { bitcoin: { min_payment: "0.05" } } }],
  ])("MODULE_CONFIG_%s=%s", (name, text, table) => {
    expect(tableOf(name, text)).toEqual(table);
    expect(overrides({ [name]: text }).warnings).toEqual([]);
  });

  test("what is no value of the key's type stays as it is, for the schema to refuse under the variable's name", () => {
    expect(tableOf("STRATUM_V2.ENABLED", "1")).toEqual({ stratum_v2: { enabled: "1" } });
    expect(tableOf("LIMITS.CONNECTIONS", "many")).toEqual({ limits: { connections: "many" } });
  });

  test("whole tables as one text, and what the node says beside our keys, are no overrides and no mistakes", () => {
    for (const section of Object.keys(SECTIONS)) {
      const { layers, warnings } = overrides({ [section.toUpperCase()]: `${section}.x,1` });
      expect([layers, warnings]).toEqual([[], []]);
    }
    const own = { DATABASE_BACKEND: "redb", VERSION: "1", NODE_P2P_LISTEN_IP: "::", NODE_P2P_LISTEN_PORT: "1" };
    expect(overrides(own)).toEqual({ layers: [], warnings: [] });
  });

  test("a name that is none is said, with the one that was meant", () => {
    const { layers, warnings } = overrides({ "STRATUM_V2.LISTEN_ADR": "x", SOMETHING: "x", "CHAINS.A.B.C": "x" });
    expect(layers).toEqual([]);
    expect(warnings[0]).toBe(
      "MODULE_CONFIG_STRATUM_V2.LISTEN_ADR has no effect: there is no such key; did you mean MODULE_CONFIG_STRATUM_V2.LISTEN_ADDR?",
    );
    expect(warnings).toHaveLength(3);
  });

  test("a text without end is refused before it is looked at", () => {
    const { layers, warnings } = overrides({ "ACCESS.ALLOW": '"a",'.repeat(20_000) });
    expect(layers).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  test("every key of a table has a variable of its own", () => {
    const names = Object.entries(SECTIONS).flatMap(([section, row]) =>
      row.kind === "table" ? Object.keys(row.keys).map((key) => `${section}.${key}`) : [],
    );
    const forms = names.flatMap((name) => [name.toUpperCase(), name.replaceAll(".", "_").toUpperCase()]);
    const layers = forms.map((form) => overrides({ [form]: "1" }).layers[0]?.table);
    const paths = layers.map((table) => JSON.stringify(table).replaceAll(/[^a-z0-9_.]+/g, " "));
    expect(layers.every((table) => table !== undefined)).toBe(true);
    // Two forms a key, and no form of two keys.
    expect(new Set(paths).size).toBe(names.length);
  });
});
