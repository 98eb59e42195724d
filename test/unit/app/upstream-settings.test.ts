import { describe, expect, test } from "vitest";
import { clientIdentityOf } from "../../../src/app/client-identity.ts";
import { parseConfig } from "../../../src/app/config/load.ts";
import { minesOwnTemplates, type Settings, settingsOf } from "../../../src/app/settings.ts";
import { poolLines, poolModeWords } from "../../../src/app/upstream-words.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";

const KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const USER = '[upstream]\nuser = "account.farm"\n';
const MAIN = '[[pools]]\nname = "main"\nurl = "stratum2+tcp://pool.example.com:3333"\n';
const SECOND = '[[pools]]\nurl = "stratum2+tls://[2001:db8::1]:3334"\nuser = "other"\n';
const CHAINS = '[chains.namecoin]\n[chains.rsk]\nenabled = false\n[chains.elastos]\nplugin = "auxpow"\n';

function settings(text: string, as?: "module"): Settings {
  return settingsOf({ config: parseConfig(text, "config.toml"), file: "config.toml", folder: "/etc/pool" }, as);
}

function fault(text: string): Fault {
  try {
    settings(text);
  } catch (error) {
    if (error instanceof Fault) return error;
  }
  throw new Error("the settings were accepted");
}

describe("pool mode's settings", () => {
  test("our certificate for pools starts at the configuration's folder, and half of one is refused", () => {
    const [chain, key] = ['client_certificate_file = "a.pem"\n', 'client_key_file = "/b.pem"\n'];
    expect(clientIdentityOf(settings(USER + chain + key + MAIN))).toEqual({ chain: "/etc/pool/a.pem", key: "/b.pem" });
    expect(clientIdentityOf(settings(USER + MAIN))).toBeUndefined();
    expect(fault(USER + chain + MAIN)).toMatchObject({ data: { key: "upstream.client_key_file" } });
    expect(fault(USER + key + MAIN)).toMatchObject({ data: { key: "upstream.client_certificate_file" } });
  });

  test("pools need neither a node nor a payout", () => {
    const { upstream, nodes, payoutScript } = settings(USER + MAIN + SECOND);
    expect(upstream?.pools.map(({ name, userIdentity }) => [name, userIdentity])).toEqual([
      ["main", "account.farm"],
      ["[2001:db8::1]:3334", "other"],
    ]);
    expect(upstream).toMatchObject({
      channels: "aggregated",
      rollableBytes: 8,
      workerNames: true,
      fallback: "none",
      failbackMs: 120_000,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 180_000,
    });
    expect(nodes).toEqual([]);
    expect(payoutScript).toBeUndefined();
  });

  test("pool_url is the first of them, also in the form of the seed", () => {
    const text = `[stratum_v2]\npool_url = "stratum+tcp://pool.example.com:3334/${KEY}"\n${USER}${MAIN}`;
    const [first, second] = settings(text).upstream?.pools ?? [];
    expect(first).toMatchObject({ name: "pool.example.com:3334", url: `stratum+tcp://pool.example.com:3334/${KEY}` });
    expect(first?.address).toMatchObject({ transport: "tcp", host: "pool.example.com", port: 3334 });
    expect(second?.name).toBe("main");
  });

  test("without pools there is no pool mode", () => {
    const text = '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n[[bitcoind]]\nurl = "http://a:1"\n';
    expect(settings(text).upstream).toBeUndefined();
    expect(minesOwnTemplates(settings(text))).toBe(true);
    expect(minesOwnTemplates(settings(USER + MAIN))).toBe(false);
  });

  test("a pool has to know whom it credits, and the fault names the key", () => {
    const nobody = fault(MAIN);
    expect(nobody.code).toBe("config-no-pool-user");
    expect(inWords(nobody)).toContain("pool main");
    expect(nobody.help).toContain("upstream.user");
  });

  test("pools are told apart by their names", () => {
    const twice = fault(USER + MAIN + MAIN);
    expect(twice.code).toBe("config-pool-twice");
    expect(inWords(twice)).toContain("pool main");
    const solo = fault(`${USER}[[pools]]\nname = "solo"\nurl = "tcp://a:1"\n`);
    expect(inWords(solo)).toMatch(/key pools\.0\.name.*own templates/);
  });

  test("an address that cannot be read names its key", () => {
    expect(inWords(fault(`${USER}${MAIN}[[pools]]\nurl = "https://pool.example.com"\n`))).toMatch(
      /key pools\.1\.url.*its form/,
    );
    expect(inWords(fault(`[stratum_v2]\npool_url = "pool"\n${USER}`))).toMatch(/key stratum_v2\.pool_url/);
  });

  test("solo as last resort needs what solo needs", () => {
    const text = `[upstream]\nuser = "a"\nfallback = "solo"\n${MAIN}`;
    expect(fault(text).code).toBe("config-no-payout");
    const payout = '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n';
    expect(fault(text + payout).code).toBe("config-no-node");
    const whole = settings(`${text}${payout}[[bitcoind]]\nurl = "http://127.0.0.1:8332"\n`);
    expect(minesOwnTemplates(whole)).toBe(true);
    expect(whole.nodes).toHaveLength(1);
    expect(settings(text + payout, "module").nodes).toEqual([]);
  });
});

describe("what is said at start", () => {
  const words = (text: string) => poolModeWords(settings(text)).map(({ level, message }) => `${level}: ${message}`);

  test("that the pool owns the coinbase, and which chains therefore rest", () => {
    const [first, second, ...more] = words(USER + MAIN + SECOND + CHAINS);
    expect(first).toMatch(
      /^info: pool mode: jobs come from main, then \[2001:db8::1\]:3334; the pool owns the coinbase/,
    );
    expect(second).toMatch(/^warn: namecoin, elastos rest: .*fallback = "solo"/);
    expect(more).toEqual([]);
    const { chains } = settings(USER + MAIN + CHAINS);
    const because = "the pool owns the coinbase, and there is no solo fallback";
    expect(chains.map(({ name, enabled, restsBecause }) => [name, enabled, restsBecause])).toEqual([
      ["namecoin", false, because],
      ["rsk", false, "chains.rsk.enabled is false"],
      ["elastos", false, because],
    ]);
  });

  test("when they are mined where own templates are the last resort, and what coinbase_pays is worth", () => {
    const text = `[upstream]\nuser = "a"\nfallback = "solo"\n${MAIN}[chains.namecoin]\n[[bitcoind]]\nurl = "http://a:1"
[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\ncoinbase_pays = "identity"\n`;
    expect(words(text).slice(1)).toEqual([
      "info: namecoin rests while a pool is mined for, and is mined with own templates",
      'info: coinbase_pays = "identity" holds for own templates; a pool pays `user`',
    ]);
    expect(settings(text).chains[0]?.enabled).toBe(true);
  });

  test("nothing without pools", () => {
    const text = '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n[[bitcoind]]\nurl = "http://a:1"\n';
    expect(words(text)).toEqual([]);
  });
});

test("the lines of `status` name each pool and what keeps it away", () => {
  const pool = { url: "", trouble: undefined, retryInMs: undefined, connection: undefined };
  expect(
    poolLines({
      miningFor: "second",
      forMs: 65_000,
      pools: [
        { ...pool, name: "main", state: "waiting", trouble: "ECONNREFUSED", retryInMs: 11_200 },
        { ...pool, name: "second", state: "mining", trouble: "an old story" },
        { ...pool, name: "third", state: "resting" },
      ],
    }),
  ).toEqual([
    "mining for second, for 1 min",
    "main  does not work, tried again in 12 s; the last time: ECONNREFUSED",
    "second  is mined for",
    "third  is not needed",
  ]);
  expect(poolLines({ miningFor: undefined, forMs: 0, pools: [] })).toEqual([
    expect.stringMatching(/^no pool works, for/),
  ]);
  expect(poolLines(undefined)).toEqual([]);
});
