/** Rules about telling what became of a block. */
import { describe } from "../../kernel/fault.ts";
import type { BlockStatus, SubmittedBlock } from "../../merge/plugin.ts";
import { statusFlaw } from "../../merge/shapes.ts";
import type { Bench, Session } from "../bench.ts";
import { Broken } from "../broken.ts";
import { endingOf, pause } from "../deadline.ts";
import type { Rule } from "./rule.ts";

/** Confirmations at which the kit expects a reward to be spendable, at the least. */
const MATURE_AT = 100;

/** The rules, in the order in which they are checked. */
export const STATUS_RULES: readonly Rule[] = [
  {
    id: "status-confirmed",
    says: "a block in the best chain is confirmed, with the number of blocks from it on, itself included",
    advice: "Find the block by blockHash, and count it: one that has just been found has one confirmation.",
    needs: ["submit", "status"],
    check: (bench: Bench) =>
      withBlock(bench, async (session, block) => {
        for (const confirmations of [1, 3]) {
          await becomes(bench, session, block, "status-confirmed", "confirmed", confirmations, true);
        }
      }),
  },
  {
    id: "status-mature",
    says: "a block whose reward can be spent is mature",
    advice: "Compare the confirmations with the chain's maturity.",
    needs: ["submit", "status", "mature"],
    check: (bench: Bench) =>
      withBlock(bench, (session, block) => becomes(bench, session, block, "status-mature", "mature", MATURE_AT)),
  },
  {
    id: "status-orphaned",
    says: "a block that left the best chain is orphaned, and confirmed again when it is back",
    advice: "Many daemons say confirmations -1; report 0. Ask anew each time.",
    needs: ["submit", "status", "orphaned"],
    check: (bench: Bench) =>
      withBlock(bench, async (session, block) => {
        await becomes(bench, session, block, "status-orphaned", "orphaned", 0);
        await becomes(bench, session, block, "status-orphaned", "confirmed", 2);
      }),
  },
  {
    id: "status-unknown",
    says: "a block that no daemon has is unknown",
    advice: "Map the daemon's words for a block that it does not have to the state unknown.",
    needs: ["submit", "status", "unknown"],
    check: (bench: Bench) =>
      withBlock(bench, (session, block) => becomes(bench, session, block, "status-unknown", "unknown", 0)),
  },
  {
    id: "status-unreachable",
    says: "status rejects while no daemon can say, and answers when one is back",
    advice: "Unknown is a daemon's word. When none answers, reject with an Error.",
    needs: ["submit", "status", "daemon"],
    check: (bench: Bench) =>
      withBlock(bench, async (session, block) => {
        await session.stage.answer("down");
        const ending = await ask(bench, session, block);
        if (ending.kind === "pending")
          throw new Broken("status-unreachable", "no daemon is there, and status says nothing");
        if (ending.kind === "resolved") {
          throw new Broken("status-unreachable", `no daemon is there, and the state is ${String(ending.value?.state)}`);
        }
        await session.stage.answer("accept");
        await becomes(bench, session, block, "status-unreachable", "confirmed", 2);
      }),
  },
];

async function withBlock(
  bench: Bench,
  work: (session: Session, block: SubmittedBlock) => Promise<void>,
): Promise<void> {
  await bench.session(async (session) => {
    const { proof } = await session.beginAndSolve();
    const { verdict, reason, blockHash, height } = await session.submit(proof, "submit-accepted");
    if (verdict !== "accepted") throw new Broken("submit-accepted", `the verdict is ${verdict} (${reason})`);
    session.stage.solve(proof);
    // What the server has after a restart: plain data.
    const block = { work: proof.work, blockHash: blockHash ?? proof.work.id, height: height ?? proof.work.height };
    await work(session, structuredClone(block));
  });
}

/** Has the daemon say `state` and waits until the plugin does; it may keep an answer for a moment. */
async function becomes(
  bench: Bench,
  session: Session,
  block: SubmittedBlock,
  rule: string,
  state: BlockStatus["state"],
  confirmations: number,
  exactly = false,
): Promise<void> {
  session.stage.chain(state, confirmations);
  const deadline = performance.now() + session.withinMs;
  for (;;) {
    const ending = await ask(bench, session, block);
    const seen = seenIn(ending, state, exactly ? confirmations : undefined);
    if (seen === undefined) return;
    if (performance.now() > deadline) throw new Broken(rule, seen);
    await pause(100);
  }
}

/** What is wrong with an answer; `confirmations` only where the number matters. */
function seenIn(
  ending: Awaited<ReturnType<typeof ask>>,
  state: BlockStatus["state"],
  confirmations: number | undefined,
): string | undefined {
  if (ending.kind === "pending") return "status says nothing";
  if (ending.kind === "rejected") return `status rejected: ${describe(ending.error)}`;
  const { value } = ending;
  const flaw = statusFlaw(value);
  if (flaw !== undefined) return `status resolved with a wrong shape: ${flaw}`;
  if (value.state !== state) return `the daemon's block is ${state}, and the state is ${value.state}`;
  if (confirmations === undefined || value.confirmations === confirmations) return undefined;
  return `the block has ${confirmations} confirmations, and the status says ${value.confirmations}`;
}

async function ask(bench: Bench, session: Session, block: SubmittedBlock) {
  const signal = new AbortController();
  const ending = await endingOf(() => session.run(() => session.chain.status(block, signal.signal)), session.withinMs);
  session.run(() => signal.abort(new Error("the check is over")));
  if (ending.kind === "rejected") bench.witness.hear("an error of status", ending.error);
  return ending;
}
