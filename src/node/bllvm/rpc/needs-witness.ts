/**
 * Whether a transaction can be mined from the bytes that the bllvm node gives. Its templates carry no witnesses
 * (blvm-node `src/rpc/mining.rs`, `transaction_to_json`), so a transaction that had one is not what they show, and a block with
 * it would be invalid. Two kinds of inputs have a witness (BIP141): those with an empty scriptSig, and those of P2SH whose
 * scriptSig pushes nothing but a witness program. Inputs with an empty scriptSig that need none (bare OP_TRUE, pay-to-anchor)
 * cannot be told from the first kind and are left out too.
 */
import { OP, scriptOps, sigops, witnessProgram } from "../../../bitcoin/script.ts";
import { legacySigops, type Transaction, type TxInput } from "../../../bitcoin/transaction.ts";

/** Whether `tx` may lack a witness: one of its inputs has none and could need one. */
export function mayLackWitness(tx: Transaction): boolean {
  return tx.inputs.some((input) => input.witness.length === 0 && couldNeedWitness(input));
}

function couldNeedWitness({ script }: TxInput): boolean {
  if (script.length === 0) return true;
  const redeem = lastPush(script);
  // More than BIP141 asks (one push alone), since a witness program behind other pushes cannot be spent anyway.
  return redeem !== undefined && witnessProgram(redeem) !== undefined;
}

/** The last thing that `script` pushes; `undefined` when it pushes nothing or does anything else, so that it spends no P2SH (BIP16). */
export function lastPush(script: Uint8Array): Uint8Array | undefined {
  let last: Uint8Array | undefined;
  for (const { opcode, data } of scriptOps(script)) {
    if (opcode > OP.OP_16) return undefined;
    last = data ?? new Uint8Array(0);
  }
  return last;
}

/**
 * What the signature operations of `tx` can cost at most (BIP141), without the outputs that it spends: legacy ones count four, every
 * scriptSig is taken for P2SH's and every witness for a script's. The node's own figure is not used: it counts legacy ones only, once.
 */
export function mostSigopsCost(tx: Transaction): number {
  let cost = 4 * legacySigops(tx);
  for (const { script, witness } of tx.inputs) {
    const redeem = lastPush(script);
    if (redeem !== undefined) cost += 4 * sigops(redeem, true);
    const witnessScript = witness.at(-1);
    // A key hash costs one, whatever its last item looks like.
    if (witnessScript !== undefined) cost += Math.max(1, sigops(witnessScript, true));
  }
  return cost;
}
