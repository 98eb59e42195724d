/**
 * The whole program while its ledger cannot be written, for every reason that there is: mining goes on, found blocks reach their daemons, the operator reads one line
 * that says what helps, and when the cause is gone the ledger has everything.
 */
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { checkBooks } from "../../src/ledger/books/balance-check.ts";
import { median } from "../support/busy-miner.ts";
import { CountingMiner } from "../support/counting-miner.ts";
import { figure } from "../support/figure.ts";
import { canMount, holdLocked, scratchFolder, smallDisk } from "../support/ledger-files.ts";
import { type Credit, creditOf, ownBlocks, withLedger } from "../support/ledger-truth.ts";
import { LedgerWorld, WINS, WORK_OF_SHARE } from "../support/ledger-world.ts";
import { pause, until } from "../support/until.ts";

const mounts = canMount();
if (!mounts) {
  process.stderr.write(
    "\n*** NOT ROOT: the program with its ledger on a full and on a read-only disk is not tested ***\n\n",
  );
}

/** Shares of which a median is taken. */
const MEASURED = 60;
/** A machine that runs daemons and miners besides makes a share wait now and then. */
const NOISE_MS = 3;

/** What happens to a ledger. */
interface Outage {
  /** Whether it happens while the server is down, which is started then. */
  readonly betweenRuns?: true;
  readonly begin: (ledger: LedgerWorld, file: string) => unknown;
  readonly end: (ledger: LedgerWorld, file: string) => unknown;
  /** The fault that the log names, and some of its advice. */
  readonly code: string;
  readonly advice: RegExp;
  /** Whether the ledger comes back by itself, so that it may be back before it was looked at. */
  readonly isShort?: true;
}

/** A server whose ledger is `file`, that credited some shares already. */
async function worldOn(file: string): Promise<{ ledger: LedgerWorld; credited: Credit[]; quietMs: number }> {
  const ledger = await LedgerWorld.open({ ledger: `database = "${file}"` });
  await ledger.world.start();
  await ledger.ready("namecoin", "rsk");
  const before = await CountingMiner.open(ledger.world, { userIdentity: "before" });
  await before.follow();
  await mineForAWhile(before);
  const credited = creditFor("before", before);
  await expect.poll(() => creditOf(ledger.world, file), { timeout: 10_000 }).toEqual(credited);
  return { ledger, credited, quietMs: median(before.latencies) };
}

/** Over several attempts to write credit. */
async function mineForAWhile(miner: CountingMiner): Promise<void> {
  for (let i = 0; i < MEASURED; i++) {
    await miner.mine(1, WINS.nothing);
    await pause(15);
  }
}

function creditFor(identity: string, { counted }: CountingMiner): Credit[] {
  return [...counted].map(([chains, shares]) => ({ identity, chains, shares, work: BigInt(shares) * WORK_OF_SHARE }));
}

/** Mines through an outage and looks at everything that must hold. */
async function mineThrough(file: string, outage: Outage): Promise<void> {
  const { ledger, credited, quietMs } = await worldOn(file);
  const { world } = ledger;
  if (outage.betweenRuns) {
    expect(await world.end()).toBe(0);
    await outage.begin(ledger, file);
    await world.start();
    await ledger.ready("namecoin", "rsk");
  } else {
    await outage.begin(ledger, file);
  }
  const during = await CountingMiner.open(world, { userIdentity: "during" });
  await during.follow();
  await mineForAWhile(during);
  const troubledMs = median(during.latencies);
  figure(`median share latency ${quietMs.toFixed(2)} ms before, ${troubledMs.toFixed(2)} ms during ${outage.code}`);
  expect(troubledMs).toBeLessThan(2 * quietMs + NOISE_MS);

  // Blocks of all chains, found by one header, are in their daemons' chains while the ledger is away.
  await during.mine(1, WINS.all);
  const own = (): number[] => Object.values(ownBlocks(ledger)).map(({ length }) => length);
  await expect.poll(own, { timeout: 10_000 }).toEqual([1, 1, 1]);
  await ledger.ready("namecoin", "rsk");
  await during.follow();
  await during.mine(5, WINS.nothing);
  // Every line of the ledger's own connection that says what helps.
  const lines = () => world.log().filter(({ level, code }) => level >= 50 && code !== undefined);
  await until(`the log speaks of ${outage.code}`, () => lines().length > 0, 20_000);
  expect(lines()[0]?.code).toBe(outage.code);
  expect(lines()[0]?.msg).toMatch(outage.advice);
  if (!outage.isShort) {
    const { ledger: told } = await world.status();
    expect(told.trouble).toBeTypeOf("string");
    expect(told.unwrittenShares).toBe(during.shares);
  }

  await outage.end(ledger, file);
  const all = [...credited, ...creditFor("during", during)];
  await expect.poll(() => creditOf(world, file), { timeout: 45_000 }).toEqual(all);
  const recorded = async () => {
    const rows = await withLedger(
      world,
      ({ db }) => db.selectFrom("blocks").select(["chain", "block_hash as hash"]).orderBy("chain").execute(),
      file,
    ).catch(() => []);
    return rows.map(({ chain, hash }) => [chain, hash]);
  };
  const found = Object.entries(ownBlocks(ledger)).map(([chain, blocks]) => [chain, blocks[0]?.hash]);
  await expect.poll(recorded, { timeout: 45_000 }).toEqual(found);
  await expect
    .poll(async () => (await world.status()).ledger, { timeout: 10_000 })
    .toMatchObject({ open: true, unwrittenShares: 0, lostShares: 0 });
  expect((await world.status()).ledger.trouble).toBeUndefined();
  expect(lines()).toHaveLength(1);
  expect((await ledger.run("ledger", "check")).code).toBe(0);
  expect(await world.end()).toBe(0);
  const { problems } = await withLedger(world, ({ db }) => checkBooks((work) => work(db)), file);
  expect(problems).toEqual([]);
}

/** A path in a folder of its own. */
function ledgerFile(): string {
  return join(scratchFolder(), "ledger.sqlite");
}

/** Everything that belongs to a file. */
const PARTS = ["", "-wal", "-shm"];

/** The process that has the ledger's file: the server's one child. */
function childOf(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
}

describe("mining and blocks go on, and the ledger has everything afterwards, when its database", () => {
  test("is damaged at the start", { timeout: 180_000 }, async () => {
    await mineThrough(ledgerFile(), {
      betweenRuns: true,
      begin: (_, file) => {
        copyFileSync(file, `${file}.copy`);
        writeFileSync(file, "no database any more ".repeat(1000));
        for (const part of ["-wal", "-shm"]) rmSync(`${file}${part}`, { force: true });
      },
      end: (_, file) => renameSync(`${file}.copy`, file),
      code: "ledger-corrupt",
      advice: /restore your last copy/,
    });
  });

  test.runIf(mounts)("is on a disk that becomes full", { timeout: 180_000 }, async () => {
    const { folder } = smallDisk(2 ** 22);
    const ballast = join(folder, "ballast");
    await mineThrough(join(folder, "ledger.sqlite"), {
      begin: () => {
        expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 22))).toThrow(/ENOSPC/);
      },
      end: () => rmSync(ballast),
      code: "ledger-disk-full",
      advice: /Make room/,
    });
  });

  test.runIf(mounts)("is on a disk that is read-only", { timeout: 180_000 }, async () => {
    const disk = smallDisk(2 ** 22);
    await mineThrough(join(disk.folder, "ledger.sqlite"), {
      betweenRuns: true,
      begin: () => disk.readOnly(true),
      end: () => disk.readOnly(false),
      code: "ledger-read-only",
      advice: /remount the disk writable/,
    });
  });

  test("is held locked by another program", { timeout: 180_000 }, async () => {
    let lock: Awaited<ReturnType<typeof holdLocked>> | undefined;
    await mineThrough(ledgerFile(), {
      begin: async (_, file) => {
        lock = await holdLocked(file);
      },
      end: () => lock?.release(),
      code: "ledger-locked",
      advice: /End what has it open/,
    });
  });

  test("is taken away and put back", { timeout: 180_000 }, async () => {
    await mineThrough(ledgerFile(), {
      begin: (_, file) => {
        for (const part of PARTS) renameSync(`${file}${part}`, `${file}${part}.away`);
      },
      end: (_, file) => {
        for (const part of PARTS.toReversed()) renameSync(`${file}${part}.away`, `${file}${part}`);
      },
      code: "ledger-moved",
      advice: /Put it back/,
    });
  });

  test("loses the process that writes it", { timeout: 180_000 }, async () => {
    await mineThrough(ledgerFile(), {
      begin: ({ world }) => process.kill(childOf(world.server.pid), "SIGKILL"),
      end: () => undefined,
      code: "ledger-process-ended",
      advice: /started again by itself/,
      isShort: true,
    });
  });
});

test("a ledger that is deleted for good is begun anew by a restart, with every block that the journals have", {
  timeout: 180_000,
}, async () => {
  const file = ledgerFile();
  const { ledger } = await worldOn(file);
  const { world } = ledger;
  const miner = await CountingMiner.open(world, { userIdentity: "miner" });
  await miner.follow();
  await miner.mine(1, WINS.all);
  await expect.poll(() => Object.values(ownBlocks(ledger)).map(({ length }) => length)).toEqual([1, 1, 1]);
  for (const part of PARTS) rmSync(`${file}${part}`);
  await ledger.ready("namecoin", "rsk");
  await miner.follow();
  await miner.mine(1, WINS.nothing);
  await until("the log tells", () => world.log().some(({ code }) => code === "ledger-moved"), 20_000);
  // What cannot be written is said at the stop.
  expect(await world.end()).toBe(0);
  expect(ledger.said(50).some((line) => /nobody gets credit for these shares/.test(line))).toBe(true);
  await world.start();
  const rows = () =>
    withLedger(world, ({ db }) => db.selectFrom("blocks").select("chain").orderBy("chain").execute(), file).catch(
      () => [],
    );
  await expect.poll(rows, { timeout: 20_000 }).toEqual([{ chain: "bitcoin" }, { chain: "namecoin" }, { chain: "rsk" }]);
  expect(await world.end()).toBe(0);
});

test("a ledger of a newer version ends the start, and says why and what helps", async () => {
  const file = ledgerFile();
  const { ledger } = await worldOn(file);
  expect(await ledger.world.end()).toBe(0);
  await withLedger(
    ledger.world,
    ({ db }) => sql`insert into ledger_migration (name, timestamp) values ('9999-later', '')`.execute(db),
    file,
  );
  const { code, out, err } = await ledger.run("start");
  expect(code).toBe(1);
  expect(out).toEqual([]);
  expect(err.join("\n")).toMatch(/the ledger was written by a newer version of this program \(steps 9999-later\)/);
  expect(err.join("\n")).toMatch(/what to do: Run the version that wrote it, or a later one/);
});
