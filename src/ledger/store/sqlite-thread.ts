/** An SQLite connection in a thread of its own: the disk's waits are not the event loop's. */
import { Worker } from "node:worker_threads";
import type { SqliteAnswer, SqliteOptions, SqliteSession } from "./sqlite-session.ts";

/** What the thread is told. */
export type ToSqliteThread =
  | { readonly id: number; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly id: number; readonly close: true };

/** What the thread answers: to the opening with id 0, to each request with its id. */
export type FromSqliteThread =
  | { readonly id: number; readonly answer: SqliteAnswer | undefined }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } };

interface Waiting {
  readonly resolve: (answer: SqliteAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Requests that may wait for the disk; the ledger's own queues are far below. */
const MAX_WAITING = 10_000;

const NOTHING: SqliteAnswer = { rows: [], changes: undefined };

/**
 * Opens a file in a thread. `script`: the compiled `sqlite-worker.ts`. Rejects with the system's error, with its `code`. A thread that ends
 * by itself fails what waits and everything after.
 */
export async function openSqliteThread(options: SqliteOptions, script: URL): Promise<SqliteSession> {
  const worker = new Worker(script, { workerData: options, name: "ledger" });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let gone: Error | undefined;
  const fail = (error: Error): void => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on("message", (message: FromSqliteThread) => {
    const waits = waiting.get(message.id);
    waiting.delete(message.id);
    if ("error" in message) waits?.reject(withCode(message.error));
    else waits?.resolve(message.answer ?? NOTHING);
  });
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`the ledger's thread ended with code ${code}`)));
  const answered = (id: number): Promise<SqliteAnswer> =>
    new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  const ask = (request: { sql: string; parameters: readonly unknown[] } | { close: true }): Promise<SqliteAnswer> => {
    if (gone !== undefined) return Promise.reject(gone);
    if (waiting.size >= MAX_WAITING) return Promise.reject(new Error("too many requests wait for the ledger's disk"));
    lastId += 1;
    const answer = answered(lastId);
    worker.postMessage({ id: lastId, ...request } satisfies ToSqliteThread);
    return answer;
  };
  try {
    await answered(0);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return {
    execute: (sql, parameters) => ask({ sql, parameters }),
    async close() {
      try {
        await ask({ close: true });
      } finally {
        await worker.terminate();
      }
    },
  };
}

function withCode({ message, code }: { readonly message: string; readonly code: string | undefined }): Error {
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}
