/**
 * Reads the work that counts for a block from slices and credits, walking back from the find in pages until the window is full. The database adds
 * up; what comes here is one row a worker and page, so that a long statement never holds up the ledger's one connection.
 *
 * A slice that reaches over an edge of the window in time (of another server that cut its slices elsewhere, or by a share some ms younger than the
 * find) counts in proportion to its time inside, each worker's work rounded down to whole hashes.
 */

import type { LedgerAccess } from "../store/access.ts";
import { exactSum, sumIn } from "../store/exact-sum.ts";
import type { LedgerDb } from "../store/schema.ts";
import { countsFor } from "../store/work-sets.ts";
import { type CountedWork, cutWindow } from "./counted-work.ts";
import { chunks } from "./pieces.ts";

/** Which work counts. */
export interface Window {
  readonly chain: string;
  /** User identity of the finder. */
  readonly finder: string;
  /** Shares after this … */
  readonly fromMs: number;
  /** … and up to this, included: the find. */
  readonly toMs: number;
  /** Hashes that count at most, the newest; `undefined` for all. */
  readonly work: bigint | undefined;
}

/** Options of `readWindow`. */
export interface WindowOptions {
  /** Slices that one statement adds up. */
  readonly slicesAtOnce: number;
}

/** What holds unless said otherwise: with 10,000 workers some 160,000 rows a statement. */
export const WINDOW_DEFAULTS: WindowOptions = { slicesAtOnce: 16 };

/** Ids in one query. */
const IDS_AT_ONCE = 500;

interface Slice {
  readonly id: number;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly open: number;
}

type Run = LedgerAccess["run"];

/** Times that a window is read when slices are joined meanwhile. */
const TRIES = 5;

/**
 * The work of `window`. When slices were joined while it was read (old ones are, by and by), it is read again. Rejects with what `run` rejects with, and
 * with an `Error` when slices are joined all the time.
 */
export async function readWindow(run: Run, window: Window, options = WINDOW_DEFAULTS): Promise<CountedWork> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const reader = new WindowReader(run, window);
    const slices = await readSlices(run, reader, window, options);
    if (await areAsBefore(run, slices)) return await reader.result();
  }
  throw new Error("the slices of a window are joined faster than they are read");
}

/** Gives the slices that it read. */
async function readSlices(
  run: Run,
  reader: WindowReader,
  window: Window,
  { slicesAtOnce }: WindowOptions,
): Promise<readonly Slice[]> {
  const read: Slice[] = [];
  for (let before: Slice | undefined; !reader.full; ) {
    const page = await run((db) => slicesBefore(db, window, before, slicesAtOnce));
    read.push(...page);
    for (const stretch of stretches(page, window)) {
      if (!reader.full) await reader.add(stretch);
    }
    before = page.at(-1);
    if (before === undefined) break;
  }
  return read;
}

/** Whether slices are still there with the same bounds; an open one may have grown. */
async function areAsBefore(run: Run, slices: readonly Slice[]): Promise<boolean> {
  for (const some of chunks(slices, IDS_AT_ONCE)) {
    const rows = await run((db) =>
      db.selectFrom("slices").select(["id", "start_ms", "end_ms", "open"]).where("id", "in", idsOf(some)).execute(),
    );
    const now = new Map(rows.map((row) => [row.id, row]));
    for (const { id, start_ms, end_ms, open } of some) {
      const slice = now.get(id);
      if (slice?.start_ms !== start_ms || (open === 0 && slice.end_ms !== end_ms)) return false;
    }
  }
  return true;
}

class WindowReader {
  readonly #run: Run;
  readonly #window: Window;
  readonly #work = new Map<number, bigint>();
  #rest: bigint | undefined;
  #oldest: { readonly work: ReadonlyMap<number, bigint>; readonly counts: bigint } | undefined;

  constructor(run: Run, window: Window) {
    this.#run = run;
    this.#window = window;
    this.#rest = window.work;
  }

  /** Whether nothing more counts. */
  get full(): boolean {
    return this.#rest === 0n;
  }

  /** Takes slices, newest first, all whole or a single one that is cut by an edge. */
  async add(slices: readonly Slice[]): Promise<void> {
    const [first] = slices;
    if (first === undefined) return;
    const work = inside(await this.#workOf(slices), first, slices.length === 1 ? this.#window : undefined);
    const total = sum(work);
    if (this.#rest === undefined || total <= this.#rest) {
      for (const [worker, more] of work) this.#work.set(worker, (this.#work.get(worker) ?? 0n) + more);
      if (this.#rest !== undefined) this.#rest -= total;
    } else if (slices.length === 1) {
      this.#oldest = { work, counts: this.#rest };
      this.#rest = 0n;
    } else {
      const { full } = cutWindow(await this.#totalsOf(slices), this.#rest);
      await this.add(slices.slice(0, full));
      if (!this.full) await this.add(slices.slice(full, full + 1));
    }
  }

  /** With names instead of ids: these differ from database to database, and names decide among equals. */
  async result(): Promise<CountedWork> {
    const names = await this.#names();
    const named = (work: ReadonlyMap<number, bigint>): Map<string, bigint> =>
      new Map([...work].map(([id, hashes]) => [names.get(id) ?? "", hashes]));
    const oldest = this.#oldest;
    return {
      finder: this.#window.finder,
      full: named(this.#work),
      oldest: oldest === undefined ? undefined : { work: named(oldest.work), counts: oldest.counts },
    };
  }

  async #workOf(slices: readonly Slice[]): Promise<Map<number, bigint>> {
    const rows = await this.#run((db) =>
      db
        .selectFrom("credits")
        .select(["worker_id", ...exactSum("sum", "work")])
        .where("slice_id", "in", idsOf(slices))
        .where(countsFor(db, this.#window.chain))
        .groupBy("worker_id")
        .execute(),
    );
    return new Map(rows.map((row) => [row.worker_id, sumIn(row, "sum")]));
  }

  async #totalsOf(slices: readonly Slice[]): Promise<bigint[]> {
    const rows = await this.#run((db) =>
      db
        .selectFrom("credits")
        .select(["slice_id", ...exactSum("sum", "work")])
        .where("slice_id", "in", idsOf(slices))
        .where(countsFor(db, this.#window.chain))
        .groupBy("slice_id")
        .execute(),
    );
    const totals = new Map(rows.map((row) => [row.slice_id, sumIn(row, "sum")]));
    return slices.map(({ id }) => totals.get(id) ?? 0n);
  }

  async #names(): Promise<Map<number, string>> {
    const names = new Map<number, string>();
    const ids = [...new Set([...this.#work.keys(), ...(this.#oldest?.work.keys() ?? [])])];
    for (const some of chunks(ids, IDS_AT_ONCE)) {
      const rows = await this.#run((db) =>
        db.selectFrom("workers").select(["id", "identity"]).where("id", "in", some).execute(),
      );
      for (const { id, identity } of rows) names.set(id, identity);
    }
    return names;
  }
}

/** Slices of the window that come before `before`, newest first. */
async function slicesBefore(
  db: LedgerDb,
  { fromMs, toMs }: Window,
  before: Slice | undefined,
  limit: number,
): Promise<Slice[]> {
  let query = db
    .selectFrom("slices")
    .select(["id", "start_ms", "end_ms", "open"])
    .where("end_ms", ">", Number.isFinite(fromMs) ? Math.floor(fromMs) : 0)
    .where("start_ms", "<", toMs);
  if (before !== undefined) {
    const { id, end_ms } = before;
    query = query
      .where("end_ms", "<=", end_ms)
      .where((where) => where.or([where("end_ms", "<", end_ms), where("id", "<", id)]));
  }
  return await query.orderBy("end_ms", "desc").orderBy("id", "desc").limit(limit).execute();
}

/** Neighbours that lie in the window as a whole together, each of the others alone. */
function stretches(slices: readonly Slice[], window: Window): Slice[][] {
  const result: Slice[][] = [];
  let open: Slice[] | undefined;
  for (const slice of slices) {
    if (isCut(slice, window)) {
      result.push([slice]);
      open = undefined;
    } else if (open === undefined) {
      open = [slice];
      result.push(open);
    } else open.push(slice);
  }
  return result;
}

function isCut({ start_ms, end_ms }: Slice, { fromMs, toMs }: Window): boolean {
  return start_ms < fromMs || end_ms > toMs;
}

/** Work of a slice that lies within the window, by time. */
function inside(work: Map<number, bigint>, slice: Slice, window: Window | undefined): Map<number, bigint> {
  if (window === undefined || !isCut(slice, window)) return work;
  const { start_ms, end_ms } = slice;
  const all = BigInt(end_ms - start_ms);
  const part = BigInt(Math.floor(Math.min(end_ms, window.toMs)) - Math.ceil(Math.max(start_ms, window.fromMs)));
  return new Map([...work].map(([worker, hashes]) => [worker, (hashes * part) / all]));
}

function idsOf(slices: readonly Slice[]): number[] {
  return slices.map(({ id }) => id);
}

function sum(work: ReadonlyMap<number, bigint>): bigint {
  let all = 0n;
  for (const hashes of work.values()) all += hashes;
  return all;
}
