import { describe, expect, test } from "vitest";
import {
  CreditMemory,
  type CreditMemoryOptions,
  type TakenSlice,
} from "../../../../src/ledger/credit/credit-memory.ts";
import { NO_CHAINS } from "../../../../src/mining/aux.ts";

const SLICE_MS = 1000;

function memoryOf(options: Partial<CreditMemoryOptions> = {}): CreditMemory {
  return new CreditMemory({ sliceMs: SLICE_MS, maxKeys: 1000, maxSlices: 100, ...options });
}

function share(
  memory: CreditMemory,
  atMs: number,
  userIdentity = "alice",
  chains = NO_CHAINS,
  difficulty = 1,
): boolean {
  return memory.credit({ userIdentity, difficulty, chains, height: 1, jobId: 1, atMs });
}

/** Shares by identity of each slice, a `+` behind those that go on. */
function shown(taken: readonly TakenSlice[]): string[] {
  return taken.map(({ tallies, isOpen }) => {
    const workers = [...tallies].flatMap(([chains, each]) =>
      [...each].map(([identity, { shares }]) => `${identity}${chains === "," ? "" : chains} ${shares}`),
    );
    return workers.join(" ") + (isOpen ? " +" : "");
  });
}

describe("slices", () => {
  test("end at multiples of their length", () => {
    const memory = memoryOf();
    for (const atMs of [10_500, 10_900, 11_000, 11_001, 12_500]) share(memory, atMs);
    expect(shown(memory.take(12_500))).toEqual(["alice 3", "alice 1", "alice 1 +"]);
  });

  test("go on with what comes after they were taken, and end by the clock without another share", () => {
    const memory = memoryOf();
    share(memory, 10_500);
    const [first] = memory.take(10_600);
    share(memory, 10_700);
    const [second] = memory.take(11_000);
    expect(second).toMatchObject({ slice: first!.slice, isOpen: true, newestMs: 10_700 });
    expect(memory.take(11_001)).toMatchObject([{ slice: first!.slice, isOpen: false }]);
    expect(memory.take(50_000)).toEqual([]);
  });

  test("keep sets of chains apart, in whatever order they are named", () => {
    const memory = memoryOf();
    share(memory, 1, "alice", ["rsk", "namecoin"]);
    share(memory, 1, "alice", ["namecoin", "rsk"]);
    share(memory, 1, "alice", ["rsk"]);
    share(memory, 1);
    expect(shown(memory.take(1))).toEqual(["alice,namecoin,rsk, 2 alice,rsk, 1 alice 1 +"]);
  });

  test("keep work for pools apart from our own and from each other's, though their jobs carry the same array of no chains", () => {
    const memory = memoryOf();
    const give = (pool?: string): boolean => {
      const credit = { userIdentity: "alice", difficulty: 1, chains: NO_CHAINS, height: 1, jobId: 1, atMs: 1 };
      return memory.credit(pool === undefined ? credit : { ...credit, pool });
    };
    for (const pool of [undefined, "main", "main", undefined, "spare", ",namecoin,", "ma\0in", undefined]) give(pool);
    const [slice] = memory.take(1);
    const shares = [...(slice?.tallies ?? [])].map(([text, workers]) => [text, workers.get("alice")?.shares]);
    expect(shares).toEqual([
      [",", 3],
      ["pool:main", 3],
      ["pool:spare", 1],
      ["pool:,namecoin,", 1],
    ]);
  });

  test("a clock that goes back by more than a time server's step ends one", () => {
    const memory = memoryOf({ sliceMs: 1e6 });
    for (const atMs of [50_000, 49_500, 48_000, 48_001]) share(memory, atMs);
    expect(shown(memory.take(48_001))).toEqual(["alice 2", "alice 2 +"]);
  });
});

describe("a cut", () => {
  test("parts shares up to the find, its own included, from later ones", () => {
    const memory = memoryOf();
    share(memory, 10_100);
    memory.cut(10_200);
    share(memory, 10_200, "finder");
    share(memory, 10_201);
    expect(shown(memory.take(10_201))).toEqual(["alice 1 finder 1", "alice 1 +"]);
  });

  test("before the first share of all holds the finder's share apart", () => {
    const memory = memoryOf();
    memory.cut(10_200);
    share(memory, 10_200, "finder");
    share(memory, 10_201);
    expect(shown(memory.take(10_201))).toEqual(["finder 1", "alice 1 +"]);
  });

  test("follows a cut, each with its own share", () => {
    const memory = memoryOf();
    for (const atMs of [10_100, 10_200, 10_300]) {
      memory.cut(atMs);
      share(memory, atMs, `finder${atMs}`);
    }
    expect(shown(memory.take(10_300))).toEqual(["finder10100 1", "finder10200 1", "finder10300 1 +"]);
  });

  test("that comes late ends the slice with the newest share; one for a time before the slice changes nothing", () => {
    const memory = memoryOf();
    share(memory, 10_100);
    share(memory, 10_150);
    memory.cut(10_120);
    share(memory, 10_150, "bob");
    share(memory, 10_151);
    memory.cut(9_000);
    share(memory, 10_160);
    expect(shown(memory.take(10_160))).toEqual(["alice 2 bob 1", "alice 2 +"]);
  });

  test("that comes late does not undo a later one that is still to be reached", () => {
    const memory = memoryOf();
    share(memory, 10_100);
    memory.cut(10_200);
    memory.cut(10_090 + 15);
    share(memory, 10_180);
    share(memory, 10_201);
    expect(shown(memory.take(10_201))).toEqual(["alice 1", "alice 1", "alice 1 +"]);
  });

  test("a burst of cuts without a share between them is one", () => {
    const memory = memoryOf({ sliceMs: 1e6 });
    share(memory, 10_100);
    for (let atMs = 10_200; atMs < 20_000; atMs++) memory.cut(atMs);
    share(memory, 20_000);
    expect(shown(memory.take(20_000))).toEqual(["alice 1", "alice 1 +"]);
  });
});

describe("the bounds of memory", () => {
  test("known keys go on counting where new ones have no room", () => {
    const memory = memoryOf({ maxKeys: 2 });
    expect([share(memory, 1, "a"), share(memory, 1, "b"), share(memory, 2, "c"), share(memory, 3, "a")]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([memory.keys, memory.shares]).toEqual([2, 3]);
  });

  test("what was taken counts until it is written", () => {
    const memory = memoryOf({ maxKeys: 2 });
    share(memory, 1, "a");
    share(memory, 1, "b");
    memory.take(1);
    expect(share(memory, 2, "a")).toBe(false);
    memory.written({ keys: 2, shares: 2 });
    expect(share(memory, 2, "a")).toBe(true);
    expect([memory.keys, memory.shares]).toEqual([1, 1]);
  });

  test("a slice is not ended where those in it would have no room in the next", () => {
    const memory = memoryOf({ maxKeys: 3 });
    share(memory, 10_100, "a");
    share(memory, 10_100, "b");
    memory.cut(10_200);
    expect([share(memory, 10_300, "a"), share(memory, 11_500, "b"), share(memory, 11_501, "a")]).toEqual([
      true,
      true,
      true,
    ]);
    expect(memory.joined).toBe(2);
    expect(shown(memory.take(12_500))).toEqual(["a 3 b 2"]);
  });

  test("ended slices are bounded too, and no credit is lost for it", () => {
    const memory = memoryOf({ maxSlices: 10 });
    for (let i = 0; i < 100; i++) {
      memory.cut(10_000 + i);
      expect(share(memory, 10_000 + i)).toBe(true);
    }
    const taken = memory.take(10_099);
    expect(taken).toHaveLength(11);
    expect(shown(taken).at(-1)).toBe("alice 90 +");
  });

  test("a difficulty that is none is credited to nobody", () => {
    const memory = memoryOf();
    expect(share(memory, 1, "alice", NO_CHAINS, Number.NaN)).toBe(false);
    expect(memory.take(1)).toEqual([]);
  });
});
