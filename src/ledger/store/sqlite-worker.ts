/** The thread's side of `sqlite-thread.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { openSqlite, type SqliteOptions, type SqliteSession } from "./sqlite-session.ts";
import type { FromSqliteThread, ToSqliteThread } from "./sqlite-thread.ts";

const tell = (message: FromSqliteThread): void => parentPort?.postMessage(message);

function tellError(id: number, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  tell({ id, error: { message, code: typeof code === "string" ? code : undefined } });
}

async function serve(session: SqliteSession, request: ToSqliteThread): Promise<void> {
  try {
    if ("close" in request) {
      await session.close();
      tell({ id: request.id, answer: undefined });
    } else {
      tell({ id: request.id, answer: await session.execute(request.sql, request.parameters) });
    }
  } catch (error) {
    tellError(request.id, error);
  }
}

try {
  const session = openSqlite(workerData as SqliteOptions);
  parentPort?.on("message", (request: ToSqliteThread) => void serve(session, request));
  tell({ id: 0, answer: undefined });
} catch (error) {
  tellError(0, error);
}
