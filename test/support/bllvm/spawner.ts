/**
 * The node's module manager (blvm-node `src/module/manager.rs`, `process/spawner.rs`, `process/monitor.rs`): finds, checks
 * and spawns modules, keeps a heartbeat connection for each in the same queue as the modules' own, and lets the node's
 * `crash` and `stop` take their course. `legacy` is how N0 to N2 did it.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { Heartbeat } from "./heartbeat.ts";
import { configVariables, readModuleConfig } from "./module-config.ts";
import { checkBinary, type DiscoveredModule, type Discovery, discoverModules } from "./module-folder.ts";
import { ModuleProcess, type ProcessLimits } from "./module-process.ts";
import type { FakeBllvmNode } from "./node.ts";

/** What can be chosen; everything but the folder has a default. */
export interface FakeModuleSpawnerOptions {
  /** The folder of the modules' folders. */
  readonly modulesDir: string;
  /** Where modules keep their data; `<node's dataDir>/data/modules`. */
  readonly dataDir?: string;
  /** Whether paths in the environment are relative to the working directory, as in the node's defaults; true. */
  readonly relativePaths?: boolean;
  /** Whether the node asks a registry first, which does not know our module: `[binary] hash` is needed then; true. */
  readonly registry?: boolean;
  /** `[modules.<name>]` of the node's configuration, flattened with dots. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Limits; none by default. `NODE_DEFAULT_LIMITS` are the node's. */
  readonly limits?: ProcessLimits;
  /** Another user to run modules as. */
  readonly uid?: number;
  /** The node's own environment; that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ms before the heartbeat connection; 100. */
  readonly startupWaitMs?: number;
  /** Ms between looks at the process; 5,000. */
  readonly monitorMs?: number;
  /** The way of N0 to N2: arguments, and a socket that the module has to serve. */
  readonly legacy?: boolean;
}

/** The limits of a node whose operator set none. */
export const NODE_DEFAULT_LIMITS: ProcessLimits = { addressSpace: 536_870_912, files: 256, processes: 10 };

/** A module that was spawned. */
export interface SpawnedModule {
  readonly moduleId: string;
  readonly dataDir: string;
  readonly process: ModuleProcess;
  /** The connection of the heartbeats; `undefined` until it is served. */
  readonly heartbeat: Heartbeat | undefined;
  /** `exited` after exit code 0, which removes nothing; `crashed` after any other. */
  readonly state: "starting" | "running" | "exited" | "crashed";
}

type Entry = { -readonly [K in keyof SpawnedModule]: SpawnedModule[K] };

/** Spawns modules for one node. */
export class FakeModuleSpawner {
  /** Modules by name, those that ended too. */
  readonly modules = new Map<string, SpawnedModule>();
  readonly #node: FakeBllvmNode;
  readonly #options: FakeModuleSpawnerOptions;
  readonly #orphans: ModuleProcess[] = [];
  #stopping = new AbortController();

  constructor(deps: { readonly node: FakeBllvmNode }, options: FakeModuleSpawnerOptions) {
    this.#node = deps.node;
    this.#options = options;
  }

  /** What lies in the folder. */
  discover(): Discovery {
    return discoverModules(this.#options.modulesDir);
  }

  /** Loads everything that was discovered, one after the other, as the node does when it starts. */
  async loadAll(): Promise<void> {
    for (const { manifest } of this.discover().modules) await this.load(manifest.name);
  }

  /**
   * Loads the module called `name`: resolves when its heartbeat connection was served and its permissions are registered.
   * While another connection is served, that is never. Rejects when the module is not there, is refused, or `stop` comes.
   */
  async load(name: string): Promise<SpawnedModule> {
    const found = this.discover().modules.find(({ manifest }) => manifest.name === name);
    if (found === undefined) throw new Error(`Module ${name} not found`);
    checkBinary(found, this.#options.registry ?? true);
    const entry = this.#spawn(found);
    this.modules.set(name, entry);
    entry.heartbeat = await this.#connect(found, entry);
    this.#register(found, entry);
    void this.#monitor(entry);
    return entry;
  }

  /**
   * What the node's stop does: NodeShutdown, 100 ms, DataMaintenance, 100 ms, SIGKILL. With `announce: false` only the last.
   */
  async stop(options: { readonly announce?: boolean } = {}): Promise<void> {
    if (options.announce ?? true) await this.#node.announceShutdown();
    this.#stopping.abort(new Error("the node stops"));
    for (const name of [...this.modules.keys()]) await this.unload(name);
    for (const orphan of this.#orphans) await orphan.kill();
  }

  /**
   * What becomes of the modules when the node is killed: nobody looks after them any more and their output goes nowhere, but
   * they live. `stop` still ends them; `load` may be called again after the node's restart.
   */
  abandon(): void {
    this.#stopping.abort(new Error("the node was killed"));
    this.#stopping = new AbortController();
    for (const { heartbeat, process } of this.modules.values()) {
      heartbeat?.drop();
      process.hangUp();
      this.#orphans.push(process);
    }
    this.modules.clear();
  }

  /** SIGKILL without a word; the node also removes its own socket's file then. */
  async unload(name: string): Promise<void> {
    const entry = this.modules.get(name);
    if (entry === undefined) return;
    await entry.process.kill();
    entry.heartbeat?.drop();
    rmSync(this.#node.socketPath, { force: true });
  }

  #spawn({ folder, manifest, entry: path }: DiscoveredModule): Entry {
    const { name, version } = manifest;
    const moduleId = `${name}_${randomBytes(16).toString("hex")}`;
    const dataDir = join(this.#options.dataDir ?? join(this.#node.dataDir, "data/modules"), name);
    mkdirSync(dataDir, { recursive: true });
    const cwd = this.#node.dataDir;
    const shown = (file: string): string => ((this.#options.relativePaths ?? true) ? relative(cwd, file) : file);
    const config = configVariables({
      database_backend: "redb",
      node_p2p_listen_ip: "0.0.0.0",
      node_p2p_listen_port: "18444",
      ...readModuleConfig(join(folder, "config.toml")),
      ...this.#options.overrides,
      version,
    });
    const inherited = Object.entries(this.#options.env ?? process.env).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value] as const],
    );
    const legacy = this.#options.legacy ?? false;
    const told = { MODULE_ID: moduleId, SOCKET_PATH: shown(this.#node.socketPath), DATA_DIR: shown(dataDir) };
    const socket = this.#legacySocket(name);
    if (legacy) mkdirSync(join(socket, ".."), { recursive: true });
    const child = new ModuleProcess({
      path,
      args: legacy ? ["--module-id", moduleId, "--socket-path", shown(socket), "--data-dir", shown(dataDir)] : [],
      cwd,
      env: { ...Object.fromEntries(inherited), MODULE_NAME: name, ...(legacy ? {} : told), ...config },
      ...(this.#options.limits === undefined ? {} : { limits: this.#options.limits }),
      ...(this.#options.uid === undefined ? {} : { uid: this.#options.uid }),
    });
    return { moduleId, dataDir, process: child, heartbeat: undefined, state: "starting" };
  }

  /** Where a legacy module has to listen. */
  #legacySocket(name: string): string {
    return join(this.#node.dataDir, "data/modules/sockets", `${name}.sock`);
  }

  async #connect({ manifest }: DiscoveredModule, entry: Entry): Promise<Heartbeat> {
    await this.#sleep(this.#options.startupWaitMs ?? 100);
    const legacy = this.#options.legacy ?? false;
    const path = legacy ? this.#legacySocket(manifest.name) : this.#node.socketPath;
    for (let waitedMs = 0; !existsSync(path); waitedMs += 100) {
      if (waitedMs >= 5000) throw new Error("Module socket did not appear within timeout");
      await this.#sleep(100);
    }
    const heartbeat = await Heartbeat.connect(path, this.#node.wire);
    this.#stopping.signal.addEventListener("abort", () => heartbeat.drop());
    if (!legacy) await heartbeat.greet(entry.moduleId, manifest.name, manifest.version);
    return heartbeat;
  }

  #register({ manifest }: DiscoveredModule, entry: Entry): void {
    const { name, version, capabilities } = manifest;
    entry.state = "running";
    this.#node.permissions.register(name, capabilities);
    this.#node.modules.push({
      moduleId: name,
      moduleName: name,
      version,
      capabilities,
      status: { name: "Running", value: {} },
      apiVersion: 1,
    });
    this.#node.emit({ name: "ModuleInstalled", value: { moduleName: name, version } });
  }

  /** Looks every 5 s whether the process is there, and sends a heartbeat; ends with the process. */
  async #monitor(entry: Entry): Promise<void> {
    try {
      while (entry.process.end === undefined) {
        await entry.heartbeat?.beat();
        await this.#sleep(this.#options.monitorMs ?? 5000);
      }
    } catch {
      return;
    }
    if (entry.process.end.code === 0) {
      entry.state = "exited";
      return;
    }
    // The crash handler drops the heartbeat connection and gets stuck before it takes the permissions back.
    entry.state = "crashed";
    entry.heartbeat?.drop();
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}
