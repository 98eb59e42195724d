import { expect, test } from "vitest";
import { chunks } from "../../../../src/ledger/store/chunks.ts";

test.each([
  [0, []],
  [1, [1]],
  [7, [4, 2, 1]],
  [1024, [1024]],
  [3000, [1024, 1024, 512, 256, 128, 32, 16, 8]],
])("%d rows go in chunks of few lengths, in order and none twice", (count, lengths) => {
  const rows = Array.from({ length: count }, (_, i) => i);
  const parts = [...chunks(rows)];
  expect(parts.map(({ length }) => length)).toEqual(lengths);
  expect(parts.flat()).toEqual(rows);
});
