import { describe, expect, test } from "vitest";
import { toHex } from "../../../../src/kernel/bytes.ts";
import { type NoiseCrypto, nobleCrypto } from "../../../../src/sv2/noise/crypto.ts";
import { EphemeralKeyPool } from "../../../../src/sv2/noise/key-pool.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

function setUp(capacity: number) {
  const made: Uint8Array[] = [];
  const crypto: NoiseCrypto = {
    ...nobleCrypto(),
    generateKey: (random) => {
      const privateKey = random.bytes(32);
      made.push(privateKey);
      return { privateKey, ellswift: random.bytes(64) };
    },
  };
  return { made, pool: new EphemeralKeyPool({ crypto, random: seededRandom(81) }, { capacity }) };
}

describe("the stock of ephemeral keys", () => {
  test("fills in steps up to its capacity and says what is missing", () => {
    const { made, pool } = setUp(10);
    expect(pool.refill(4)).toBe(6);
    expect(pool.refill(4)).toBe(2);
    expect(pool.refill(4)).toBe(0);
    expect(pool.refill(1000)).toBe(0);
    expect([pool.size, made.length]).toEqual([10, 10]);
  });

  test("gives every key once, and makes one when it is empty", () => {
    const { made, pool } = setUp(3);
    pool.refill(3);
    const taken = Array.from({ length: 5 }, () => toHex(pool.take().privateKey));
    expect(new Set(taken).size).toBe(5);
    expect([pool.size, made.length]).toEqual([0, 5]);
    expect(pool.refill(1)).toBe(2);
  });

  test("of capacity 0 makes each key when it is asked for", () => {
    const { made, pool } = setUp(0);
    expect(pool.refill(5)).toBe(0);
    expect(pool.take().ellswift).toHaveLength(64);
    expect(made).toHaveLength(1);
  });

  test("wipes the keys that nobody took", () => {
    const { made, pool } = setUp(2);
    pool.refill(2);
    const { privateKey } = pool.take();
    pool.wipe();
    expect(pool.size).toBe(0);
    expect(made.map((key) => key.every((byte) => byte === 0)).sort()).toEqual([false, true]);
    expect(privateKey.some((byte) => byte !== 0)).toBe(true);
  });
});
