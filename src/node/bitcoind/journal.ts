/**
 * Found blocks on disk, one JSON file each, written before they are submitted and kept until every node gave its last word.
 * A file is complete or not there at all: it is written beside its place, flushed, renamed, and the folder is flushed.
 *
 * `<height>-<hash>.json` waits for answers, `<height>-<hash>.done.json` has them.
 */
import { z } from "zod";
import type { Files } from "../../daemon/files.ts";
import {
  type JournalFile,
  type JournalFolder,
  journalFiles,
  type Keeping,
  MOST_UNRECORDED,
  pruneJournal,
  type Recorded,
} from "../../daemon/journal-file.ts";
import { fromDisplayHex, toDisplayHex } from "../../kernel/bytes.ts";
import { Fault, type FaultCode } from "../../kernel/fault.ts";
import { type Log, silentLog } from "../../kernel/log.ts";
import type { BlockAnswer, FoundBlock } from "../../mining/ports.ts";

/** A node's last word and when it came. */
export interface RecordedAnswer extends BlockAnswer {
  /** Wall time, ms since the Unix epoch. */
  readonly atMs: number;
}

/** A found block with the answers so far. */
export interface JournalEntry {
  readonly block: FoundBlock;
  readonly answers: readonly RecordedAnswer[];
}

/** What `open` found. */
export interface JournalContents {
  /** Blocks that still wait for answers, lowest first. */
  readonly unfinished: readonly JournalEntry[];
  /** `node-journal-entry` for each file that could not be read; they stay where they are. */
  readonly broken: readonly Fault[];
}

const FORMAT = 1;
const OPEN = /^\d{10}-[0-9a-f]{64}\.json$/;
const NAME = /^\d{10}-([0-9a-f]{64})(\.done)?\.json$/;
/** Written and removed at the start; like every unfinished write it goes if it was left over. */
const PROBE = "probe.json.tmp";
const TEMPORARY = /\.json\.tmp$/;
/** Hex of the heaviest block, twice. */
const MAX_FILE_BYTES = 32 << 20;

const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const fileSchema = z.object({
  format: z.literal(FORMAT),
  hash,
  height: z.int().min(0),
  prevHash: hash,
  templateId: z.string(),
  source: z.string(),
  header: hex.length(160),
  coinbase: hex,
  block: hex.nullable(),
  reward: z.string().regex(/^\d+$/),
  // Files of versions that paid nobody but the pool have none of these.
  finderReward: z.string().regex(/^\d+$/).default("0"),
  finderAddress: z.string().nullable().default(null),
  isGift: z.boolean().default(false),
  userIdentity: z.string(),
  foundMs: z.number(),
  answers: z.array(
    z.object({
      node: z.string(),
      verdict: z.enum(["accepted", "stale", "duplicate", "rejected"]),
      reason: z.string(),
      atMs: z.number(),
    }),
  ),
});

/** What `BlockJournal` works with. */
export interface BlockJournalDeps {
  readonly files: Files;
  /** Told when files go that the ledger never had. */
  readonly log?: Log;
  /** Which finished files the ledger has; left out, none is waited for. */
  readonly recorded?: Recorded;
}

/** Options of `BlockJournal`. */
export interface BlockJournalOptions {
  /** The folder; created when it is not there. */
  readonly folder: string;
  /** Finished files that are kept; the lowest go first. */
  readonly keep: number;
  /** As many are kept while the ledger has not got them. */
  readonly mostUnrecorded?: number;
}

/** The folder of found blocks. */
export class BlockJournal {
  readonly #files: Files;
  readonly #log: Log;
  readonly #folder: string;
  readonly #keeping: Keeping;

  constructor(deps: BlockJournalDeps, options: BlockJournalOptions) {
    this.#files = deps.files;
    this.#log = deps.log ?? silentLog;
    this.#folder = options.folder;
    const { keep, mostUnrecorded = MOST_UNRECORDED } = options;
    this.#keeping = { keep, mostUnrecorded, recorded: deps.recorded };
  }

  /**
   * Creates the folder if need be, tries whether it can be written, and reads what was left unfinished. Throws
   * `Fault("node-journal-folder")`: a disk that cannot be written must not wait for the first block to say so.
   */
  async open(): Promise<JournalContents> {
    return await this.#guard("node-journal-folder", () => this.#open());
  }

  async #open(): Promise<JournalContents> {
    await this.#files.makeFolder(this.#folder);
    const probe = this.#path(PROBE);
    await this.#files.writeSynced(probe, "");
    await this.#files.remove(probe);
    const names = (await this.#files.list(this.#folder)).sort();
    const all = new Set(names);
    const unfinished: JournalEntry[] = [];
    const broken: Fault[] = [];
    for (const name of names) {
      // Left by a crash in the middle of a write: its block was not submitted under this name, or the old file is there.
      if (TEMPORARY.test(name)) await this.#files.remove(this.#path(name));
      if (!OPEN.test(name)) continue;
      if (all.has(doneName(name))) {
        await this.#files.remove(this.#path(name));
        continue;
      }
      try {
        unfinished.push(entryOf(await this.#files.read(this.#path(name), MAX_FILE_BYTES)));
      } catch (cause) {
        broken.push(new Fault("node-journal-entry", { file: this.#path(name) }, { cause }));
      }
    }
    return { unfinished, broken };
  }

  /** Resolves once `entry` is safe on disk. Throws `Fault("node-journal")`. */
  async write(entry: JournalEntry): Promise<void> {
    await this.#guard("node-journal", () => this.#replace(nameOf(entry.block), textOf(entry)));
  }

  /** Marks `entry` as finished with its answers, and drops the lowest finished ones. Throws `Fault("node-journal")`. */
  async finish(entry: JournalEntry): Promise<void> {
    const name = nameOf(entry.block);
    await this.#guard("node-journal", async () => {
      await this.#replace(doneName(name), textOf(entry));
      await this.#files.remove(this.#path(name));
      await this.#prune();
    });
  }

  /** All blocks that have a file, the highest first. Throws the system's error. */
  async files(): Promise<readonly JournalFile[]> {
    return await journalFiles(this.#journalFolder());
  }

  /** What a file holds; `undefined` when it is gone or cannot be read, which `open` tells of. */
  async readFile({ name }: JournalFile): Promise<JournalEntry | undefined> {
    try {
      return entryOf(await this.#files.read(this.#path(name), MAX_FILE_BYTES));
    } catch {
      return undefined;
    }
  }

  async #prune(): Promise<void> {
    await pruneJournal(this.#journalFolder(), this.#keeping, { log: this.#log, blocks: "found blocks" });
  }

  #journalFolder(): JournalFolder {
    return { files: this.#files, folder: this.#folder, fileOf };
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = this.#path(`${name}.tmp`);
    await this.#files.writeSynced(temporary, text);
    await this.#files.rename(temporary, this.#path(name));
    await this.#files.syncFolder(this.#folder);
  }

  #path(name: string): string {
    return this.#files.join(this.#folder, name);
  }

  async #guard<T>(code: FaultCode, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw new Fault(code, { folder: this.#folder }, { cause });
    }
  }
}

function fileOf(name: string): JournalFile[] {
  const [, headerHash, done] = NAME.exec(name) ?? [];
  return headerHash === undefined ? [] : [{ name, chain: "bitcoin", headerHash, isFinished: done !== undefined }];
}

function nameOf(block: FoundBlock): string {
  return `${String(block.height).padStart(10, "0")}-${toDisplayHex(block.hash)}.json`;
}

function doneName(name: string): string {
  return name.replace(/\.json$/, ".done.json");
}

function textOf({ block, answers }: JournalEntry): string {
  const file: z.input<typeof fileSchema> = {
    format: FORMAT,
    hash: toDisplayHex(block.hash),
    height: block.height,
    prevHash: toDisplayHex(block.prevHash),
    templateId: block.templateId,
    source: block.source,
    userIdentity: block.userIdentity,
    reward: String(block.reward),
    finderReward: String(block.finderReward),
    finderAddress: block.finderAddress ?? null,
    isGift: block.isGift ?? false,
    foundMs: block.foundMs,
    answers: answers.map(({ node, verdict, reason, atMs }) => ({ node, verdict, reason, atMs })),
    header: blockHex(block.header),
    coinbase: blockHex(block.coinbase),
    block: block.block === undefined ? null : blockHex(block.block),
  };
  return `${JSON.stringify(file, undefined, 1)}\n`;
}

function entryOf(text: string): JournalEntry {
  const file = fileSchema.parse(JSON.parse(text));
  return {
    answers: file.answers,
    block: {
      hash: fromDisplayHex(file.hash),
      height: file.height,
      prevHash: fromDisplayHex(file.prevHash),
      templateId: file.templateId,
      source: file.source,
      header: bytes(file.header),
      coinbase: bytes(file.coinbase),
      block: file.block === null ? undefined : bytes(file.block),
      reward: BigInt(file.reward),
      finderReward: BigInt(file.finderReward),
      finderAddress: file.finderAddress ?? undefined,
      isGift: file.isGift,
      userIdentity: file.userIdentity,
      foundMs: file.foundMs,
    },
  };
}

/** Lower-case hex, by Node's encoder: a block has megabytes. */
export function blockHex(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString("hex");
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}
