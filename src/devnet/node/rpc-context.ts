/** What the methods of the Bitcoin node's RPC work on. */
import type { NetworkName } from "../../bitcoin/network.ts";
import type { Clock } from "../../kernel/clock.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hashArgument, type Method } from "../rpc/table.ts";
import type { BlockNode } from "./block-index.ts";
import type { Chain } from "./chain.ts";
import type { NodeDisturbances } from "./disturbances.ts";
import type { Mempool } from "./mempool.ts";
import type { BlockTemplate } from "./template.ts";

/** What methods work on. */
export interface RpcContext {
  readonly network: NetworkName;
  readonly clock: Clock;
  readonly chain: Chain;
  readonly mempool: Mempool;
  readonly disturbances: NodeDisturbances;
  /** Monotonic time of the start, ms. */
  readonly startedMs: number;
  /** Number of nodes it exchanges blocks with. */
  readonly peers: () => number;
  /** Where new tips are published by ZMQ. */
  readonly zmqAddress: () => string | undefined;
  /** The template to hand out now; the same one for a few seconds. */
  readonly template: () => BlockTemplate;
  /** Mines blocks that pay `script`; the hashes, in display order. */
  readonly generate: (count: number, script: Uint8Array, signal: AbortSignal) => Promise<string[]>;
  /** How long getblocktemplate waits for another tip before it looks at the mempool, first and later, ms. */
  readonly longPoll: { readonly firstMs: number; readonly laterMs: number };
}

/** Methods by name. */
export type Methods = Readonly<Record<string, Method<RpcContext>>>;

/** The known block with the hash in `value`. Throws `RpcError` -5. */
export function blockArgument(context: RpcContext, value: unknown, name = "blockhash"): BlockNode {
  const node = context.chain.find(hashArgument(value, name));
  if (node === undefined) throw new RpcError(RPC.INVALID_ADDRESS_OR_KEY, "Block not found");
  return node;
}
