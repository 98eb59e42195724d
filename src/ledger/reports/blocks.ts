/** `blocks`: what was found, newest first, page by page. */
import type { SelectQueryBuilder } from "kysely";
import { Fault } from "../../kernel/fault.ts";
import { fromColumns } from "../store/amount.ts";
import { BITCOIN, type BlockState, type LedgerDb, type LedgerTables } from "../store/schema.ts";
import { BLOCK_STATES } from "./block-value.ts";
import { pageLimit } from "./page.ts";

/** What is asked for; everything when all is left out. */
export interface BlocksQuery {
  readonly chain?: string | undefined;
  readonly state?: string | undefined;
  /** Whole identity of the finder. */
  readonly worker?: string | undefined;
  /** On their own chain. */
  readonly height?: number | undefined;
  /** The block's own hash as its chain prints it, or that of the Bitcoin header that won it. */
  readonly hash?: string | undefined;
  /** Blocks of auxiliary chains alone. */
  readonly aux?: boolean | undefined;
  /** Found from this wall time on, ms. */
  readonly sinceMs?: number | undefined;
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: number | undefined;
}

/** A found block; amounts in the chain's base unit, times in ms since the Unix epoch. */
export interface BlockReport {
  readonly id: number;
  readonly chain: string;
  readonly key: string;
  readonly height: number;
  readonly blockHash: string;
  /** Hash of the Bitcoin header that won it. */
  readonly headerHash: string;
  /** Other chains that the same header won. */
  readonly alsoWon: readonly string[];
  readonly finder: string;
  readonly foundMs: number;
  readonly state: BlockState;
  readonly stateMs: number;
  readonly note: string;
  readonly confirmations: number;
  readonly uncle: boolean;
  /** Hashes that such a block takes on average. */
  readonly difficulty: bigint;
  readonly expected: bigint | undefined;
  /** What it pays as the chain says, what its coinbase paid to the finder included; `undefined` until known. */
  readonly actual: bigint | undefined;
  readonly paidToFinder: bigint;
  readonly finderAddress: string | undefined;
}

/** A page of blocks. */
export interface BlocksPage {
  readonly blocks: readonly BlockReport[];
  /** `after` for the next page, of older blocks; `undefined` on the last. */
  readonly next: number | undefined;
}

/** Columns that are read: not the work as it was offered, which is kilobytes. */
const COLUMNS = [
  "id",
  "chain",
  "key",
  "height",
  "block_hash",
  "header_hash",
  "finder",
  "found_ms",
  "state",
  "state_ms",
  "note",
  "confirmations",
  "uncle",
  "difficulty_hi",
  "difficulty_lo",
  "expected_hi",
  "expected_lo",
  "actual_hi",
  "actual_lo",
  "finder_paid_hi",
  "finder_paid_lo",
  "finder_address",
] as const;

/** A block as it is read. */
export type BlockRow = Pick<BlocksRow, (typeof COLUMNS)[number]>;
type BlocksRow = {
  readonly [C in keyof LedgerTables["blocks"]]: C extends "id" ? number : LedgerTables["blocks"][C];
};

/** Blocks, newest first. Throws `Fault("report-query")` for a state that is none, a limit out of bounds, or an `after` that no page gave. */
export async function listBlocks(db: LedgerDb, query: BlocksQuery): Promise<BlocksPage> {
  const { chain, worker, sinceMs, after, height, hash, aux } = query;
  const limit = pageLimit(query.limit);
  let wanted = selectBlocks(db)
    .orderBy("found_ms", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1);
  if (chain !== undefined) wanted = wanted.where("chain", "=", chain);
  if (query.state !== undefined) wanted = wanted.where("state", "=", stateOf(query.state));
  if (worker !== undefined) wanted = wanted.where("finder", "=", worker);
  if (sinceMs !== undefined) wanted = wanted.where("found_ms", ">=", sinceMs);
  if (height !== undefined) wanted = wanted.where("height", "=", height);
  if (hash !== undefined) {
    wanted = wanted.where((each) => each.or([each("block_hash", "=", hash), each("header_hash", "=", hash)]));
  }
  if (aux === true) wanted = wanted.where("chain", "!=", BITCOIN);
  if (after !== undefined) {
    const found = await foundMsOf(db, after);
    wanted = wanted
      // Alone it would do; the database only searches its index with a plain comparison.
      .where("found_ms", "<=", found)
      .where((each) => each.or([each("found_ms", "<", found), each("id", "<", after)]));
  }
  const rows = await wanted.execute();
  const page = rows.slice(0, limit);
  return { blocks: await blockReports(db, page), next: rows.length > limit ? page.at(-1)?.id : undefined };
}

/** A query of blocks that reads what `blockReports` takes. */
export function selectBlocks(db: LedgerDb): SelectQueryBuilder<LedgerTables, "blocks", BlockRow> {
  return db.selectFrom("blocks").select(COLUMNS);
}

/** Blocks as they are told, with the other chains of their headers. */
export async function blockReports(db: LedgerDb, rows: readonly BlockRow[]): Promise<BlockReport[]> {
  const won = await winsOf(db, [...new Set(rows.map(({ header_hash }) => header_hash))]);
  return rows.map((row) => ({
    id: row.id,
    chain: row.chain,
    key: row.key,
    height: row.height,
    blockHash: row.block_hash,
    headerHash: row.header_hash,
    alsoWon: (won.get(row.header_hash) ?? []).filter((chain) => chain !== row.chain),
    finder: row.finder,
    foundMs: row.found_ms,
    state: row.state,
    stateMs: row.state_ms,
    note: row.note,
    confirmations: row.confirmations,
    uncle: row.uncle === 1,
    difficulty: fromColumns(row.difficulty_hi, row.difficulty_lo),
    expected: optional(row.expected_hi, row.expected_lo),
    actual: worthOf(row),
    paidToFinder: fromColumns(row.finder_paid_hi, row.finder_paid_lo),
    finderAddress: row.finder_address ?? undefined,
  }));
}

/** What a block pays with what its coinbase paid to the finder; `undefined` until its chain said. */
export function worthOf(
  row: Pick<BlockRow, "actual_hi" | "actual_lo" | "finder_paid_hi" | "finder_paid_lo">,
): bigint | undefined {
  const actual = optional(row.actual_hi, row.actual_lo);
  return actual === undefined ? undefined : actual + fromColumns(row.finder_paid_hi, row.finder_paid_lo);
}

/** The amount of two columns that may be empty. */
export function optional(hi: bigint | null, lo: bigint | null): bigint | undefined {
  return hi === null || lo === null ? undefined : fromColumns(hi, lo);
}

/** Chains by header, in order of their names. */
async function winsOf(db: LedgerDb, headers: readonly string[]): Promise<Map<string, string[]>> {
  const won = new Map<string, string[]>();
  if (headers.length === 0) return won;
  const rows = await db
    .selectFrom("blocks")
    .select(["header_hash", "chain"])
    .where("header_hash", "in", [...headers])
    .groupBy(["header_hash", "chain"])
    .execute();
  for (const { header_hash, chain } of rows) won.set(header_hash, [...(won.get(header_hash) ?? []), chain].sort());
  return won;
}

async function foundMsOf(db: LedgerDb, id: number): Promise<number> {
  const row = Number.isSafeInteger(id)
    ? await db.selectFrom("blocks").select("found_ms").where("id", "=", id).executeTakeFirst()
    : undefined;
  if (row === undefined) throw new Fault("report-query", { after: id });
  return row.found_ms;
}

function stateOf(text: string): BlockState {
  const state = BLOCK_STATES.find((each) => each === text);
  if (state === undefined)
    throw new Fault("report-query", { state: text.slice(0, 40), states: BLOCK_STATES.join(" ") });
  return state;
}
