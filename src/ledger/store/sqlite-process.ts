/**
 * An SQLite connection in a process of its own. The disk's waits are not the event loop's, a disk that hangs can be left behind, and a
 * damaged file costs no more than this process: libsql ends the one it runs in when a text in the file is no UTF-8, also from a thread.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { SqliteAnswer, SqliteOptions, SqliteSession } from "./sqlite-session.ts";
import type { SqliteValue } from "./sqlite-values.ts";

/** What the process is told. */
export type ToSqliteProcess = { readonly id: number } & Request;

type Request =
  | { readonly open: SqliteOptions }
  | { readonly sql: string; readonly values: readonly SqliteValue[] }
  | { readonly close: true };

/** What it answers to each request, with its id. */
export type FromSqliteProcess =
  | { readonly id: number; readonly answer: SqliteAnswer | undefined }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };

/** Where and how the process is run. */
export interface SqliteProcessOptions {
  /** The compiled `sqlite-child.ts`. */
  readonly script: URL;
  readonly clock: Clock;
  /** Ms that an answer may take. A process that says nothing for longer hangs in the disk, and is given up. */
  readonly answerMs: number;
  /** Told once, when the process ends without having been closed, or is given up. */
  readonly onGone: (error: Error) => void;
}

interface Waiting {
  readonly deadline: Timer;
  readonly resolve: (answer: SqliteAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Last characters of what the process says before it dies. */
const MAX_LAST_WORDS = 2000;

const NOTHING: SqliteAnswer = { rows: [], changes: undefined };

/** The process ended; `lastWords` is what it wrote to standard error. */
export class SqliteProcessEnded extends Error {
  readonly code: "LEDGER_PROCESS_ENDED" | "LEDGER_PROCESS_CORRUPT";

  constructor(how: string, lastWords: string) {
    super(`the process that has the ledger's file ended with ${how}`);
    // libsql's last words about a text that is no text.
    this.code = lastWords.includes("Utf8Error") ? "LEDGER_PROCESS_CORRUPT" : "LEDGER_PROCESS_ENDED";
  }
}

/** The process took longer than it may: its disk does not answer. */
export class SqliteProcessSilent extends Error {
  readonly code = "LEDGER_PROCESS_SILENT";

  constructor(answerMs: number) {
    super(`the process that has the ledger's file has not answered for ${answerMs / 1000} s`);
  }
}

/**
 * Opens a file in a process, for one caller who waits for each answer: nothing here bounds what is asked at once. Rejects with the system's error, with its `code`. Once the process is gone
 * everything fails.
 */
export async function openSqliteProcess(options: SqliteOptions, how: SqliteProcessOptions): Promise<SqliteSession> {
  const session = new ProcessSession(how);
  try {
    await session.ask({ open: options });
    return session;
  } catch (error) {
    session.end();
    throw error;
  }
}

class ProcessSession implements SqliteSession {
  readonly #child: ChildProcess;
  readonly #how: SqliteProcessOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #setEnded: () => void = () => {};
  #lastId = 0;
  #lastWords = "";
  #gone: Error | undefined;
  #closing = false;

  constructor(how: SqliteProcessOptions) {
    this.#how = how;
    this.#child = fork(fileURLToPath(how.script), {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-MAX_LAST_WORDS);
    });
    this.#child.on("message", (message: FromSqliteProcess) => this.#answered(message));
    this.#child.on("error", (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#setEnded = resolve;
    });
    // `close`, not `exit`: its last words were read by then.
    this.#child.on("close", (code, signal) => {
      this.#fail(new SqliteProcessEnded(signal ?? `code ${code}`, this.#lastWords));
    });
  }

  execute(sql: string, values: readonly SqliteValue[]): Promise<SqliteAnswer> {
    return this.ask({ sql, values });
  }

  async close(): Promise<void> {
    this.#closing = true;
    try {
      if (this.#gone === undefined) await this.ask({ close: true });
    } finally {
      this.end();
      // Its locks and its files are free then, unless it was given up: the kernel ends a process that hangs in a disk when that answers.
      await this.#ended;
    }
  }

  /** Ends the process at once: what was committed is on the disk. */
  end(): void {
    this.#closing = true;
    this.#child.kill("SIGKILL");
  }

  ask(request: Request): Promise<SqliteAnswer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    this.#lastId += 1;
    const id = this.#lastId;
    const { clock, answerMs } = this.#how;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, deadline: clock.after(answerMs, () => this.#giveUp()) });
      // Fails when the process has gone, which `close` says a moment later in better words.
      this.#child.send({ id, ...request } satisfies ToSqliteProcess, () => {});
    });
  }

  #answered(message: FromSqliteProcess): void {
    const waits = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    waits?.deadline.cancel();
    if ("error" in message) waits?.reject(systemError(message.error));
    else waits?.resolve(message.answer ?? NOTHING);
  }

  #giveUp(): void {
    this.#child.kill("SIGKILL");
    this.#fail(new SqliteProcessSilent(this.#how.answerMs));
  }

  #fail(error: Error): void {
    if (this.#gone !== undefined) return;
    this.#gone = error;
    for (const { deadline, reject } of this.#waiting.values()) {
      deadline.cancel();
      reject(error);
    }
    this.#waiting.clear();
    this.#setEnded();
    if (!this.#closing) this.#how.onGone(error);
  }
}

function systemError({ message, code }: { readonly message: string; readonly code: string | undefined }): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
