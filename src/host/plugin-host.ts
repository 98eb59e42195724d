/**
 * The plugin host: which chains there are, which run, and how that changes while miners mine. Configurations are taken over as a
 * whole or not at all; a chain whose configuration stays the same is not touched by a change of others.
 */
import { dirname } from "node:path";
import type { Clock } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Random } from "../kernel/random.ts";
import type { MergeBus } from "../merge/found-aux.ts";
import type { JoiningChain } from "../merge/guarded-chain.ts";
import type { BlockStatus, ChainPlugin, SubmittedBlock } from "../merge/plugin.ts";
import type { AuxWork } from "../mining/aux.ts";
import { BACKOFF, type BackoffOptions } from "./backoff.ts";
import { chainConfig, chainPolicy } from "./chain-config.ts";
import { CHAIN_DEADLINES, type ChainDeadlines, type ChainScopes } from "./chain-run.ts";
import type { ChainSettings, PluginPlaces } from "./chain-settings.ts";
import { type Discovery, discover, type FoundPlugin, pluginOf } from "./discovery.ts";
import { limitedLog } from "./limited-log.ts";
import type { PluginFiles } from "./plugin-files.ts";
import { type PluginInfo, pluginInfos } from "./plugin-info.ts";
import { ChainSupervisor, type SupervisedHealth } from "./supervisor.ts";

/** Everything that the host is configured with. */
export interface HostSettings {
  /** The configuration file as messages call it; `undefined` when there is none. */
  readonly file: string | undefined;
  /** Its folder, absolute. */
  readonly folder: string;
  /** All chains, also those that rest. */
  readonly chains: readonly ChainSettings[];
  readonly plugins: PluginPlaces;
}

/** Where chains join and leave; `MergeMining` of `src/merge` is one. */
export interface MergeMiningPort {
  addChain(chain: JoiningChain): void;
  removeChain(name: string): void;
  /** Puts the chains into this order: where there is no room for all, the last are left out. */
  arrange(names: readonly string[]): void;
  /** Throws a `Fault` that isolates the chain. */
  offer(name: string, work: AuxWork | undefined): void;
  /** Resolves when no block of a running chain waits for an answer, or when `signal` aborts. */
  drained(signal: AbortSignal): Promise<void>;
}

/** What a plugin host works with. */
export interface PluginHostDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly random: Random;
  readonly bus: MergeBus;
  readonly mergeMining: MergeMiningPort;
  readonly scopes: ChainScopes;
  readonly files: PluginFiles;
  readonly loader: { load(found: FoundPlugin): Promise<ChainPlugin> };
}

/** Options of `PluginHost`. */
export interface PluginHostOptions {
  readonly deadlines?: Partial<ChainDeadlines>;
  readonly backoff?: BackoffOptions;
  /** How long found blocks are waited for when the server stops, ms. */
  readonly drainMs?: number;
}

/** A chain as the API tells it. */
export interface ChainHealth extends SupervisedHealth {
  readonly name: string;
  readonly plugin: string;
  /** `undefined` while the plugin was not loaded. */
  readonly version: string | undefined;
}

/** What taking over a configuration changed, by names of chains. */
export interface AppliedChains {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** A chain of the configuration. */
interface Entry {
  readonly settings: ChainSettings;
  readonly found: FoundPlugin | undefined;
  /** `undefined` for a chain that rests. */
  readonly supervisor: ChainSupervisor | undefined;
  readonly join: JoiningChain | undefined;
  /** Wall time of the last change, ms since the Unix epoch. */
  readonly sinceMs: number;
}

const NOTHING: Discovery = { plugins: new Map(), problems: [], shadows: [] };

/** The host. */
export class PluginHost implements Part {
  readonly name = "chain plugins";
  readonly #deps: PluginHostDeps;
  readonly #options: PluginHostOptions;
  #settings: HostSettings | undefined;
  #entries = new Map<string, Entry>();
  readonly #code = new Map<string, readonly string[]>();
  /** For errors of what no chain runs any more, which nobody can stop. */
  readonly #remains: Log;
  #running = false;
  /** Changes are made one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: PluginHostDeps, options: PluginHostOptions = {}) {
    this.#deps = deps;
    this.#options = options;
    this.#remains = limitedLog({ clock: deps.clock, log: deps.log, alive: () => true });
  }

  /**
   * Takes over a configuration: chains that are new start, those that are gone or rest stop, those whose table changed start anew, all
   * others go on. Before `start` nothing is started yet, only loaded, checked and opened. Throws `Fault` `plugin-*`, `config-*` or
   * `plugins-folder`, and then nothing has changed.
   */
  apply(settings: HostSettings): Promise<AppliedChains> {
    return this.#next(async () => {
      const discovery = settings.chains.length === 0 ? NOTHING : await discover(this.#deps.files, settings.plugins);
      const next = new Map<string, Entry>();
      const fresh: Entry[] = [];
      try {
        for (const chain of settings.chains) {
          const old = this.#entries.get(chain.name);
          const found = discovery.plugins.get(chain.plugin);
          const moved = settings.folder !== this.#settings?.folder || old?.found?.entry !== found?.entry;
          if (old !== undefined && !moved && isSame(old.settings, chain)) {
            next.set(chain.name, old);
            continue;
          }
          const entry = chain.enabled ? await this.#open(chain, discovery, settings) : this.#resting(chain, found);
          next.set(chain.name, entry);
          fresh.push(entry);
        }
      } catch (error) {
        await Promise.all(fresh.map(({ supervisor }) => supervisor?.stop("stopped")));
        throw error;
      }
      const old = this.#entries;
      this.#settings = settings;
      this.#entries = next;
      this.#tellOfPlugins(discovery);
      const gone = [...old.values()].filter((entry) => next.get(entry.settings.name) !== entry);
      await Promise.all(
        gone.map((entry) => this.#leave(entry, next.has(entry.settings.name) ? "stopped" : "disabled")),
      );
      for (const entry of fresh) this.#join(entry);
      this.#arrange();
      const names = (entries: readonly Entry[]): string[] => entries.map((entry) => entry.settings.name);
      return {
        added: names(fresh).filter((name) => !old.has(name)),
        removed: names(gone).filter((name) => !next.has(name)),
        changed: names(fresh).filter((name) => old.has(name)),
      };
    });
  }

  /** Starts the chains of the configuration and returns at once: no chain keeps the server from starting. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#running = true;
    for (const entry of this.#entries.values()) this.#join(entry);
  }

  /** Stops all chains, after what they found has its answer or `drainMs` passed. */
  async stop(): Promise<void> {
    await this.#next(async () => {
      await this.#drain();
      this.#running = false;
      await Promise.all([...this.#entries.values()].map((entry) => this.#leave(entry, "stopped")));
    });
  }

  /** Starts a chain that rests, until the server starts anew or the chain's configuration changes. Throws `Fault` `chain-unknown`, or as `apply`. */
  enable(name: string): Promise<ChainHealth> {
    return this.#next(async () => {
      const entry = this.#entry(name);
      if (entry.supervisor === undefined) await this.#reopen(entry);
      return this.#health(this.#entry(name));
    });
  }

  /** Stops a chain, until the server starts anew or the chain's configuration changes. Throws `Fault("chain-unknown")`. */
  disable(name: string): Promise<ChainHealth> {
    return this.#next(async () => {
      const entry = this.#entry(name);
      if (entry.supervisor !== undefined) {
        this.#replace(this.#resting(entry.settings, entry.found));
        await this.#leave(entry, "disabled");
      }
      return this.#health(this.#entry(name));
    });
  }

  /** Stops a chain and starts it anew at once, whatever it was about. Throws `Fault` `chain-unknown`, or as `apply`. */
  restart(name: string): Promise<ChainHealth> {
    return this.#next(async () => {
      await this.#reopen(this.#entry(name));
      return this.#health(this.#entry(name));
    });
  }

  /** What became of a block that `chain` submitted. Rejects when it does not run or cannot say. */
  async status(chain: string, block: SubmittedBlock): Promise<BlockStatus> {
    const { supervisor } = this.#entry(chain);
    if (supervisor === undefined) throw new Fault("chain-not-running", { chain });
    return await supervisor.status(block);
  }

  /** All configured chains, in the order of the configuration. */
  chains(): ChainHealth[] {
    return [...this.#entries.values()].map((entry) => this.#health(entry));
  }

  /** All plugins that were found, usable or not, by name; found again at each call. */
  async plugins(): Promise<PluginInfo[]> {
    const { plugins = undefined, chains = [] } = this.#settings ?? {};
    if (plugins === undefined) return [];
    return pluginInfos(await discover(this.#deps.files, plugins), chains);
  }

  /**
   * Folders of plugins whose code was ever loaded into this process, by the chains that wanted it: what a chain left behind may fail
   * long after it was stopped or removed.
   */
  codeFolders(): ReadonlyMap<string, readonly string[]> {
    return this.#code;
  }

  /** Isolates a chain for an error of its plugin that nothing handled. For one that does not run it is only logged. */
  blame(chain: string, error: unknown): void {
    if (this.#entries.get(chain)?.supervisor?.blame(error) === true) return;
    this.#remains.error(`${chain}: what its plugin left behind failed: ${describe(error)}`, { chain, error });
  }

  #next<T>(change: () => Promise<T>): Promise<T> {
    const made = this.#queue.then(change);
    this.#queue = made.catch(() => undefined);
    return made;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    throw new Fault("chain-unknown", { chain: name, configured: [...this.#entries.keys()].join(", ") || "none" });
  }

  #resting(settings: ChainSettings, found: FoundPlugin | undefined): Entry {
    return { settings, found, supervisor: undefined, join: undefined, sinceMs: this.#deps.clock.nowMs() };
  }

  /** Loads, checks and opens a chain. */
  async #open(settings: ChainSettings, discovery: Discovery, { file, folder }: HostSettings): Promise<Entry> {
    const { clock, log, meter, random, bus, mergeMining, scopes, loader } = this.#deps;
    const { name } = settings;
    const found = pluginOf(discovery, settings.plugin, name);
    const folders = [found.folder, dirname(found.entry)];
    this.#code.set(name, [...new Set([...(this.#code.get(name) ?? []), ...folders])]);
    const plugin = await loader.load(found);
    const { deadlines, backoff = BACKOFF } = this.#options;
    const supervisor = new ChainSupervisor(
      {
        clock,
        log: log.child({ chain: name }),
        meter,
        random,
        bus,
        scopes,
        offer: (work) => mergeMining.offer(name, work),
      },
      {
        chain: name,
        folder,
        plugin,
        config: () => chainConfig(settings, plugin, file),
        deadlines: { ...CHAIN_DEADLINES, ...deadlines },
        backoff,
      },
    );
    supervisor.open();
    const chain = { ...supervisor.guarded, chainId: supervisor.chainId };
    const join = { name, policy: chainPolicy(settings, plugin), chain };
    return { settings, found, supervisor, join, sinceMs: clock.nowMs() };
  }

  /** Opens a chain beside what there is of it, and lets it take the place. */
  async #reopen(entry: Entry): Promise<void> {
    if (this.#settings === undefined) return;
    const discovery = await discover(this.#deps.files, this.#settings.plugins);
    const fresh = await this.#open(entry.settings, discovery, this.#settings);
    this.#replace(fresh);
    await this.#leave(entry, "stopped");
    this.#join(fresh);
    this.#arrange();
  }

  #replace(entry: Entry): void {
    this.#entries.set(entry.settings.name, entry);
  }

  #join({ settings, supervisor, join }: Entry): void {
    if (!this.#running) return;
    const { log, mergeMining } = this.#deps;
    if (supervisor === undefined || join === undefined) {
      const because = settings.restsBecause === undefined ? "" : `: ${settings.restsBecause}`;
      log.info(`${settings.name} rests${because}`, { chain: settings.name });
      return;
    }
    try {
      mergeMining.addChain(join);
    } catch (error) {
      log.error(`${settings.name} cannot take part: ${describe(error)}`, { chain: settings.name, error });
    }
    supervisor.start();
  }

  /** Who joined last is not to be the first that is left out of a full coinbase. */
  #arrange(): void {
    this.#deps.mergeMining.arrange([...this.#entries.keys()]);
  }

  async #leave({ settings, supervisor }: Entry, state: "stopped" | "disabled"): Promise<void> {
    if (supervisor === undefined) return;
    this.#deps.mergeMining.removeChain(settings.name);
    await supervisor.stop(state);
    this.#deps.log.info(`${settings.name} is ${state}`, { chain: settings.name });
  }

  /** Found blocks are in the journal, but an answer now is better than one at the next start. */
  async #drain(): Promise<void> {
    const { clock, mergeMining } = this.#deps;
    const patience = new AbortController();
    const timer = clock.after(this.#options.drainMs ?? 5000, () => patience.abort());
    await mergeMining.drained(patience.signal);
    timer.cancel();
  }

  #health({ settings, found, supervisor, sinceMs }: Entry): ChainHealth {
    const health: SupervisedHealth = supervisor?.health() ?? {
      state: "disabled",
      sinceMs,
      trouble: settings.restsBecause,
      restarts: 0,
      nextStartMs: undefined,
    };
    return { name: settings.name, plugin: settings.plugin, version: found?.version, ...health };
  }

  #tellOfPlugins({ problems, shadows }: Discovery): void {
    const { log } = this.#deps;
    for (const [theirs, ours] of shadows) {
      log.warn(`plugin ${theirs.name} of ${theirs.folder} is used instead of the built-in one of ${ours.folder}`);
    }
    for (const { fault } of problems) log.warn(`a plugin is passed over: ${describe(fault)}`, { error: fault });
  }
}

/** Both come from a TOML file or a program's literals: plain data with the same order of keys when nothing was changed. */
function isSame(a: ChainSettings, b: ChainSettings): boolean {
  return JSON.stringify(a, plain) === JSON.stringify(b, plain);
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
