/** From SubmitSolution (spec 7.7) to a block: the client's coinbase is held against the template before anything is built of it. */
import { assembleBlock } from "../../bitcoin/block.ts";
import { readHeightPush } from "../../bitcoin/coinbase.ts";
import { headerHash, serializeHeader } from "../../bitcoin/header.ts";
import { foldMerklePath } from "../../bitcoin/merkle.ts";
import { meetsTarget } from "../../bitcoin/target.ts";
import { isCoinbase, parseTransaction, type Transaction, txid } from "../../bitcoin/transaction.ts";
import { equal } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";
import type { FoundBlock } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import type { TEMPLATES } from "../../sv2/messages/templates.ts";
import type { Value } from "../../sv2/table.ts";

/** The message. */
export type SubmitSolution = Value<typeof TEMPLATES.SubmitSolution>;

/**
 * The block that a solution makes of `template`, or why it makes none, as a clause. Whom it pays is not ours to say, so it pays us nothing. `transactions`:
 * those of the template, `undefined` where only its source has them.
 */
export function solvedTemplate(
  solution: SubmitSolution,
  template: Template,
  transactions: readonly Uint8Array[] | undefined,
  found: { readonly userIdentity: string; readonly nowMs: number },
): FoundBlock | string {
  let coinbase: Transaction;
  try {
    coinbase = parseTransaction(solution.coinbaseTx);
  } catch (error) {
    if (error instanceof Fault) return `its coinbase cannot be read: ${error.message}`;
    throw error;
  }
  const flaw = coinbaseFlaw(coinbase, template);
  if (flaw !== undefined) return flaw;
  const header = serializeHeader({
    version: solution.version,
    prevHash: template.prevHash,
    merkleRoot: foldMerklePath(txid(coinbase), template.merklePath),
    time: solution.headerTimestamp,
    nBits: template.nBits,
    nonce: solution.headerNonce,
  });
  const hash = headerHash(header);
  if (!meetsTarget(hash, template.target)) return "its hash does not meet the target";
  const raw = solution.coinbaseTx.slice();
  return {
    hash,
    height: template.height,
    prevHash: template.prevHash,
    templateId: template.id,
    source: template.source,
    header,
    coinbase: raw,
    block: transactions === undefined ? undefined : assembleBlock(header, raw, transactions),
    reward: 0n,
    finderReward: 0n,
    finderAddress: undefined,
    userIdentity: found.userIdentity,
    foundMs: found.nowMs,
  };
}

function coinbaseFlaw(coinbase: Transaction, template: Template): string | undefined {
  const [input] = coinbase.inputs;
  if (input === undefined || !isCoinbase(coinbase)) return "its coinbase has another input";
  if (readHeightPush(input.script) !== template.height) return `its coinbase is not of height ${template.height}`;
  const paid = coinbase.outputs.reduce((sum, { value }) => sum + value, 0n);
  if (paid > template.coinbaseValue) return `its coinbase pays ${paid} sat of ${template.coinbaseValue}`;
  for (const { script } of template.coinbase.outputs) {
    if (!coinbase.outputs.some((output) => equal(output.script, script))) {
      return "its coinbase lacks an output of the template";
    }
  }
  const witness = template.coinbase.witness;
  const isSame =
    witness.length === input.witness.length &&
    witness.every((item, i) => equal(item, input.witness[i] ?? item.subarray(1)));
  return isSame ? undefined : "its coinbase has another witness than the template";
}
