/** Before the project `ledger`: one private PostgreSQL for all of its suites, or one loud line where none is installed. */
import type { TestProject } from "vitest/node";
import { postgresPrograms, startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  /** What suites ask for by `inject`. */
  interface ProvidedContext {
    /** URL of the superuser of a private PostgreSQL; `undefined` where it is not installed. */
    postgresUrl: string | undefined;
    /** Its programs, for suites that start one of their own. */
    postgresPrograms: string | undefined;
  }
}

/** Called by vitest; gives back what is called at the end. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const bin = postgresPrograms();
  project.provide("postgresPrograms", bin);
  if (bin === undefined) {
    process.stderr.write(
      "\n*** POSTGRESQL IS NOT INSTALLED: the ledger is tested on SQLite alone (Debian: apt-get install postgresql) ***\n\n",
    );
    project.provide("postgresUrl", undefined);
    return undefined;
  }
  const server = await startPostgres(bin, "socket");
  project.provide("postgresUrl", server.url);
  return () => server.stop();
}
