import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { renderExample } from "../../../../src/app/config/example.ts";
import { parseConfig } from "../../../../src/app/config/load.ts";
import { configSchema, SECTIONS } from "../../../../src/app/config/schema.ts";
import { describe as inWords } from "../../../../src/kernel/fault.ts";

function messageOf(text: string): string {
  try {
    parseConfig(text, "config.toml");
  } catch (error) {
    return inWords(error);
  }
  throw new Error("the configuration was accepted");
}

describe("configuration", () => {
  test("the seed's file is accepted word for word", () => {
    const config = parseConfig(
      '[stratum_v2]\n# Enable/disable module\nenabled = true\nlisten_addr = "0.0.0.0:3333"\npool_url = "stratum+tcp://pool.example.com:3333"\n',
      "config.toml",
    );
    expect(config.stratum_v2).toMatchObject({
      enabled: true,
      listen_addr: "0.0.0.0:3333",
      pool_url: "stratum+tcp://pool.example.com:3333",
    });
  });

  test("an empty file means the seed's defaults", () => {
    const config = parseConfig("", "config.toml");
    expect(config.stratum_v2.enabled).toBe(true);
    expect(config.stratum_v2.listen_addr).toBe("0.0.0.0:3333");
    expect(config.stratum_v2.pool_url).toBeUndefined();
    expect(config.bitcoind).toEqual([]);
  });

  test("a misspelt key is named with the file and the key that was meant", () => {
    expect(messageOf('[stratum_v2]\nlisten_adr = "0.0.0.0:1"\n')).toContain(
      'config.toml: stratum_v2.listen_adr: unknown key; did you mean "listen_addr"?',
    );
    expect(messageOf("[stratum_v3]\n")).toContain('config.toml: stratum_v3: unknown key; did you mean "stratum_v2"?');
    expect(messageOf("[bitcoin]\nzzzzzzzzz = 1\n")).toContain(
      "known keys are network, payout, coinbase_pays, pool_tag",
    );
  });

  test("every mistake is listed, with what stands there and what was expected", () => {
    const message = messageOf(
      '[stratum_v2]\nenabled = "yes"\nlisten_addr = "3333"\nserver_id = 256\n[bitcoin]\nnetwork = "mainet"\n[[bitcoind]]\nuser = "u"\n',
    );
    expect(message).toContain('stratum_v2.enabled: is "yes"; expected a boolean');
    expect(message).toContain('stratum_v2.listen_addr: is "3333"; expected host:port');
    expect(message).toContain("stratum_v2.server_id: is 256; expected at most 255");
    expect(message).toContain('bitcoin.network: is "mainet"; expected one of "mainnet"');
    expect(message).toContain("bitcoind.0.url: is missing; expected a string");
  });

  test("a password of the wrong type never reaches the message", () => {
    const message = messageOf('[[bitcoind]]\nurl = "http://127.0.0.1:8332"\npassword = 12345678\n');
    expect(message).toContain("bitcoind.0.password: has a bad value; expected a string");
    expect(message).not.toContain("12345678");
  });

  test("broken TOML is reported with its line", () => {
    expect(messageOf("[stratum_v2]\nlisten_addr = 0.0.0.0\n")).toMatch(
      /the configuration file is not valid TOML \(file config\.toml, line 2/,
    );
  });

  test("the example parses, and uncommenting every line still parses", () => {
    expect(configSchema.safeParse(parse(renderExample())).success).toBe(true);
    const all = renderExample().replaceAll(/^# ([a-z_]+ = |\[[^ ]*\]$)/gm, "$1");
    const parsed = configSchema.parse(parse(all));
    expect(parsed.limits.connections).toBe(20_000);
    expect(parsed.vardiff.max_difficulty).toBe(1e15);
  });

  test("the example shows every key of every section", () => {
    const example = renderExample();
    for (const [name, row] of Object.entries(SECTIONS)) {
      const head = { table: `[${name}]`, array: `[[${name}]]`, named: `[${name}.` }[row.kind];
      expect(example).toContain(head);
      for (const key of Object.keys(row.keys)) expect(example).toMatch(new RegExp(`^(# )?${key} = `, "m"));
    }
  });
});
