/**
 * A template with more room for outputs than the node left: transactions are left out from its end, where no other one in the block spends them. Their fees
 * are not paid then, and merkle path and witness commitment are those of what is left.
 */
import { findWitnessCommitment, witnessCommitmentScript, witnessRoot } from "../../bitcoin/coinbase.ts";
import { merklePathOfFirst } from "../../bitcoin/merkle.ts";
import { stripWitness, txidOfBytes } from "../../bitcoin/transaction.ts";
import type { Template } from "../../mining/template.ts";

/** What a client's outputs may take (spec 7.1). */
export interface OutputRoom {
  readonly bytes: number;
  /** Sigops without the factor of four. */
  readonly sigops: number;
}

/**
 * `template` with so much room; the same where it has it, `undefined` where it cannot have it: fees or wtxids are unknown, sigops are lacking (what
 * transactions need of them is not known here), or the block would be empty and still too full.
 */
export function roomyTemplate(template: Template, wanted: OutputRoom): Template | undefined {
  const { coinbaseRoom: room, transactions, wtxids, fees } = template;
  if (room.bytes >= wanted.bytes && room.sigops >= wanted.sigops) return template;
  if (room.sigops < wanted.sigops || transactions === undefined || wtxids === undefined || fees === undefined) {
    return undefined;
  }
  let kept = transactions.length;
  let { bytes } = room;
  let coinbaseValue = template.coinbaseValue;
  while (bytes < wanted.bytes) {
    kept -= 1;
    const raw = transactions[kept];
    const fee = fees[kept];
    if (raw === undefined || fee === undefined) return undefined;
    // A byte of the coinbase weighs four units.
    bytes += Math.floor((3 * stripWitness(raw).length + raw.length) / 4);
    coinbaseValue -= fee;
  }
  const left = transactions.slice(0, kept);
  const leftWtxids = wtxids.slice(0, kept);
  return Object.freeze({
    ...template,
    id: `${template.id}+${wanted.bytes}`,
    coinbaseValue,
    coinbase: Object.freeze({ ...template.coinbase, outputs: recommitted(template, leftWtxids) }),
    merklePath: Object.freeze(merklePathOfFirst(left.map(txidOfBytes))),
    transactions: Object.freeze(left),
    wtxids: Object.freeze(leftWtxids),
    fees: Object.freeze(fees.slice(0, kept)),
    transactionCount: kept + 1,
    coinbaseRoom: Object.freeze({ bytes, sigops: room.sigops }),
  });
}

function recommitted({ coinbase }: Template, wtxids: readonly Uint8Array[]): Template["coinbase"]["outputs"] {
  const { outputs, witness } = coinbase;
  const found = findWitnessCommitment(outputs);
  const [reserved] = witness;
  if (found === undefined || reserved === undefined) return outputs;
  const script = witnessCommitmentScript(witnessRoot([reserved, ...wtxids]), reserved);
  return Object.freeze(outputs.map((output, i) => (i === found.index ? { value: output.value, script } : output)));
}
