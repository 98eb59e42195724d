/** Rules about submitting proofs. */
import { describe } from "../../kernel/fault.ts";
import type { Outcome } from "../../merge/plugin.ts";
import type { Bench, Session, Solved } from "../bench.ts";
import { Broken } from "../broken.ts";
import { endingOf, pause } from "../deadline.ts";
import type { Answer } from "../rehearsal.ts";
import type { Rule } from "./rule.ts";

/** How long a plugin may go on after its signal aborted, ms. */
const GIVE_UP_MS = 400;
/** How long it hangs before the signal aborts, ms. Both together are less than the second that calls have in rehearsals: a limit of the plugin's own is no substitute. */
const HANG_MS = 200;
/** Submissions that are answered with nonsense, of several kinds. */
const NONSENSE = 4;

/** The rules, in the order in which they are checked. */
export const SUBMISSION_RULES: readonly Rule[] = [
  {
    id: "submit-accepted",
    says: "a right proof is accepted by the daemon, and the outcome says so",
    advice: "Look at what the rehearsal got: hex case, byte order, order of the arguments.",
    needs: ["submit"],
    check: async (bench: Bench) => {
      try {
        await verdictIs(bench, "submit-accepted", "accept", ["accepted"]);
      } catch (error) {
        if (error instanceof Broken && error.rule === "submit-accepted") bench.obstacles.set(error.rule, error);
        throw error;
      }
    },
  },
  {
    id: "submit-stale",
    says: "work that the daemon does not know any more comes out as stale",
    advice: 'Map the daemon\'s words for unknown work ("block hash unknown") to the verdict stale.',
    needs: ["submit", "stale"],
    check: (bench: Bench) => verdictIs(bench, "submit-stale", "stale", ["stale"]),
  },
  {
    id: "submit-duplicate",
    says: "a block that the daemon had already comes out as duplicate",
    advice: "Map the daemon's words for a block it knows to the verdict duplicate.",
    needs: ["submit", "duplicate"],
    check: (bench: Bench) => verdictIs(bench, "submit-duplicate", "duplicate", ["duplicate"]),
  },
  {
    id: "submit-rejected",
    says: "a proof that the daemon refuses comes out as rejected",
    advice: "A refusal is a final word: resolve with the verdict rejected and the daemon's words as reason.",
    needs: ["submit", "reject"],
    check: (bench: Bench) => verdictIs(bench, "submit-rejected", "reject", ["rejected"]),
  },
  {
    id: "submit-unreachable",
    says: "without a daemon submit throws, and the block is accepted when the daemon is back",
    advice: "Throw an Error when no daemon gave a final word: the server keeps the proof and tries again.",
    needs: ["submit", "daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        takesProofs(bench);
        const { proof } = await session.beginAndSolve();
        await session.stage.answer("down");
        await rejects(bench, session, proof, "submit-unreachable", "nothing listens at the daemon's address");
        await session.stage.answer("accept");
        const deadline = performance.now() + 2 * session.withinMs;
        // A plugin may leave a failing daemon alone for a moment; the server tries again too.
        for (;;) {
          try {
            const { verdict } = await session.submit(proof, "submit-unreachable");
            if (verdict === "accepted") return;
            throw new Broken("submit-unreachable", `the daemon is back, and the verdict is ${verdict}`);
          } catch (error) {
            if (performance.now() > deadline) throw error;
            await pause(200);
          }
        }
      }),
  },
  {
    id: "submit-hung",
    says: "a submission gives up soon after its signal aborts",
    advice: "Hand the signal on to the request.",
    needs: ["submit", "daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const { proof } = await session.beginAndSolve();
        await session.stage.answer("hang");
        const signal = new AbortController();
        const submitting = endingOf(
          () => session.run(() => session.chain.submit(proof, signal.signal)),
          session.withinMs,
        );
        await pause(HANG_MS);
        session.run(() => signal.abort(new Error("the deadline has passed")));
        const ending = await Promise.race([submitting, pause(GIVE_UP_MS).then(() => ({ kind: "pending" }) as const)]);
        if (ending.kind === "pending") {
          throw new Broken("submit-hung", `${GIVE_UP_MS} ms after its signal aborted it still waits`);
        }
        if (ending.kind === "resolved") {
          throw new Broken(
            "submit-hung",
            `the daemon never answered, and the verdict is ${String(ending.value?.verdict)}`,
          );
        }
        bench.witness.hear("an error of submit", ending.error);
      }),
  },
  {
    id: "submit-garbage",
    says: "nonsense from the daemon is no verdict: submit throws, and is tried again",
    advice: "Check the daemon's answer with a schema, and throw when it is not what a daemon says.",
    needs: ["submit", "daemon"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const { proof } = await session.beginAndSolve();
        await session.stage.answer("garbage");
        for (let i = 0; i < NONSENSE; i++) {
          await rejects(bench, session, proof, "submit-garbage", "the daemon talks nonsense");
        }
      }),
  },
  {
    id: "submit-again",
    says: "the same proof may be submitted twice",
    advice: "After a restart or a lost answer the server submits again: treat it like the first time.",
    needs: ["submit"],
    check: (bench: Bench) =>
      bench.session(async (session) => {
        const { proof } = await session.beginAndSolve();
        expectVerdict(await session.submit(proof, "submit-again"), ["accepted"], "submit-accepted");
        session.stage.solve(proof);
        expectVerdict(await session.submit(proof, "submit-again"), ["accepted", "duplicate"], "submit-again");
      }),
  },
  {
    id: "submit-restart",
    says: "a proof that was read from disk is submitted by a plugin that was just started",
    advice: "Everything that a submission needs must stand in the proof and its work's details, not in memory.",
    needs: ["submit"],
    check: (bench: Bench) =>
      bench.stage(async (stage) => {
        takesProofs(bench);
        const { proof } = await bench.sessionOn(stage, (session): Promise<Solved> => session.beginAndSolve());
        await bench.sessionOn(stage, async (session) => {
          await session.start();
          expectVerdict(await session.submit(structuredClone(proof), "submit-restart"), ["accepted"], "submit-restart");
        });
      }),
  },
];

/** Throws when it was seen that the plugin cannot submit at all. */
function takesProofs(bench: Bench): void {
  const obstacle = bench.obstacles.get("submit-accepted");
  if (obstacle !== undefined) throw obstacle;
}

async function verdictIs(
  bench: Bench,
  rule: string,
  answer: Answer,
  wanted: readonly Outcome["verdict"][],
): Promise<void> {
  await bench.session(async (session) => {
    const { proof } = await session.beginAndSolve();
    await session.stage.answer(answer);
    const before = structuredClone(proof);
    expectVerdict(await session.submit(before, rule), wanted, rule);
  });
}

function expectVerdict({ verdict, reason }: Outcome, wanted: readonly Outcome["verdict"][], rule: string): void {
  if (wanted.includes(verdict)) return;
  const words = reason === "" ? "" : ` (${reason})`;
  throw new Broken(rule, `the verdict is ${verdict}${words}, not ${wanted.join(" or ")}`);
}

async function rejects(
  bench: Bench,
  session: Session,
  proof: Solved["proof"],
  rule: string,
  when: string,
): Promise<void> {
  const signal = new AbortController();
  const ending = await endingOf(() => session.run(() => session.chain.submit(proof, signal.signal)), session.withinMs);
  session.run(() => signal.abort(new Error("the check is over")));
  if (ending.kind === "resolved") {
    throw new Broken(rule, `${when}, and submit resolved with the verdict ${String(ending.value?.verdict)}`);
  }
  if (ending.kind === "pending")
    throw new Broken(rule, `${when}, and submit says nothing within ${session.withinMs} ms`);
  bench.witness.hear("an error of submit", ending.error);
  if (!(ending.error instanceof Error))
    throw new Broken(rule, `submit rejects with ${describe(ending.error)}, which is no Error`);
}
