/** Jobs for chains that get another payout after they were placed: the rules hold on the final bytes, or the job goes without chains. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { serializeHeader } from "../../../src/bitcoin/header.ts";
import { MAX_TARGET } from "../../../src/bitcoin/target.ts";
import { outputSize, type TxOutput } from "../../../src/bitcoin/transaction.ts";
import { concat, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { chainsFlaw, jobFrameSize } from "../../../src/merge/attempt.ts";
import { type ComposeOptions, composeJob } from "../../../src/merge/compose.ts";
import type { ChainCommitments } from "../../../src/merge/placement.ts";
import { buildProof, checkProof } from "../../../src/merge/prove.ts";
import { ChannelPayouts } from "../../../src/mining/channel-payouts.ts";
import { type Job, type JobParts, jobMerkleRoot } from "../../../src/mining/job.ts";
import { type DirectPayout, MAX_DIRECT_OUTPUT, payJob, splitPayout } from "../../../src/mining/job-payout.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const random = seededRandom(5);
const template = makeTemplate({ height: 840_000, prevHash: random.bytes(32), transactions: 5 });
const pool = (value: bigint): TxOutput[] => [{ value, script: concat(Uint8Array.of(0, 20), new Uint8Array(20)) }];
const parts: JobParts = { template, payout: pool, tag: utf8("/pool/"), jobId: 9, nowMs: 1_700_000_000_000 };

const work = () => {
  const hash = random.bytes(32);
  return { id: toHex(hash), hash, parent: "p", height: 7, target: MAX_TARGET, value: 1n, details: {} };
};

/** Namecoin, Syscoin (leaf and tag), RSK and Hathor: a leaf and every rule for outputs that there is. */
function wanted(): ChainCommitments[] {
  const [namecoin, syscoin, rsk, hathor] = [work(), work(), work(), work()];
  const leaf = (chainId: number, { hash }: { hash: Uint8Array }) =>
    ({ kind: "auxpow", chainId, hash, strictChainId: true }) as const;
  const script = (tag: string, data: Uint8Array) => {
    const pushed = concat(utf8(tag), data);
    return concat(Uint8Array.of(0x6a, pushed.length), pushed);
  };
  const output = (tag: string, data: Uint8Array, rules: object) =>
    ({ kind: "output", script: script(tag, data), ...rules }) as const;
  return [
    { chain: "namecoin", work: namecoin, commitments: [leaf(1, namecoin)] },
    {
      chain: "syscoin",
      work: syscoin,
      commitments: [leaf(16, syscoin), output("sys", random.bytes(36), { forbid: utf8("sys") })],
    },
    {
      chain: "rsk",
      work: rsk,
      commitments: [output("RSKBLOCK:", rsk.hash, { maxBytesAfter: 128, last: utf8("RSKBLOCK:") })],
    },
    { chain: "hathor", work: hathor, commitments: [output("Hath", hathor.hash, { first: utf8("Hath") })] },
  ];
}

const place = (options: Partial<ComposeOptions> = {}) =>
  composeJob(parts, wanted(), { chainIds: new Map(), generation: 1, ...options });

/** A witness program of version 1 around `data`, which whoever chooses an address may choose. */
const paying = (data: Uint8Array, size = 40): DirectPayout => {
  const program = concat(data, new Uint8Array(size - data.length).fill(0xee));
  return { kind: "solo", address: toHex(program), script: concat(Uint8Array.of(0x51, size), program) };
};
const donating = (percent: number, data: Uint8Array): DirectPayout => ({ ...paying(data), kind: "donate", percent });
const pay = (job: Job, to: DirectPayout): Job => payJob(job, splitPayout(template.coinbaseValue, to, pool));

describe("a job whose payout is another one", () => {
  test("keeps every chain: a proof of each is built of its bytes and checked", () => {
    const { job, dropped } = place();
    expect(dropped).toEqual([]);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 40 }),
        fc.option(fc.integer({ min: 1, max: 99 })),
        (program, percent) => {
          const to: DirectPayout = percent === null ? paying(program) : donating(percent, program);
          const made = pay(job, to);
          expect(chainsFlaw(made, undefined)).toBeUndefined();
          const extranonce = random.bytes(20);
          const { version, prevHash, minTime: time, nBits } = made;
          const header = serializeHeader({
            version,
            prevHash,
            merkleRoot: jobMerkleRoot(made, extranonce),
            time,
            nBits,
            nonce: 1,
          });
          for (const entry of made.aux?.entries ?? []) {
            expect(checkProof(buildProof(made, entry, { header, extranonce }), entry), entry.chain).toBeUndefined();
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test.each([
    ["Hathor's mark before Hathor's output", utf8("Hath"), "for hathor"],
    ["Syscoin's tag, which it forbids elsewhere", utf8("sys"), "for syscoin"],
    ["a second mark of AuxPoW", Uint8Array.of(0xfa, 0xbe, 0x6d, 0x6d), "the mark of AuxPoW may also stand at byte"],
  ])("an address that holds %s is found out", (_what, data, flaw) => {
    const { job } = place();
    expect(chainsFlaw(pay(job, paying(data)), undefined)).toContain(flaw);
    expect(chainsFlaw(pay(job, donating(50, data)), undefined)).toContain(flaw);
  });

  test("RSK's mark in front of RSK's output does no harm: nodes take the last", () => {
    expect(chainsFlaw(pay(place().job, paying(utf8("RSKBLOCK:"))), undefined)).toBeUndefined();
  });

  test("such an address costs its own miner the chains and nobody else", () => {
    const { job } = place();
    const log = recordingLog();
    const payouts = new ChannelPayouts(
      { log, pool, flaw: (made) => chainsFlaw(made, undefined) },
      { network: "mainnet" },
    );
    const bad = payouts.workFor(job, payouts.open(paying(utf8("Hath"))));
    const good = payouts.workFor(job, payouts.open(paying(utf8("fine"))));
    expect(bad?.job.aux).toBeUndefined();
    expect(bad?.job.finder?.output.value).toBe(template.coinbaseValue);
    expect(good?.job.aux).toBe(job.aux);
    expect(job.aux?.entries).toHaveLength(4);
  });
});

describe("room for a payout", () => {
  const sizeOf = (job: Job) => job.coinbasePrefix.length + job.extranonceSize + job.coinbaseSuffix.length;
  const largest = donating(50, new Uint8Array(40));

  test("is kept free of chains, so that the longest payout stays within the operator's limit", () => {
    const all = place();
    const sizeLimitBytes = sizeOf(all.job) + MAX_DIRECT_OUTPUT - 1;
    // One byte short of what all chains and the payout take: without the reserve nothing would be dropped.
    expect(place({ sizeLimitBytes }).dropped).toEqual([]);
    const { job, dropped } = place({ sizeLimitBytes, reserveBytes: MAX_DIRECT_OUTPUT });
    expect(dropped).toMatchObject([{ chain: "hathor", reason: "size_class" }]);
    const made = pay(job, largest);
    expect(sizeOf(made)).toBe(sizeOf(job) + MAX_DIRECT_OUTPUT);
    expect(jobFrameSize(made)).toBe(jobFrameSize(job) + MAX_DIRECT_OUTPUT);
    expect(chainsFlaw(made, sizeLimitBytes)).toBeUndefined();
    expect(chainsFlaw(pay(all.job, largest), sizeLimitBytes)).toContain("at most");
    expect(place({ sizeLimitBytes: sizeLimitBytes + 1, reserveBytes: MAX_DIRECT_OUTPUT }).dropped).toEqual([]);
  });

  test("is kept free in what the block has left, so that the longest payout costs no miner all chains", () => {
    const sizes = (outputs: readonly TxOutput[]) => outputs.reduce((sum, output) => sum + outputSize(output), 0);
    const bytes = sizes(pool(1n)) + sizes(place().job.commitmentOutputs) + MAX_DIRECT_OUTPUT;
    const composed = (room: number, reserveBytes: number, chains = wanted()) => {
      const full = { ...template, coinbaseRoom: { bytes: room, sigops: 400 } };
      return composeJob({ ...parts, template: full }, chains, { chainIds: new Map(), generation: 1, reserveBytes });
    };
    // One byte short of what all chains and the payout take.
    expect(composed(bytes - 1, 0).dropped).toEqual([]);
    expect(() => pay(composed(bytes - 1, 0).job, largest)).toThrow(/do not fit/);
    const { job, dropped } = composed(bytes - 1, MAX_DIRECT_OUTPUT);
    expect(dropped).toMatchObject([{ chain: "hathor", reason: "no_room" }]);
    expect(pay(job, largest).aux?.entries).toHaveLength(3);
    expect(composed(bytes, MAX_DIRECT_OUTPUT).dropped).toEqual([]);
    // A chain that takes no room is not dropped for want of it.
    const leaf = wanted().slice(0, 1);
    expect(composed(sizes(pool(1n)), MAX_DIRECT_OUTPUT, leaf).dropped).toEqual([]);
  });
});
