/**
 * Found aux blocks on disk, one JSON file each, written before they are submitted and kept until their daemon gave its final word.
 * A file is complete or not there at all: it is written beside its place, flushed, renamed, and the folder is flushed.
 *
 * `<time>-<chain>-<header hash>.json` waits for an answer, `….done.json` has it. All that a proof needs is inside, so a block
 * can be submitted by hand from its file, and a finished file shows what was submitted and what the daemon said.
 */
import { z } from "zod";
import type { Files } from "../daemon/files.ts";
import {
  type JournalFile,
  type JournalFolder,
  journalFiles,
  MOST_UNRECORDED,
  pruneJournal,
  type Recorded,
} from "../daemon/journal-file.ts";
import { fromDisplayHex, fromHex, toDisplayHex, toHex } from "../kernel/bytes.ts";
import { describe, Fault, type FaultCode } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { AuxAnswer, FoundAux, FoundAuxStore } from "../merge/found-aux.ts";

/** What `FoundAuxJournal` works with. */
export interface FoundAuxJournalDeps {
  readonly files: Files;
  readonly log: Log;
  /** Which finished files the ledger has; left out, none is waited for. */
  readonly recorded?: Recorded;
}

/** Options of `FoundAuxJournal`. */
export interface FoundAuxJournalOptions {
  /** The folder; created when it is not there. */
  readonly folder: string;
  /** Finished files that are kept; the oldest go first. */
  readonly keep: number;
  /** As many are kept while the ledger has not got them. */
  readonly mostUnrecorded?: number;
  /** Unfinished files that are read at the start, the newest; the others stay where they are. */
  readonly maxUnsettled: number;
}

/** What holds unless the operator says otherwise. A file has some kilobytes. */
export const FOUND_AUX_JOURNAL_DEFAULTS = { keep: 1000, maxUnsettled: 1000 } as const;

const FORMAT = 1;
const OPEN = /^\d{15}-[^/]+-[0-9a-f]{64}\.json$/;
const NAME = /^\d{15}-([^/]+)-([0-9a-f]{64})(\.done)?\.json$/;
const TEMPORARY = /\.json\.tmp$/;
/** Written and removed at the start; like every unfinished write it goes if it was left over. */
const PROBE = "probe.json.tmp";
/** Details have 64 KiB at most (more when escaped), a coinbase a few, a proof not many more. */
const MAX_FILE_BYTES = 1 << 20;
/** Bytes of a chain's name in a file name. */
const MAX_NAME = 100;

const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const natural = z.string().regex(/^\d+$/);
const fileSchema = z.object({
  format: z.literal(FORMAT),
  chain: z.string().min(1),
  userIdentity: z.string(),
  jobId: z.int().min(0),
  parentHeight: z.int().min(0),
  foundMs: z.number(),
  work: z.object({
    id: z.string().min(1).max(256),
    hash,
    parent: z.string().min(1).max(256),
    height: z.int().min(0),
    target: hash,
    value: natural.nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
  proof: z.object({
    header: hex.length(160),
    headerHash: hash,
    coinbase: hex,
    merkleBranch: z.array(hash),
    transactionCount: z.int().min(1),
    auxpow: hex.nullable(),
  }),
  answer: z
    .object({
      verdict: z.enum(["accepted", "duplicate", "stale", "rejected", "failed"]),
      reason: z.string(),
      blockHash: z.string(),
      height: z.int().min(0),
      atMs: z.number(),
    })
    .nullable(),
});

/** The folder of found aux blocks. */
export class FoundAuxJournal implements FoundAuxStore {
  readonly #deps: FoundAuxJournalDeps;
  readonly #options: FoundAuxJournalOptions;
  /** Names that have their answer: a write that was late must not bring them back. */
  readonly #settled = new Set<string>();

  constructor(deps: FoundAuxJournalDeps, options: FoundAuxJournalOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Rejects with `Fault("merge-journal")`. */
  async add(found: FoundAux): Promise<void> {
    const name = nameOf(found);
    await this.#guard("merge-journal", async () => {
      if (this.#settled.has(name)) return;
      await this.#replace(name, textOf(found, undefined));
      // Its answer came while the disk was slow.
      if (this.#settled.has(name)) await this.#deps.files.remove(this.#path(name));
    });
  }

  /** Also drops the oldest finished files. Rejects with `Fault("merge-journal")`. */
  async settle(found: FoundAux, answer: AuxAnswer): Promise<void> {
    const { files } = this.#deps;
    const name = nameOf(found);
    this.#remember(name);
    await this.#guard("merge-journal", async () => {
      await this.#replace(doneName(name), textOf(found, answer));
      await files.remove(this.#path(name));
      await this.#prune();
    });
  }

  /** All blocks that have a file, the newest first. Throws the system's error. */
  async files(): Promise<readonly JournalFile[]> {
    return await journalFiles(this.#folder());
  }

  /** What a file holds; `undefined` when it is gone or cannot be read, which `unsettled` tells of. */
  async readFile({
    name,
  }: JournalFile): Promise<{ readonly found: FoundAux; readonly answer: AuxAnswer | undefined } | undefined> {
    try {
      return entryOf(await this.#deps.files.read(this.#path(name), MAX_FILE_BYTES));
    } catch {
      return undefined;
    }
  }

  async #prune(): Promise<void> {
    const { log, recorded } = this.#deps;
    const { keep, mostUnrecorded = MOST_UNRECORDED } = this.#options;
    await pruneJournal(this.#folder(), { keep, mostUnrecorded, recorded }, { log, blocks: "found aux blocks" });
  }

  #folder(): JournalFolder {
    return { files: this.#deps.files, folder: this.#options.folder, fileOf };
  }

  /**
   * Creates the folder if need be and tries whether it can be written. Files that cannot be read are logged and stay where they are.
   * Rejects with `Fault("merge-journal-folder")`.
   */
  async unsettled(): Promise<readonly FoundAux[]> {
    return await this.#guard("merge-journal-folder", () => this.#open());
  }

  async #open(): Promise<FoundAux[]> {
    const { files, log } = this.#deps;
    const { folder, maxUnsettled } = this.#options;
    await files.makeFolder(folder);
    const probe = this.#path(PROBE);
    await files.writeSynced(probe, "");
    await files.remove(probe);
    const names = (await files.list(folder)).sort();
    const all = new Set(names);
    const open: string[] = [];
    for (const name of names) {
      // Left by a crash in the middle of a write: its block was not submitted under this name, or the old file is there.
      if (TEMPORARY.test(name)) await files.remove(this.#path(name));
      if (!OPEN.test(name) || name.endsWith(".done.json")) continue;
      if (all.has(doneName(name))) await files.remove(this.#path(name));
      else open.push(name);
    }
    const newest = open.slice(-maxUnsettled);
    if (newest.length < open.length) {
      const rest = open.length - newest.length;
      log.error(`${rest} of ${open.length} found aux blocks without an answer are not submitted: too many, too old`, {
        folder,
      });
    }
    const found: FoundAux[] = [];
    for (const name of newest) {
      const path = this.#path(name);
      try {
        found.push(entryOf(await files.read(path, MAX_FILE_BYTES)).found);
      } catch (cause) {
        const fault = new Fault("merge-journal-entry", { file: path }, { cause });
        log.error(`${describe(fault)}. ${fault.help}`, { error: fault });
      }
    }
    return found;
  }

  /** Only writes under way matter, and those are few. */
  #remember(name: string): void {
    this.#settled.add(name);
    for (const oldest of this.#settled) {
      if (this.#settled.size <= this.#options.maxUnsettled) break;
      this.#settled.delete(oldest);
    }
  }

  async #replace(name: string, text: string): Promise<void> {
    const { files } = this.#deps;
    const temporary = this.#path(`${name}.tmp`);
    await files.writeSynced(temporary, text);
    await files.rename(temporary, this.#path(name));
    await files.syncFolder(this.#options.folder);
  }

  #path(name: string): string {
    return this.#deps.files.join(this.#options.folder, name);
  }

  async #guard<T>(code: FaultCode, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new Fault(code, { folder: this.#options.folder }, { cause });
    }
  }
}

/** A job has one work of a chain, so chain and header hash name a solution. The time in front keeps them in order. */
function nameOf({ chain, proof, foundMs }: FoundAux): string {
  const time = String(Math.max(0, Math.floor(foundMs))).padStart(15, "0");
  return `${time}-${encodeURIComponent(chain).slice(0, MAX_NAME)}-${toDisplayHex(proof.headerHash)}.json`;
}

function doneName(name: string): string {
  return name.replace(/\.json$/, ".done.json");
}

function textOf(found: FoundAux, answer: AuxAnswer | undefined): string {
  const { chain, userIdentity, jobId, parentHeight, foundMs, work, proof } = found;
  const file: z.input<typeof fileSchema> = {
    format: FORMAT,
    chain,
    userIdentity,
    jobId,
    parentHeight,
    foundMs,
    work: {
      id: work.id,
      hash: toHex(work.hash),
      parent: work.parent,
      height: work.height,
      target: work.target.toString(16).padStart(64, "0"),
      value: work.value === undefined ? null : String(work.value),
      details: { ...work.details },
    },
    proof: {
      header: toHex(proof.header),
      headerHash: toDisplayHex(proof.headerHash),
      coinbase: toHex(proof.coinbase),
      merkleBranch: proof.merkleBranch.map(toHex),
      transactionCount: proof.transactionCount,
      auxpow: proof.auxpow === undefined ? null : toHex(proof.auxpow),
    },
    answer: answer === undefined ? null : { ...answer },
  };
  return `${JSON.stringify(file, undefined, 1)}\n`;
}

function entryOf(text: string): { readonly found: FoundAux; readonly answer: AuxAnswer | undefined } {
  const file = fileSchema.parse(JSON.parse(text));
  const { chain, userIdentity, jobId, parentHeight, foundMs } = file;
  const work = Object.freeze({
    ...file.work,
    hash: fromHex(file.work.hash),
    target: BigInt(`0x${file.work.target}`),
    value: file.work.value === null ? undefined : BigInt(file.work.value),
    details: Object.freeze(file.work.details),
  });
  const { header, headerHash, coinbase, merkleBranch, transactionCount, auxpow } = file.proof;
  const proof = {
    work,
    header: fromHex(header),
    headerHash: fromDisplayHex(headerHash),
    coinbase: fromHex(coinbase),
    merkleBranch: merkleBranch.map(fromHex),
    transactionCount,
    auxpow: auxpow === null ? undefined : fromHex(auxpow),
  };
  const found = Object.freeze({
    key: `${chain}:${work.id}:${headerHash}`,
    chain,
    work,
    proof,
    userIdentity,
    jobId,
    parentHeight,
    foundMs,
  });
  return { found, answer: file.answer ?? undefined };
}

/** A name that was cut may end anywhere, so only a shorter one says the chain. */
function fileOf(name: string): JournalFile[] {
  const [, encoded, headerHash, done] = NAME.exec(name) ?? [];
  if (encoded === undefined || headerHash === undefined) return [];
  const chain = encoded.length < MAX_NAME ? decodedName(encoded) : undefined;
  return [{ name, chain, headerHash, isFinished: done !== undefined }];
}

function decodedName(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
