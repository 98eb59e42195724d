/** What the methods of the embedded Namecoin daemon work on. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { RPC, RpcError } from "../rpc/protocol.ts";
import { hashArgument, type Method } from "../rpc/table.ts";
import type { NamecoinBlock, NamecoinChain } from "./chain.ts";
import type { NamecoinDisturbances } from "./disturbances.ts";
import type { AuxTemplates } from "./templates.ts";

/** The daemon as its methods see it. */
export interface NamecoinContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly chain: NamecoinChain;
  readonly disturbances: NamecoinDisturbances;
  /** Monotonic time of the start, ms. */
  readonly startedMs: number;
  /** Templates that were handed out by this run of the daemon. */
  readonly templates: AuxTemplates;
  /** The wallet, as far as getauxblock needs one: the script that it has reserved for the next block. */
  readonly wallet: { script(): Uint8Array; used(): void };
  /** Where new tips are published by ZMQ. */
  readonly zmqAddress: () => string | undefined;
  /** Ends the daemon as an assertion that failed does; resolves when nothing listens any more. */
  readonly crash: (why: string) => Promise<void>;
  /** Ends the daemon in order, after the answer that is being made. */
  readonly stop: () => void;
}

/** Methods by name. */
export type NamecoinMethods = Readonly<Record<string, Method<NamecoinContext>>>;

/** The known block with the hash in `value`. Throws `RpcError` -8 for no hash and -5 for an unknown one. */
export function blockArgument({ chain }: NamecoinContext, value: unknown, name: string): NamecoinBlock {
  const block = chain.find(hashArgument(value, name));
  if (block === undefined) throw new RpcError(RPC.INVALID_ADDRESS_OR_KEY, "Block not found");
  return block;
}
