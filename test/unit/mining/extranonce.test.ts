import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import { EXTRANONCE_SIZE, ExtranonceAllocator, paddedPrefix } from "../../../src/mining/extranonce.ts";

describe("ExtranonceAllocator", () => {
  test("gives server id and a running number, most significant byte first", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 0xab, first: 0x010203 });
    expect(toHex(allocator.allocate()!)).toBe("ab010203");
    expect(toHex(allocator.allocate()!)).toBe("ab010204");
  });

  test("begins anew after the last number", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 1, first: 0xffffff });
    expect(toHex(allocator.allocate()!)).toBe("01ffffff");
    expect(toHex(allocator.allocate()!)).toBe("01000000");
  });

  test("does not hand out a freed prefix before it went round the whole space", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 1, capacity: 100 });
    const first = allocator.allocate()!;
    allocator.free(first);
    const others = Array.from({ length: 99 }, () => toHex(allocator.allocate()!));
    expect(others).not.toContain(toHex(first));
    expect(toHex(allocator.allocate()!)).toBe(toHex(first));
  });

  test("says so when all are in use, and goes on when one is freed", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 1, capacity: 33 });
    const all = Array.from({ length: 33 }, () => allocator.allocate()!);
    expect(allocator.inUse).toBe(33);
    expect(allocator.allocate()).toBeUndefined();
    allocator.free(all[17]!);
    expect(toHex(allocator.allocate()!)).toBe(toHex(all[17]!));
    expect(allocator.allocate()).toBeUndefined();
  });

  test("has 2^24 prefixes for each server and never one twice", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 0 });
    expect(allocator.capacity).toBe(16_777_216);
    for (let i = 0; i < 70_000; i++) allocator.allocate();
    expect(toHex(allocator.allocate()!)).toBe("00011170");
  });

  test("prefixes in use are always different, and freed ones come back: any sequence of calls", () => {
    const steps = fc.array(fc.oneof(fc.constant("allocate" as const), fc.nat(40)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 40 }), fc.nat(50), (calls, capacity, first) => {
        const allocator = new ExtranonceAllocator({}, { serverId: 9, capacity, first });
        const held: string[] = [];
        const bytes = new Map<string, Uint8Array>();
        for (const call of calls) {
          if (call === "allocate") {
            const prefix = allocator.allocate();
            expect(prefix === undefined).toBe(held.length === capacity);
            if (prefix === undefined) continue;
            expect(held).not.toContain(toHex(prefix));
            held.push(toHex(prefix));
            bytes.set(toHex(prefix), prefix);
          } else if (held.length > 0) {
            const [gone] = held.splice(call % held.length, 1);
            allocator.free(bytes.get(gone!)!);
          }
          expect(allocator.inUse).toBe(held.length);
        }
      }),
    );
  });

  test.each([
    ["of another server", Uint8Array.of(2, 0, 0, 0)],
    ["not in use", Uint8Array.of(1, 0, 0, 1)],
    ["beyond the capacity", Uint8Array.of(1, 255, 255, 255)],
    ["too short", Uint8Array.of(1, 0, 0)],
    ["too long", Uint8Array.of(1, 0, 0, 0, 0)],
  ])("does not take back a prefix %s", (_why, prefix) => {
    const allocator = new ExtranonceAllocator({}, { serverId: 1, capacity: 64 });
    allocator.allocate();
    expect(() => allocator.free(prefix)).toThrow(TypeError);
    expect(allocator.inUse).toBe(1);
  });

  test("does not take back a prefix twice", () => {
    const allocator = new ExtranonceAllocator({}, { serverId: 1 });
    const prefix = allocator.allocate()!;
    allocator.free(prefix);
    expect(() => allocator.free(prefix)).toThrow(TypeError);
  });

  test.each([
    { serverId: -1 },
    { serverId: 256 },
    { serverId: 1.5 },
    { serverId: 0, capacity: 0 },
    { serverId: 0, capacity: 2 ** 24 + 1 },
    { serverId: 0, first: -1 },
  ])("refuses options %o", (options) => {
    expect(() => new ExtranonceAllocator({}, options)).toThrow(TypeError);
  });
});

test("a standard channel's extranonce is its prefix and zeros, as long as an extended channel's whole one", () => {
  const extranonce = paddedPrefix(Uint8Array.of(1, 2, 3, 4), EXTRANONCE_SIZE);
  expect(extranonce).toHaveLength(EXTRANONCE_SIZE);
  expect(toHex(extranonce)).toBe(`01020304${"00".repeat(16)}`);
});
