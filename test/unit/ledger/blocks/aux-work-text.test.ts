import fc from "fast-check";
import { expect, test } from "vitest";
import { auxWorkFromText, auxWorkToText, MAX_AUX_WORK_TEXT } from "../../../../src/ledger/blocks/aux-work-text.ts";
import { auxWork } from "../../../support/aux-work.ts";

const anyWork = fc.record({
  id: fc.string({ minLength: 1, maxLength: 256 }),
  hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  parent: fc.string({ minLength: 1, maxLength: 256 }),
  height: fc.nat(),
  target: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  value: fc.option(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), { nil: undefined }),
  details: fc.dictionary(
    fc.stringMatching(/^[a-z]{1,9}$/),
    fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Object.is(x, -0)),
    ),
  ),
});

test("any work comes back as it was", () => {
  fc.assert(
    fc.property(anyWork, (work) => {
      const back = auxWorkFromText(auxWorkToText(work) ?? "");
      expect({ ...back, details: { ...back?.details } }).toEqual({ ...work, details: { ...work.details } });
    }),
  );
});

test("the largest work that a plugin may offer fits, a larger one is not cut but left out", () => {
  const text = auxWorkToText(auxWork({ id: "i".repeat(256), details: { a: "x".repeat(65_000) } }));
  expect(text?.length).toBeLessThan(MAX_AUX_WORK_TEXT);
  expect(auxWorkToText(auxWork({ id: "i", details: { a: "\u0001".repeat(30_000) } }))).toBeUndefined();
});

test("a text that is no work is none", () => {
  const good = auxWorkToText(auxWork({ id: "i" })) ?? "";
  expect(auxWorkFromText(good)?.id).toBe("i");
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    good.slice(0, -1),
    good.replace('"height":21', '"height":-1'),
    `${good}${" ".repeat(MAX_AUX_WORK_TEXT)}`,
  ]) {
    expect(auxWorkFromText(text), text.slice(0, 50)).toBeUndefined();
  }
});
