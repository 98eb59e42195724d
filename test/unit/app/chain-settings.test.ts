import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/app/config/load.ts";
import { controlOf, mergeSettingsOf, settingsOf } from "../../../src/app/settings.ts";
import { describe as inWords } from "../../../src/kernel/fault.ts";

function loaded(text: string) {
  return { config: parseConfig(text, "config.toml"), file: "/etc/pool/config.toml", folder: "/etc/pool" };
}

function mined(text: string): string[] {
  const { chains } = mergeSettingsOf(loaded(text));
  return chains.filter(({ enabled }) => enabled).map(({ name }) => name);
}

const TABLES =
  '[chains.namecoin]\npayout_address = "N"\n[chains.rsk]\nenabled = false\n[chains.mine]\nplugin = "auxpow"\n';

describe("which chains are mined", () => {
  test("the seed's configuration: exactly the chains that it lists", () => {
    const seed = '[stratum_v2]\nmerge_mining_enabled = true\nsecondary_chains = ["rsk", "namecoin"]\n';
    expect(mined(seed)).toEqual(["rsk", "namecoin"]);
    expect(mergeSettingsOf(loaded(seed)).chains[0]).toEqual({
      name: "rsk",
      plugin: "rsk",
      enabled: true,
      policy: {},
      table: {},
    });
  });

  test("without a list every chain whose table is not disabled", () => {
    expect(mined(TABLES)).toEqual(["namecoin", "mine"]);
    expect(mined("")).toEqual([]);
  });

  test("with a list the tables of others rest, and say why", () => {
    const text = `[stratum_v2]\nsecondary_chains = ["namecoin"]\n${TABLES}`;
    expect(mined(text)).toEqual(["namecoin"]);
    const { chains } = mergeSettingsOf(loaded(text));
    expect(chains.map(({ name, restsBecause }) => [name, restsBecause])).toEqual([
      ["namecoin", undefined],
      ["rsk", "stratum_v2.secondary_chains does not name it"],
      ["mine", "stratum_v2.secondary_chains does not name it"],
    ]);
  });

  test("an empty list and merge_mining_enabled = false mean Bitcoin alone", () => {
    expect(mined(`[stratum_v2]\nsecondary_chains = []\n${TABLES}`)).toEqual([]);
    const off = `[stratum_v2]\nmerge_mining_enabled = false\nsecondary_chains = ["namecoin"]\n${TABLES}`;
    expect(mined(off)).toEqual([]);
    expect(mergeSettingsOf(loaded(off)).chains[0]?.restsBecause).toBe("stratum_v2.merge_mining_enabled is false");
  });

  test("the host's keys become a policy, all others are the plugin's", () => {
    const [chain] = mergeSettingsOf(
      loaded('[chains.x]\nplugin = "auxpow"\nupdate = 2\nmin_interval_s = 0.5\nexpiry_s = 90\nurl = "http://h"\n'),
    ).chains;
    expect(chain).toMatchObject({
      plugin: "auxpow",
      policy: { update: 2, minIntervalMs: 500, expiryMs: 90_000 },
      table: { url: "http://h" },
    });
  });

  test.each([
    ['[stratum_v2]\nsecondary_chains = ["Namecoin"]\n', 'secondary_chains.0: is "Namecoin"; expected a name of a-z'],
    ['[stratum_v2]\nsecondary_chains = ["rsk", "rsk"]\n', "expected each chain once"],
    ["[chains.NMC]\n", "chains.NMC: is {}; expected a name of a-z"],
    ["[chains.x]\nupdate = 3\n", "chains.x.update: is 3; expected 0, 1 or 2"],
    ['[chains.x]\nenabled = "no"\n', 'chains.x.enabled: is "no"; expected a boolean'],
  ])("%j is a mistake that is named", (text, says) => {
    let said = "";
    try {
      loaded(text);
    } catch (error) {
      said = inWords(error);
    }
    expect(said).toContain(says);
  });

  test("plugins are looked for in the package, in plugins_dir and in node_modules around the configuration", () => {
    const { plugins } = mergeSettingsOf(loaded('[merge_mining]\nplugins_dir = "my plugins"\n'));
    expect(plugins.pluginsDir).toBe("/etc/pool/my plugins");
    expect(plugins.npm).toContain("/etc/pool/node_modules");
    expect(plugins.builtIn).toMatch(/\/plugins$/);
    expect(mergeSettingsOf(loaded("")).plugins.pluginsDir).toBeUndefined();
  });
});

describe("the coinbase", () => {
  test("a tag that leaves no room for a commitment is refused when there are chains, also resting ones", () => {
    const base = '[[bitcoind]]\nurl = "http://h:1"\n[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n';
    const long = `${base}pool_tag = "${"x".repeat(40)}"\n`;
    expect(() => settingsOf(loaded(long))).not.toThrow();
    expect(() => settingsOf(loaded(`${long}[chains.x]\nenabled = false\n`))).toThrow(/bitcoin\.pool_tag/);
  });
});

describe("where the control API listens", () => {
  test("a socket in data_dir unless told otherwise; off when disabled", () => {
    expect(controlOf(loaded(""))).toEqual({ kind: "socket", path: "/etc/pool/data/control.sock" });
    expect(controlOf(loaded("[control]\nenabled = false\n"))).toBeUndefined();
    expect(controlOf(loaded('[control]\nlisten = "127.0.0.1:3380"\ntoken_file = "token"\n'))).toEqual({
      kind: "tcp",
      address: { host: "127.0.0.1", port: 3380 },
      tokenFile: "/etc/pool/token",
    });
  });

  test.each(['[control]\nlisten = "127.0.0.1:3380"\n', '[control]\ntoken_file = "token"\n'])(
    "%j: an address and a token go together",
    (text) => {
      expect(() => controlOf(loaded(text))).toThrow(/go together, and one of them is missing/);
    },
  );
});
