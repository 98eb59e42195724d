/** Jobs made of what another pool sends: real blocks come out of their own coinbases, SRI's shares out of SRI's jobs, and garbage does not get in. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../src/bitcoin/block.ts";
import { headerHash, serializeHeader } from "../../../src/bitcoin/header.ts";
import { merklePathOfFirst } from "../../../src/bitcoin/merkle.ts";
import { targetFromCompact } from "../../../src/bitcoin/target.ts";
import { serializeTransaction, txid } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toDisplayHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { jobMerkleRoot, repeatJob } from "../../../src/mining/job.ts";
import { type PoolJobParts, poolJob } from "../../../src/mining/pool-job.ts";
import type { PoolWork } from "../../../src/mining/pool-work.ts";
import { prepared } from "../../../src/mining/prepared-job.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import blocks from "../../vectors/bitcoin-blocks.json" with { type: "json" };

const work: PoolWork = Object.freeze({
  pool: "main",
  connection: 3,
  channelId: 5,
  jobId: 77,
  target: new Uint8Array(32).fill(0xff),
  difficulty: 1,
});

const NOW_MS = 1_700_000_000_000;

/** The bytes of a coinbase before its script. */
const SCRIPT_AT = 42;

/** A real block as its pool might have sent it: 1 byte of the script is the pool's extranonce prefix, the next 8 are the miner's. */
function announcedBlock(hex: string): {
  parts: PoolJobParts;
  extranonce: Uint8Array;
  block: ReturnType<typeof parseBlock>;
} {
  const block = parseBlock(fromHex(hex));
  const { header, transactions } = block;
  const coinbase = serializeTransaction(transactions[0]!, { witness: false });
  const at = SCRIPT_AT + 4;
  const parts: PoolJobParts = {
    announced: {
      minNtime: null,
      version: header.version,
      versionRollingAllowed: true,
      merklePath: merklePathOfFirst(transactions.slice(1).map(txid)),
      coinbaseTxPrefix: coinbase.subarray(0, at),
      coinbaseTxSuffix: coinbase.subarray(at + 9),
    },
    tip: { prevHash: header.prevHash, minNtime: header.time, nbits: header.nBits },
    extranoncePrefix: coinbase.subarray(at, at + 1),
    extranonceSize: 8,
    work,
    jobId: 12,
    nowMs: NOW_MS,
  };
  return { parts, extranonce: coinbase.subarray(at + 1, at + 9), block };
}

const longEnough = blocks.blocks.filter(
  ({ hex }) => parseBlock(fromHex(hex)).transactions[0]!.inputs[0]!.script.length >= 13,
);

describe("real blocks", () => {
  test("there are some with a merkle path, with and without witness", () => {
    expect(longEnough.length).toBeGreaterThanOrEqual(8);
  });

  test.each(longEnough)("$source comes out of its own coinbase", ({ hex, hash }) => {
    const { parts, extranonce, block } = announcedBlock(hex);
    const job = poolJob(parts);
    const merkleRoot = jobMerkleRoot(job, extranonce);
    expect(toHex(merkleRoot)).toBe(toHex(block.header.merkleRoot));
    const { version, prevHash, nBits, minTime } = job;
    const header = serializeHeader({ version, prevHash, merkleRoot, time: minTime, nBits, nonce: block.header.nonce });
    expect(toDisplayHex(headerHash(header))).toBe(hash);
  });

  test.each([
    ["height 926485", 926_485],
    ["height 1263442", 1_263_442],
    ["height 1414221", 1_414_221],
  ])("%s says so in its script", (name, height) => {
    const { hex } = blocks.blocks.find(({ source }) => source.endsWith(name))!;
    expect(poolJob(announcedBlock(hex).parts).template.height).toBe(height);
  });
});

interface SriVector {
  readonly test: string;
  readonly channel: { readonly kind: string; readonly extranoncePrefix: string; readonly extranonceSize: number };
  readonly template: { readonly version: number; readonly merklePath: readonly string[] };
  readonly tip: { readonly prevHash: string; readonly minNtime: number; readonly nbits: number };
  readonly coinbase: { readonly prefix: string; readonly suffix: string };
  readonly shares: readonly {
    readonly share: {
      readonly nonce: number;
      readonly ntime: number;
      readonly version: number;
      readonly extranonce?: string;
    };
    readonly hash?: string;
  }[];
}

const sri = JSON.parse(readFileSync("test/vectors/sri-shares.json", "utf8")) as {
  readonly vectors: readonly SriVector[];
};
const extended = sri.vectors.filter(({ channel }) => channel.kind === "extended");

test.each(extended.map((vector) => [vector.test, vector] as const))(
  "SRI's %s: its job gives its hashes",
  (_name, vector) => {
    const { channel, template, tip, coinbase, shares } = vector;
    const job = poolJob({
      announced: {
        minNtime: null,
        version: template.version,
        versionRollingAllowed: true,
        merklePath: template.merklePath.map(fromHex),
        coinbaseTxPrefix: fromHex(coinbase.prefix),
        coinbaseTxSuffix: fromHex(coinbase.suffix),
      },
      tip: { ...tip, prevHash: fromHex(tip.prevHash) },
      extranoncePrefix: fromHex(channel.extranoncePrefix),
      extranonceSize: channel.extranonceSize,
      work,
      jobId: 1,
      nowMs: NOW_MS,
    });
    for (const { share, hash } of shares) {
      if (hash === undefined) continue;
      const merkleRoot = new Uint8Array(32);
      prepared(job).merkleRootInto(merkleRoot, fromHex(share.extranonce!));
      const { nonce, ntime: time, version } = share;
      const header = serializeHeader({ version, prevHash: job.prevHash, merkleRoot, time, nBits: job.nBits, nonce });
      expect(toDisplayHex(headerHash(header))).toBe(hash);
    }
  },
);

describe("a pool's job", () => {
  const { parts } = announcedBlock(longEnough[0]!.hex);
  const { announced, tip } = parts;

  test("is frozen, says whose it is, pays us nothing and has no transactions to submit", () => {
    const job = poolJob(parts);
    expect(job).toMatchObject({
      jobId: 12,
      pool: work,
      payoutValue: 0n,
      aux: undefined,
      finder: undefined,
      createdMs: NOW_MS,
    });
    expect(job.template).toMatchObject({ source: "main", transactions: undefined, coinbaseValue: 0n });
    expect(job.bitcoinTarget).toBe(targetFromCompact(tip.nbits));
    expect(Object.isFrozen(job) && Object.isFrozen(job.template) && Object.isFrozen(job.merklePath)).toBe(true);
  });

  test("keeps nothing of the bytes that it was made of", () => {
    const prefix = announced.coinbaseTxPrefix.slice();
    const suffix = announced.coinbaseTxSuffix.slice();
    const extranoncePrefix = parts.extranoncePrefix.slice();
    const prevHash = tip.prevHash.slice();
    const sibling = new Uint8Array(32).fill(1);
    const job = poolJob({
      ...parts,
      announced: { ...announced, coinbaseTxPrefix: prefix, coinbaseTxSuffix: suffix, merklePath: [sibling] },
      tip: { ...tip, prevHash },
      extranoncePrefix,
    });
    const before = toHex(jobMerkleRoot(job, new Uint8Array(8)));
    for (const bytes of [prefix, suffix, extranoncePrefix, prevHash, sibling]) bytes.fill(0xee);
    expect(toHex(jobMerkleRoot({ ...job }, new Uint8Array(8)))).toBe(before);
    expect(toHex(job.prevHash)).toBe(toHex(tip.prevHash));
  });

  test("has the time of its own min_ntime, or of the SetNewPrevHash that activates it", () => {
    expect(poolJob(parts).minTime).toBe(tip.minNtime);
    expect(poolJob({ ...parts, announced: { ...announced, minNtime: tip.minNtime + 30 } }).minTime).toBe(
      tip.minNtime + 30,
    );
  });

  test("may be rolled where both the pool and we allow it", () => {
    expect(poolJob(parts).versionRollingMask).toBe(0x1fffe000);
    expect(poolJob({ ...parts, versionRollingMask: 0x00ffe000 }).versionRollingMask).toBe(0x00ffe000);
    const fixed = { ...parts, announced: { ...announced, versionRollingAllowed: false } };
    expect(poolJob(fixed).versionRollingMask).toBe(0);
  });

  test("goes on being the pool's when it is repeated for a new target", () => {
    const again = repeatJob(poolJob(parts), 99, NOW_MS);
    expect(again).toMatchObject({ jobId: 99, pool: work });
    expect(again.minTime).toBeGreaterThan(tip.minNtime);
  });

  test("without a height, or with one that no block can have, has height 0", () => {
    for (const script of ["4d00112233", "05ffffffff7f", "038bc08000"]) {
      const bytes = fromHex(script);
      const prefix = announced.coinbaseTxPrefix.slice(0, SCRIPT_AT);
      expect(
        poolJob({ ...parts, announced: { ...announced, coinbaseTxPrefix: concat(prefix, bytes) } }).template.height,
      ).toBe(0);
    }
  });

  test("has messages for miners that come apart again", () => {
    const frame = prepared(poolJob(parts)).newExtendedMiningJob(2, false);
    expect(mining.decode(frame[2]!, frame.subarray(6))).toMatchObject({
      value: { jobId: 12, merklePath: announced.merklePath },
    });
  });
});

describe("what no block can be made of", () => {
  const { parts } = announcedBlock(longEnough[0]!.hex);
  const { announced } = parts;
  const prefix = announced.coinbaseTxPrefix;
  const flawOf = (changes: Partial<PoolJobParts>): string => {
    try {
      poolJob({ ...parts, ...changes });
    } catch (error) {
      if (error instanceof Fault && error.code === "pool-job-invalid") return String(error.data.flaw);
      throw error;
    }
    return "none";
  };
  const coinbase = (changes: Partial<PoolJobParts["announced"]>): string =>
    flawOf({ announced: { ...announced, ...changes } });
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = prefix.slice();
    bytes[at] = value;
    return bytes;
  };

  test.each([
    ["a prefix that ends before the script", { coinbaseTxPrefix: prefix.subarray(0, 41) }, "not one input"],
    ["nothing at all", { coinbaseTxPrefix: new Uint8Array(0), coinbaseTxSuffix: new Uint8Array(0) }, "not one input"],
    ["two inputs", { coinbaseTxPrefix: changed(4, 2) }, "not one input"],
    ["the marker of a witness", { coinbaseTxPrefix: changed(4, 0) }, "not one input"],
    ["an output that is spent", { coinbaseTxPrefix: changed(7, 1) }, "no coinbase"],
    ["an index", { coinbaseTxPrefix: changed(40, 0) }, "no coinbase"],
    ["a script of 101 bytes", { coinbaseTxPrefix: changed(41, 101) }, "a script of 101 bytes or more"],
    ["a script of many", { coinbaseTxPrefix: changed(41, 0xfd) }, "a script of 253 bytes or more"],
    [
      "a script that ends within the extranonce",
      { coinbaseTxPrefix: changed(41, 12) },
      "an extranonce that does not fit into the script",
    ],
    [
      "64 KiB before the extranonce",
      { coinbaseTxPrefix: concat(prefix, new Uint8Array(65_000)) },
      "an extranonce that does not fit into the script",
    ],
    ["no outputs", { coinbaseTxSuffix: announced.coinbaseTxSuffix.subarray(0, 64 + 17) }, "nothing behind the script"],
    ["a path of 33", { merklePath: Array.from({ length: 33 }, () => new Uint8Array(32)) }, "a merkle path of 33"],
  ])("%s", (_what, changes, flaw) => {
    expect(coinbase(changes)).toBe(flaw);
  });

  test("a path of 32 is possible, and an extranonce of 8 to 32 bytes", () => {
    expect(coinbase({ merklePath: Array.from({ length: 32 }, () => new Uint8Array(32)) })).toBe("none");
    for (const extranonceSize of [8, 32]) expect(flawOf({ extranonceSize })).toBe("none");
    for (const extranonceSize of [0, 7, 33, 65_535, Number.NaN]) {
      expect(flawOf({ extranonceSize })).toBe(`${extranonceSize} bytes of extranonce`);
    }
  });

  test("a target that is no target", () => {
    const tip = { ...parts.tip, nbits: 0x04923456 };
    expect(() => poolJob({ ...parts, tip })).toThrow(expect.objectContaining({ code: "compact-target-invalid" }));
  });

  test("whatever the bytes are, the answer is a job or a fault", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 60 }).map((rest) => concat(prefix, rest)),
    );
    fc.assert(
      fc.property(
        bytes,
        fc.uint8Array({ maxLength: 100 }),
        fc.uint8Array({ maxLength: 32 }),
        fc.nat(40),
        (before, behind, extranoncePrefix, extranonceSize) => {
          try {
            const job = poolJob({
              ...parts,
              announced: { ...announced, coinbaseTxPrefix: before, coinbaseTxSuffix: behind },
              extranoncePrefix,
              extranonceSize,
            });
            expect(Number.isSafeInteger(job.template.height)).toBe(true);
            expect(jobMerkleRoot(job, new Uint8Array(extranonceSize))).toHaveLength(32);
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
          }
        },
      ),
    );
  });
});
