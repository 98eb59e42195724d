/** Checks a chain's table against its plugin's schema, and says in words what is wrong with it. */
import { Fault } from "../kernel/fault.ts";
import { configMistakes } from "../merge/config-mistakes.ts";
import type { ChainPlugin, ChainPolicy } from "../merge/plugin.ts";
import { type ChainSettings, HOST_KEYS, POLICY_DEFAULTS } from "./chain-settings.ts";

/**
 * The chain's configuration as its plugin wants it, made anew at each call: what a plugin does to its own harms no later start. Throws `Fault("config-invalid")`, whose cause has a line for each mistake:
 * `config.toml: chains.namecoin.dameons: unknown key; did you mean "daemons"?`. `file` is what messages call the file.
 */
export function chainConfig(settings: ChainSettings, plugin: ChainPlugin, file: string | undefined): unknown {
  const { name } = settings;
  const table = copyOf(settings.table);
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

/** A copy of lists and tables; dates, as TOML has them, stay what they are. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]));
}

/** How the core treats the chain: the operator's word, else the plugin's, else ours. */
export function chainPolicy(settings: ChainSettings, plugin: ChainPlugin): ChainPolicy {
  return { ...POLICY_DEFAULTS, ...plugin.defaults, ...settings.policy };
}
