/**
 * From the journals into the database: every block that a journal has and the database has not, or not with its answer. A kill between the two, or a
 * database that was away for long, so loses nothing. Names of files are compared first; only files that bring something are read, one at a time.
 */
import type { JournalFile } from "../../daemon/journal-file.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { AuxAnswer, FoundAux } from "../../merge/found-aux.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { BlockState, LedgerDb } from "../store/schema.ts";
import { auxRecord, auxVerdict, bitcoinRecord, bitcoinVerdict } from "./found-record.ts";
import type { BlockNews } from "./write-record.ts";

/** A journal's past. */
export interface History<E> {
  /** All its files, the newest first. */
  files(): Promise<readonly JournalFile[]>;
  /** What a file holds; `undefined` for one that is gone or cannot be read. */
  readFile(file: JournalFile): Promise<E | undefined>;
}

/** Both journals. */
export interface Histories {
  readonly bitcoin: History<{
    readonly block: FoundBlock;
    readonly answers: readonly (BlockAnswer & { readonly atMs: number })[];
  }>;
  readonly aux: History<{ readonly found: FoundAux; readonly answer: AuxAnswer | undefined }>;
}

/** What `takeUp` works with. */
export interface TakeUp {
  readonly ledger: LedgerAccess;
  readonly log: Log;
  readonly histories: Histories;
  /** Takes news into the queue. */
  readonly push: (news: BlockNews) => void;
  /** Called between two files; resolves when there is room in the queue, and ends it all with a rejection. */
  readonly drain: () => Promise<void>;
}

/** Names that are compared at a time. */
const BATCH = 100;
/**
 * States that no file of a journal adds to. Where several nodes answered and a kill came between, the file may know better of a block that
 * is `rejected`; of one that is `stale` or `failed` its chain is asked for hours anyway, and reading all of those at each start would keep a program
 * that is killed again and again from ever coming to what is missing.
 */
const DECIDED: readonly BlockState[] = [
  "accepted",
  "confirmed",
  "uncle",
  "mature",
  "orphaned",
  "distributed",
  "stale",
  "failed",
];

/** Takes up what is missing. Rejects with the database's fault; a journal that cannot be listed is logged and left. */
export async function takeUp(work: TakeUp): Promise<void> {
  const { bitcoin, aux } = work.histories;
  const blocks = await takeUpFrom(work, bitcoin, ({ block, answers }) => ({
    record: bitcoinRecord(block),
    verdicts: answers.map((answer) => bitcoinVerdict(answer, answer.atMs)),
  }));
  const auxBlocks = await takeUpFrom(work, aux, ({ found, answer }) => ({
    record: auxRecord(found),
    verdicts: answer === undefined ? [] : [auxVerdict(answer)],
  }));
  if (blocks + auxBlocks > 0) {
    work.log.info(`${blocks} Bitcoin and ${auxBlocks} aux blocks were taken up from the journals into the ledger`);
  }
}

/** Which of the finished `files` the database has, with a final word on them. */
export async function isRecorded(db: LedgerDb, files: readonly JournalFile[]): Promise<JournalFile[]> {
  const states = await statesOf(db, files);
  return files.filter((file) => {
    const state = states(file);
    return state !== undefined && state !== "found" && state !== "submitting";
  });
}

async function takeUpFrom<E>(
  { ledger, log, push, drain }: TakeUp,
  history: History<E>,
  newsOf: (entry: E) => BlockNews,
): Promise<number> {
  let files: readonly JournalFile[];
  try {
    files = await history.files();
  } catch (error) {
    log.error(`a journal's blocks cannot be compared with the ledger: ${describe(error)}`, { error });
    return 0;
  }
  let taken = 0;
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const states = await ledger.run((db) => statesOf(db, batch));
    for (const file of batch) {
      await drain();
      const state = states(file);
      // A file without an answer only says that there is a block.
      if (state !== undefined && (!file.isFinished || DECIDED.includes(state))) continue;
      const entry = await history.readFile(file);
      if (entry === undefined) continue;
      let news: BlockNews;
      try {
        news = newsOf(entry);
      } catch (error) {
        log.error(`${file.name}: its block cannot be recorded: ${describe(error)}`, { error });
        continue;
      }
      push(news);
      if (state === undefined) taken += 1;
    }
  }
  return taken;
}

/** The state in which the database has a file's block; `undefined` for one that it has not, or whose name says too little. */
async function statesOf(
  db: LedgerDb,
  files: readonly JournalFile[],
): Promise<(file: JournalFile) => BlockState | undefined> {
  if (files.length === 0) return () => undefined;
  const rows = await db
    .selectFrom("blocks")
    .select(["chain", "header_hash", "state"])
    .where("header_hash", "in", [...new Set(files.map(({ headerHash }) => headerHash))])
    .execute();
  const states = new Map(rows.map(({ chain, header_hash, state }) => [`${chain} ${header_hash}`, state]));
  return ({ chain, headerHash }) => (chain === undefined ? undefined : states.get(`${chain} ${headerHash}`));
}
