/** What the fake node makes of a config.toml: as useless as what the real one makes. */
import { expect, test } from "vitest";
import { configVariables, moduleConfig } from "../../../support/bllvm/module-config.ts";

test("a table becomes one entry of keys and values between commas, text in it keeps its quotes", () => {
  const entries = moduleConfig(
    '[stratum_v2]\nenabled = true\nlisten_addr = "0.0.0.0:3333"\nsecondary_chains = ["rsk", "namecoin"]\n',
  );
  expect(entries).toEqual({
    stratum_v2:
      'stratum_v2.enabled,true,stratum_v2.listen_addr,"0.0.0.0:3333",stratum_v2.secondary_chains,["rsk", "namecoin"]',
  });
  expect(Object.keys(configVariables(entries))).toEqual(["MODULE_CONFIG_STRATUM_V2"]);
});

test("flat keys keep dots and dashes, arrays keep their quotes", () => {
  const entries = moduleConfig('listen_addr = "a:1"\nmax-connections = 5\nlist = ["a", "b"]\n"a.b" = 1.5\n');
  expect(configVariables(entries)).toEqual({
    MODULE_CONFIG_LISTEN_ADDR: "a:1",
    "MODULE_CONFIG_MAX-CONNECTIONS": "5",
    MODULE_CONFIG_LIST: '"a","b"',
    "MODULE_CONFIG_A.B": "1.5",
  });
});

test("what is no TOML is read line by line", () => {
  expect(moduleConfig("# no\nlisten = 0.0.0.0:3333\n\nother = x = y\n")).toEqual({
    listen: "0.0.0.0:3333",
    other: "x = y",
  });
});
