/** Whole blocks: real ones come apart and together again byte for byte. */
import { describe, expect, test } from "vitest";
import { assembleBlock, blockWeight, parseBlock } from "../../../src/bitcoin/block.ts";
import { txid, weight, wtxid } from "../../../src/bitcoin/transaction.ts";
import { fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import vectors from "../../vectors/bitcoin-blocks.json" with { type: "json" };

describe("real blocks", () => {
  test.each(vectors.blocks)("$source", ({ hex }) => {
    const { headerBytes, rawTransactions } = parseBlock(fromHex(hex));
    const [coinbase, ...rest] = rawTransactions;
    expect(toHex(assembleBlock(headerBytes, coinbase!, rest))).toBe(hex);
  });

  test.each(vectors.blocks.filter((vector) => vector.txids !== undefined))("$source: Core's figures", (vector) => {
    const { transactions } = parseBlock(fromHex(vector.hex));
    expect(transactions.map((tx) => toDisplayHex(txid(tx)))).toEqual(vector.txids);
    expect(transactions.map((tx) => toDisplayHex(wtxid(tx)))).toEqual(vector.wtxids);
    expect(transactions.map(weight)).toEqual(vector.txWeights);
    expect(blockWeight(transactions)).toBe(vector.weight);
  });
});

describe("what is no block", () => {
  const good = fromHex(vectors.blocks[1]!.hex);

  test("every cut is a fault", () => {
    for (let size = 0; size < good.length; size++) expect(() => parseBlock(good.subarray(0, size))).toThrow(Fault);
  });

  test("a byte more is a fault", () => {
    const longer = new Uint8Array(good.length + 1);
    longer.set(good);
    expect(() => parseBlock(longer)).toThrow(expect.objectContaining({ code: "bytes-trailing" }));
  });

  test("a count beyond the data is a fault, found before anything is reserved", () => {
    const bytes = fromHex(`${"00".repeat(80)}fe00000002`);
    expect(() => parseBlock(bytes)).toThrow(Fault);
  });

  test("a header of another size cannot be assembled", () => {
    expect(() => assembleBlock(new Uint8Array(79), new Uint8Array(), [])).toThrow(TypeError);
  });
});
