/**
 * The order of all chains' outputs. A limit on the bytes behind a script is a deadline when the outputs are read from the
 * end, and "first" and "last occurrence" say which of two outputs comes first; so this is the problem of deadlines with
 * precedence on one machine, which E. L. Lawler solved exactly (Management Science 19, 1973): always give the place in
 * front, which costs most, to an output that may stand there and bears it best.
 */
import { outputSize, serializeOutputs } from "../bitcoin/transaction.ts";
import type { AuxRules } from "../mining/aux.ts";
import { occurrences } from "./open-coinbase.ts";

/** An order of outputs. */
export interface OutputOrder {
  /** Indices of the outputs. */
  readonly order: readonly number[];
  /** The kind of rule that no order keeps: `order` keeps all others; as it was given, when it is `occurrence`. */
  readonly broken: "max_bytes_after" | "occurrence" | undefined;
}

/**
 * An order of `outputs` that keeps `maxBytesAfter`, `first` and `last` of all of them, with `behind` bytes after the last one (the template's
 * outputs and the lock time), whenever there is one. Outputs between which nothing is to decide stay as they are. Does not look
 * at bytes that arise where two outputs meet.
 */
export function orderOutputs(outputs: readonly AuxRules[], behind: number): OutputOrder {
  const sizes = outputs.map(({ script }) => outputSize({ value: 0n, script }));
  const before = precedence(outputs);
  const order: number[] = [];
  const left = new Set(outputs.keys());
  let total = behind + sizes.reduce((sum, size) => sum + size, 0);
  let broken: OutputOrder["broken"];
  while (left.size > 0) {
    let best = -1;
    let mostBorne = -1;
    for (const i of left) {
      if (before[i]?.some((earlier) => left.has(earlier))) continue;
      // What it bears in front of everything else: its own limit and itself.
      const borne = (outputs[i]?.maxBytesAfter ?? Number.POSITIVE_INFINITY) + (sizes[i] as number);
      if (borne > mostBorne) {
        best = i;
        mostBorne = borne;
      }
    }
    if (best === -1) return { order: [...outputs.keys()], broken: "occurrence" };
    if (total > mostBorne) broken = "max_bytes_after";
    total -= sizes[best] as number;
    left.delete(best);
    order.push(best);
  }
  return { order, broken };
}

/** For each output, those that have to stand before it. */
function precedence(outputs: readonly AuxRules[]): readonly (readonly number[])[] {
  const before: number[][] = outputs.map(() => []);
  const serialized = outputs.map(({ script }) => serializeOutputs([{ value: 0n, script }]));
  const holds = (i: number, part: Uint8Array): boolean => occurrences(serialized[i] as Uint8Array, part) > 0;
  outputs.forEach(({ first, last }, i) => {
    if (first === undefined && last === undefined) return;
    for (const other of outputs.keys()) {
      if (other === i) continue;
      if (last !== undefined && holds(other, last)) before[i]?.push(other);
      if (first !== undefined && holds(other, first)) before[other]?.push(i);
    }
  });
  return before;
}
