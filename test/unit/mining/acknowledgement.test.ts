import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Acknowledgement } from "../../../src/mining/acknowledgement.ts";

const OPTIONS = { batchSize: 3, maxDelayMs: 1000 };

describe("Acknowledgement", () => {
  test("a batch is full with its number of shares and carries the last sequence number", () => {
    const batch = new Acknowledgement({}, OPTIONS);
    expect(batch.accept(7, 2, 0)).toBe(false);
    expect(batch.accept(8, 2, 0)).toBe(false);
    expect(batch.accept(12, 3, 0)).toBe(true);
    expect(batch.take()).toEqual({ lastSequenceNumber: 12, newSubmitsAcceptedCount: 3, newSharesSum: 7n });
    expect(batch.take()).toBeUndefined();
    expect(batch.pending).toBe(0);
  });

  test("counts each batch from zero (spec 5.3.13)", () => {
    const batch = new Acknowledgement({}, OPTIONS);
    batch.accept(1, 5, 0);
    batch.take();
    batch.accept(2, 6, 0);
    expect(batch.take()).toEqual({ lastSequenceNumber: 2, newSubmitsAcceptedCount: 1, newSharesSum: 6n });
  });

  test("is due when its first share has waited, not its last", () => {
    const batch = new Acknowledgement({}, OPTIONS);
    expect(batch.due(5000)).toBe(false);
    batch.accept(1, 1, 5000);
    batch.accept(2, 1, 5900);
    expect(batch.due(5999)).toBe(false);
    expect(batch.due(6000)).toBe(true);
    batch.take();
    expect(batch.due(9000)).toBe(false);
  });

  test("fractions of small difficulties add up over batches", () => {
    const batch = new Acknowledgement({}, { batchSize: 1, maxDelayMs: 0 });
    const sums = Array.from({ length: 8 }, (_, i) => {
      batch.accept(i, 0.25, 0);
      return batch.take()?.newSharesSum;
    });
    expect(sums).toEqual([0n, 0n, 0n, 1n, 0n, 0n, 0n, 1n]);
  });

  test("carries difficulties beyond 2^53", () => {
    const batch = new Acknowledgement({}, OPTIONS);
    batch.accept(1, 2 ** 60, 0);
    batch.accept(2, 2 ** 60, 0);
    expect(batch.take()?.newSharesSum).toBe(2n ** 61n);
  });

  test("every accepted share is acknowledged once, and sums are exact to one: any shares and pauses", () => {
    const shares = fc.array(fc.record({ difficulty: fc.integer({ min: 1, max: 1 << 20 }), waitMs: fc.nat(800) }));
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 20 }), (list, batchSize) => {
        const batch = new Acknowledgement({}, { batchSize, maxDelayMs: 1000 });
        let count = 0;
        let sum = 0n;
        let nowMs = 0;
        const take = (): void => {
          const taken = batch.take();
          count += taken?.newSubmitsAcceptedCount ?? 0;
          sum += taken?.newSharesSum ?? 0n;
        };
        list.forEach(({ difficulty, waitMs }, i) => {
          nowMs += waitMs;
          if (batch.due(nowMs)) take();
          if (batch.accept(i, difficulty / 1024, nowMs)) take();
          expect(batch.pending).toBeLessThan(batchSize);
        });
        take();
        expect(count).toBe(list.length);
        const exact = list.reduce((all, { difficulty }) => all + BigInt(difficulty), 0n);
        expect(sum).toBe(exact / 1024n);
      }),
    );
  });

  test("what is accepted behind a share that is not settled waits for it", () => {
    const batch = new Acknowledgement({}, OPTIONS);
    batch.accept(1, 1, 0);
    const place = batch.await(2, 10);
    for (let i = 3; i < 9; i++) expect(batch.accept(i, 100, 50)).toBe(false);
    expect(batch.take()).toEqual({ lastSequenceNumber: 1, newSubmitsAcceptedCount: 1, newSharesSum: 1n });
    expect(batch.due(90_000)).toBe(false);
    expect(batch.settle(place, true, 2000)).toBe(true);
    expect(batch.due(1049)).toBe(false);
    expect(batch.due(1050)).toBe(true);
    expect(batch.take()).toEqual({ lastSequenceNumber: 8, newSubmitsAcceptedCount: 7, newSharesSum: 610n });
    expect(batch.awaited).toBe(0);
  });

  test("settled out of order, shares are acknowledged in order; a refused one is not counted", () => {
    const batch = new Acknowledgement({}, { batchSize: 10, maxDelayMs: 0 });
    const [first, second, third] = [batch.await(1, 1), batch.await(2, 2), batch.await(3, 4)];
    batch.accept(4, 8, 0);
    batch.settle(third!, true, 0);
    batch.settle(second!, false, 0);
    expect(batch.take()).toBeUndefined();
    expect(batch.awaited).toBe(3);
    batch.settle(first!, true, 0);
    expect(batch.take()).toEqual({ lastSequenceNumber: 4, newSubmitsAcceptedCount: 3, newSharesSum: 13n });
  });

  test("the last sequence number is that of the share that came last, also when a client counts down or starts again", () => {
    const batch = new Acknowledgement({}, { batchSize: 10, maxDelayMs: 0 });
    batch.accept(0xffffffff, 1, 0);
    const place = batch.await(0, 1);
    batch.accept(1, 1, 0);
    expect(batch.take()?.lastSequenceNumber).toBe(0xffffffff);
    batch.settle(place, true, 0);
    expect(batch.take()?.lastSequenceNumber).toBe(1);
  });
});
