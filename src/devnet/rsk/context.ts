/** What the methods of the embedded RSK node work on. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { RpcError } from "../rpc/protocol.ts";
import type { RskChain } from "./chain.ts";
import type { RskDisturbances } from "./disturbances.ts";
import type { MinerServer } from "./miner-server.ts";
import { RSK_RPC } from "./protocol.ts";

/** The node as its methods see it. */
export interface RskContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly chain: RskChain;
  readonly disturbances: RskDisturbances;
  readonly minerServer: MinerServer;
  /** Blocks until REMASC pays. */
  readonly maturity: number;
  /** Whether a submission may be looked at now; counts it when it may. */
  readonly admitSubmission: () => boolean;
}

/** Methods by name; `args` by position. */
export type RskMethods = Readonly<Record<string, (context: RskContext, args: readonly unknown[]) => unknown>>;

/** The text at `index` of `args`. Throws `RpcError` -32602. */
export function textArgument(args: readonly unknown[], index: number): string {
  const value = args[index];
  if (typeof value !== "string") throw new RpcError(RSK_RPC.INVALID_PARAMS, "method parameters invalid");
  return value;
}
