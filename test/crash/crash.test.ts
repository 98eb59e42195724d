/** The long run: `npm run test:crash`, CRASH_KILLS kills (500) with the seed CRASH_SEED. */
import { expect, test } from "vitest";
import { crashRun } from "../support/crash-run.ts";

const kills = Number(process.env.CRASH_KILLS ?? 500);
const seed = Number(process.env.CRASH_SEED ?? 1);

test(`${kills} times kill -9`, { timeout: 60_000 + kills * 20_000 }, async () => {
  expect(kills).toBeGreaterThan(0);
  await crashRun({ kills, seed, lifeMs: 1500 });
});
