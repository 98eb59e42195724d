import { describe, expect, test } from "vitest";
import { type ResolvedConfig, resolveConfig } from "../../../../../src/app/module/config/resolve.ts";
import { settingsOf } from "../../../../../src/app/settings.ts";
import { Fault, describe as inWords } from "../../../../../src/kernel/fault.ts";

const MODULE = "/node/modules/bllvm-stratum-v2";
const DATA = "/node/data/bllvm-stratum-v2";

interface Given {
  readonly module?: string;
  readonly data?: string;
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string | undefined;
}

function resolved({ module, data, config, env = {}, ...rest }: Given): ResolvedConfig {
  const files: Readonly<Record<string, string | undefined>> = {
    [`${MODULE}/config.toml`]: module,
    [`${DATA}/config.toml`]: data,
    "/etc/pool/config.toml": config,
  };
  return resolveConfig({
    launch: {
      moduleFolder: MODULE,
      dataDir: "dataDir" in rest ? rest.dataDir : DATA,
      configFile: config === undefined ? undefined : "/etc/pool/config.toml",
    },
    env,
    cwd: "/somewhere",
    read: (path) => files[path],
  });
}

function messageOf(given: Given): string {
  try {
    resolved(given);
  } catch (error) {
    return inWords(error);
  }
  throw new Error("the configuration was accepted");
}

/** The file of the module's documentation, word for word. */
const SEED = `[stratum_v2]
# Enable/disable module
enabled = true

# Network listening address for Stratum V2 server
listen_addr = "0.0.0.0:3333"

# Mining pool URL (for pool mode)
pool_url = "stratum+tcp://pool.example.com:3333"
`;

describe("resolveConfig", () => {
  test("takes the documented file word for word, and the node's reading of it for what it is", () => {
    const env = {
      MODULE_CONFIG_STRATUM_V2:
        'stratum_v2.enabled,true,stratum_v2.listen_addr,"0.0.0.0:3333",stratum_v2.pool_url,"stratum+tcp://pool.example.com:3333"',
      MODULE_CONFIG_DATABASE_BACKEND: "redb",
      MODULE_CONFIG_VERSION: "0.1.0",
      MODULE_CONFIG_NODE_P2P_LISTEN_IP: "0.0.0.0",
      MODULE_CONFIG_NODE_P2P_LISTEN_PORT: "8333",
    };
    const { config, warnings, file } = resolved({ module: SEED, env });
    expect(config.stratum_v2).toMatchObject({
      enabled: true,
      listen_addr: "0.0.0.0:3333",
      pool_url: "stratum+tcp://pool.example.com:3333",
    });
    expect(warnings).toEqual([]);
    expect(file).toBe(`${MODULE}/config.toml`);
  });

  test("later sources win, key by key: module folder, data folder, --config, variables", () => {
    const given = {
      module:
        '[stratum_v2]\nlisten_addr = "a:1"\nserver_id = 1\ncert_validity_s = 1000\n[vardiff]\nshares_per_minute = 1\n',
      data: '[stratum_v2]\nlisten_addr = "b:2"\nserver_id = 2\n[limits]\nconnections = 2\n',
      config: '[stratum_v2]\nlisten_addr = "c:3"\n',
      env: { "MODULE_CONFIG_LIMITS.CONNECTIONS": "4" },
    };
    const { config, sources } = resolved(given);
    expect(config.stratum_v2).toMatchObject({ listen_addr: "c:3", server_id: 2, cert_validity_s: 1000 });
    expect(config.limits.connections).toBe(4);
    expect(config.vardiff.shares_per_minute).toBe(1);
    expect(sources).toEqual([
      `${MODULE}/config.toml`,
      `${DATA}/config.toml`,
      "/etc/pool/config.toml",
      "MODULE_CONFIG_LIMITS.CONNECTIONS",
    ]);
  });

  test("data is in the node's folder for it, never where the process was started", () => {
    const payout = '[bitcoin]\nnetwork = "regtest"\npayout = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"\n';
    for (const given of [{}, { module: SEED }, { config: payout }]) {
      expect(resolved(given).config.stratum_v2.data_dir).toBe(DATA);
    }
    expect(settingsOf(resolved({ module: payout }), "module")).toMatchObject({
      dataDir: DATA,
      control: { kind: "socket", path: `${DATA}/control.sock` },
      ledger: { kind: "sqlite" },
    });
  });

  test("a service without a data folder needs a file, whose folder its data is in", () => {
    expect(messageOf({ dataDir: undefined })).toContain("nothing says where this module keeps its data");
    const { config, folder } = resolved({ dataDir: undefined, config: "" });
    expect([config.stratum_v2.data_dir, folder]).toEqual(["data", "/etc/pool"]);
  });

  test("paths start at the folder of the file that says them", () => {
    const { config } = resolved({
      module:
        '[[bitcoind]]\nurl = "http://h:1"\ncookie_file = "a.cookie"\n[merge_mining]\nplugins_dir = "plugins"\n[ledger]\ndatabase = "l.sqlite"\n',
      data: '[control]\nlisten = "h:1"\ntoken_file = "t"\n[chains.x]\nsecret_file = "s"\ndaemons = [{ cookie_file = "d" }]\n',
      config: '[ledger]\ndatabase = "postgres://h/l"\n[bllvm]\nsocket = "node.sock"\n',
    });
    expect(config.bitcoind[0]?.cookie_file).toBe(`${MODULE}/a.cookie`);
    expect(config.merge_mining.plugins_dir).toBe(`${MODULE}/plugins`);
    expect(config.control.token_file).toBe(`${DATA}/t`);
    expect(config.chains.x).toMatchObject({ secret_file: `${DATA}/s`, daemons: [{ cookie_file: `${DATA}/d` }] });
    expect(config.ledger.database).toBe("postgres://h/l");
    expect(config.bllvm.socket).toBe("/etc/pool/node.sock");
  });

  test("a mistake names the file or the variable that it stands in", () => {
    const message = messageOf({
      module: "[stratum_v2]\nserver_id = 256\n[limits]\nconections = 1\n",
      data: '[bitcoin]\nnetwork = "mainet"\n',
      env: { MODULE_CONFIG_STRATUM_V2_ENABLED: "yes", "MODULE_CONFIG_BLLVM.PASSWORD": "hush" },
    });
    expect(message).toContain(`${MODULE}/config.toml: stratum_v2.server_id: is 256; expected at most 255`);
    expect(message).toContain(`${MODULE}/config.toml: limits.conections: unknown key; did you mean "connections"?`);
    expect(message).toContain(`${DATA}/config.toml: bitcoin.network: is "mainet"; expected one of`);
    expect(message).toContain('MODULE_CONFIG_STRATUM_V2_ENABLED: stratum_v2.enabled: is "yes"; expected a boolean');
    expect(message).not.toContain("hush");
  });

  test("a file that cannot be read or is no TOML is named", () => {
    expect(messageOf({ data: "listen = = 1\n" })).toContain(`file ${DATA}/config.toml, line 1`);
    const read = (): string => {
      throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    };
    const launch = { moduleFolder: MODULE, dataDir: DATA, configFile: undefined };
    expect(() => resolveConfig({ launch, env: {}, cwd: "/", read })).toThrow(Fault);
    const missing = { moduleFolder: undefined, dataDir: DATA, configFile: "/no/config.toml" };
    expect(() => resolveConfig({ launch: missing, env: {}, cwd: "/", read: () => undefined })).toThrow(
      "the configuration file cannot be read (file /no/config.toml)",
    );
  });

  test("--config may be one of the files that are read anyway, and then comes last", () => {
    const { sources, config } = resolveConfig({
      launch: { moduleFolder: MODULE, dataDir: DATA, configFile: `${MODULE}/config.toml` },
      env: {},
      cwd: "/",
      read: (path) => `[stratum_v2]\nserver_id = ${path.startsWith(MODULE) ? 1 : 2}\n`,
    });
    expect(sources).toEqual([`${DATA}/config.toml`, `${MODULE}/config.toml`]);
    expect(config.stratum_v2.server_id).toBe(1);
  });
});

describe("flat keys", () => {
  /** blvm-stratum-v2 e823237, src/config.rs: all of its keys. */
  const OLD = `listen_addr = "0.0.0.0:4444"
difficulty_target = 1
max_connections = 100
pool_name = "my/pool"
extra_extranonce = "abcd"
`;

  test("the file of the module before us works: what has a counterpart is taken, the rest is said", () => {
    const { config, warnings } = resolved({ module: OLD });
    expect(config.stratum_v2.listen_addr).toBe("0.0.0.0:4444");
    expect(config.limits.connections).toBe(100);
    expect(config.bitcoin.pool_tag).toBe("/my-pool/");
    expect(warnings).toHaveLength(2);
    expect(warnings.join("\n")).toMatch(/config\.toml: difficulty_target has no effect: every channel's difficulty/);
    expect(warnings.join("\n")).toMatch(/config\.toml: extra_extranonce has no effect: every channel gets/);
  });

  test("the node repeats them as variables, which neither win over later files nor warn again", () => {
    const env = {
      MODULE_CONFIG_LISTEN_ADDR: "0.0.0.0:4444",
      MODULE_CONFIG_MAX_CONNECTIONS: "100",
      MODULE_CONFIG_POOL_NAME: "my/pool",
      MODULE_CONFIG_DIFFICULTY_TARGET: "1",
    };
    const { config, warnings } = resolved({ module: OLD, data: '[stratum_v2]\nlisten_addr = "b:2"\n', env });
    expect(config.stratum_v2.listen_addr).toBe("b:2");
    expect(warnings).toHaveLength(2);
  });

  test("a key that stands in its table too is taken from there", () => {
    const { config, warnings } = resolved({ module: 'listen_addr = "a:1"\n[stratum_v2]\nlisten_addr = "b:2"\n' });
    expect(config.stratum_v2.listen_addr).toBe("b:2");
    expect(warnings[0]).toContain("listen_addr has no effect: stratum_v2.listen_addr is set too");
  });

  test("a name that does not fit a coinbase, and the node's part of [stratum_v2], are said and stop nothing", () => {
    const { config, warnings } = resolved({
      module: `pool_name = "${"n".repeat(59)}"\n[stratum_v2]\ntransport_preference = "tcponly"\np2p_stratum_demux = true\nsecondary_chains = ["rsk"]\n`,
    });
    expect(config.bitcoin.pool_tag).toBe("/bllvm-stratum-v2/");
    expect(config.stratum_v2.secondary_chains).toEqual(["rsk"]);
    expect(warnings).toHaveLength(3);
  });
});
