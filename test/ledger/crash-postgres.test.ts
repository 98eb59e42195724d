/** `npm run test:crash` in short on PostgreSQL, which is installed or is told of loudly by the project's set-up. */
import { inject, test } from "vitest";
import { crashRun } from "../support/crash-run.ts";
import { freshDatabase } from "../support/ledger-store.ts";

const url = inject("postgresUrl");

test.runIf(url !== undefined)(
  "killed with -9 again and again with its ledger in PostgreSQL, the program loses no found block, counts none twice and keeps its books",
  { timeout: 240_000 },
  async () => {
    await crashRun({ kills: 4, seed: 11, lifeMs: 2500, database: await freshDatabase(url ?? "") });
  },
);
