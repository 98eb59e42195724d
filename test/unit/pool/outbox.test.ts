import { describe, expect, test } from "vitest";
import { Outbox } from "../../../src/pool/outbox.ts";
import { FakeStream } from "../../support/fake-stream.ts";

const bytes = (length: number, fill = 0): Uint8Array => new Uint8Array(length).fill(fill);

function outbox(limit = 100) {
  const stream = new FakeStream();
  return { stream, out: new Outbox({ stream }, { limit: () => limit, nowMs: 0 }) };
}

describe("Outbox", () => {
  test("joins what was put in into one write", () => {
    const { stream, out } = outbox();
    out.put(bytes(1, 1));
    out.put(bytes(2, 2));
    expect(stream.writes).toEqual([]);
    expect(out.flush()).toBe(true);
    expect(stream.writes).toEqual([Uint8Array.of(1, 2, 2)]);
    expect(out.flush()).toBe(true);
    expect(stream.writes).toHaveLength(1);
  });

  test("holds as much as its limit, and one byte more is too much", () => {
    const { stream, out } = outbox(100);
    stream.reading = false;
    out.put(bytes(60));
    expect(out.flush()).toBe(true);
    out.put(bytes(40));
    expect(out.waiting).toBe(100);
    expect(out.flush()).toBe(true);
    out.put(bytes(1));
    expect(out.flush()).toBe(false);
    expect(stream.writes).toHaveLength(2);
  });

  test("beyond its limit it keeps nothing but the last piece", () => {
    const { stream, out } = outbox(100);
    for (let i = 0; i < 1000; i++) out.put(bytes(90));
    expect(out.flush()).toBe(false);
    out.clear();
    expect(out.waiting).toBe(0);
    expect(stream.writes).toEqual([]);
  });

  test("knows for how long nothing was taken", () => {
    const { stream, out } = outbox();
    expect(out.stalledMs(5000), "nothing waits").toBe(0);
    stream.reading = false;
    out.put(bytes(50));
    out.flush();
    expect(out.stalledMs(6000)).toBe(1000);
    expect(out.stalledMs(9000)).toBe(4000);
    stream.take(10);
    expect(out.stalledMs(10_000)).toBe(0);
    out.put(bytes(10));
    out.flush();
    expect(out.stalledMs(12_000), "more to take is not taken").toBe(2000);
    stream.take(50);
    expect(out.stalledMs(13_000)).toBe(0);
    expect(out.stalledMs(99_000)).toBe(0);
  });
});
