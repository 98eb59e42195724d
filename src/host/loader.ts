/** Loads the modules of plugins and looks at what they export before anything of it is called. */
import { sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import { type ChainPlugin, PLUGIN_API } from "../merge/plugin.ts";
import { PLUGIN_NAME } from "../merge/plugin-manifest.ts";
import type { FoundPlugin } from "./discovery.ts";
import { shareOwnModules } from "./own-modules.ts";

/** A module that is not loaded within this time waits for something at its top level. */
const IMPORT_TIMEOUT_MS = 15_000;

/** What a loader works with. */
export interface PluginLoaderDeps {
  readonly clock: Clock;
  /** Imports the module at an absolute path. */
  readonly importModule: (file: string) => Promise<unknown>;
}

/** Options of `importWith`. */
export interface OwnModules {
  /** URLs of our own modules by the names under which plugins import them. */
  readonly modules: Readonly<Record<string, string>>;
  /**
   * Folder of our compiled modules, absolute: those below it find the others by themselves, as a package imports itself. A plugin's
   * folder with a `package.json` of its own is another package, wherever it lies.
   */
  readonly packageFolder: string;
}

/** Imports modules with Node's own `import`, our modules at hand. */
export function importWith({ modules, packageFolder }: OwnModules): PluginLoaderDeps["importModule"] {
  return async (file) => {
    // An installed plugin lies beside us, and its folder's name begins with ours.
    if (!file.startsWith(`${packageFolder}${sep}`)) shareOwnModules(modules);
    return await import(pathToFileURL(file).href);
  };
}

/** Loads plugins; each module once, as Node keeps it: changed code of a plugin takes a restart of the program. */
export class PluginLoader {
  readonly #deps: PluginLoaderDeps;
  readonly #loaded = new Map<string, ChainPlugin>();

  constructor(deps: PluginLoaderDeps) {
    this.#deps = deps;
  }

  /** The plugin of a folder. Throws `Fault` `plugin-load` or `plugin-shape`, which name the file. */
  async load(found: FoundPlugin): Promise<ChainPlugin> {
    const known = this.#loaded.get(found.entry);
    if (known !== undefined) return known;
    const { name, entry } = found;
    let module: unknown;
    try {
      module = await this.#withDeadline(this.#deps.importModule(entry));
    } catch (cause) {
      throw new Fault("plugin-load", { plugin: name, file: entry }, { cause: withPlace(cause) });
    }
    const exported = module as { readonly plugin?: unknown; readonly default?: unknown };
    const plugin = exported.plugin ?? exported.default;
    const why = pluginFlaw(plugin, name);
    if (why !== undefined) throw new Fault("plugin-shape", { plugin: name, file: entry, why });
    this.#loaded.set(entry, plugin as ChainPlugin);
    return plugin as ChainPlugin;
  }

  #withDeadline(importing: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#deps.clock.after(IMPORT_TIMEOUT_MS, () =>
        reject(new Error(`its top level did not come to an end within ${IMPORT_TIMEOUT_MS / 1000} s`)),
      );
      importing.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

/** An import of a name that is not there, with file and line: Node.js says them in the first line of the stack, and not in the message. */
function withPlace(error: unknown): unknown {
  const [, url, line] = (error instanceof SyntaxError && /^(file:\/\/\S+):(\d+)\n/.exec(error.stack ?? "")) || [];
  if (url === undefined) return error;
  return new SyntaxError(`${(error as SyntaxError).message} (${fileURLToPath(url)}:${line})`);
}

/** What is wrong with what a module exports, as a clause; `undefined` for nothing. `name` is what its `package.json` says. */
export function pluginFlaw(value: unknown, name: string): string | undefined {
  if (value === undefined) return "it exports neither plugin nor default";
  if (typeof value !== "object" || value === null) return "what it exports as plugin is not an object";
  const { name: own, api, coin, config, defaults, open } = value as Readonly<Record<string, unknown>>;
  if (typeof own !== "string" || !PLUGIN_NAME.test(own))
    return "its name is not 1 to 32 of a-z, 0-9 and -, a letter first";
  if (own !== name) return `it calls itself ${own}, and its package.json says ${name}`;
  if (api !== PLUGIN_API) return `its api is ${String(api)}, and this program has ${PLUGIN_API}`;
  const { symbol, decimals } = (coin ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof symbol !== "string" || symbol === "") return "coin.symbol is not a text";
  if (!Number.isInteger(decimals) || Number(decimals) < 0 || Number(decimals) > 30)
    return "coin.decimals is not a whole number from 0 to 30";
  if (typeof (config as { readonly safeParse?: unknown } | undefined)?.safeParse !== "function")
    return "config is not a zod schema";
  if (typeof open !== "function") return "open is not a function";
  return defaults === undefined ? undefined : defaultsFlaw(defaults);
}

function defaultsFlaw(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "defaults is not an object";
  const { update, minIntervalMs, expiryMs, prefer, ...others } = value as Readonly<Record<string, unknown>>;
  const isTime = (time: unknown): boolean => time === undefined || (Number.isFinite(time) && Number(time) >= 0);
  if (update !== undefined && update !== 0 && update !== 1 && update !== 2) return "defaults.update is not 0, 1 or 2";
  if (!isTime(minIntervalMs)) return "defaults.minIntervalMs is not a number from 0 on";
  if (!isTime(expiryMs) || expiryMs === 0) return "defaults.expiryMs is not a number above 0";
  if (prefer !== undefined && prefer !== "value" && prefer !== "newest")
    return 'defaults.prefer is neither "value" nor "newest"';
  const [unknown] = Object.keys(others);
  return unknown === undefined ? undefined : `defaults.${unknown} is not known`;
}
