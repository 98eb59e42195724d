/** The process on the other side of `sqlite-process.ts`. It ends with the one that started it, and with nothing else. */

import type { FromSqliteProcess, ToSqliteProcess } from "./sqlite-process.ts";
import { openSqlite, type SqliteSession } from "./sqlite-session.ts";

const tell = (message: FromSqliteProcess): void => void process.send?.(message);

function tellError(id: number, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  tell({ id, error: { message, code: typeof code === "string" ? code : undefined } });
}

let session: SqliteSession | undefined;

async function serve(request: ToSqliteProcess): Promise<void> {
  try {
    if ("open" in request) {
      session = openSqlite(request.open);
      tell({ id: request.id, answer: undefined });
    } else if ("close" in request) {
      await session?.close();
      tell({ id: request.id, answer: undefined });
    } else {
      tell({ id: request.id, answer: await session?.execute(request.sql, request.values) });
    }
  } catch (error) {
    tellError(request.id, error);
  }
}

process.on("message", (request: ToSqliteProcess) => void serve(request));
// What was not committed is rolled back by whoever opens the file next.
process.on("disconnect", () => process.exit(0));
// Ctrl-C at a terminal and a service that is stopped tell all processes: the server closes this one when it has written what it must.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
