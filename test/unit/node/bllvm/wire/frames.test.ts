import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat } from "../../../../../src/kernel/bytes.ts";
import { FrameSlicer, maxPayload } from "../../../../../src/node/bllvm/wire/frames.ts";
import { SCHEMAS } from "../../../../../src/node/bllvm/wire/schema.ts";
import { GOLDEN } from "../../../../support/bllvm-wire.ts";

const TOO_LONG = expect.objectContaining({ code: "bllvm-frame-too-long", act: "drop" });

/** A frame around `payload`. */
function frameOf(payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, payload.length);
  return concat(header, payload);
}

/** `stream` cut into chunks of the given sizes, over and over. */
function* chunks(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield stream.subarray(at, at + size);
    at += size;
  }
}

describe("FrameSlicer", () => {
  test("payloads are the same wherever the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 8 }),
        (payloads, sizes) => {
          const slicer = new FrameSlicer({ maxPayload: 70 });
          const stream = concat(...payloads.map(frameOf));
          expect([...chunks(stream, sizes)].flatMap((chunk) => slicer.push(chunk))).toEqual(payloads);
        },
      ),
    );
  });

  test("the node's frames come out byte by byte", () => {
    const slicer = new FrameSlicer({ maxPayload: maxPayload("s3") });
    const stream = concat(...GOLDEN.map(({ frame }) => frame));
    const payloads = [...chunks(stream, [1])].flatMap((chunk) => slicer.push(chunk));
    expect(payloads).toEqual(GOLDEN.map(({ payload }) => payload));
  });

  test("payloads are copies of plain bytes, whatever becomes of the chunk", () => {
    const chunk = Buffer.from(frameOf(Uint8Array.of(1, 2, 3)));
    const [payload] = new FrameSlicer({ maxPayload: 10 }).push(chunk);
    chunk.fill(0);
    expect(payload).toEqual(Uint8Array.of(1, 2, 3));
    expect(payload?.constructor).toBe(Uint8Array);
  });

  test("a payload of the greatest length passes, one byte more is a fault, then and later", () => {
    const slicer = new FrameSlicer({ maxPayload: 5 });
    expect(slicer.push(frameOf(new Uint8Array(5)))).toEqual([new Uint8Array(5)]);
    expect(() => slicer.push(Uint8Array.of(0, 0, 0, 6))).toThrow(TOO_LONG);
    expect(() => slicer.push(frameOf(new Uint8Array(1)))).toThrow(TOO_LONG);
  });

  test("a little-endian length, as a node of another make would send, is too long at once", () => {
    const slicer = new FrameSlicer({ maxPayload: maxPayload("s3") });
    expect(() => slicer.push(Uint8Array.of(0x51, 0, 0, 0))).toThrow(TOO_LONG);
  });

  test("a promised length reserves nothing", () => {
    const length = maxPayload("s3");
    const slicers = Array.from({ length: 200 }, () => new FrameSlicer({ maxPayload: length }));
    const header = Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
    const before = process.memoryUsage().arrayBuffers;
    for (const slicer of slicers) expect(slicer.push(header)).toEqual([]);
    // 200 promises of 40 MiB; what is reserved is 64 KiB each.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(length);
  });

  test("a long payload in small pieces is not copied over and over", () => {
    const payload = new Uint8Array(maxPayload("n2")).map((_, i) => i * 7);
    const slicer = new FrameSlicer({ maxPayload: payload.length });
    // Copying at each piece would move a hundred gigabytes here and run into the test's time limit.
    const out = [...chunks(frameOf(payload), [313])].flatMap((chunk) => slicer.push(chunk));
    expect(out.length).toBe(1);
    expect(Buffer.compare(out[0] as Uint8Array, payload)).toBe(0);
  });
});

test("nodes of the N schemas take 8 MiB, later ones 40", () => {
  expect(SCHEMAS.map((schema) => maxPayload(schema) / 1024 / 1024)).toEqual([8, 8, 8, 40, 40, 40, 40]);
});
