/**
 * Handing a proof to rskj and reading its answer (`mnr_submitBitcoinBlockPartialMerkle`, rskj `MnrModuleImpl`). The other two
 * submitting methods are not used: they want hashes in another byte order, and another Rootstock node reads them the other way round.
 */
import {
  Fault,
  fromHex,
  fromUtf8,
  type Outcome,
  type Proof,
  reversed,
  rskPartialMerkle,
  toHex,
  z,
} from "bllvm-stratum-v2/plugin";

export const SUBMIT = "mnr_submitBitcoinBlockPartialMerkle";

/** The parameters: plain hex without `0x`, the number of transactions in hex too. The first one, the parent's hash, is not read. */
export function submitParams(proof: Proof): readonly string[] {
  return [
    toHex(reversed(proof.headerHash)),
    toHex(proof.header),
    toHex(proof.coinbase),
    rskPartialMerkle(proof),
    proof.transactionCount.toString(16),
  ];
}

/** The answer: how the import ended as hex of ASCII, the block's hash and its height. */
export const submitAnswer = z.object({
  blockImportedResult: z.string().regex(/^0x([0-9a-f]{2}){1,64}$/i, "expected 0x and hex digits"),
  blockHash: z.string().regex(/^0x[0-9a-f]{64}$/i, "expected 0x and 64 hex digits"),
  blockIncludedHeight: z.string().regex(/^0x[0-9a-f]{1,12}$/i, "expected 0x and hex digits"),
});

/** rskj's `ImportResult`. A block that is not the best may still become an uncle, which is paid. */
const VERDICTS: Readonly<Record<string, Outcome["verdict"]>> = {
  IMPORTED_BEST: "accepted",
  IMPORTED_NOT_BEST: "accepted",
  EXIST: "duplicate",
  // The node made the work itself, so it knew the parent: it has gone another way since.
  NO_PARENT: "stale",
  INVALID_BLOCK: "rejected",
  CONSENSUS_BREAK: "rejected",
};

/** The final word that an answer is. Throws a sentence for a result that no version of rskj is known to give. */
export function outcomeOf(answer: z.output<typeof submitAnswer>): Outcome {
  const reason = fromUtf8(fromHex(answer.blockImportedResult.slice(2)));
  const verdict = Object.hasOwn(VERDICTS, reason) ? VERDICTS[reason] : undefined;
  if (verdict === undefined) throw new Error(`the node's blockImportedResult ${JSON.stringify(reason)} is not known`);
  return { verdict, reason, blockHash: answer.blockHash, height: Number(answer.blockIncludedHeight) };
}

/** What the node's error says: a final word, `unknownHash` when it does not hold the work (any more), `undefined` for no answer to the question. */
export function outcomeOfError(error: unknown): Outcome | "unknownHash" | undefined {
  if (!(error instanceof Fault) || error.data.rpcCode !== JSON_RPC_SUBMIT) return undefined;
  const reason = String(error.data.says ?? "");
  if (/could not find hash/i.test(reason)) return "unknownHash";
  // `miner.server.workSubmissionRateLimitInMills`: the block is good, it came too soon after another one.
  if (/rate limit/i.test(reason)) return undefined;
  return { verdict: "rejected", reason };
}

/** Code of `JsonRpcSubmitBlockException`. */
const JSON_RPC_SUBMIT = -33000;
