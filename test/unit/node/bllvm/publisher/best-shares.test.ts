/** Which shares are told of. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BestShares } from "../../../../../src/node/bllvm/publisher/best-shares.ts";

/** A hash whose number is `n`: its lowest byte first. */
const hash = (n: number): Uint8Array => {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
};
const miners = (shares: BestShares): string[] => {
  const told: string[] = [];
  for (let share = shares.next(); share !== undefined; share = shares.next()) told.push(share.miner);
  return told;
};

describe("the best shares of an interval", () => {
  test("of a miner the one with the lowest hash, as it was when it came", () => {
    const shares = new BestShares({}, { maxMiners: 10 });
    const bytes = hash(0x0100);
    shares.offer(1, bytes, "alice");
    shares.offer(2, hash(0xff), "alice");
    // As a number read little-endian: 0x0200 is more than 0xff.
    shares.offer(3, hash(0x0200), "alice");
    bytes.fill(0);
    expect(shares.turn()).toEqual({ worse: 2, rate: 0, full: 0 });
    expect(shares.next()).toEqual({ miner: "alice", jobId: 2, hash: hash(0xff) });
    expect(shares.next()).toBeUndefined();
  });

  test("two miners of whom one can be told take turns", () => {
    const shares = new BestShares({}, { maxMiners: 10 });
    const told: (string | undefined)[] = [];
    for (let round = 0; round < 6; round++) {
      for (const miner of ["alice", "bob"]) shares.offer(round, hash(1), miner);
      shares.turn();
      told.push(shares.next()?.miner);
    }
    expect(told.filter((miner) => miner === "alice")).toHaveLength(3);
    expect(told[0]).not.toBe(told[1]);
    expect(told).toEqual([told[0], told[1], told[0], told[1], told[0], told[1]]);
  });

  test("a miner that was never told goes before all that were", () => {
    const shares = new BestShares({}, { maxMiners: 10 });
    for (const miner of ["a", "b", "c"]) shares.offer(1, hash(1), miner);
    shares.turn();
    miners(shares);
    for (const miner of ["a", "new", "b", "c"]) shares.offer(2, hash(1), miner);
    shares.turn();
    expect(shares.next()?.miner).toBe("new");
  });

  test("what is left of an interval is left out when the next one ends", () => {
    const shares = new BestShares({}, { maxMiners: 10 });
    for (const miner of ["a", "b", "c"]) shares.offer(1, hash(1), miner);
    shares.turn();
    shares.next();
    shares.offer(2, hash(1), "d");
    expect(shares.turn()).toEqual({ worse: 0, rate: 2, full: 0 });
    expect(miners(shares)).toEqual(["d"]);
  });

  test("at the bound further miners are counted, known ones still improve", () => {
    const shares = new BestShares({}, { maxMiners: 1000 });
    for (let i = 0; i < 5000; i++) shares.offer(1, hash(9), `miner${i}`);
    shares.offer(2, hash(3), "miner5");
    expect(shares.size).toBe(1000);
    expect(shares.turn()).toEqual({ worse: 1, rate: 0, full: 4000 });
    const told = miners(shares);
    expect(told).toHaveLength(1000);
    expect(new Set(told).size).toBe(1000);
  });

  test("clear says how many shares it forgets", () => {
    const shares = new BestShares({}, { maxMiners: 1 });
    for (const miner of ["a", "a", "b"]) shares.offer(1, hash(1), miner);
    expect(shares.clear()).toBe(3);
    expect(shares.turn()).toEqual({ worse: 0, rate: 0, full: 0 });
    expect(shares.isReady).toBe(false);
  });

  test("every share is told, left out with a reason, or still held, and no miner twice in an interval", () => {
    const offer = fc.record({ miner: fc.nat(8), n: fc.nat(50) });
    const round = fc.record({ offers: fc.array(offer, { maxLength: 30 }), told: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 12 }), (rounds) => {
        const shares = new BestShares({}, { maxMiners: 5 });
        let [offered, settled] = [0, 0];
        for (const { offers, told } of rounds) {
          const best = new Map<string, number>();
          for (const { miner, n } of offers) {
            const name = `m${miner}`;
            if (best.has(name) || best.size < 5) best.set(name, Math.min(best.get(name) ?? n, n));
            shares.offer(1, hash(n), name);
            offered += 1;
          }
          const { worse, rate, full } = shares.turn();
          settled += worse + rate + full;
          const seen = new Set<string>();
          for (let i = 0; i < told; i++) {
            const share = shares.next();
            if (share === undefined) break;
            expect(seen.has(share.miner)).toBe(false);
            expect(share.hash).toEqual(hash(best.get(share.miner)!));
            seen.add(share.miner);
            settled += 1;
          }
        }
        expect(settled + shares.size).toBe(offered);
      }),
    );
  });
});
