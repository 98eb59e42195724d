/** Checks a chain's table against its plugin's schema, and says in words what is wrong with it. */
import { Fault } from "../kernel/fault.ts";
import { configMistakes } from "../merge/config-mistakes.ts";
import type { ChainPlugin, ChainPolicy } from "../merge/plugin.ts";
import { type ChainSettings, HOST_KEYS, POLICY_DEFAULTS } from "./chain-settings.ts";

/**
 * The chain's configuration as its plugin wants it. Throws `Fault("config-invalid")`, whose cause has a line for each mistake:
 * `config.toml: chains.namecoin.dameons: unknown key; did you mean "daemons"?`. `file` is what messages call the file.
 */
export function chainConfig({ name, table }: ChainSettings, plugin: ChainPlugin, file: string | undefined): unknown {
  const refuse = (lines: readonly string[]): Fault => {
    const at = file === undefined ? "" : `${file}: `;
    return new Fault(
      "config-invalid",
      { file, chain: name, plugin: plugin.name },
      { cause: new Error(`\n${lines.map((line) => `  ${at}chains.${name}${line}`).join("\n")}`) },
    );
  };
  let result: ReturnType<ChainPlugin["config"]["safeParse"]>;
  try {
    result = plugin.config.safeParse(table);
  } catch (cause) {
    throw new Fault("config-chain-refused", { chain: name, plugin: plugin.name }, { cause });
  }
  if (result.success) return result.data;
  const lines = configMistakes(result.error, table, plugin.config, HOST_KEYS);
  throw refuse(lines.map((line) => (line.startsWith(":") ? line : `.${line}`)));
}

/** How the core treats the chain: the operator's word, else the plugin's, else ours. */
export function chainPolicy(settings: ChainSettings, plugin: ChainPlugin): ChainPolicy {
  return { ...POLICY_DEFAULTS, ...plugin.defaults, ...settings.policy };
}
