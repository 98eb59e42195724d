/** Starts the program as a module of the bllvm node: the same server, with the node at its edge. */
import type { DependencyContainer } from "tsyringe";
import { listenUnix } from "../../daemon/socket.ts";
import { LegacyEndpoint } from "../../node/bllvm/client/legacy-endpoint.ts";
import type { World } from "../container.ts";
import { type Beside, type RunningServer, startServer } from "../run.ts";
import { TOKENS } from "../tokens.ts";
import { Goodbye } from "./goodbye.ts";
import type { Launch } from "./launch.ts";
import { moduleParts } from "./module-parts.ts";

/** How the process was started, with the node's socket known. */
export type SocketLaunch = Launch & { readonly socketPath: string };

/** Resolves once miners can connect, whether or not the node serves us by then. Throws as `startServer`. */
export async function startModule(world: World, launch: SocketLaunch, signal: AbortSignal): Promise<RunningServer> {
  const { mode, socketPath, moduleName, moduleId, holdFile, connectDelayMs: firstConnectDelayMs } = launch;
  world.log.info(`module of the bllvm node, ${mode}`, { socket: socketPath, moduleId, dataDir: launch.dataDir });
  const family = mode === "legacy" ? "legacy" : "socket";
  const bllvm = { socketPath, family, moduleName, holdFile, firstConnectDelayMs } as const;
  return await startServer({ ...world, bllvm }, signal, [], (container) => beside(container, world, launch));
}

/** What a module has besides. The node's heartbeats are answered first of all: it waits five seconds for that, and a ledger may take longer to open. */
function beside(container: DependencyContainer, { log }: World, { listenPath }: SocketLaunch): Beside {
  const node = container.resolve(TOKENS.bllvm);
  if (node === undefined) throw new TypeError("a module without a node");
  const heartbeat =
    listenPath === undefined
      ? []
      : [new LegacyEndpoint({ listen: listenUnix, log, tipHash: () => node.tip?.blockHash }, { path: listenPath })];
  const goodbye = new Goodbye({
    node,
    credit: container.resolve(TOKENS.credit),
    clock: container.resolve(TOKENS.clock),
    log,
  });
  const { events, parts } = moduleParts(container, node);
  return { below: [...heartbeat, node, ...events], above: [...parts, goodbye] };
}
