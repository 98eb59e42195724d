/**
 * The rules that chains declare for their outputs, judged on the bytes of a coinbase: while a job is made, with the extranonce
 * open, and again on the bytes that a share hashed.
 */
import { parseTransaction, type TxOutput } from "../bitcoin/transaction.ts";
import { equal } from "../kernel/bytes.ts";
import type { AuxRules } from "../mining/aux.ts";
import { closedCoinbase, findOpen, type OpenCoinbase, occurrences } from "./open-coinbase.ts";

/** A rule that does not hold. */
export interface BrokenRule {
  readonly reason: "max_bytes_after" | "occurrence" | "forbidden";
  /** One clause for the log. */
  readonly detail: string;
  /** Where the bytes stand that break it, `undefined` for a rule that is about no bytes. */
  readonly at?: number;
}

/** The outputs of a serialised transaction with the offsets of their scripts. Throws as `parseTransaction`. */
export function locateOutputs(bytes: Uint8Array): { readonly output: TxOutput; readonly offset: number }[] {
  return parseTransaction(bytes).outputs.map((output) => ({
    output,
    offset: output.script.byteOffset - bytes.byteOffset,
  }));
}

/** The first rule of `rules` that does not hold where its script stands in `coinbase`, or `undefined`. */
export function brokenRule(
  coinbase: OpenCoinbase,
  outputs: ReturnType<typeof locateOutputs>,
  rules: AuxRules,
): BrokenRule | undefined {
  const { script, maxBytesAfter, first, last, forbid } = rules;
  const own = outputs.filter(({ output }) => equal(output.script, script));
  const [place] = own;
  if (place === undefined || own.length > 1) {
    return { reason: "occurrence", detail: `its script stands ${own.length} times among the outputs` };
  }
  const { offset } = place;
  if (forbid !== undefined) {
    const other = outputs.find((each) => each !== place && occurrences(each.output.script, forbid) > 0);
    const detail = `the output at byte ${other?.offset} holds bytes that it forbids`;
    if (other !== undefined) return { reason: "forbidden", detail };
  }
  const after = coinbase.bytes.length - offset - script.length;
  if (maxBytesAfter !== undefined && after > maxBytesAfter) {
    return { reason: "max_bytes_after", detail: `${after} bytes follow its script, of ${maxBytesAfter} at most` };
  }
  return brokenMark(coinbase, script, offset, "first", first) ?? brokenMark(coinbase, script, offset, "last", last);
}

function brokenMark(
  coinbase: OpenCoinbase,
  script: Uint8Array,
  offset: number,
  side: "first" | "last",
  mark: Uint8Array | undefined,
): BrokenRule | undefined {
  if (mark === undefined) return undefined;
  const count = occurrences(script, mark);
  if (count !== 1) return { reason: "occurrence", detail: `its script holds its mark ${count} times` };
  const own = offset + findOpen(closedCoinbase(script), mark);
  const at = side === "first" ? findOpen(coinbase, mark, 0, own) : findOpen(coinbase, mark, own + 1);
  if (at === -1) return undefined;
  const where = side === "first" ? "before" : "behind";
  return { reason: "occurrence", detail: `its mark may also stand ${where} its script, at byte ${at}`, at };
}
