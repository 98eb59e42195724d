/** Rules about everything that a plugin does, judged over all checks before and a last round of hardship. */
import type { Bench } from "../bench.ts";
import { Broken } from "../broken.ts";
import { endingOf, pause } from "../deadline.ts";
import type { Rule } from "./rule.ts";

/** Shorter ones would be found by chance. */
const LEAST_SECRET = 8;

/** The rules, in the order in which they are checked; they come last. */
export const CONDUCT_RULES: readonly Rule[] = [
  {
    id: "rehearsal",
    says: "the rehearsal itself can be used: easy work, secrets that are told from other text",
    advice:
      "Give work a target that a few thousand hashes meet (bits 207fffff), and secrets of eight characters or more.",
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const short = shortSecret(session.stage.secrets);
        if (short !== undefined) throw new Broken("rehearsal", `a secret has ${short.length} characters`);
        if (bench.has("submit")) await session.beginAndSolve();
      }),
  },
  {
    id: "secrets",
    says: "no secret is in a log line, an error, a measurement, a trouble sentence or a work's details",
    advice:
      "Never put a URL with a password, an Authorization header or the configuration into an error or a log line.",
    check: async (bench: Bench) => {
      await hardship(bench);
      for (const error of bench.looseEnds.errors) bench.witness.hear("an error that nobody catches", error);
      await bench.stage(async ({ secrets }) => {
        if (shortSecret(secrets) !== undefined)
          throw new Broken("rehearsal", "a secret is too short to be searched for");
        const leak = bench.witness.leak(secrets);
        if (leak === undefined) return;
        const shown = secrets.reduce((text, secret) => text.replaceAll(secret, "<secret>"), leak.text).slice(0, 300);
        throw new Broken("secrets", `a secret stands in ${leak.where}: ${shown}`);
      });
    },
  },
  {
    id: "words",
    says: "measurements and trouble sentences have the form that the server can show",
    advice:
      "Names: a-z, 0-9 and _, up to 40, at most 32 of them, finite numbers. Trouble: one line of at most 1000 characters.",
    check: async (bench: Bench) => {
      await hardship(bench);
      const [flaw] = bench.witness.meterFlaws;
      if (flaw !== undefined) throw new Broken("words", `not good for a measurement: ${flaw}`);
      const [trouble] = bench.witness.troubleFlaws;
      if (trouble !== undefined) throw new Broken("words", trouble);
    },
  },
  {
    id: "loose-ends",
    says: "no rejection goes unhandled and no exception uncaught",
    advice:
      "Catch what is thrown in timers and event listeners, and attach a catch to each promise that is not awaited.",
    check: async (bench: Bench) => {
      await hardship(bench);
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      const [first] = bench.looseEnds.found;
      if (first !== undefined) throw new Broken("loose-ends", first);
    },
  },
];

function shortSecret(secrets: readonly string[]): string | undefined {
  return secrets.find((secret) => secret.length < LEAST_SECRET);
}

/** A short life full of misfortune. Whatever does not come up is judged by other rules. */
async function hardship(bench: Bench): Promise<void> {
  await bench.session(async (session) => {
    await endingOf(() => session.begin(), session.withinMs);
    if (!bench.has("daemon")) return;
    await session.stage.serve?.("garbage");
    await pause(100);
    await session.stage.serve?.("work");
    await session.stage.answer("down");
    await pause(100);
    await session.stage.answer("accept");
    await pause(50);
  });
}
