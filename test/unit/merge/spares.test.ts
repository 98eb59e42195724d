import { describe, expect, test } from "vitest";
import type { AuxAnswer, FoundAux } from "../../../src/merge/found-aux.ts";
import { Spares } from "../../../src/merge/spares.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { auxWork } from "../../support/aux-work.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { foundAux } from "../../support/found-aux.ts";

const W1 = auxWork({ id: "w1" });
/** Another template of the same block. */
const W2 = auxWork({ id: "w2" });
let hashes = 0;

function spares(options = { maxSpares: 3, maxRounds: 2 }) {
  const forgotten: [string, number][] = [];
  const clock = new FakeClock();
  const onForgotten = (chain: string, spares: number) => void forgotten.push([chain, spares]);
  const it = new Spares({ clock, onForgotten }, options);
  /** A solution whose proof is good. */
  const solve = (work: AuxWork, auxPow = true): { claim: string; found: FoundAux } => {
    const found = foundAux({ work, auxPow });
    const reservation = it.reserve("namecoin", work, auxPow, String(++hashes));
    return { found, claim: reservation === "reserved" ? it.claim(found) : reservation };
  };
  const answer = (found: FoundAux, verdict: AuxAnswer["verdict"]) => it.answered(found, verdict);
  return { it, solve, answer, forgotten, clock };
}

describe("solutions of one aux block", () => {
  test("the first is submitted, others are held, up to the bound", () => {
    const { it, solve } = spares();
    expect([1, 2, 3, 4, 5, 6].map(() => solve(W1).claim)).toEqual(["submit", "held", "held", "held", "late", "late"]);
    expect(it.held("namecoin")).toBe(3);
  });

  test("places are kept while proofs are built: a burst in one turn takes no more", () => {
    const { it } = spares();
    const burst = [1, 2, 3, 4, 5, 6].map(() => it.reserve("namecoin", W1, true, String(++hashes)));
    expect(burst).toEqual([...Array(4).fill("reserved"), "late", "late"]);
  });

  test("the same header again is known, whatever became of it", () => {
    const { it, solve, answer } = spares();
    expect(it.reserve("namecoin", W1, true, "h")).toBe("reserved");
    expect(it.reserve("namecoin", W1, true, "h")).toBe("known");
    const found = foundAux({ work: W1 });
    it.claim(found);
    answer(found, "accepted");
    expect(it.reserve("namecoin", W1, true, "h")).toBe("known");
    expect(solve(W1).claim).toBe("late");
  });

  test.each(["accepted", "duplicate", "failed"] as const)("%s decides: no spare is submitted", (verdict) => {
    const { solve, answer, it } = spares();
    const { found } = solve(W1);
    solve(W1);
    solve(W1);
    expect(answer(found, verdict)).toEqual({ next: undefined, lost: 2 });
    expect(it.held("namecoin")).toBe(0);
    expect(solve(W1).claim).toBe("late");
  });

  test("rejected: the next spare goes, one at a time, and after the last the next solution", () => {
    const { solve, answer } = spares();
    const first = solve(W1).found;
    const second = solve(W1).found;
    expect(answer(first, "rejected")).toEqual({ next: second, lost: 0 });
    expect(solve(W1).claim).toBe("held");
    const { next } = answer(second, "rejected");
    expect(next).toBeDefined();
    expect(answer(next!, "rejected").next).toBeUndefined();
    expect(solve(W1).claim).toBe("submit");
  });

  test("a daemon that refuses everything is asked as often as there are places, then never again", () => {
    const { solve, answer } = spares();
    let asked = 0;
    for (let i = 0; i < 50; i++) {
      const { claim, found } = solve(W1);
      if (claim !== "submit") continue;
      asked += 1;
      answer(found, "rejected");
    }
    expect(asked).toBe(4);
  });

  test("wrong proofs count as attempts too", () => {
    const { it, solve } = spares();
    for (let i = 0; i < 4; i++) {
      expect(it.reserve("namecoin", W1, true, `wrong ${i}`)).toBe("reserved");
      it.release("namecoin", W1, true);
    }
    expect(solve(W1).claim).toBe("late");
  });

  test("stale: no spare of the same work goes, for the daemon forgot it", () => {
    const { solve, answer } = spares();
    const { found } = solve(W1);
    solve(W1);
    expect(answer(found, "stale")).toEqual({ next: undefined, lost: 1 });
    expect(solve(W1).claim).toBe("late");
  });

  test("an answer for a solution that is not under way changes nothing, unless it decides", () => {
    const { solve, answer } = spares();
    solve(W1);
    expect(answer(foundAux({ work: W1 }), "rejected")).toEqual({ next: undefined, lost: 0 });
    expect(solve(W1).claim).toBe("held");
    expect(answer(foundAux({ work: W1 }), "accepted")).toEqual({ next: undefined, lost: 1 });
  });

  test("what an earlier run submitted is under way again", () => {
    const { it, solve, answer } = spares();
    const found = foundAux({ work: W1 });
    it.resume(found);
    expect(solve(W1).claim).toBe("held");
    expect(answer(found, "accepted").lost).toBe(1);
  });
});

describe("another template on the same parent", () => {
  test("is the same block for an AuxPoW chain: it is held, and dropped once ours was accepted", () => {
    const { solve, answer } = spares();
    const { found } = solve(W1);
    expect(solve(W2).claim).toBe("held");
    expect(answer(found, "accepted")).toEqual({ next: undefined, lost: 1 });
    expect(solve(W2).claim).toBe("late");
  });

  test("goes when the daemon forgot the first: it may know this one", () => {
    const { solve, answer } = spares();
    const { found } = solve(W1);
    solve(W1);
    const other = solve(W2).found;
    expect(answer(found, "stale")).toEqual({ next: other, lost: 1 });
  });

  test("is another block for a chain found by its output: RSK pays uncles", () => {
    const { solve, answer } = spares();
    const { found } = solve(W1, false);
    expect(solve(W2, false).claim).toBe("submit");
    answer(found, "accepted");
    expect(solve(W1, false).claim).toBe("late");
    expect(solve(W2, false).claim).toBe("held");
  });
});

describe("a solution that nobody answers for", () => {
  test("does not hold up what solves another daemon's work at that height, which goes out beside it, once", () => {
    const { it, solve, answer } = spares();
    const { found: first } = solve(W1);
    const second = solve(W1).found;
    const other = solve(W2).found;
    solve(W2);
    expect(it.troubled(second)).toBeUndefined();
    expect(it.troubled(first)).toBe(other);
    expect(it.troubled(first)).toBeUndefined();
    // The other one is held up too: there is no third work.
    expect(it.troubled(other)).toBeUndefined();
    expect(answer(other, "accepted")).toEqual({ next: undefined, lost: 2 });
    expect(solve(W2).claim).toBe("late");
    expect(answer(first, "stale")).toEqual({ next: undefined, lost: 0 });
  });

  test("that of another work which is found later goes out at once; one of its own is held", () => {
    const { it, solve, answer } = spares();
    const { found: first } = solve(W1);
    expect(it.troubled(first)).toBeUndefined();
    expect(solve(W1).claim).toBe("held");
    const { claim, found: other } = solve(W2);
    expect(claim).toBe("submit");
    expect(solve(W2).claim).toBe("held");
    // That the first is given up says nothing of the other.
    expect(answer(first, "failed")).toEqual({ next: undefined, lost: 0 });
    expect(answer(other, "rejected").next?.work.id).toBe("w1");
  });
});

test("a daemon that forgets its templates time and again does not close the round", () => {
  const { solve, answer } = spares();
  for (let i = 0; i < 20; i++) {
    const { claim, found } = solve(auxWork({ id: `forgotten ${i}` }));
    expect(claim).toBe("submit");
    answer(found, "stale");
  }
  expect(solve(W1).claim).toBe("submit");
});

describe("a decided round", () => {
  const decided = (verdict: AuxAnswer["verdict"], auxPow = true) => {
    const world = spares();
    world.answer(world.solve(W1, auxPow).found, verdict);
    return world;
  };

  test.each(["accepted", "duplicate", "failed"] as const)(
    "by %s, is open again when its parent is still built on ten seconds later: that daemon lacks our block",
    async (verdict) => {
      const { it, solve, clock } = decided(verdict);
      // An answer that was under way when our block was taken says nothing.
      await clock.advance(9_999);
      expect(it.offered("namecoin", W2)).toBe(false);
      expect(solve(W2).claim).toBe("late");
      await clock.advance(1);
      expect(it.offered("namecoin", auxWork({ id: "w3", height: 22 }))).toBe(false);
      expect(it.offered("namecoin", W2)).toBe(true);
      expect(it.offered("namecoin", W2)).toBe(false);
      const { claim, found } = solve(W2);
      expect(claim).toBe("submit");
      it.answered(found, "accepted");
      expect(solve(W2).claim).toBe("late");
    },
  );

  test("a header of before is still known", async () => {
    const { it, clock } = spares();
    it.reserve("namecoin", W1, true, "h");
    it.answered(foundAux({ work: W1 }), "accepted");
    await clock.advance(10_000);
    expect(it.offered("namecoin", W1)).toBe(true);
    expect(it.reserve("namecoin", W1, true, "h")).toBe("known");
  });

  test("stays decided on a chain found by its output, and when all attempts were refused", async () => {
    const rsk = decided("accepted", false);
    await rsk.clock.advance(60_000);
    expect(rsk.it.offered("namecoin", W1)).toBe(false);
    const { it, solve, answer, clock } = spares();
    for (let i = 0; i < 9; i++) {
      const { claim, found } = solve(W1);
      if (claim === "submit") answer(found, "rejected");
    }
    await clock.advance(60_000);
    expect(it.offered("namecoin", W1)).toBe(false);
    expect(solve(W1).claim).toBe("late");
  });
});

describe("the rounds that are remembered", () => {
  test("are bounded; those in which something is under way stay longest", () => {
    const { solve, forgotten } = spares();
    solve(W1);
    solve(W1);
    const busy = solve(auxWork({ id: "x", height: 22 }));
    expect(busy.claim).toBe("submit");
    solve(auxWork({ id: "y", height: 23 }));
    expect(forgotten).toEqual([["namecoin", 1]]);
    expect(solve(auxWork({ id: "x", height: 22 })).claim).toBe("held");
  });

  test("a decided one goes before one that is under way", () => {
    const { solve, answer, forgotten } = spares();
    solve(W1);
    solve(W1);
    answer(solve(auxWork({ id: "x", height: 22 })).found, "accepted");
    solve(auxWork({ id: "y", height: 23 }));
    expect(forgotten).toEqual([]);
    expect(solve(W1).claim).toBe("held");
  });
});
