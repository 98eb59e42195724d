import { describe, expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import type { FoundBlock } from "../../../../src/mining/ports.ts";
import { BlockJournal, type JournalEntry } from "../../../../src/node/bitcoind/journal.ts";
import { recordingLog } from "../../../support/recording-log.ts";
import { MemoryFiles } from "./fakes.ts";

const block = (height = 840_000, fill = 7): FoundBlock => ({
  hash: new Uint8Array(32).fill(fill),
  height,
  prevHash: new Uint8Array(32).fill(1),
  templateId: "core/1",
  source: "bitcoind",
  header: new Uint8Array(80).fill(2),
  coinbase: Uint8Array.of(1, 2, 3),
  block: Uint8Array.of(4, 5, 6, 7),
  reward: 312_500_123_456_789n,
  finderReward: 1_234_567_890_123n,
  finderAddress: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
  isGift: true,
  userIdentity: 'miner "x"\n',
  foundMs: 1_700_000_000_123,
});
const entry = (...more: Parameters<typeof block>): JournalEntry => ({ block: block(...more), answers: [] });
const answered: JournalEntry = {
  block: block(),
  answers: [{ node: "core", verdict: "accepted", reason: "", atMs: 5 }],
};
const name = `j/0000840000-${"07".repeat(32)}`;

function journal(keep = 100) {
  const files = new MemoryFiles();
  return { files, journal: new BlockJournal({ files }, { folder: "j", keep }) };
}

describe("the journal of found blocks", () => {
  test("gives back exactly what was written", async () => {
    const { journal: written, files } = journal();
    await written.write(entry());
    await written.write(entry(840_001, 9));
    const { unfinished, broken } = await new BlockJournal({ files }, { folder: "j", keep: 1 }).open();
    expect(broken).toEqual([]);
    expect(unfinished).toEqual([entry(), entry(840_001, 9)]);
  });

  test("a template provider's block without transactions too", async () => {
    const { journal: written } = journal();
    const bare = { block: { ...block(), block: undefined }, answers: [] };
    await written.write(bare);
    expect((await written.open()).unfinished).toEqual([bare]);
  });

  test("a block that an older version wrote down paid nobody but the pool", async () => {
    const { journal: written, files } = journal();
    await written.write(entry());
    const { finderReward, finderAddress, isGift, ...older } = JSON.parse(files.texts.get(`${name}.json`) ?? "");
    expect([finderReward, finderAddress, isGift]).toEqual(["1234567890123", block().finderAddress, true]);
    files.texts.set(`${name}.json`, JSON.stringify(older));
    const { unfinished, broken } = await written.open();
    expect(broken).toEqual([]);
    expect(unfinished).toEqual([
      { ...entry(), block: { ...block(), finderReward: 0n, finderAddress: undefined, isGift: false } },
    ]);
  });

  test("writes beside the place, flushes, renames, flushes the folder, in this order", async () => {
    const { journal: written, files } = journal();
    await written.write(entry());
    expect(files.steps).toEqual([`write ${name}.json.tmp`, `rename ${name}.json.tmp ${name}.json`, "sync j"]);
  });

  test("is whole after a crash at any step: the block is there, or it is not", async () => {
    for (let crashAt = 0; crashAt < 8; crashAt++) {
      const { journal: written, files } = journal();
      await written.write(entry());
      let step = 0;
      files.before = () => {
        if (step++ === crashAt) throw new Error("power cut");
      };
      const finished = await written.finish(answered).then(
        () => true,
        () => false,
      );
      files.before = () => undefined;
      const { unfinished, broken } = await new BlockJournal({ files }, { folder: "j", keep: 100 }).open();
      expect(broken, `crash at step ${crashAt}`).toEqual([]);
      const isDone = files.texts.has(`${name}.done.json`);
      expect(unfinished.length, `crash at step ${crashAt}`).toBe(isDone ? 0 : 1);
      if (finished) expect(isDone).toBe(true);
      // Whatever a crash left lying about is gone after the next start.
      expect([...files.texts.keys()]).toEqual([isDone ? `${name}.done.json` : `${name}.json`]);
    }
  });

  test("marks a finished block with its answers and takes it up no more", async () => {
    const { journal: written, files } = journal();
    await written.write(entry());
    await written.finish(answered);
    expect([...files.texts.keys()]).toEqual([`${name}.done.json`]);
    expect(JSON.parse(files.texts.get(`${name}.done.json`) ?? "")).toMatchObject({
      hash: "07".repeat(32),
      block: "04050607",
      reward: "312500123456789",
      answers: [{ node: "core", verdict: "accepted", reason: "", atMs: 5 }],
    });
    expect((await written.open()).unfinished).toEqual([]);
  });

  test("keeps a bounded number of finished blocks, the highest, and every unfinished one", async () => {
    const { journal: written, files } = journal(2);
    await written.write(entry(1));
    for (const height of [5, 3, 4]) {
      await written.write(entry(height));
      await written.finish({ ...answered, block: block(height) });
    }
    expect([...files.texts.keys()].map((path) => Number(path.slice(2, 12))).sort()).toEqual([1, 4, 5]);
  });

  test("leaves alone what it cannot read or does not know, and says so", async () => {
    const { journal: written, files } = journal();
    await written.write(entry());
    files.texts.set("j/notes.txt", "mine");
    files.texts.set(`${name.replace("84", "85")}.json`, "{");
    files.texts.set(`${name.replace("84", "86")}.json`, '{"format":2}');
    const { unfinished, broken } = await written.open();
    expect(unfinished.length).toBe(1);
    expect(broken.map(({ code }) => code)).toEqual(["node-journal-entry", "node-journal-entry"]);
    expect(broken[0]?.message).toContain("j/0000850000");
    expect(files.texts.size).toBe(4);
  });

  test("a folder that can be read but not written is found at the start and not with the first block", async () => {
    const { journal: written, files } = journal();
    files.before = (step) => {
      if (step.startsWith("write")) throw Object.assign(new Error("read-only file system"), { code: "EROFS" });
    };
    await expect(written.open()).rejects.toMatchObject({ code: "node-journal-folder" });
    files.before = () => undefined;
    await written.open();
    expect(files.texts.size).toBe(0);
  });

  test("a disk that fails is a fault with the folder's name", async () => {
    const { journal: written, files } = journal();
    files.before = () => {
      throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    };
    for (const [work, code] of [
      [written.open(), "node-journal-folder"],
      [written.write(entry()), "node-journal"],
      [written.finish(answered), "node-journal"],
    ] as const) {
      const error = await work.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Fault);
      expect((error as Fault).code).toBe(code);
      expect((error as Fault).data.folder).toBe("j");
    }
  });
});

describe("the past in the journal", () => {
  test("is listed by its names, the highest first, and read file by file", async () => {
    const { journal: written, files } = journal();
    await written.finish(answered);
    await written.write(entry(840_001, 9));
    files.texts.set("j/readme.txt", "");
    const listed = await written.files();
    expect(listed).toEqual([
      { name: `0000840001-${"09".repeat(32)}.json`, chain: "bitcoin", headerHash: "09".repeat(32), isFinished: false },
      { name: `${name.slice(2)}.done.json`, chain: "bitcoin", headerHash: "07".repeat(32), isFinished: true },
    ]);
    const [open, done] = listed;
    if (open === undefined || done === undefined) throw new Error("two files are missing");
    expect(await written.readFile(open)).toEqual(entry(840_001, 9));
    expect(await written.readFile(done)).toEqual(answered);
    expect(await written.readFile({ ...done, name: "gone" })).toBeUndefined();
  });

  test("is kept until the ledger has it, and beyond a bound not even then, which is told", async () => {
    const has = new Set<string>();
    const log = recordingLog();
    const written = new BlockJournal(
      {
        files: new MemoryFiles(),
        log,
        recorded: async (asked) => asked.filter(({ headerHash }) => has.has(headerHash)),
      },
      { folder: "j", keep: 1, mostUnrecorded: 3 },
    );
    const kept = async () => (await written.files()).map(({ headerHash }) => headerHash[1]);
    for (const n of [1, 2, 3]) await written.finish({ ...answered, block: block(n, n) });
    expect(await kept()).toEqual(["3", "2", "1"]);
    has.add("02".repeat(32));
    await written.finish({ ...answered, block: block(4, 4) });
    expect(await kept()).toEqual(["4", "3", "1"]);
    expect(log.lines).toEqual([]);
    await written.finish({ ...answered, block: block(5, 5) });
    expect(await kept()).toEqual(["5", "4", "3"]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "1 found blocks leave the journal that the ledger never had: it keeps no more files",
    ]);
  });

  test("is empty before its folder is there, and a folder that cannot be listed is told", async () => {
    const { journal: written, files } = journal();
    const fail = (code: string) => (step: string) => {
      if (step.startsWith("list")) throw Object.assign(new Error(code), { code });
    };
    files.before = fail("ENOENT");
    expect(await written.files()).toEqual([]);
    files.before = fail("EIO");
    await expect(written.files()).rejects.toThrow("EIO");
  });
});
