/**
 * How the bllvm node started us, from the words, the environment and the folder of the process: old nodes name everything in
 * arguments, newer ones in variables, and a module that a service manager runs is told the node's socket alone.
 *
 * Source: blvm-node `src/module/process/spawner.rs` (arguments until 0.1.0 of December 2025, variables from then on).
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Fault } from "../../kernel/fault.ts";
import { MODULE_NAME } from "./module-name.ts";

/**
 * `legacy`: started with arguments; the node connects to a socket that we make, and its own is elsewhere. `spawned`: started with
 * variables; the node connects to its own socket for us, and we do too. `attached`: a service of our own beside the node, also where a
 * stand-in in the node's modules folder registers our capabilities (`install-module --registered`).
 */
export type LaunchMode = "legacy" | "spawned" | "attached";

/** What is known before the configuration is read. All paths are absolute. */
export interface Launch {
  readonly mode: LaunchMode;
  /** The node's IPC socket; `undefined` as long as only `bllvm.socket` can tell. */
  readonly socketPath: string | undefined;
  /** `legacy` alone: the socket that we make, for the node's heartbeats. */
  readonly listenPath: string | undefined;
  /** The node's folder for our data; `undefined` for a service that was not told. */
  readonly dataDir: string | undefined;
  /** The folder with module.toml; `undefined` when the launcher did not say. */
  readonly moduleFolder: string | undefined;
  /** Name in the manifest: what the node keeps our capabilities under, so what a handshake says. */
  readonly moduleName: string;
  /** What the node calls this run; for the log alone. */
  readonly moduleId: string | undefined;
  /** `--config`. */
  readonly configFile: string | undefined;
  /** `attached`: while this file is there and young, a stand-in is being registered, and we hold no connection. */
  readonly holdFile: string | undefined;
  /** Ms from the start until the first connect. A spawning node that we overtake waits for us for ever. */
  readonly connectDelayMs: number;
}

/** The node's own first connection comes after `module_startup_wait_millis`, 100 ms unless configured. */
const SPAWNED_DELAY_MS = 1500;

/** Where nodes that name everything in arguments have their own socket: a variable of theirs, or this, from their folder. */
const LEGACY_NODE_SOCKET = "data/modules/socket";

/** What a process is started with. */
export interface LaunchSurroundings {
  /** Words behind the program. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that the process was started in: relative paths of the node start there. */
  readonly cwd: string;
}

const WORDS = {
  "module-id": { type: "string" },
  "socket-path": { type: "string" },
  "data-dir": { type: "string" },
  socket: { type: "string" },
  config: { type: "string", short: "c" },
} as const;

/** Throws `Fault("bllvm-launch")` for words that nothing makes sense of. */
export function detectLaunch({ argv, env, cwd }: LaunchSurroundings): Launch {
  const words = wordsOf(argv);
  const at = (path: string | undefined): string | undefined =>
    path === undefined || path === "" ? undefined : resolve(cwd, path);
  const common = {
    moduleFolder: at(env.BLLVM_MODULE_FOLDER),
    moduleName: env.MODULE_NAME || MODULE_NAME,
    configFile: at(words.config),
    listenPath: undefined,
    holdFile: undefined,
    connectDelayMs: 0,
  };
  const dataDir = at(words["data-dir"]) ?? at(env.DATA_DIR);
  if (words["module-id"] !== undefined || words["socket-path"] !== undefined) {
    const listenPath = at(words["socket-path"]);
    if (words["module-id"] === undefined || listenPath === undefined || dataDir === undefined) {
      throw new Fault("bllvm-launch", { why: "--module-id, --socket-path and --data-dir go together" });
    }
    const socketPath = at(words.socket) ?? at(env.MODULE_SOCKET_DIR) ?? resolve(cwd, LEGACY_NODE_SOCKET);
    return { ...common, mode: "legacy", socketPath, listenPath, dataDir, moduleId: words["module-id"] };
  }
  const socketPath = at(words.socket) ?? at(env.SOCKET_PATH);
  if (env.MODULE_ID) {
    if (socketPath === undefined || dataDir === undefined) {
      throw new Fault("bllvm-launch", { why: "MODULE_ID is set, but not SOCKET_PATH and DATA_DIR too" });
    }
    const connectDelayMs = SPAWNED_DELAY_MS;
    return { ...common, mode: "spawned", socketPath, dataDir, moduleId: env.MODULE_ID, connectDelayMs };
  }
  const holdFile = dataDir === undefined ? undefined : join(dataDir, "ipc.hold");
  return { ...common, mode: "attached", socketPath, dataDir, moduleId: undefined, holdFile };
}

/**
 * `launch` with a socket: `bllvm.socket` of the configuration is asked for one that nothing else named. Relative ones start at `folder`.
 * Throws `Fault("bllvm-socket-unknown")`.
 */
export function withSocket(
  launch: Launch,
  configured: string | undefined,
  folder: string,
): Launch & { readonly socketPath: string } {
  const socketPath = launch.socketPath ?? (configured === undefined ? undefined : resolve(folder, configured));
  if (socketPath === undefined) throw new Fault("bllvm-socket-unknown");
  return { ...launch, socketPath };
}

function wordsOf(argv: readonly string[]): { readonly [N in keyof typeof WORDS]?: string } {
  try {
    return parseArgs({ args: [...argv], options: WORDS, strict: true }).values;
  } catch (cause) {
    throw new Fault("bllvm-launch", {}, { cause });
  }
}
