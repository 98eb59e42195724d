/** Where `doctor --module` looks, out of its words and the node's configuration. */
import { dirname, join, resolve } from "node:path";
import { resolveConfig } from "../module/config/resolve.ts";
import { MODULE_NAME } from "../module/module-name.ts";
import { readIfThere } from "../module/read-if-there.ts";
import type { ModuleTarget } from "./doctor-module.ts";
import { type NodeConfig, readNodeConfig } from "./doctor-node-config.ts";

/** Words that say where things are. */
export interface ModuleWords {
  readonly config?: string;
  readonly modulesDir?: string;
  readonly dataDir?: string;
  readonly socket?: string;
  readonly nodeConfig?: string;
  readonly nodeLog?: string;
}

/** Throws `Fault` `config-*` for files that cannot be read, and `bllvm-data-dir-unknown`. */
export function moduleTarget(words: ModuleWords): ModuleTarget {
  const nodeConfig = words.nodeConfig === undefined ? undefined : readNodeConfig(words.nodeConfig);
  const { modulesDir, dataDir, socketPath } = placesOf(nodeConfig, words);
  const moduleFolder = modulesDir === undefined ? undefined : join(modulesDir, MODULE_NAME);
  const loaded = resolveConfig({
    launch: {
      moduleFolder,
      dataDir,
      configFile: words.config === undefined ? undefined : resolve(words.config),
    },
    // The node's variables are not known here; what it says in its configuration is not looked at.
    env: {},
    cwd: process.cwd(),
    read: readIfThere,
  });
  const { socket } = loaded.config.bllvm;
  return {
    loaded,
    modulesDir,
    dataDir,
    socketPath: socketPath ?? (socket === undefined ? undefined : resolve(loaded.folder, socket)),
    nodeConfig,
    nodeLog: words.nodeLog === undefined ? undefined : resolve(words.nodeLog),
  };
}

/** Paths of the node's configuration start in the folder that the node runs in: that of the file, unless words say otherwise. */
function placesOf(
  config: NodeConfig | undefined,
  words: ModuleWords,
): Pick<ModuleTarget, "modulesDir" | "dataDir" | "socketPath"> {
  const said = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(path));
  if (config === undefined) {
    return { modulesDir: said(words.modulesDir), dataDir: said(words.dataDir), socketPath: said(words.socket) };
  }
  const at = (path: string): string => resolve(dirname(config.file), path);
  return {
    modulesDir: said(words.modulesDir) ?? at(config.modulesDir),
    dataDir: said(words.dataDir) ?? join(at(config.dataDir), MODULE_NAME),
    socketPath: said(words.socket) ?? join(at(config.socketDir), "node.sock"),
  };
}
