import { describe, expect, test } from "vitest";
import { Fault } from "../../src/kernel/fault.ts";
import { randomU32 } from "../../src/kernel/random.ts";
import { Connection } from "../../src/sv2/connection.ts";
import { understand } from "../../src/sv2/dialect.ts";
import { decodeTlvs, decodeUserIdentity } from "../../src/sv2/tlv.ts";
import { fakeHandshake } from "../support/fake-noise.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { ALL_ROWS, CODECS, OWN_CODECS } from "../support/sv2-tables.ts";

const codecs = [...Object.values(CODECS), ...OWN_CODECS];
/** Seeds whose run once failed are added here and stay. */
const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];

/** Runs `attack` and lets faults that cost the sender the connection pass. */
function survives(attack: () => void): void {
  try {
    attack();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.act).toBe("drop");
  }
}

describe.each(SEEDS)("hostile bytes, seed %i", (seed) => {
  const random = seededRandom(seed);
  const size = (max: number): number => randomU32(random) % (max + 1);

  test("as payload of every message", () => {
    for (const { codec, row } of ALL_ROWS) {
      for (let i = 0; i < 20; i++) survives(() => void codec.decode(row.type, random.bytes(size(200))));
      survives(() => void codec.decode(row.type, new Uint8Array(300).fill(0xff)));
      survives(() => void codec.decode(row.type, new Uint8Array(300)));
    }
  });

  test("as a plain stream: every frame is told, or the connection is dropped", () => {
    const connection = new Connection({}, { role: "server", maxFrameSize: 4096 });
    for (let i = 0; i < 50; i++) {
      survives(() => {
        for (const frame of connection.receive(random.bytes(size(100)))) understand(codecs, frame, "server");
      });
      expect(connection.buffered).toBeLessThanOrEqual(4096);
    }
  });

  test("as handshake and as ciphertext", () => {
    const connection = new Connection({ noise: fakeHandshake("server") }, { role: "server", maxFrameSize: 4096 });
    if (seed % 2 === 0) connection.receive(new Uint8Array(64).fill(1));
    for (let i = 0; i < 20; i++) {
      survives(() => void connection.receive(random.bytes(size(100))));
      expect(connection.buffered).toBeLessThanOrEqual(4096 + 16);
    }
  });

  test("as TLVs", () => {
    for (let i = 0; i < 200; i++) {
      const start = [[], [2, 0, 1], [0, 2, 1]][i % 3] as number[];
      const bytes = Uint8Array.from([...start, ...random.bytes(size(60))]);
      survives(() => void decodeTlvs(bytes));
      survives(() => void decodeUserIdentity(bytes));
    }
  });
});
