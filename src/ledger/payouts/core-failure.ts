/** What the errors of a wallet of Bitcoin Core's family mean for a payout (codes of its `rpc/protocol.h`). */
import { Fault, type FaultCode } from "../../kernel/fault.ts";

/** An error that the daemon itself answered. */
export interface RpcError {
  readonly code: number;
  /** Its words, one line. */
  readonly says: string;
}

/** The daemon's own error in `error`; `undefined` for anything else, such as no answer at all. */
export function rpcErrorOf(error: unknown): RpcError | undefined {
  if (!(error instanceof Fault) || error.code !== "node-rpc-error") return undefined;
  const { rpcCode, says } = error.data;
  return typeof rpcCode === "number" && typeof says === "string" ? { code: rpcCode, says } : undefined;
}

/** As `rpcErrorOf`, also when it is the cause of a payout's fault. */
export function rpcReason(error: unknown): RpcError | undefined {
  return rpcErrorOf(error) ?? (error instanceof Error ? rpcErrorOf(error.cause) : undefined);
}

/** RPC_WALLET_INSUFFICIENT_FUNDS, RPC_WALLET_UNLOCK_NEEDED, RPC_WALLET_NOT_FOUND, RPC_WALLET_NOT_SPECIFIED. */
const BY_CODE: Readonly<Record<number, FaultCode>> = {
  [-6]: "payout-wallet-funds",
  [-13]: "payout-wallet-locked",
  [-18]: "payout-wallet-missing",
  [-19]: "payout-wallet-missing",
};

/** RPC_WALLET_ERROR says by its words alone what it is. */
const BY_WORDS: readonly (readonly [RegExp, FaultCode])[] = [
  [/insufficient funds/i, "payout-wallet-funds"],
  [/fee ?estimation failed|fallbackfee/i, "payout-wallet-fee"],
  [/private keys are disabled/i, "payout-wallet-keys"],
  [/too small to pay the fee|exceeds? (the )?maximum|amount.*after.*fee|dust|max.*weight|too large/i, "payout-refused"],
];

/** `error`, or the payout's fault that it means. */
export function asWalletFault(error: unknown): unknown {
  const failure = rpcErrorOf(error);
  if (failure === undefined) return error;
  const { code, says } = failure;
  const byWords = code === -4 ? BY_WORDS.find(([words]) => words.test(says))?.[1] : undefined;
  const meant = BY_CODE[code] ?? byWords;
  return meant === undefined ? error : new Fault(meant, { says }, { cause: error });
}
