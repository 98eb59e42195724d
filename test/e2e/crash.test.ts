/** A short run of `npm run test:crash`. */
import { test } from "vitest";
import { crashRun } from "../support/crash-run.ts";

test("killed with -9 again and again, the program loses no found block, counts none twice and keeps its books", {
  timeout: 240_000,
}, async () => {
  await crashRun({ kills: 8, seed: 7, lifeMs: 1500 });
});
