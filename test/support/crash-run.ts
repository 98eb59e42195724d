/**
 * Kills the whole program with -9 at random moments, also while it starts, under miners that find blocks of three chains; the daemons live on
 * in the test's process, with blocks of others and reorgs. Then it lets everything mature and compares the ledger with the chains.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { checkBooks } from "../../src/ledger/books/balance-check.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import { BusyMiner, flagsOf } from "./busy-miner.ts";
import { figure } from "./figure.ts";
import { mineOn, openWorldLedger, ownBlocks, RSK_MATURITY, untilFinal, type WorldDaemons } from "./ledger-truth.ts";
import { MergeWorld, namecoinTable, rskTable } from "./merge-world.ts";
import { seededRandom } from "./seeded-random.ts";
import { pause, until } from "./until.ts";

/** What a run is made of. */
export interface CrashRunOptions {
  readonly kills: number;
  readonly seed: number;
  /** Ms from a process's start, or its first share, to its end, at most. */
  readonly lifeMs: number;
  /** URL of an empty PostgreSQL database that has the ledger; SQLite when left out. */
  readonly database?: string;
}

/** Credit is written this often; what a crash may lose. */
const FLUSH_MS = 300;
/** A write itself takes some time, on a machine that runs three daemons and all miners besides. */
const FLUSH_SLACK_MS = 700;
const KINDS = ["standard", "extended"] as const;

/** One server's life as its miners saw it. */
interface Life {
  /** Shares that were acknowledged, by identity, with the time of each answer (`performance.now`). */
  readonly acknowledged: Map<string, number[]>;
  readonly submitted: Map<string, number>;
  killedMs: number;
}

/** Runs it; the figures are printed. */
export async function crashRun({ kills, seed, lifeMs, database }: CrashRunOptions): Promise<void> {
  const world = await MergeWorld.open({
    bitcoinBits: 246,
    more: `[ledger]\nflush_s = ${FLUSH_MS / 1000}\nfollow_s = 0.5\n${database === undefined ? "" : `database = "${database}"\n`}`,
  });
  const namecoin = await world.namecoin(248, { blockEveryMs: 2000 });
  const rsk = await world.rsk(248, { wsPort: 0, blockEveryMs: 1500, transactionEveryMs: 700 });
  world.write(namecoinTable(namecoin), rskTable(rsk, `maturity = ${RSK_MATURITY}`));
  const daemons: WorldDaemons = { node: world.node, namecoin, rsk };
  const random = seededRandom(seed);
  const chance = (): number => (random.bytes(1)[0] as number) / 256 + (random.bytes(1)[0] as number) / 65536;
  const lives: Life[] = [];
  let duringStart = 0;
  const beganMs = performance.now();
  for (let i = 0; i < kills; i++) {
    const life: Life = { acknowledged: new Map(), submitted: new Map(), killedMs: 0 };
    lives.push(life);
    const ended = new AbortController();
    // A miner whose server is gone may wait for an answer for ever.
    const over = new Promise<void>((resolve) => ended.signal.addEventListener("abort", () => resolve()));
    const mining = Promise.race([mine(world, life, ended.signal).catch(() => undefined), over]);
    // One in five ends while it starts, the others some time after their first share, however slow the machine is.
    if (chance() >= 0.2) await until("a share is acknowledged", () => life.acknowledged.size > 0, 60_000);
    await pause(50 + chance() * lifeMs);
    if (life.acknowledged.size === 0) duringStart += 1;
    life.killedMs = performance.now();
    await world.end("SIGKILL");
    ended.abort();
    await mining;
    if (chance() < 0.15) namecoin.reorg(1 + Math.floor(chance() * 2));
    if (chance() < 0.15) rsk.reorg(1 + Math.floor(chance() * 2));
    if (i % 10 === 9) await checkCredit(world, lives, database);
  }
  await checkCredit(world, lives, database);
  await settle(world, daemons, database);
  expect(await world.end()).toBe(0);
  const store = openWorldLedger(world, database);
  try {
    await checkBlocks(store, world, daemons);
    expect((await checkBooks((work) => work(store.db))).problems).toEqual([]);
    const counts = await store.db
      .selectFrom("blocks")
      .select(({ fn }) => ["chain", "state", fn.countAll<number>().as("blocks")])
      .groupBy(["chain", "state"])
      .orderBy("chain")
      .execute();
    const shares = lives.flatMap(({ acknowledged }) => [...acknowledged.values()]).reduce((n, at) => n + at.length, 0);
    figure(
      `${kills} kills (${duringStart} of them before a share) in ${((performance.now() - beganMs) / 1000).toFixed(0)} s, ${shares} shares acknowledged; ` +
        counts.map(({ chain, state, blocks }) => `${chain} ${state} ${blocks}`).join(", "),
    );
  } finally {
    await store.close();
  }
}

/** Starts the server, mines until it ends, and keeps accounts. */
async function mine(world: MergeWorld, life: Life, signal: AbortSignal): Promise<void> {
  await world.start();
  await Promise.all(
    KINDS.map(async (kind) => {
      const userIdentity = `farm.${kind}`;
      const at: number[] = [];
      const busy = await BusyMiner.start(await world.miner(flagsOf(kind)), { kind, userIdentity, pauseMs: 4 });
      await busy.mineOn(1);
      life.acknowledged.set(userIdentity, at);
      while (!signal.aborted) {
        while (at.length < busy.accepted) at.push(performance.now());
        life.submitted.set(userIdentity, busy.accepted + busy.refused.length + 1);
        busy.check();
        await pause(2);
      }
    }),
  );
}

/** What was acknowledged is credited, but for the last moments before a kill; and nothing is credited that was not sent. */
async function checkCredit(world: MergeWorld, lives: readonly Life[], database: string | undefined): Promise<void> {
  const store = openWorldLedger(world, database);
  try {
    const rows = await store.db
      .selectFrom("credits")
      .innerJoin("workers", "workers.id", "credits.worker_id")
      .select(({ fn }) => ["workers.identity", fn.sum<number>("credits.shares").as("shares")])
      .groupBy("workers.identity")
      .execute();
    for (const kind of KINDS) {
      const identity = `farm.${kind}`;
      const credited = rows.find((row) => row.identity === identity)?.shares ?? 0;
      let least = 0;
      let most = 0;
      for (const { acknowledged, submitted, killedMs } of lives) {
        const safeMs = killedMs - FLUSH_MS - FLUSH_SLACK_MS;
        least += (acknowledged.get(identity) ?? []).filter((at) => at <= safeMs).length;
        most += submitted.get(identity) ?? 0;
      }
      expect(credited, identity).toBeGreaterThanOrEqual(least);
      expect(credited, identity).toBeLessThanOrEqual(most);
    }
  } finally {
    await store.close();
  }
}

/** A last start without miners, and blocks of others until everything is decided. */
async function settle(world: MergeWorld, daemons: WorldDaemons, database: string | undefined): Promise<void> {
  await world.start();
  await pause(3000);
  await mineOn(daemons);
  // What a kill kept out of the database comes from the journals, which takes its time: the chains say when it is all there.
  const expected = Object.values(ownBlocks(daemons)).reduce((sum, blocks) => sum + blocks.length, 0);
  await untilFinal(world, { database, distributed: expected });
}

/** The ledger and the chains say the same of every block of ours. */
async function checkBlocks(store: LedgerStore, world: MergeWorld, daemons: WorldDaemons): Promise<void> {
  const rows = await store.db.selectFrom("blocks").selectAll().execute();
  expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  for (const [chain, blocks] of Object.entries(ownBlocks(daemons))) {
    const paid = rows.filter((row) => row.chain === chain && row.state === "distributed");
    expect(paid.map((row) => row.block_hash).sort(), chain).toEqual(blocks.map(({ hash }) => hash).sort());
    expect(paid.length, chain).toBeGreaterThan(0);
  }
  for (const folder of ["blocks", "aux-blocks"]) {
    const waiting = readdirSync(join(world.folder, "data", folder)).filter(
      (name) => name.endsWith(".json") && !name.endsWith(".done.json"),
    );
    expect(waiting, folder).toEqual([]);
  }
}
