import { describe, expect, test } from "vitest";
import { Fault } from "../../src/kernel/fault.ts";
import { randomU32 } from "../../src/kernel/random.ts";
import { wireCodec } from "../../src/node/bllvm/wire/codec.ts";
import { FrameSlicer } from "../../src/node/bllvm/wire/frames.ts";
import { SCHEMAS } from "../../src/node/bllvm/wire/schema.ts";
import { GOLDEN } from "../support/bllvm-wire.ts";
import { seededRandom } from "../support/seeded-random.ts";

/** Seeds whose run once failed are added here and stay. */
const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];
const codecs = SCHEMAS.map((schema) => wireCodec(schema));

/** Runs `attack` and lets faults that cost the connection pass. */
function survives(attack: () => void): void {
  try {
    attack();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.act).toBe("drop");
  }
}

describe.each(SEEDS)("hostile bytes from the node's socket, seed %i", (seed) => {
  const random = seededRandom(seed);
  const below = (max: number): number => randomU32(random) % max;

  test("as payload of every message", () => {
    for (const codec of codecs) {
      for (let type = 0; type < 7; type++) {
        for (let i = 0; i < 20; i++) {
          const bytes = random.bytes(below(200) + 4);
          bytes.set([type, 0, 0, 0]);
          survives(() => void codec.decode(bytes));
        }
        for (const filler of [0, 1, 0xff]) {
          const bytes = new Uint8Array(400).fill(filler);
          bytes.set([type, 0, 0, 0]);
          survives(() => void codec.decode(bytes));
        }
      }
    }
  });

  test("as frames of the node with bits turned, cut, or put together of two", () => {
    for (const { payload } of GOLDEN) {
      for (let i = 0; i < 10; i++) {
        const turned = Uint8Array.from(payload);
        for (let left = below(4) + 1; left > 0; left--) {
          const at = below(turned.length);
          turned[at] = (turned[at] as number) ^ (1 << below(8));
        }
        const other = (GOLDEN[below(GOLDEN.length)] as (typeof GOLDEN)[number]).payload;
        const cut = payload.subarray(0, below(payload.length));
        const mixed = Uint8Array.from([...cut, ...other.subarray(Math.min(cut.length, other.length))]);
        for (const codec of codecs) for (const bytes of [turned, cut, mixed]) survives(() => void codec.decode(bytes));
      }
    }
  });

  test("as a stream", () => {
    let slicer = new FrameSlicer({ maxPayload: 4096 });
    let dropped = 0;
    for (let i = 0; i < 300; i++) {
      const chunk = random.bytes(below(60));
      // Mostly zeros in front: of random lengths hardly one would be short enough to be read.
      if (i % 2 === 0) chunk.fill(0, 0, 3);
      try {
        for (const payload of slicer.push(chunk))
          for (const codec of codecs) survives(() => void codec.decode(payload));
      } catch (error) {
        expect(error).toMatchObject({ code: "bllvm-frame-too-long", act: "drop" });
        slicer = new FrameSlicer({ maxPayload: 4096 });
        dropped++;
      }
    }
    expect(dropped).toBeGreaterThan(0);
  });
});
