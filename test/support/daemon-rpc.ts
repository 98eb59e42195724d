/** The JSON-RPC client's view of an embedded daemon, without a socket: for tests in which time is not real. */
import type { z } from "zod";
import type { Rpc } from "../../src/daemon/rpc.ts";
import { rpcErrorFault } from "../../src/daemon/rpc-failure.ts";
import { RpcError } from "../../src/devnet/rpc/protocol.ts";
import { Fault } from "../../src/kernel/fault.ts";

/** A daemon in this process. */
interface Embedded {
  readonly name: string;
  call(method: string, params: readonly unknown[]): Promise<unknown>;
}

/** A client that a test may cut off. */
export interface EmbeddedRpc extends Rpc {
  isDown: boolean;
  /** Calls so far. */
  calls: number;
}

/** A client of `daemon`. */
export function rpcOf(daemon: Embedded): EmbeddedRpc {
  const { name } = daemon;
  const rpc: EmbeddedRpc = {
    name,
    address: `http://${name}/`,
    clockOffsetMs: 0,
    isDown: false,
    calls: 0,
    close() {},
    async call<S extends z.ZodType>(method: string, params: unknown, schema: S): Promise<z.output<S>> {
      rpc.calls += 1;
      const facts = { node: name, address: rpc.address, method };
      if (rpc.isDown) throw new Fault("node-refused", facts);
      try {
        return schema.parse(JSON.parse(JSON.stringify(await daemon.call(method, params as readonly unknown[]))));
      } catch (error) {
        if (error instanceof RpcError) throw rpcErrorFault(error.code, error.message, facts);
        throw error;
      }
    },
  };
  return rpc;
}
