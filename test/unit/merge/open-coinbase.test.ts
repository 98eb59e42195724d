import { describe, expect, test } from "vitest";
import { fromHex } from "../../../src/kernel/bytes.ts";
import { closedCoinbase, findOpen, occurrences, openCoinbase } from "../../../src/merge/open-coinbase.ts";

describe("a search in a coinbase", () => {
  const open = openCoinbase({
    coinbasePrefix: fromHex("0102030405"),
    extranonceSize: 3,
    coinbaseSuffix: fromHex("0a0b0c0d"),
  });

  test("finds bytes of ours", () => {
    expect(findOpen(open, fromHex("0203"))).toBe(1);
    expect(findOpen(open, fromHex("0c0d"))).toBe(10);
    expect(findOpen(open, fromHex("0203"), 2)).toBe(-1);
    expect(findOpen(open, fromHex("0203"), 0, 1)).toBe(-1);
  });

  test("finds what an extranonce may complete on either side", () => {
    expect(findOpen(open, fromHex("0405ff"))).toBe(3);
    expect(findOpen(open, fromHex("ffff0a"))).toBe(6);
    expect(findOpen(open, fromHex("05ffffff0a"))).toBe(4);
    expect(findOpen(open, fromHex("05ffffff0b"))).toBe(-1);
    expect(findOpen(open, fromHex("ffffffffff0a"))).toBe(-1);
  });

  test("does not find what lies in the extranonce alone", () => {
    expect(findOpen(open, fromHex("eeff"))).toBe(-1);
    expect(findOpen(open, fromHex("eeffee"))).toBe(-1);
    expect(findOpen(open, fromHex("00"))).toBe(-1);
  });

  test("finds in hashed bytes what is there, and no more", () => {
    const closed = closedCoinbase(fromHex("0102030405eeff"));
    expect(findOpen(closed, fromHex("eeff"))).toBe(5);
    expect(findOpen(closed, fromHex("ff01"))).toBe(-1);
    expect(findOpen(closed, fromHex("01020304050607080900"))).toBe(-1);
  });

  test("counts overlaps", () => {
    expect(occurrences(fromHex("01010101"), fromHex("0101"))).toBe(3);
    expect(occurrences(fromHex("01"), fromHex("0101"))).toBe(0);
  });
});
