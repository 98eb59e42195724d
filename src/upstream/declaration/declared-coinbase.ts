/** The coinbase of a job of ours as DeclareMiningJob and SetCustomMiningJob carry it (spec 6.4.4, 5.3.18). */
import { writeCompactSize } from "../../bitcoin/compact-size.ts";
import { serializeOutputs, type TxOutput, writeWitness } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import { Writer } from "../../kernel/writer.ts";
import type { Job } from "../../mining/job.ts";

/** Bytes of a coinbase before its script: version, one input, an outpoint of nothing, the script's length. */
const SCRIPT_AT = 4 + 1 + 32 + 4 + 1;

/** The halves around the whole extranonce, with BIP141's marker, flag and witness. */
export function declaredHalves(job: Job): { readonly prefix: Uint8Array; readonly suffix: Uint8Array } {
  const { coinbasePrefix, coinbaseSuffix, coinbaseWitness } = job;
  if (coinbaseWitness.length === 0) return { prefix: coinbasePrefix, suffix: coinbaseSuffix };
  const witness = new Writer(64);
  writeWitness(witness, coinbaseWitness);
  return {
    prefix: concat(coinbasePrefix.subarray(0, 4), Uint8Array.of(0, 1), coinbasePrefix.subarray(4)),
    suffix: concat(coinbaseSuffix.subarray(0, -4), witness.finish(), coinbaseSuffix.subarray(-4)),
  };
}

/** What of the scriptSig stands before the extranonce. */
export function scriptBeforeExtranonce({ coinbasePrefix }: Job): Uint8Array {
  return coinbasePrefix.subarray(SCRIPT_AT);
}

/** Outputs behind their count. */
export function countedOutputs(outputs: readonly TxOutput[]): Uint8Array {
  return writeCompactSize(new Writer(), outputs.length).bytes(serializeOutputs(outputs)).finish();
}
