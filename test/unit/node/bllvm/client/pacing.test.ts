/** How fast, how soon and how much. */
import { describe, expect, test } from "vitest";
import { Backoff } from "../../../../../src/node/bllvm/client/backoff.ts";
import { Pace, REQUEST_PACE } from "../../../../../src/node/bllvm/client/pacing.ts";
import { Waiting } from "../../../../../src/node/bllvm/client/waiting.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

describe("Pace", () => {
  test("lets at most 50 requests through in any second, also after a long silence", () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, REQUEST_PACE);
    const taken: number[] = [];
    clock.advance(3_600_000);
    for (let ms = 0; ms < 10_000; ms++) {
      while (pace.take()) taken.push(ms);
      clock.advance(1);
    }
    const inWindow = (from: number): number => taken.filter((at) => at >= from && at < from + 1000).length;
    expect(Math.max(...taken.map(inWindow))).toBeLessThanOrEqual(50);
    expect(Math.max(...taken.map(inWindow))).toBeGreaterThanOrEqual(49);
    expect(taken.length).toBeGreaterThanOrEqual(400);
  });

  test("says when the next token comes, and what was sent without one delays it", () => {
    const clock = new FakeClock();
    const pace = new Pace({ clock }, { perSecond: 10, burst: 1 });
    expect(pace.waitMs()).toBe(0);
    pace.spend();
    pace.spend();
    expect(pace.waitMs()).toBe(200);
    clock.advance(199);
    expect(pace.take()).toBe(false);
    clock.advance(1);
    expect(pace.take()).toBe(true);
  });
});

describe("Backoff", () => {
  test("grows from half a second to half a minute, never shorter, never longer", () => {
    const backoff = new Backoff({ random: seededRandom(7) }, { firstMs: 500, mostMs: 30_000 });
    const pauses = Array.from({ length: 200 }, () => backoff.next());
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
    expect(pauses.slice(0, 4).map((ms, i) => Math.abs(ms / (500 * 2 ** i) - 1) <= 0.25)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(new Set(pauses).size).toBeGreaterThan(50);
    backoff.reset();
    expect(backoff.next()).toBeLessThanOrEqual(625);
  });
});

describe("Waiting", () => {
  test("gives a block first, then reads, then publications, and bounds each by itself", () => {
    const waiting = new Waiting<{ operation: "GetBlock" | "PublishEvent" | "QueueReceivedBlock"; n: number }>();
    let n = 0;
    const fill = (operation: "GetBlock" | "PublishEvent" | "QueueReceivedBlock"): number => {
      let added = 0;
      while (waiting.add({ operation, n: n++ })) added++;
      return added;
    };
    expect([fill("PublishEvent"), fill("GetBlock"), fill("QueueReceivedBlock")]).toEqual([64, 256, 8]);
    expect(waiting.size).toBe(328);
    const order: string[] = [];
    for (let call = waiting.first(); call !== undefined; call = waiting.first()) {
      order.push(call.operation);
      waiting.remove(call);
    }
    expect(order.filter((operation, i) => operation !== order[i - 1])).toEqual([
      "QueueReceivedBlock",
      "GetBlock",
      "PublishEvent",
    ]);
  });
});
