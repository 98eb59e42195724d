/**
 * Finds plugins: those that come with the program, those in `plugins_dir`, and npm packages `bllvm-stratum-v2-plugin-*`. Only
 * `package.json` is read; no code of a plugin runs before a chain wants it, and a folder that is wrong harms only the chain
 * that wants it.
 */
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";
import { describe, Fault } from "../kernel/fault.ts";
import { adviceOn } from "../merge/config-mistakes.ts";
import { PLUGIN_API } from "../merge/plugin.ts";
import { type PluginManifest, readManifest } from "../merge/plugin-manifest.ts";
import type { PluginPlaces } from "./chain-settings.ts";
import type { PluginFiles } from "./plugin-files.ts";

/** Where a plugin came from. */
export type PluginOrigin = "built-in" | "plugins_dir" | "npm";

/** A plugin's folder. */
export interface FoundPlugin extends PluginManifest {
  readonly origin: PluginOrigin;
  /** Absolute, without links. */
  readonly folder: string;
  /** The module to import, absolute. */
  readonly entry: string;
}

/** A folder that is no plugin that can be used. */
export interface PluginProblem {
  /** The plugin's name; the folder's own name where its `package.json` does not tell. */
  readonly name: string;
  readonly folder: string;
  readonly fault: Fault;
}

/** What was found. */
export interface Discovery {
  readonly plugins: ReadonlyMap<string, FoundPlugin>;
  readonly problems: readonly PluginProblem[];
  /** Plugins of `plugins_dir` that stand in for built-in ones: [theirs, ours]. */
  readonly shadows: readonly (readonly [FoundPlugin, FoundPlugin])[];
}

/** An npm package that is a plugin. */
const NPM_NAME = /^bllvm-stratum-v2-plugin-/;
/** The folder in `plugins/` that is there to be copied. */
const TEMPLATE = "template";
/** Folders that are looked into in one place. */
const MAX_FOLDERS = 1000;

/**
 * Looks into all places. A plugin of `plugins_dir` takes the place of a built-in one of the same name; any other two folders
 * with one name are a problem of that name. Throws `Fault("plugins-folder")` when `plugins_dir` is none.
 */
export async function discover(files: PluginFiles, places: PluginPlaces): Promise<Discovery> {
  const search = new Search(files, places);
  await search.place("built-in", places.builtIn, (name) => name !== TEMPLATE);
  if (places.pluginsDir !== undefined) {
    const found = await search.place("plugins_dir", places.pluginsDir, (name) => !/^(\.|node_modules$)/.test(name));
    if (!found) throw new Fault("plugins-folder", { folder: places.pluginsDir, why: "it does not exist" });
  }
  for (const folder of places.npm) {
    await search.placeIfReadable("npm", folder, (name) => NPM_NAME.test(name));
    const scopes = (await files.folders(folder).catch(() => undefined)) ?? [];
    for (const scope of scopes.filter((name) => name.startsWith("@")).slice(0, MAX_FOLDERS)) {
      await search.placeIfReadable("npm", join(folder, scope), (name) => NPM_NAME.test(name));
    }
  }
  return search;
}

/** The plugin called `name`, for `chain`. Throws the fault of its folder, or `Fault("plugin-unknown")` with what there is. */
export function pluginOf({ plugins, problems }: Discovery, name: string, chain: string): FoundPlugin {
  const problem = problems.find((each) => each.name === name);
  if (problem !== undefined) throw problem.fault;
  const found = plugins.get(name);
  if (found !== undefined) return found;
  const known = [...plugins.keys()];
  const advice = known.length === 0 ? "there are no plugins" : adviceOn(name, known).replace("known keys", "plugins");
  // One of them may be the plugin in question, with a package.json that does not even tell its name.
  const broken = problems.map((each) => `; no plugin can be made of ${each.folder}: ${each.fault.message}`);
  throw new Fault("plugin-unknown", { chain, plugin: name }, { cause: new Error(`${advice}${broken.join("")}`) });
}

/** Whether `file` is somewhere below `folder`; both absolute. */
export function isInside(folder: string, file: string): boolean {
  const way = relative(folder, file);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

class Search implements Discovery {
  readonly plugins = new Map<string, FoundPlugin>();
  readonly problems: PluginProblem[] = [];
  readonly shadows: [FoundPlugin, FoundPlugin][] = [];
  readonly #files: PluginFiles;
  readonly #places: PluginPlaces;
  readonly #seen = new Set<string>();

  constructor(files: PluginFiles, places: PluginPlaces) {
    this.#files = files;
    this.#places = places;
  }

  /** Looks into every folder of `place` that `wanted` admits; returns whether the place exists. */
  async place(origin: PluginOrigin, place: string, wanted: (name: string) => boolean): Promise<boolean> {
    let names: readonly string[] | undefined;
    try {
      names = await this.#files.folders(place);
    } catch (cause) {
      throw new Fault("plugins-folder", { folder: place }, { cause });
    }
    if (names === undefined) return false;
    const wantedNames = names.filter(wanted);
    if (wantedNames.length > MAX_FOLDERS) {
      const fault = new Fault("plugins-folder", {
        folder: place,
        folders: wantedNames.length,
        lookedInto: MAX_FOLDERS,
      });
      this.problems.push({ name: basename(place), folder: place, fault });
    }
    for (const name of wantedNames.slice(0, MAX_FOLDERS)) {
      const folder = await this.#files.real(join(place, name)).catch(() => join(place, name));
      // The same folder may be reached through several places.
      if (this.#seen.has(folder)) continue;
      this.#seen.add(folder);
      await this.#look(origin, folder, name);
    }
    return true;
  }

  /** As `place`; one that cannot be read is a problem of its own: nobody asked for just this place to be looked into. */
  async placeIfReadable(origin: PluginOrigin, place: string, wanted: (name: string) => boolean): Promise<void> {
    try {
      await this.place(origin, place, wanted);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.problems.push({ name: basename(place), folder: place, fault: error });
    }
  }

  async #look(origin: PluginOrigin, folder: string, folderName: string): Promise<void> {
    const file = join(folder, "package.json");
    try {
      const text = await this.#files.text(file);
      // A folder of ours that is only there in sources is none yet.
      if (text === undefined && origin === "built-in") return;
      if (text === undefined) throw new Fault("plugin-manifest", { file, why: "there is no such file" });
      const read = readManifest(text);
      if ("flaw" in read) throw new Fault("plugin-manifest", { file, why: read.flaw });
      const { manifest } = read;
      this.#add({ ...manifest, origin, folder, entry: await this.#entry(origin, folder, folderName, manifest) });
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault("plugin-manifest", { file, why: describe(error) });
      this.problems.push({ name: folderName.replace(NPM_NAME, ""), folder, fault });
    }
  }

  #add(found: FoundPlugin): void {
    const { name, folder, origin, api } = found;
    const problem = (fault: Fault): void => {
      this.problems.push({ name, folder, fault });
    };
    const other = this.plugins.get(name);
    if (api !== PLUGIN_API) {
      problem(new Fault("plugin-api", { plugin: name, folder, writtenFor: api, programHas: PLUGIN_API }));
    } else if (other === undefined) {
      this.plugins.set(name, found);
    } else if (other.origin === "built-in" && origin === "plugins_dir") {
      this.plugins.set(name, found);
      this.shadows.push([found, other]);
    } else {
      problem(new Fault("plugin-name-twice", { plugin: name, folder: other.folder, and: folder }));
    }
  }

  /** Ours are sources in `plugins/`, and run from where the compiler put them. */
  async #entry(origin: PluginOrigin, folder: string, folderName: string, { main }: PluginManifest): Promise<string> {
    const entry = resolve(folder, main);
    const file = join(folder, "package.json");
    if (!isInside(folder, entry))
      throw new Fault("plugin-manifest", { file, why: "main must be a file of the plugin's own folder" });
    if (await this.#files.isFile(entry)) return entry;
    const compiled = resolve(this.#places.compiled, folderName, main);
    if (origin === "built-in" && (await this.#files.isFile(compiled))) return compiled;
    throw new Fault("plugin-manifest", { file, why: `main names ${main}, and there is no such file` });
  }
}
