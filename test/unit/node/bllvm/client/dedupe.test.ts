/** Events that come twice, and a chain that comes back. */
import { describe, expect, test } from "vitest";
import { Dedupe } from "../../../../../src/node/bllvm/client/dedupe.ts";
import { TipWatch } from "../../../../../src/node/bllvm/client/tip.ts";
import { hashOf } from "../../../../support/bllvm-client.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const block = (n: number) => ({ blockHash: hashOf(n), height: n });
const left = (n: number) => ({ hash: hashOf(n), height: n });

describe("Dedupe", () => {
  test("tells a repetition from news by content alone", () => {
    const dedupe = new Dedupe({ clock: new FakeClock() });
    expect(dedupe.isNew("NewBlock", block(1))).toBe(true);
    expect(dedupe.isNew("NewBlock", block(1))).toBe(false);
    expect(dedupe.isNew("NewBlock", block(2))).toBe(true);
    expect(dedupe.isNew("NewBlock", block(1))).toBe(false);
    expect(dedupe.isNew("BlockMined", { ...block(1), minerId: undefined })).toBe(true);
    expect(dedupe.isNew("BlockMined", { ...block(1), minerId: "m" })).toBe(true);
  });

  test("lets a chain leave a block and come back to it at once", () => {
    const dedupe = new Dedupe({ clock: new FakeClock() });
    const there = { oldTip: hashOf(1), newTip: hashOf(2) };
    const back = { oldTip: hashOf(2), newTip: hashOf(1) };
    const told = [
      dedupe.isNew("NewBlock", block(1)),
      dedupe.isNew("BlockDisconnected", left(1)),
      dedupe.isNew("BlockDisconnected", left(1)),
      dedupe.isNew("ChainReorg", there),
      dedupe.isNew("ChainReorg", there),
      dedupe.isNew("NewBlock", block(2)),
      dedupe.isNew("BlockDisconnected", left(2)),
      dedupe.isNew("ChainReorg", back),
      dedupe.isNew("NewBlock", block(1)),
      dedupe.isNew("BlockDisconnected", left(1)),
      dedupe.isNew("ChainReorg", there),
    ];
    expect(told).toEqual([true, true, false, true, false, true, true, true, true, true, true]);
  });

  test("forgets after five seconds, and remembers no more than 256", () => {
    const clock = new FakeClock();
    const dedupe = new Dedupe({ clock });
    dedupe.isNew("NewBlock", block(1));
    clock.advance(4_999);
    expect(dedupe.isNew("NewBlock", block(1))).toBe(false);
    clock.advance(1);
    expect(dedupe.isNew("NewBlock", block(1))).toBe(true);
    for (let n = 2; n <= 257; n++) dedupe.isNew("NewBlock", block(n));
    expect(dedupe.isNew("NewBlock", block(1))).toBe(true);
    expect(dedupe.isNew("NewBlock", block(257))).toBe(false);
  });
});

describe("TipWatch", () => {
  const watch = () => {
    const told: number[] = [];
    return { told, tip: new TipWatch({ onTip: ({ height }) => told.push(height) }) };
  };

  test("tells each tip once, whichever way it becomes known", () => {
    const { told, tip } = watch();
    tip.reading()(block(1));
    tip.fromEvent(block(1));
    tip.fromEvent(block(2));
    tip.reading()(block(2));
    tip.fromEvent(block(1));
    expect(told).toEqual([1, 2, 1]);
  });

  test("lets no read that is older than an event go back", () => {
    const { told, tip } = watch();
    const take = tip.reading();
    tip.fromEvent(block(2));
    expect(take(block(1))).toBe(false);
    expect(told).toEqual([2]);
  });

  test("has the tip read again when an event came that names no height", () => {
    const { told, tip } = watch();
    const take = tip.reading();
    tip.outdate();
    expect(take(block(1))).toBe(true);
    expect(tip.reading()(block(3))).toBe(false);
    expect(told).toEqual([3]);
  });
});
