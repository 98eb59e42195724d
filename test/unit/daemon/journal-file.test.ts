import { describe, expect, test } from "vitest";
import { type JournalFile, leaving } from "../../../src/daemon/journal-file.ts";

const files = (count: number): JournalFile[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${i}`, chain: "a", headerHash: `${i}`, isFinished: true }));
const names = (left: readonly JournalFile[]): number[] => left.map(({ name }) => Number(name));
const all = async (asked: readonly JournalFile[]) => asked;
const none = async () => [];

describe("which finished files leave a journal", () => {
  test("without a ledger: all beyond those that are kept, the oldest", async () => {
    const { files: left, unrecorded } = await leaving(files(5), { keep: 3, mostUnrecorded: 10 });
    expect([names(left), unrecorded]).toEqual([[0, 1], 0]);
    expect((await leaving(files(3), { keep: 3, mostUnrecorded: 10 })).files).toEqual([]);
  });

  test("with one: those of them that it has", async () => {
    const recorded = async (asked: readonly JournalFile[]) => asked.filter(({ name }) => name !== "0");
    const { files: left, unrecorded } = await leaving(files(6), { keep: 3, mostUnrecorded: 10, recorded });
    expect([names(left), unrecorded]).toEqual([[1, 2], 0]);
  });

  test("it is asked about 100 at a time", async () => {
    const { files: left } = await leaving(files(500), { keep: 3, mostUnrecorded: 1000, recorded: all });
    expect(left).toHaveLength(100);
  });

  test("what it has not stays up to a bound, and the oldest beyond that leave all the same", async () => {
    const keeping = { keep: 3, mostUnrecorded: 10, recorded: none };
    expect(await leaving(files(10), keeping)).toEqual({ files: [], unrecorded: 0 });
    const { files: left, unrecorded } = await leaving(files(12), keeping);
    expect([names(left), unrecorded]).toEqual([[0, 1], 2]);
  });
});
