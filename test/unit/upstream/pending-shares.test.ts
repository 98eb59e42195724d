import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UpstreamAnswer } from "../../../src/mining/upstream-ports.ts";
import { PendingShares } from "../../../src/upstream/pending-shares.ts";

/** A table and what was answered, by number. */
function table() {
  const pending = new PendingShares({}, { timeoutMs: 60_000 });
  const answers = new Map<number, UpstreamAnswer[]>();
  const add = (nowMs: number, ...numbers: number[]): void => {
    for (const number of numbers) {
      answers.set(number, []);
      pending.add(number, (said) => answers.get(number)?.push(said), nowMs);
    }
  };
  const said = (): Record<string, UpstreamAnswer> =>
    Object.fromEntries([...answers].filter(([, all]) => all.length > 0).map(([number, all]) => [number, all[0]]));
  const waiting = (): number[] => [...answers].filter(([, all]) => all.length === 0).map(([number]) => number);
  return { pending, answers, add, said, waiting };
}

describe("a batch of acknowledged shares", () => {
  test("is everything up to its last share, and no more", () => {
    const { pending, add, said, waiting } = table();
    add(0, 0, 1, 2, 3);
    expect(pending.accept(2, 3)).toBe(true);
    expect(said()).toEqual({ 0: undefined, 1: undefined, 2: undefined });
    expect(waiting()).toEqual([3]);
    expect(pending.size).toBe(1);
  });

  test("leaves out what was refused before", () => {
    const { pending, add, said } = table();
    add(0, 0, 1, 2);
    expect(pending.refuse(1, "stale-share")).toBe("answered");
    expect(pending.accept(2, 2)).toBe(true);
    expect(said()).toEqual({ 0: undefined, 1: "stale-share", 2: undefined });
  });

  test("waits for a refusal that is still on its way, and is certain of its last share only", () => {
    const { pending, add, said, waiting } = table();
    add(0, 0, 1, 2, 3);
    expect(pending.accept(3, 3)).toBe(true);
    expect(waiting()).toEqual([0, 1, 2]);
    expect(pending.refuse(1, "difficulty-too-low")).toBe("answered");
    expect(said()).toEqual({ 0: undefined, 1: "difficulty-too-low", 2: undefined, 3: undefined });
  });

  test("in doubt does not spoil the next one", () => {
    const { pending, add, waiting } = table();
    add(0, 0, 1, 2, 3, 4, 5);
    pending.accept(2, 2);
    expect(pending.accept(5, 3)).toBe(true);
    expect(waiting()).toEqual([0, 1]);
  });

  test("may count a share of an earlier one", () => {
    const { pending, add, waiting } = table();
    add(0, 0, 1, 2, 3, 4, 5);
    pending.accept(2, 2);
    expect(pending.accept(5, 4)).toBe(true);
    expect(waiting()).toEqual([]);
  });

  test("goes on where the numbers wrap around", () => {
    const { pending, add, said, waiting } = table();
    add(0, 0xfffffffe, 0xffffffff, 0, 1);
    expect(pending.accept(0, 3)).toBe(true);
    expect(Object.keys(said())).toHaveLength(3);
    expect(waiting()).toEqual([1]);
  });

  test("that counts more than there are, or none, is told and does no harm", () => {
    const { pending, add, said } = table();
    add(0, 0, 1);
    expect(pending.accept(1, 7)).toBe(false);
    expect(said()).toEqual({ 0: undefined, 1: undefined });
    expect(pending.accept(1, 2)).toBe(false);
    add(0, 2, 3);
    expect(pending.accept(3, 0)).toBe(false);
    // It is the newest correct one all the same (spec 5.3.13).
    expect(said()).toEqual({ 0: undefined, 1: undefined, 3: undefined });
    expect(pending.refuse(2, "stale-share")).toBe("answered");
    expect(pending.size).toBe(0);
  });

  test("of shares that nobody sent is told", () => {
    const { pending, add, waiting } = table();
    add(0, 5);
    expect(pending.accept(4, 1)).toBe(false);
    expect(waiting()).toEqual([5]);
  });
});

describe("a refusal", () => {
  test("of a share that is unknown or was answered is told", () => {
    const { pending, add, answers } = table();
    add(0, 0);
    pending.accept(0, 1);
    expect(pending.refuse(0, "stale-share")).toBe("unknown");
    expect(pending.refuse(9, "stale-share")).toBe("unknown");
    expect(answers.get(0)).toEqual([undefined]);
  });
});

describe("time", () => {
  test("gives shares up after a minute, and knows their late answers", () => {
    const { pending, add, said } = table();
    add(0, 0, 1);
    add(30_000, 2, 3);
    expect(pending.expire(59_999)).toBe(0);
    expect(pending.expire(60_000)).toBe(2);
    expect(said()).toEqual({ 0: null, 1: null });
    expect(pending.size).toBe(2);
    expect(pending.refuse(1, "stale-share")).toBe("late");
    expect(pending.accept(3, 3)).toBe(true);
    expect(said()).toEqual({ 0: null, 1: null, 2: undefined, 3: undefined });
  });

  test("forgets shares in the end, and counts none of the others accepted on their account", () => {
    const { pending, add, said, waiting } = table();
    add(0, ...Array.from({ length: 2_000 }, (_, i) => i));
    expect(pending.expire(60_000)).toBe(2_000);
    expect(pending.refuse(0, "stale-share")).toBe("unknown");
    expect(pending.refuse(1_999, "stale-share")).toBe("late");
    add(60_000, 2_000, 2_001, 2_002);
    // 2,000 of 2,002 were accepted: all that were given up and one more, or fewer of those and others.
    expect(pending.accept(2_002, 2_000)).toBe(true);
    expect(waiting()).toEqual([2_000, 2_001]);
    expect(said()[2_002]).toBeUndefined();
    pending.refuse(2_000, "stale-share");
    expect(waiting()).toEqual([2_001]);
    expect(pending.expire(120_000)).toBe(1);
    expect(said()[2_001]).toBeNull();
  });
});

test("the end of the connection answers all that wait, once", () => {
  const { pending, add, answers } = table();
  add(0, 0, 1, 2, 3);
  pending.accept(2, 2);
  expect(pending.abandon()).toBe(3);
  expect([...answers.values()]).toEqual([[null], [null], [undefined], [null]]);
  expect(pending.abandon()).toBe(0);
  expect(pending.size).toBe(0);
});

/** What a pool does with a share. */
type Fate = "accepted" | "refused" | "lost";

describe("whatever the interleaving", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Fate[]>("accepted", "accepted", "accepted", "refused", "lost") },
    { weight: 3, arbitrary: fc.constantFrom("acknowledge", "deliver", "deliver", "wait") },
  );

  test.each([
    { loses: false, expires: false },
    { loses: true, expires: false },
    { loses: false, expires: true },
    { loses: true, expires: true },
  ])("each answer comes once and is right (losses $loses, late answers $expires)", ({ loses, expires }) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 0, max: 0xffffffff }),
        // Which of the messages on their way comes next: refusals and acknowledgements overtake each other.
        fc.array(fc.nat({ max: 1_000 }), { minLength: 1, maxLength: 50 }),
        (steps, first, choices) => {
          const { pending, answers, add } = table();
          const fates = new Map<number, Fate>();
          const onTheWay: ({ last: number; count: number } | { refused: number })[] = [];
          let number = first;
          let unacknowledged = 0;
          let last = 0;
          let nowMs = 0;
          let delivered = 0;
          const acknowledge = (): void => {
            if (unacknowledged > 0) onTheWay.push({ last, count: unacknowledged });
            unacknowledged = 0;
          };
          const deliver = (): void => {
            // Acknowledgements keep their order, as they do on one connection; refusals come whenever they do.
            const firstBatch = onTheWay.findIndex((message) => "last" in message);
            const at = (choices[delivered++ % choices.length] as number) % Math.max(1, onTheWay.length);
            const chosen = onTheWay[at];
            if (chosen === undefined) return;
            const [message] = onTheWay.splice("last" in chosen ? firstBatch : at, 1);
            if (message === undefined) return;
            const isExplained =
              "last" in message
                ? pending.accept(message.last, message.count)
                : pending.refuse(message.refused, `no-${message.refused}`) === "answered";
            if (!expires) expect(isExplained).toBe(true);
          };
          for (const one of steps) {
            if (one === "acknowledge") acknowledge();
            else if (one === "deliver") deliver();
            else if (one === "wait") {
              nowMs += 20_000;
              if (expires) pending.expire(nowMs);
            } else {
              const fate = (one === "lost" && !loses ? "accepted" : one) as Fate;
              add(nowMs, number);
              fates.set(number, fate);
              if (fate === "accepted") {
                unacknowledged += 1;
                last = number;
              }
              if (fate === "refused") onTheWay.push({ refused: number });
              number = (number + 1) >>> 0;
            }
          }
          acknowledge();
          while (onTheWay.length > 0) deliver();
          // Nothing is left in doubt where nothing got lost.
          if (!loses && !expires) expect(pending.size).toBe(0);
          pending.abandon();
          for (const [share, said] of answers) {
            expect(said).toHaveLength(1);
            const fate = fates.get(share);
            const right: UpstreamAnswer[] =
              fate === "accepted" ? [undefined] : fate === "refused" ? [`no-${share}`] : [null];
            if (loses || expires) right.push(null);
            expect(right).toContain(said[0]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
