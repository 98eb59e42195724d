import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TARGET, targetToBytes } from "../../../src/bitcoin/target.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { composeJob } from "../../../src/merge/compose.ts";
import { type Find, Finds } from "../../../src/merge/finds.ts";
import { Spares } from "../../../src/merge/spares.ts";
import type { AuxSnapshot } from "../../../src/mining/aux.ts";
import type { Job } from "../../../src/mining/job.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { auxWork } from "../../support/aux-work.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { hashedShare } from "../../support/hashed-share.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** A job for AuxPoW chains whose work every header solves. */
function jobFor(chains: readonly string[]): Job {
  const template = makeTemplate({ height: 800_000, prevHash: seededRandom(1).bytes(32) });
  const wanted = chains.map((chain, chainId) => {
    const work = auxWork({ id: `work of ${chain}`, target: MAX_TARGET });
    return { chain, work, commitments: [{ kind: "auxpow", chainId, hash: work.hash, strictChainId: true } as const] };
  });
  const parts = { template, payout, tag: utf8("/unit/"), jobId: 1, nowMs: 1_700_000_000_000 };
  return composeJob(parts, wanted, { generation: 1, chainIds: new Map() }).job;
}

function finds(options = { queueSize: 8, maxSpares: 8, maxRounds: 64 }) {
  const clock = new FakeClock();
  const log = recordingLog();
  const meter = new MemoryMeter();
  const spares = new Spares({ clock, onForgotten: () => undefined }, options);
  const taken: Find[] = [];
  const take = (find: Find): void => void taken.push(find);
  const found: number[] = [];
  const onFind = (foundMs: number): void => void found.push(foundMs);
  const it = new Finds({ clock, log, meter, spares, take, onFind }, options);
  /** A share that solves the chain's work and, of the others in its job, none. */
  const look = (job: Job, chain: string, nonce: number): void => {
    const aux = job.aux as AuxSnapshot;
    const none = targetToBytes(0n);
    const entries = aux.entries.map((entry) => (entry.chain === chain ? entry : { ...entry, target: none }));
    it.look(hashedShare(job, { nonce }), { ...aux, entries });
  };
  const errors = (): string[] => log.lines.filter(({ level }) => level === "error").map(({ message }) => message);
  return { it, clock, meter, taken, found, look, errors };
}

describe("the queue of solutions", () => {
  test("tells of a find at once, with the time that the block is recorded with, and not of one that is worth nothing", () => {
    const { it, clock, look, found, taken } = finds();
    const job = jobFor(["a"]);
    look(job, "a", 1);
    expect(found).toEqual([clock.nowMs()]);
    look(job, "a", 1);
    expect(found).toHaveLength(1);
    it.flush();
    expect(taken.map(({ foundMs }) => foundMs)).toEqual(found);
  });

  test("filled with spares of an easy chain does not cost another chain its block", () => {
    const { it, look, taken, meter, errors } = finds();
    const job = jobFor(["easy", "namecoin"]);
    for (let nonce = 0; nonce < 8; nonce++) look(job, "easy", nonce);
    expect(it.waiting).toBe(8);
    look(job, "namecoin", 100);
    expect(it.waiting).toBe(8);
    it.flush();
    expect(taken.map(({ entry }) => entry.chain)).toEqual([...Array(7).fill("easy"), "namecoin"]);
    expect(meter.byLabel("aux_lost_total")).toEqual({ "easy,spare": 1 });
    expect(errors()).toEqual([]);
  });

  test("refuses spares quietly when it is full; their place is free again", () => {
    const { it, look, meter, errors } = finds({ queueSize: 2, maxSpares: 3, maxRounds: 64 });
    const job = jobFor(["a"]);
    for (let nonce = 0; nonce < 10; nonce++) look(job, "a", nonce);
    expect(it.waiting).toBe(2);
    expect(meter.byLabel("aux_lost_total")).toEqual({ "a,spare": 8 });
    expect(errors()).toEqual([]);
    it.flush();
    look(job, "a", 10);
    expect(it.waiting).toBe(1);
  });

  test("holds what it may and no more; the first solution of a block is lost only to those of others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 5 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (order, queueSize) => {
          const names = ["a", "b", "c", "d", "e", "f"];
          const { it, look, taken } = finds({ queueSize, maxSpares: 8, maxRounds: 64 });
          const job = jobFor(names);
          for (const [nonce, chain] of order.entries()) {
            look(job, names[chain] as string, nonce);
            expect(it.waiting).toBeLessThanOrEqual(queueSize);
          }
          it.flush();
          const served = new Set(taken.map(({ entry }) => entry.chain));
          expect(served.size).toBe(Math.min(queueSize, new Set(order).size));
        },
      ),
      { numRuns: 50 },
    );
  });
});
