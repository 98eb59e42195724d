/** What the demo prints: for people and for programs, and what it counts. */
import { describe, expect, test } from "vitest";
import { Teller } from "../../../src/app/commands/demo-teller.ts";
import { toDisplayHex } from "../../../src/kernel/bytes.ts";
import type { AuxAnswer, FoundAux } from "../../../src/merge/found-aux.ts";
import type { BlockAnswer, FoundBlock } from "../../../src/mining/ports.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";

function teller(json: boolean) {
  const clock = new FakeClock();
  const terminal = recordingTerminal();
  const one = new Teller({ terminal, clock }, { json });
  return {
    teller: one,
    clock,
    lines: terminal.outLines,
    events: () => terminal.outLines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const aux = (chain: string, value: bigint | undefined = 5_000_000_000n): FoundAux =>
  foundAux({ chain, work: auxWork({ id: "w1", value }) });
const says = (verdict: AuxAnswer["verdict"], reason = ""): AuxAnswer => ({
  verdict,
  reason,
  blockHash: "ab".repeat(32),
  height: 7,
  atMs: 0,
});
const bitcoin = (hash: Uint8Array): FoundBlock =>
  ({ hash, height: 111, reward: 50_0009_4790n }) as unknown as FoundBlock;
const node = (verdict: BlockAnswer["verdict"], reason = ""): BlockAnswer => ({ verdict, node: "devnet", reason });

describe("for programs", () => {
  test("every block is counted for its chain; the sum is the last line, also when something waits to be told", () => {
    const { teller: told, events } = teller(true);
    const [namecoin, rsk, late, bad, lost] = ["namecoin", "rsk", "namecoin", "rsk", "rsk"].map((chain) => aux(chain));
    for (const found of [namecoin!, rsk!, late!, bad!, lost!]) told.auxFound(found);
    expect(told.hasAll).toBe(false);
    told.auxAnswer(namecoin!, says("accepted"));
    told.auxAnswer(late!, says("stale", "block hash unknown"));
    told.auxAnswer(bad!, says("rejected", "false"));
    told.auxAnswer(lost!, says("failed", "no answer"));
    told.answer(bitcoin(namecoin!.proof.headerHash), node("accepted"));
    expect(told.hasAll).toBe(false);
    told.auxAnswer(rsk!, says("duplicate"));
    expect(told.hasAll).toBe(true);
    told.goodbye(1234.5);
    const [oneHeader, summary] = events().slice(-2);
    expect(oneHeader).toEqual({
      event: "oneHeader",
      header: toDisplayHex(namecoin!.proof.headerHash),
      blocks: ["namecoin 7", "bitcoin 111"],
    });
    expect(summary).toEqual({
      event: "summary",
      bitcoin: { blocksFound: 0, blocksAccepted: 1, blocksRejected: 0 },
      chains: {
        namecoin: { blocksFound: 2, blocksAccepted: 1, blocksRejected: 0, blocksStale: 1 },
        rsk: { blocksFound: 3, blocksAccepted: 1, blocksRejected: 2, blocksStale: 0 },
      },
      shares: { accepted: 0, rejected: 0 },
      elapsedMs: 1235,
    });
  });

  test("a job is told with the works that it commits to, and finds with their time: who won what can be followed", () => {
    const { teller: told, events } = teller(true);
    const found = aux("namecoin");
    const job = { jobId: 3, height: 111, prevHash: new Uint8Array(32), value: 5n, transactionCount: 1, atMs: 0 };
    const entry = { chain: "namecoin", work: found.work, target: new Uint8Array(32), slot: undefined, scripts: [] };
    told.job({ ...job, cause: "aux" }, [entry]);
    told.auxFound(found);
    told.answer({ ...bitcoin(found.proof.headerHash), foundMs: 1234 }, node("accepted"));
    const [first, second, third] = events();
    expect(first).toMatchObject({
      event: "job",
      jobId: 3,
      works: [{ chain: "namecoin", work: "w1", height: found.work.height }],
    });
    expect(second).toMatchObject({ event: "auxBlockFound", work: "w1", foundMs: found.foundMs });
    expect(third).toMatchObject({ event: "blockAccepted", foundMs: 1234 });
  });

  test("what one header won is told once, after all answers, and not for one block", () => {
    const { teller: told, clock, events } = teller(true);
    const found = aux("namecoin");
    told.auxAnswer(found, says("accepted"));
    clock.advance(100);
    told.auxAnswer({ ...found, chain: "rsk" }, says("accepted"));
    told.auxAnswer(aux("rsk"), says("accepted"));
    expect(events().some(({ event }) => event === "oneHeader")).toBe(false);
    clock.advance(1000);
    expect(events().filter(({ event }) => event === "oneHeader")).toMatchObject([{ blocks: ["namecoin 7", "rsk 7"] }]);
    told.goodbye(0);
    expect(clock.pending).toBe(0);
  });

  test("a refused Bitcoin block is counted as such", () => {
    const { teller: told, events } = teller(true);
    told.answer(bitcoin(new Uint8Array(32)), node("rejected", "bad-txnmrklroot"));
    told.goodbye(0);
    expect(events()[0]).toMatchObject({ event: "blockRefused", verdict: "rejected", reason: "bad-txnmrklroot" });
    expect(events().at(-1)?.bitcoin).toEqual({ blocksFound: 0, blocksAccepted: 0, blocksRejected: 1 });
  });
});

test("a reward is told when it is divided and when it is taken back, in whole units for programs", () => {
  const { teller: told, events } = teller(true);
  const reward = { chain: "rsk", blockHash: "0xab", height: 503, amount: 10n ** 18n + 1n, accounts: 2, atMs: 0 };
  told.reward({ ...reward, step: "distribute" });
  told.reward({ ...reward, step: "reverse" });
  expect(events()).toMatchObject([
    { event: "reward", chain: "rsk", height: 503, step: "distribute", amount: "1000000000000000001" },
    { event: "reward", step: "reverse" },
  ]);
  const people = teller(false);
  people.teller.reward({ ...reward, step: "distribute" });
  expect(people.lines[0]).toMatch(/reward {2}of rsk 503 divided, 1\.000000000000000001 RBTC$/);
});

describe("for people", () => {
  test.each<[FoundAux, AuxAnswer, RegExp]>([
    [aux("namecoin", 50_0010_0000n), says("accepted"), /BLOCK {3}namecoin 7 accepted: 50\.001 NMC, abab/],
    [aux("rsk", 1_260_000_000_000n), says("accepted", "IMPORTED_BEST"), /rsk 7 accepted: 0\.00000126 RBTC, abab/],
    [aux("rsk", 0n), says("accepted", "IMPORTED_NOT_BEST"), /rsk 7 accepted beside another one: 0 RBTC, abab/],
    [aux("other"), says("accepted"), /BLOCK {3}other 7 accepted: abab/],
    [aux("namecoin"), says("stale", "block hash unknown"), /namecoin 7 came too late, another miner was faster$/],
    [aux("rsk"), says("rejected", "Invalid block"), /rsk 7 rejected \(Invalid block\)$/],
  ])("an answer is a sentence with an exact amount (%#)", (found, answer, sentence) => {
    const { teller: told, lines } = teller(false);
    told.auxAnswer(found, answer);
    expect(lines).toEqual([expect.stringMatching(sentence)]);
  });

  test("a chain that joins or is in trouble is told, and the sum names every chain", () => {
    const { teller: told, lines } = teller(false);
    told.chain({ chain: "rsk", state: "mined", trouble: undefined });
    told.chain({ chain: "rsk", state: "running", trouble: undefined });
    told.chain({ chain: "rsk", state: "isolated", trouble: "its daemon is gone" });
    told.foreign("rsk", 9);
    told.auxAnswer(aux("rsk"), says("accepted"));
    told.goodbye(59_700);
    expect(lines[0]).toMatch(/chain {3}rsk is in the jobs/);
    expect(lines[1]).toMatch(/chain {3}rsk isolated: its daemon is gone$/);
    expect(lines[2]).toMatch(/other {3}a miner elsewhere found rsk 9$/);
    expect(lines.at(-1)).toBe(
      "Blocks accepted: 0 of bitcoin, 0 of namecoin, 1 of rsk; 0 shares accepted, 0 rejected, in 60 s.",
    );
  });
});
