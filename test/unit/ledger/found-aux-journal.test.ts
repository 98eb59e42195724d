import { describe, expect, test } from "vitest";
import type { JournalFile } from "../../../src/daemon/journal-file.ts";
import { FoundAuxJournal } from "../../../src/ledger/found-aux-journal.ts";
import type { AuxAnswer, FoundAux } from "../../../src/merge/found-aux.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { MemoryFiles } from "../node/bitcoind/fakes.ts";

const NOW_MS = 1_700_000_000_123;

function found(wish: { chain?: string; fill?: number; foundMs?: number } = {}): FoundAux {
  const { chain = "namecoin", fill = 7, foundMs = NOW_MS } = wish;
  const work: FoundAux["work"] = {
    id: "AbC/é 1",
    hash: Uint8Array.from({ length: 32 }, (_, i) => i),
    parent: "parent",
    height: 829_949,
    target: (1n << 224n) + 5n,
    value: 123_456_789_012_345_678_901_234_567_890n,
    details: { session: "x", weight: 60.5, live: true },
  };
  return {
    key: `${chain}:${work.id}:${Buffer.alloc(32, fill).toString("hex")}`,
    chain,
    work,
    proof: {
      work,
      header: new Uint8Array(80).fill(2),
      headerHash: new Uint8Array(32).fill(fill),
      coinbase: Uint8Array.of(1, 2, 3),
      merkleBranch: [new Uint8Array(32).fill(4), new Uint8Array(32).fill(5)],
      transactionCount: 3,
      auxpow: Uint8Array.of(6, 7),
    },
    userIdentity: 'miner "x"\n',
    jobId: 17,
    parentHeight: 840_000,
    foundMs,
  };
}
const ANSWER: AuxAnswer = { verdict: "accepted", reason: "", blockHash: "AbC/é 1", height: 829_949, atMs: 5 };
const name = `j/001700000000123-namecoin-${"07".repeat(32)}`;

function journal(options: { keep?: number; maxUnsettled?: number } = {}, files = new MemoryFiles()) {
  const log = recordingLog();
  const store = new FoundAuxJournal({ files, log }, { folder: "j", keep: 100, maxUnsettled: 100, ...options });
  return { files, log, store };
}

describe("the journal of found aux blocks", () => {
  test("gives back exactly what was added, oldest first", async () => {
    const { store, files } = journal();
    const later = found({ fill: 1, foundMs: NOW_MS + 5, chain: "rsk" });
    await store.add(later);
    await store.add(found());
    const again = journal({}, files);
    expect(await again.store.unsettled()).toEqual([found(), later]);
    expect(again.log.lines).toEqual([]);
  });

  test("a chain without AuxPoW, without a value, without details too", async () => {
    const { store, files } = journal();
    const plain = found();
    const work = { ...plain.work, value: undefined, details: {} };
    const bare = { ...plain, work, proof: { ...plain.proof, work, merkleBranch: [], auxpow: undefined } };
    await store.add(bare);
    expect(await journal({}, files).store.unsettled()).toEqual([bare]);
  });

  test("writes beside the place, flushes, renames, flushes the folder, in this order", async () => {
    const { store, files } = journal();
    await store.add(found());
    expect(files.steps).toEqual([`write ${name}.json.tmp`, `rename ${name}.json.tmp ${name}.json`, "sync j"]);
  });

  test("marks a settled block with its answer and gives it back no more", async () => {
    const { store, files } = journal();
    await store.add(found());
    await store.settle(found(), ANSWER);
    expect([...files.texts.keys()]).toEqual([`${name}.done.json`]);
    expect(JSON.parse(files.texts.get(`${name}.done.json`) ?? "")).toMatchObject({
      chain: "namecoin",
      work: { id: "AbC/é 1", target: `00000001${"0".repeat(55)}5`, value: "123456789012345678901234567890" },
      proof: { auxpow: "0607", headerHash: "07".repeat(32) },
      answer: ANSWER,
    });
    expect(await journal({}, files).store.unsettled()).toEqual([]);
  });

  test("is whole after a crash at any step: the block is there, or its answer is", async () => {
    for (let crashAt = 0; crashAt < 8; crashAt++) {
      const { store, files } = journal();
      await store.add(found());
      let step = 0;
      files.before = () => {
        if (step++ >= crashAt) throw new Error("power cut");
      };
      await store.settle(found(), ANSWER).catch(() => undefined);
      files.before = () => undefined;
      const { store: next, log } = journal({}, files);
      const isDone = files.texts.has(`${name}.done.json`);
      expect((await next.unsettled()).length, `crash at step ${crashAt}`).toBe(isDone ? 0 : 1);
      expect(log.lines).toEqual([]);
      expect([...files.texts.keys()]).toEqual([isDone ? `${name}.done.json` : `${name}.json`]);
    }
  });

  test("a write that the disk finishes after the answer does not bring the block back", async () => {
    const { store, files } = journal();
    await store.settle(found(), ANSWER);
    await store.add(found());
    expect([...files.texts.keys()]).toEqual([`${name}.done.json`]);
  });

  test("keeps a bounded number of finished blocks, the newest, and every unfinished one", async () => {
    const { store, files } = journal({ keep: 2 });
    await store.add(found({ foundMs: 1 }));
    for (const foundMs of [5, 3, 4]) {
      await store.add(found({ foundMs }));
      await store.settle(found({ foundMs }), ANSWER);
    }
    const times = [...files.texts.keys()].map((path) => Number(path.slice(2, 17)));
    expect(times.sort()).toEqual([1, 4, 5]);
  });

  test("reads a bounded number of unfinished blocks, the newest, and says that it left some", async () => {
    const { store, files } = journal();
    for (const foundMs of [1, 2, 3]) await store.add(found({ foundMs }));
    const { store: next, log } = journal({ maxUnsettled: 2 }, files);
    expect((await next.unsettled()).map(({ foundMs }) => foundMs)).toEqual([2, 3]);
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ["error", "1 of 3 found aux blocks without an answer are not submitted: too many, too old"],
    ]);
    expect(files.texts.size).toBe(3);
  });

  test("exactly as many as it may read it reads without a word", async () => {
    const { store, files } = journal();
    for (const foundMs of [1, 2]) await store.add(found({ foundMs }));
    const { store: next, log } = journal({ maxUnsettled: 2 }, files);
    expect(await next.unsettled()).toHaveLength(2);
    expect(log.lines).toEqual([]);
  });

  test("leaves alone what it cannot read or does not know, says so and goes on", async () => {
    const { store, files, log } = journal();
    await store.add(found());
    files.texts.set("j/notes.txt", "mine");
    files.texts.set(`${name.replace("0123", "0124")}.json`, "{");
    files.texts.set(`${name.replace("0123", "0125")}.json`, '{"format":2}');
    files.texts.set(`${name.replace("0123", "0126")}.json`, " ".repeat((1 << 20) + 1));
    expect(await store.unsettled()).toEqual([found()]);
    expect(log.lines.map(({ fields }) => (fields.error as { code: string }).code)).toEqual(
      Array(3).fill("merge-journal-entry"),
    );
    expect(log.lines[0]?.message).toContain("j/001700000000124");
    expect(files.texts.size).toBe(5);
  });

  test("a chain's name cannot lead out of the folder", async () => {
    const { store, files } = journal();
    await store.add(found({ chain: "../../etc/pass wd" }));
    const [path = ""] = files.texts.keys();
    expect(path).toMatch(/^j\/\d{15}-\.\.%2F\.\.%2Fetc%2Fpass%20wd-[0-9a-f]{64}\.json$/);
    expect(await store.unsettled()).toEqual([found({ chain: "../../etc/pass wd" })]);
  });

  test("a folder that can be read but not written is found at the start and not with the first block", async () => {
    const { store, files } = journal();
    files.before = (step) => {
      if (step.startsWith("write")) throw Object.assign(new Error("read-only file system"), { code: "EROFS" });
    };
    await expect(store.unsettled()).rejects.toMatchObject({ code: "merge-journal-folder" });
  });

  test("a full disk is a fault that names the folder", async () => {
    const { store, files } = journal();
    files.before = () => {
      throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    };
    await expect(store.add(found())).rejects.toMatchObject({ code: "merge-journal", data: { folder: "j" } });
    await expect(store.settle(found(), ANSWER)).rejects.toMatchObject({ code: "merge-journal" });
  });
});

describe("the past in the journal", () => {
  test("is listed by its names, the newest first, and read file by file", async () => {
    const { store, files } = journal();
    const early = found({ chain: "a:b/é" });
    const late = found({ fill: 9, foundMs: NOW_MS + 1 });
    await store.settle(early, ANSWER);
    await store.add(late);
    files.texts.set("j/readme.txt", "");
    const listed = await store.files();
    expect(listed).toEqual([
      {
        name: `001700000000124-namecoin-${"09".repeat(32)}.json`,
        chain: "namecoin",
        headerHash: "09".repeat(32),
        isFinished: false,
      },
      {
        name: `001700000000123-a%3Ab%2F%C3%A9-${"07".repeat(32)}.done.json`,
        chain: "a:b/é",
        headerHash: "07".repeat(32),
        isFinished: true,
      },
    ]);
    const [open, done] = listed;
    if (open === undefined || done === undefined) throw new Error("two files are missing");
    expect(await store.readFile(open)).toEqual({ found: late, answer: undefined });
    expect(await store.readFile(done)).toEqual({ found: early, answer: ANSWER });
    expect(await store.readFile({ ...done, name: "gone" })).toBeUndefined();
  });

  test("does not say the chain where its name was cut", async () => {
    const { store } = journal();
    await store.add(found({ chain: "x".repeat(150) }));
    expect((await store.files()).map(({ chain }) => chain)).toEqual([undefined]);
  });

  test("is kept until the ledger has it, and beyond a bound not even then, which is told", async () => {
    const has = new Set<string>();
    const log = recordingLog();
    const files = new MemoryFiles();
    const recorded = async (asked: readonly JournalFile[]) => asked.filter(({ headerHash }) => has.has(headerHash));
    const store = new FoundAuxJournal(
      { files, log, recorded },
      { folder: "j", keep: 1, maxUnsettled: 10, mostUnrecorded: 3 },
    );
    for (const fill of [1, 2, 3]) await store.settle(found({ fill, foundMs: NOW_MS + fill }), ANSWER);
    expect(await store.files()).toHaveLength(3);
    has.add("02".repeat(32));
    await store.settle(found({ fill: 4, foundMs: NOW_MS + 4 }), ANSWER);
    expect((await store.files()).map(({ headerHash }) => headerHash[1])).toEqual(["4", "3", "1"]);
    expect(log.lines).toEqual([]);
    await store.settle(found({ fill: 5, foundMs: NOW_MS + 5 }), ANSWER);
    expect((await store.files()).map(({ headerHash }) => headerHash[1])).toEqual(["5", "4", "3"]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      "1 found aux blocks leave the journal that the ledger never had: it keeps no more files",
    ]);
  });

  test("is empty before its folder is there, and a folder that cannot be listed is told", async () => {
    const { store, files } = journal();
    const fail = (code: string) => (step: string) => {
      if (step.startsWith("list")) throw Object.assign(new Error(code), { code });
    };
    files.before = fail("ENOENT");
    expect(await store.files()).toEqual([]);
    files.before = fail("EIO");
    await expect(store.files()).rejects.toThrow("EIO");
  });
});
