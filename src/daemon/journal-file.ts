/**
 * Files of a journal of found blocks by what their names say, and which of them may go. A finished file is more than a keepsake until the ledger's
 * database has its block: it is what the ledger is mended from.
 */
import type { Log } from "../kernel/log.ts";
import type { Files } from "./files.ts";

/** A journal's file. */
export interface JournalFile {
  readonly name: string;
  /** The chain as configured, `bitcoin` for Bitcoin; `undefined` when the name does not say. */
  readonly chain: string | undefined;
  /** Hash of the Bitcoin header, display hex. */
  readonly headerHash: string;
  /** Whether it has its final answer. */
  readonly isFinished: boolean;
}

/** Which of finished files the ledger has. Resolves within seconds and never rejects: with fewer when it cannot say. */
export type Recorded = (files: readonly JournalFile[]) => Promise<readonly JournalFile[]>;

/** How many finished files are kept. */
export interface Keeping {
  readonly keep: number;
  /** As many are kept when the ledger has not got them; beyond that the oldest go all the same. */
  readonly mostUnrecorded: number;
  /** Left out: all files beyond `keep` go. */
  readonly recorded?: Recorded | undefined;
}

/** Finished files that the ledger is asked about at a time. */
const BATCH = 100;
/** The disk of a pool that has no ledger for months. */
export const MOST_UNRECORDED = 10_000;

/** A journal's folder. */
export interface JournalFolder {
  readonly files: Files;
  readonly folder: string;
  /** What a name says; nothing for a file that is no block's. Names in order are blocks in order. */
  readonly fileOf: (name: string) => readonly JournalFile[];
}

/** All blocks that have a file, the newest first. Throws the system's error. */
export async function journalFiles({ files, folder, fileOf }: JournalFolder): Promise<readonly JournalFile[]> {
  const names = await files.list(folder).catch((error: { readonly code?: unknown }) => {
    // A folder is made with the first start, which may come later.
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.sort().reverse().flatMap(fileOf);
}

/** Removes the oldest finished files that are too many, and says so of `blocks` that the ledger never had. Throws the system's error. */
export async function pruneJournal(
  { files, folder, fileOf }: JournalFolder,
  keeping: Keeping,
  { log, blocks }: { readonly log: Log; readonly blocks: string },
): Promise<void> {
  const all = (await files.list(folder)).sort().flatMap(fileOf);
  const finished = all.filter(({ isFinished }) => isFinished);
  const { files: surplus, unrecorded } = await leaving(finished, keeping);
  for (const { name } of surplus) await files.remove(files.join(folder, name));
  if (unrecorded > 0) {
    log.error(`${unrecorded} ${blocks} leave the journal that the ledger never had: it keeps no more files`, {
      folder,
    });
  }
}

/** Which of the finished files, oldest first, are to be removed, and how many of them the ledger never had. */
export async function leaving(
  finished: readonly JournalFile[],
  { keep, mostUnrecorded, recorded }: Keeping,
): Promise<{ readonly files: readonly JournalFile[]; readonly unrecorded: number }> {
  const surplus = finished.slice(0, Math.max(0, finished.length - keep));
  if (recorded === undefined || surplus.length === 0) return { files: surplus, unrecorded: 0 };
  const files = await recorded(surplus.slice(0, BATCH));
  const known = new Set(files.map(({ name }) => name));
  const must = finished.length - known.size - Math.max(keep, mostUnrecorded);
  if (must <= 0) return { files, unrecorded: 0 };
  const lost = surplus.filter(({ name }) => !known.has(name)).slice(0, must);
  return { files: [...files, ...lost], unrecorded: lost.length };
}
