/** The bllvm node as parts of the server: its IPC client, and the node among those that work is taken from and blocks are submitted to. */
import { diskFiles } from "../../daemon/files.ts";
import type { Rpc } from "../../daemon/rpc.ts";
import { connectUnix } from "../../daemon/socket.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { Random } from "../../kernel/random.ts";
import type { BllvmNode } from "../../node/bllvm/bllvm-node.ts";
import { BllvmClient } from "../../node/bllvm/client/client.ts";
import { BLLVM_RPC_DEFAULTS, BllvmRpc } from "../../node/bllvm/rpc/bllvm-rpc.ts";
import { rpcClient } from "../parts.ts";
import type { Settings } from "../settings.ts";
import { VERSION } from "../version.ts";

/** How the node is reached, as the way in which we were started says. */
export interface NodeLink {
  /** The node's socket, absolute. */
  readonly socketPath: string;
  /** `legacy`: a node that names everything in arguments (N0 to N2). */
  readonly family: "legacy" | "socket";
  /** Name in the manifest. */
  readonly moduleName: string;
  readonly holdFile: string | undefined;
  readonly firstConnectDelayMs: number;
}

/** What the client works with. */
export interface NodeLinkDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Our own log: lines of the connection itself must not go through the connection. */
  readonly log: Log;
  readonly meter: Meter;
}

/** The client of the node's IPC. */
export function bllvmClient(deps: NodeLinkDeps, link: NodeLink, { config }: Pick<Settings, "config">): BllvmClient {
  const { socketPath: path, family, moduleName, holdFile, firstConnectDelayMs } = link;
  return new BllvmClient(
    { ...deps, connect: connectUnix, files: diskFiles },
    { path, family, moduleName, moduleVersion: VERSION, wire: config.bllvm.wire, holdFile, firstConnectDelayMs },
  );
}

/** The node as one of the nodes; its JSON-RPC connection is closed with it. */
export function bllvmRpc(
  { node, clock, log }: { readonly node: BllvmNode; readonly clock: Clock; readonly log: Log },
  { config, bllvmRpc: settings }: Pick<Settings, "config" | "bllvmRpc">,
): Rpc {
  const rpc = settings === undefined ? undefined : rpcClient(settings, config);
  return new BllvmRpc({ node, rpc, clock, log }, BLLVM_RPC_DEFAULTS);
}
