/** Rules about a plugin's configuration. */
import { describe } from "../../kernel/fault.ts";
import type { ChainPlugin } from "../../merge/plugin.ts";
import { type Bench, issuesText, Session } from "../bench.ts";
import { Broken } from "../broken.ts";
import type { Stage } from "../rehearsal.ts";
import type { Rule } from "./rule.ts";

/** A key that no plugin has. */
const STRANGE_KEY = "kit_unknown_key";
/** Keys that may hold a secret; `url` may carry `user:password@`. */
const SECRET_KEY = /password|secret|token|_key$|^url$/;
/** What a mistake in a plugin sounds like, unlike a sentence for an operator. */
const ACCIDENT = /is not a function|Cannot read propert|is not defined|is not iterable|undefined \(reading/;

/** The rules, in the order in which they are checked. */
export const CONFIG_RULES: readonly Rule[] = [
  {
    id: "config-accepts",
    says: "the schema accepts a right configuration",
    advice: "Mend the schema, or the config of the rehearsal.",
    check: (bench: Bench) => bench.stage(async (stage) => void bench.parsed(stage)),
  },
  {
    id: "config-strict",
    says: "a misspelt key is refused, and named",
    advice: "Use z.strictObject, also for tables within the table.",
    check: (bench: Bench) =>
      bench.stage(async (stage) => {
        bench.parsed(stage);
        for (const [place, config] of withStrangeKeys(stage.config)) {
          const result = bench.plugin.config.safeParse(config);
          if (result.success) throw new Broken("config-strict", `an unknown key in ${place} is taken without a word`);
          if (!issuesText(result.error).includes(STRANGE_KEY)) {
            throw new Broken(
              "config-strict",
              `the error about an unknown key in ${place} does not name it: ${issuesText(result.error)}`,
            );
          }
        }
      }),
  },
  {
    id: "config-refuses",
    says: "configurations that cannot work are refused, with a sentence for the operator",
    advice:
      "Check each key in the schema, and what depends on several of them in open; throw an Error that names key and fix.",
    check: (bench: Bench) =>
      bench.stage(async (stage) => {
        const wrong: readonly unknown[] = [undefined, null, "text", 5, [], ...(stage.badConfigs ?? [])];
        for (const config of wrong) refused(bench, stage, config);
      }),
  },
  {
    id: "config-secret-keys",
    says: "keys that hold secrets are named so that the server does not print them",
    advice: "Name them password, secret, token or something that ends with _key.",
    check: (bench: Bench) =>
      bench.stage(async (stage) => {
        const bare = [...leaves(stage.config)].find(
          ([key, value]) => stage.secrets.some((secret) => String(value).includes(secret)) && !SECRET_KEY.test(key),
        );
        if (bare !== undefined) throw new Broken("config-secret-keys", `the key ${bare[0]} holds a secret`);
      }),
  },
];

function refused(bench: Bench, stage: Stage, config: unknown): void {
  const shown = JSON.stringify(config) ?? String(config);
  let result: ReturnType<ChainPlugin["config"]["safeParse"]>;
  try {
    result = bench.plugin.config.safeParse(config);
  } catch (error) {
    throw new Broken("config-refuses", `the schema throws at ${shown}: ${describe(error)}`);
  }
  if (!result.success) {
    bench.witness.hear("an error of the schema", result.error);
    return;
  }
  try {
    new Session(bench, stage, result.data).abort();
  } catch (error) {
    const sentence = error instanceof Broken && error.cause !== undefined ? describe(error.cause) : describe(error);
    if (sentence.trim().length >= 10 && !ACCIDENT.test(sentence)) return;
    throw new Broken("config-refuses", `open threw no sentence for an operator at ${shown}: ${sentence}`);
  }
  throw new Broken("config-refuses", `it is accepted: ${shown}`);
}

/** `config` with a strange key in each table in turn. */
function* withStrangeKeys(config: unknown, place = "the table"): Generator<[place: string, config: unknown]> {
  if (Array.isArray(config)) {
    for (const [i, each] of config.entries()) {
      for (const [where, changed] of withStrangeKeys(each, `${place}[${i}]`)) yield [where, config.with(i, changed)];
    }
  } else if (typeof config === "object" && config !== null) {
    yield [place, { ...config, [STRANGE_KEY]: 1 }];
    for (const [key, value] of Object.entries(config)) {
      for (const [where, changed] of withStrangeKeys(value, key)) yield [where, { ...config, [key]: changed }];
    }
  }
}

function* leaves(config: unknown, key = ""): Generator<[key: string, value: unknown]> {
  if (typeof config !== "object" || config === null) return yield [key, config];
  for (const [name, value] of Object.entries(config)) yield* leaves(value, Array.isArray(config) ? key : name);
}
