/** The errors of Bitcoin Core's RPC that callers of the bllvm node's have to understand (Core's `rpc/protocol.h`). */
import { Fault } from "../../../kernel/fault.ts";

/** Codes by Core's names. */
export const CORE_RPC = {
  /** An exception that was not foreseen: trying again may help. */
  RPC_MISC_ERROR: -1,
  /** "Block not found". */
  RPC_INVALID_ADDRESS_OR_KEY: -5,
  RPC_INVALID_PARAMETER: -8,
  /** "Block decode failed". */
  RPC_DESERIALIZATION_ERROR: -22,
} as const;

/** The fault that a JSON-RPC client makes of the error `code` with the words `says`. */
export function coreError(node: string, method: string, code: keyof typeof CORE_RPC, says: string): Fault {
  return new Fault("node-rpc-error", { node, method, rpcCode: CORE_RPC[code], says });
}
