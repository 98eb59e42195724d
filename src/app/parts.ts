/** Small parts that more than one command builds the same way. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { diskFiles } from "../daemon/files.ts";
import { nodeHttpPost } from "../daemon/http.ts";
import { RpcClient } from "../daemon/rpc.ts";
import { importWith, PluginLoader } from "../host/loader.ts";
import type { Config } from "./config/schema.ts";
import type { NodeSettings } from "./settings.ts";
import { systemClock } from "./system.ts";
import { OWN_MODULES, PACKAGE_FOLDER } from "./version.ts";

/**
 * What has an SQLite file open, compiled: a process of its own. Its disk may take its time, and libsql ends its process at some damages of a file: that
 * must be neither the server's nor a command's.
 */
export const SQLITE_CHILD = pathToFileURL(join(PACKAGE_FOLDER, "dist/src/ledger/store/sqlite-child.js"));

/** What talks QUIC to miners, compiled: a process of its own as well, since what strangers send must not end the server (docs/transports.md). */
export const QUIC_PROCESS = pathToFileURL(join(PACKAGE_FOLDER, "dist/src/app/quic-process.js"));

/** Where the authority key of a data folder is. */
export function authorityKeyPath(dataDir: string): string {
  return join(dataDir, "authority.key");
}

/** The JSON-RPC client of a configured node; its owner closes it. Throws `Fault("node-url-invalid")`. */
export function rpcClient(node: NodeSettings, config: Config): RpcClient {
  return new RpcClient(
    { clock: systemClock, files: diskFiles, http: nodeHttpPost },
    {
      ...(node.name === undefined ? {} : { name: node.name }),
      url: node.url,
      credentials: node.credentials,
      timeoutMs: config.templates.rpc_timeout_s * 1000,
    },
  );
}

/** Loads plugins, and hands them this program's own modules. */
export function pluginLoader(): PluginLoader {
  return new PluginLoader({
    clock: systemClock,
    importModule: importWith({ modules: OWN_MODULES, packageFolder: join(PACKAGE_FOLDER, "dist") }),
  });
}
