import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, test } from "vitest";
import { ALL_NONCES, type NonceRange, SearchSpace } from "../../../../src/devnet/miner/search-space.ts";
import type { Solution, Work } from "../../../../src/devnet/miner/work.ts";
import { concat, fromHex, toHex } from "../../../../src/kernel/bytes.ts";

const sha256d = (bytes: Uint8Array): Uint8Array => sha256(sha256(bytes));
const ANY = new Uint8Array(32).fill(0xff);

const FIXED: Work = {
  workId: 7,
  version: 0x20000000,
  versionMask: 0,
  prevHash: new Uint8Array(32).fill(1),
  nbits: 0x1d00ffff,
  minNtime: 1_700_000_000,
  target: ANY,
  root: { kind: "fixed", merkleRoot: new Uint8Array(32).fill(2) },
};
const ROLLED: Work = {
  ...FIXED,
  root: {
    kind: "rolled",
    coinbasePrefix: fromHex("0102030405"),
    coinbaseSuffix: fromHex("0a0b0c"),
    merklePath: [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)],
    extranonceSize: 2,
  },
};

/** The header of a solution, built from the spec's pseudo-code (5.3.16) with an independent SHA-256. */
function header(work: Work, { nonce, ntime, version, extranonce }: Solution): Uint8Array {
  let root = work.root.kind === "fixed" ? work.root.merkleRoot : new Uint8Array(0);
  if (work.root.kind === "rolled") {
    root = sha256d(concat(work.root.coinbasePrefix, extranonce, work.root.coinbaseSuffix));
    for (const node of work.root.merklePath) root = sha256d(concat(root, node));
  }
  const bytes = new Uint8Array(80);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version, true);
  bytes.set(work.prevHash, 4);
  bytes.set(root, 36);
  view.setUint32(68, ntime, true);
  view.setUint32(72, work.nbits, true);
  view.setUint32(76, nonce, true);
  return bytes;
}

/** Every header of a search in which each hash is a solution, until it is used up or `max` were found. */
function all(space: SearchSpace, max: number, elapsed = 0): Solution[] {
  const found: Solution[] = [];
  while (found.length < max) {
    const { hashes, solution } = space.step(1000, elapsed);
    if (hashes === 0) break;
    if (solution !== undefined) found.push(solution);
  }
  return found;
}

const range = (start: number, end: number): NonceRange => ({ start, end });

describe("a search space", () => {
  test.each([
    ["a standard job", FIXED],
    ["an extended job", ROLLED],
  ])("of %s: each solution is the hash of the header that the server will build", (_, work) => {
    for (const solution of all(new SearchSpace(work, ALL_NONCES), 20)) {
      expect(toHex(solution.hash)).toBe(toHex(sha256d(header(work, solution))));
      expect(solution.workId).toBe(7);
    }
  });

  test("finds the block of genesis and nothing below it", () => {
    const genesis: Work = {
      ...FIXED,
      version: 1,
      prevHash: new Uint8Array(32),
      minNtime: 0x495fab29,
      target: fromHex(`${"00".repeat(26)}ffff${"00".repeat(4)}`),
      root: {
        kind: "fixed",
        merkleRoot: fromHex("3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"),
      },
    };
    const space = new SearchSpace(genesis, range(2083236893 - 100, 2083236893 + 100));
    const { hashes, solution } = space.step(1_000_000, 0);
    expect({ hashes, nonce: solution?.nonce }).toEqual({ hashes: 101, nonce: 2083236893 });
    expect(toHex(solution!.hash)).toBe("6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000");
    expect(space.step(1_000_000, 0)).toEqual({ hashes: 99, solution: undefined });
    expect(space.step(1_000_000, 0).hashes).toBe(0);
  });

  test("compares all words of the target, not only the highest", () => {
    const [easiest] = all(new SearchSpace(FIXED, range(0, 1)), 1);
    const exact = new SearchSpace({ ...FIXED, target: easiest!.hash }, range(0, 1));
    expect(exact.step(1, 0).solution?.nonce).toBe(0);
    const below = easiest!.hash.slice();
    below[0] = below[0]! - 1;
    expect(new SearchSpace({ ...FIXED, target: below }, range(0, 1)).step(1, 0)).toEqual({
      hashes: 1,
      solution: undefined,
    });
  });

  test("rolls nonces, then exactly the mask's version bits, then extranonces, and never repeats a header", () => {
    const work: Work = { ...ROLLED, version: 0x20004000, versionMask: 0x0000e000 };
    const found = all(new SearchSpace(work, range(10, 12)), 2 * 8 * 3);
    expect(found.slice(0, 4).map(({ nonce, version }) => [nonce, version])).toEqual([
      [10, 0x20004000],
      [11, 0x20004000],
      [10, 0x20006000],
      [11, 0x20006000],
    ]);
    const versions = new Set(found.slice(0, 16).map(({ version }) => version));
    expect(versions.size).toBe(8);
    for (const version of versions) expect((version ^ work.version) & ~work.versionMask).toBe(0);
    expect(found.filter((_, i) => i % 16 === 0).map(({ extranonce }) => toHex(extranonce))).toEqual([
      "0000",
      "0100",
      "0200",
    ]);
    expect(new Set(found.map((solution) => toHex(header(work, solution)))).size).toBe(found.length);
  });

  test("rolls the highest version bits without a sign", () => {
    const work: Work = { ...FIXED, version: 0xe0000000, versionMask: 0x80000000 };
    expect(all(new SearchSpace(work, range(0, 1)), 9).map(({ version }) => version)).toEqual([0xe0000000, 0x60000000]);
  });

  test("leaves the version alone when it must not be rolled", () => {
    expect(all(new SearchSpace(FIXED, range(0, 5)), 99).map(({ version }) => version)).toEqual(
      new Array<number>(5).fill(FIXED.version),
    );
  });

  test("uses one byte of extranonce up and then waits for the next second", () => {
    const work: Work = { ...ROLLED, root: { ...ROLLED.root, extranonceSize: 1 } as Work["root"] };
    const space = new SearchSpace(work, range(0, 2));
    expect(all(space, 9999)).toHaveLength(512);
    expect(space.step(10, 0)).toEqual({ hashes: 0, solution: undefined });
    const second = all(space, 9999, 1);
    expect(second).toHaveLength(512);
    expect(new Set(second.map(({ ntime }) => ntime))).toEqual(new Set([work.minNtime + 1]));
    expect(toHex(second[511]!.extranonce)).toBe("ff");
  });

  test("moves the header time with the clock, goes on with the nonces and never goes back", () => {
    const space = new SearchSpace(FIXED, ALL_NONCES);
    const times = [0, 0, 3, 2, 4].map((elapsed) => {
      const { solution } = space.step(1, elapsed);
      return [solution!.nonce, solution!.ntime - FIXED.minNtime];
    });
    expect(times).toEqual([
      [0, 0],
      [1, 0],
      [2, 3],
      [3, 3],
      [4, 4],
    ]);
  });

  test("threads share the nonces without overlap", () => {
    const a = all(new SearchSpace(FIXED, range(0, 50)), 99);
    const b = all(new SearchSpace(FIXED, range(50, 100)), 99);
    expect([...a, ...b].map(({ nonce }) => nonce)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});
