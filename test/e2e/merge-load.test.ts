/** New blocks of aux chains while many miners mine: they get jobs and lose nothing, and the heap stays bounded. */
import { expect, test } from "vitest";
import { toHex } from "../../src/kernel/bytes.ts";
import { BusyMiner, flagsOf } from "../support/busy-miner.ts";
import { figure } from "../support/figure.ts";
import { MergeWorld, namecoinTable, puppetTable, rskTable } from "../support/merge-world.ts";
import { pause } from "../support/until.ts";

const MAGIC = "fabe6d6d";

test("new tips of two chains in bursts cost no miner a share, on standard, extended and group channels", async () => {
  const world = await MergeWorld.open();
  const namecoin = await world.namecoin(248, { zmqPort: 0 });
  const rsk = await world.rsk(248, { wsPort: 0 });
  world.write(namecoinTable(namecoin), rskTable(rsk));
  await world.start();
  await world.mined("namecoin", "rsk");
  const busy: BusyMiner[] = [];
  for (const kind of ["standard", "extended", "group"] as const) {
    for (const channels of [1, 3]) {
      busy.push(await BusyMiner.start(await world.miner(flagsOf(kind)), { kind, channels, pauseMs: 2 }));
    }
  }
  const jobsBefore = busy.map(({ jobs }) => jobs.length);
  const prevHashesBefore = busy.map(({ prevHashes }) => prevHashes);
  const beganMs = performance.now();
  let tips = 0;
  // Bursts: several blocks of both chains at once, then some one by one.
  for (let burst = 0; burst < 8; burst++) {
    for (let i = 0; i < 5; i++) {
      namecoin.mineForeignBlock();
      rsk.mineForeignBlock();
      tips += 2;
      if (burst % 2 === 1) await pause(60);
    }
    await pause(400);
  }
  await pause(1500);
  const seconds = (performance.now() - beganMs) / 1000;
  for (const miner of busy) await miner.stop();

  const shares = busy.reduce((sum, { accepted }) => sum + accepted, 0);
  const old = busy.reduce((sum, { acceptedOld }) => sum + acceptedOld, 0);
  expect(busy.flatMap(({ refused }) => refused)).toEqual([]);
  expect(old).toBeGreaterThan(20);
  const { shares: counted, chains } = await world.status();
  expect(counted).toEqual({ accepted: shares, rejected: 0 });
  // Not a single SetNewPrevHash, no future job, no job twice; jobs are for both chains, and as many as `min_interval_s` lets through.
  expect(busy.map(({ prevHashes }) => prevHashes)).toEqual(prevHashesBefore);
  for (const [i, { jobs }] of busy.entries()) {
    const fresh = jobs.slice(jobsBefore[i]);
    expect(fresh.length).toBeGreaterThan(2);
    expect(fresh.every(({ fields }) => fields.minNtime !== null)).toBe(true);
    // Jobs of a group come once for all of its channels.
    if (i >= 2) expect(new Set(fresh.map(({ jobId }) => jobId)).size).toBe(fresh.length);
    const extended = fresh.filter(({ fields }) => "coinbaseTxPrefix" in fields);
    for (const { fields } of extended) {
      if ("coinbaseTxPrefix" in fields) expect(toHex(fields.coinbaseTxPrefix)).toContain(MAGIC);
    }
  }
  const jobs = new Set(busy.flatMap((miner, i) => miner.jobs.slice(jobsBefore[i]).map(({ jobId }) => jobId)));
  expect(jobs.size).toBeGreaterThan(5);
  expect(jobs.size).toBeLessThanOrEqual(Math.ceil(2 * seconds) + 2);
  for (const { mining } of chains) {
    expect(mining?.answers).toMatchObject({ rejected: 0, failed: 0 });
    expect(mining?.answers.accepted).toBeGreaterThan(0);
  }
  figure(
    `${tips} tips in ${seconds.toFixed(1)} s: ${jobs.size} jobs, ${shares} shares accepted, ${old} of them on older jobs`,
  );
  expect(await world.end()).toBe(0);
});

test("two chains with ten blocks a second and 50 connections for 18 s: the heap grows by less than 6 MB, no listener warning", async () => {
  const world = await MergeWorld.open({ more: '[log]\nlevel = "warn"' });
  const namecoin = await world.namecoin(240, { blockEveryMs: 100 });
  const rsk = await world.rsk(240, { blockEveryMs: 100 });
  const fast = "min_interval_s = 0";
  world.write(
    namecoinTable(namecoin, fast),
    rskTable(rsk, `${fast}\npoll_s = 0.1`),
    puppetTable("puppet", { chain_id: 7, tip_ms: 1000, heap_ms: 1000, target_bits: 240 }),
  );
  await world.start();
  await world.mined("namecoin", "rsk");
  const kinds = ["standard", "extended", "group"] as const;
  const busy = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const kind = kinds[i % 3] ?? "extended";
      return await BusyMiner.start(await world.miner(flagsOf(kind)), { kind, pauseMs: 250 });
    }),
  );
  const heaps = (): number[] =>
    world
      .log()
      .filter(({ msg }) => msg.startsWith("heap "))
      .map(({ msg }) => Number(msg.slice(5)));
  await pause(8000);
  const early = Math.min(...heaps().slice(-3));
  await pause(10_000);
  const late = Math.min(...heaps().slice(-3));
  for (const miner of busy) await miner.stop();
  expect(busy.flatMap(({ refused }) => refused)).toEqual([]);
  const shares = busy.reduce((sum, { accepted }) => sum + accepted, 0);
  const jobs = Math.max(...busy.map((miner) => miner.jobs.length));
  figure(`heap ${mb(early)} after 8 s, ${mb(late)} after 18 s; ${jobs} jobs, ${shares} shares`);
  expect(jobs).toBeGreaterThan(50);
  expect(late - early).toBeLessThan(6e6);
  expect(world.server.err.join("\n")).not.toMatch(/MaxListenersExceeded|memory leak/i);
  expect(await world.end()).toBe(0);
});

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
