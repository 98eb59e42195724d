import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { orderOutputs } from "../../../src/merge/output-order.ts";
import type { AuxRules } from "../../../src/mining/aux.ts";

/** An output of `size` bytes in all. */
const sized = (size: number, maxBytesAfter?: number): AuxRules => ({
  script: new Uint8Array(size - 9).fill(0x99),
  ...(maxBytesAfter === undefined ? {} : { maxBytesAfter }),
});
const marked = (text: string, rules: Partial<AuxRules> = {}): AuxRules => ({ script: utf8(text), ...rules });

describe("the order of outputs", () => {
  test("is as it was where nothing is to decide", () => {
    expect(orderOutputs([sized(20), sized(40), sized(30)], 51)).toEqual({ order: [0, 1, 2], broken: undefined });
    expect(orderOutputs([], 51)).toEqual({ order: [], broken: undefined });
  });

  test("puts the one with the nearest limit last", () => {
    expect(orderOutputs([sized(52, 128), sized(50), sized(47, 400)], 51).order).toEqual([1, 2, 0]);
  });

  test("counts an output's own size: what bears less behind it may still have to stand in front", () => {
    // By limits alone the small one, with the larger limit, would come first and leave 51 + 90 bytes behind it.
    const small = sized(10, 130);
    const large = sized(90, 120);
    expect(orderOutputs([small, large], 51)).toEqual({ order: [1, 0], broken: undefined });
  });

  test("keeps a limit to the byte", () => {
    expect(orderOutputs([sized(52, 51)], 51).broken).toBeUndefined();
    expect(orderOutputs([sized(52, 50)], 51).broken).toBe("max_bytes_after");
    expect(orderOutputs([sized(52, 60), sized(9, 60)], 51).broken).toBeUndefined();
    expect(orderOutputs([sized(52, 59), sized(9, 59)], 51).broken).toBe("max_bytes_after");
  });

  test("keeps marks first and last", () => {
    const first = marked("Hath me", { first: utf8("Hath") });
    const last = marked("RSK", { last: utf8("RSK") });
    expect(orderOutputs([last, marked("an RSK fan"), marked("Hath fan"), first], 51).order).toEqual([1, 0, 3, 2]);
  });

  test("does not exist where marks run in a circle, and then no limit is the reason", () => {
    const a = marked("AB", { first: utf8("A") });
    const b = marked("BA", { first: utf8("B") });
    expect(orderOutputs([a, b, sized(20, 3)], 51)).toEqual({ order: [0, 1, 2], broken: "occurrence" });
  });

  test("is found for twenty outputs whenever one was hidden among them", () => {
    const sizes = fc.array(fc.integer({ min: 9, max: 100 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.nat({ max: 30 })), fc.infiniteStream(fc.nat()), (all, slack, shuffle) => {
        let after = 51;
        const hidden = all.map((size) => {
          const output = sized(size, after + slack.next().value);
          after += size;
          return output;
        });
        const key = new Map(hidden.map((output) => [output, shuffle.next().value as number]));
        const mixed = hidden.toSorted((a, b) => key.get(a)! - key.get(b)!);
        const { order, broken } = orderOutputs(mixed, 51);
        expect(broken).toBeUndefined();
        let behind = 51;
        for (const i of order.toReversed()) {
          expect(behind).toBeLessThanOrEqual(mixed[i]!.maxBytesAfter!);
          behind += mixed[i]!.script.length + 9;
        }
      }),
    );
  });
});
