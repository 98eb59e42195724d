/** Rules about how a plugin names itself. */
import { z } from "zod";
import { PLUGIN_API } from "../../merge/plugin.ts";
import { type Bench, issuesText } from "../bench.ts";
import { Broken } from "../broken.ts";
import type { Rule } from "./rule.ts";

/** A plugin's name. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

const packageJson = z.looseObject({
  name: z.string().min(1),
  version: z.string().regex(/^\d+\.\d+\.\d+/, "must be a version such as 1.0.0"),
  description: z.string().min(1),
  type: z.literal("module"),
  main: z.string().min(1),
  "bllvm-stratum-v2": z.strictObject({ plugin: z.string().regex(NAME), api: z.literal(PLUGIN_API) }),
});

const policy = z.strictObject({
  update: z.literal([0, 1, 2]).optional(),
  minIntervalMs: z.number().min(0).optional(),
  expiryMs: z.number().positive().optional(),
  prefer: z.enum(["value", "newest"]).optional(),
});

/** The rules, in the order in which they are checked. */
export const METADATA_RULES: readonly Rule[] = [
  {
    id: "module",
    says: "the module exports a plugin of this version of the contract, with a name, a coin, a schema and an open function",
    advice: "Compare the exported object with ChainPlugin in docs/plugin-contract.md, field by field.",
    check: async ({ plugin }: Bench) => {
      const say = (seen: string): never => {
        throw new Broken("module", seen);
      };
      if (typeof plugin !== "object" || plugin === null) say("the exported plugin is not an object");
      if (typeof plugin.name !== "string" || !NAME.test(plugin.name))
        say(`its name ${JSON.stringify(plugin.name)} is not 1 to 32 of a-z, 0-9 and -, beginning with a letter`);
      if (plugin.api !== PLUGIN_API)
        say(`it is written for version ${String(plugin.api)} of the contract, and this is version ${PLUGIN_API}`);
      const { symbol, decimals } = plugin.coin ?? {};
      if (typeof symbol !== "string" || symbol === "") say("coin.symbol is missing");
      if (!Number.isInteger(decimals) || decimals < 0 || decimals > 30)
        say("coin.decimals is not a whole number from 0 to 30");
      if (typeof plugin.config?.safeParse !== "function") say("config is not a zod schema");
      if (typeof plugin.open !== "function") say("open is not a function");
      const defaults = policy.safeParse(plugin.defaults ?? {});
      if (!defaults.success) say(`defaults: ${issuesText(defaults.error)}`);
    },
  },
  {
    id: "package",
    says: "package.json has what the server looks for, and the same name as the module",
    advice:
      'It needs name, version, description, "type": "module", main and "bllvm-stratum-v2": { "plugin": "<name>", "api": 1 }.',
    check: async ({ plugin, options }: Bench) => {
      const parsed = packageJson.safeParse(options.packageJson);
      if (!parsed.success) throw new Broken("package", issuesText(parsed.error));
      const { plugin: name } = parsed.data["bllvm-stratum-v2"];
      if (name !== plugin.name)
        throw new Broken("package", `package.json says ${name} and the module says ${plugin.name}`);
    },
  },
];
