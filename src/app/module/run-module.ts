/** Starts the program as a module of the bllvm node: the same server, with the node at its edge. */
import { Fault } from "../../kernel/fault.ts";
import type { World } from "../container.ts";
import { type RunningServer, startServer } from "../run.ts";
import type { Launch } from "./launch.ts";

/** Resolves once miners can connect. Throws as `startServer`. */
export async function startModule(
  world: World,
  launch: Launch & { readonly socketPath: string },
  signal: AbortSignal,
): Promise<RunningServer> {
  if (world.settings.nodes.length === 0) throw new Fault("config-no-node", { file: world.settings.file });
  world.log.info(`module of the bllvm node, ${launch.mode}`, { socket: launch.socketPath, dataDir: launch.dataDir });
  return await startServer(world, signal);
}
