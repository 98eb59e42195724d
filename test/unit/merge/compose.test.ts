import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { targetToBytes } from "../../../src/bitcoin/target.ts";
import { parseTransaction } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { jobFrameSize, MAX_JOB_FRAME } from "../../../src/merge/attempt.ts";
import { slotOf } from "../../../src/merge/auxpow/slot.ts";
import { type ComposeOptions, composeJob } from "../../../src/merge/compose.ts";
import type { ChainCommitments } from "../../../src/merge/placement.ts";
import type { OutputCommitment } from "../../../src/merge/plugin.ts";
import { buildJob, type Job, type JobParts, jobCoinbase } from "../../../src/mining/job.ts";
import { PreparedJob } from "../../../src/mining/prepared-job.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const template = makeTemplate({ height: 840_000, prevHash: seededRandom(3).bytes(32), transactions: 5 });
const parts: JobParts = { template, payout, tag: utf8("/pool/"), jobId: 9, nowMs: 1_700_000_000_000 };
const random = seededRandom(11);

const workOf = (target = 5n) => ({
  id: "work",
  hash: random.bytes(32),
  parent: "parent",
  height: 7,
  target,
  value: 1n,
  details: {},
});

function auxpow(chain: string, chainId: number, target?: bigint): ChainCommitments {
  const work = workOf(target);
  return { chain, work, commitments: [{ kind: "auxpow", chainId, hash: work.hash, strictChainId: true }] };
}

function output(chain: string, tag: string, rules: Partial<OutputCommitment> = {}, size = 32): ChainCommitments {
  const data = concat(utf8(tag), random.bytes(size));
  const script = concat(Uint8Array.of(0x6a, data.length), data);
  return { chain, work: workOf(), commitments: [{ kind: "output", script, ...rules }] };
}

const rsk = (chain = "rsk") => output(chain, "RSKBLOCK:", { maxBytesAfter: 128, last: utf8("RSKBLOCK:") });
const hathor = () => output("hathor", "Hath", { first: utf8("Hath") });
function syscoin(): ChainCommitments {
  const { work, commitments } = auxpow("syscoin", 16);
  const tag = output("", "sys", { forbid: utf8("sys") }, 36);
  return { chain: "syscoin", work, commitments: [...commitments, ...tag.commitments] };
}
const everything = () => [
  auxpow("namecoin", 1),
  rsk(),
  syscoin(),
  hathor(),
  output("core", "CORE"),
  auxpow("fractal", 8228),
];

const compose = (
  wanted: readonly ChainCommitments[],
  options: Partial<ComposeOptions> = {},
  other: Partial<JobParts> = {},
) => composeJob({ ...parts, ...other }, wanted, { chainIds: new Map(), generation: 4, ...options });

const reasons = ({ dropped }: { dropped: readonly { chain: string; reason: string }[] }) =>
  dropped.map(({ chain, reason }) => `${chain} ${reason}`);
const chainsOf = (job: Job) => job.aux?.entries.map(({ chain }) => chain) ?? [];
const coinbaseOf = (job: Job) => parseTransaction(jobCoinbase(job, new Uint8Array(job.extranonceSize)).stripped);
const dataOf = (job: Job) =>
  coinbaseOf(job).outputs.map(({ script }) => Buffer.from(script.subarray(2, 11)).toString("latin1"));

const pristine = (other: Partial<JobParts> = {}) => buildJob({ ...parts, ...other });

describe("a job for many chains", () => {
  test("has all of them in one coinbase: payout, outputs in an order that all can bear, the template's last", () => {
    const wanted = everything();
    const { job, dropped } = compose(wanted);
    expect(dropped).toEqual([]);
    expect(chainsOf(job)).toEqual(["namecoin", "rsk", "syscoin", "hathor", "core", "fractal"]);
    const { inputs, outputs } = coinbaseOf(job);
    expect(outputs[0]).toEqual(payout(template.coinbaseValue)[0]);
    expect(outputs.at(-1)).toEqual(template.coinbase.outputs[0]);
    expect(dataOf(job).at(-2)).toBe("RSKBLOCK:");
    expect(toHex(inputs[0]!.script)).toMatch(/^0340d10c2cfabe6d6d[0-9a-f]{64}08000000000000000[0-9a-f]*/);
    for (const { commitments } of wanted) {
      for (const each of commitments) {
        if (each.kind === "output")
          expect(outputs.filter(({ script }) => toHex(script) === toHex(each.script))).toHaveLength(1);
      }
    }
  });

  test("carries what proofs need: works, targets, slots and scripts", () => {
    const wanted = [auxpow("namecoin", 1, 500n), rsk(), auxpow("fractal", 8228, 400n)];
    const { job } = compose(wanted, { channelTarget: (entries) => BigInt(entries.length) });
    expect(job.aux).toMatchObject({ generation: 4, channelTarget: 3n });
    expect(job.aux!.easiest).toEqual(targetToBytes(500n));
    expect(job.aux!.chains).toEqual(["namecoin", "rsk", "fractal"]);
    expect(Object.isFrozen(job.aux!.chains)).toBe(true);
    const [namecoin, tag, fractal] = job.aux!.entries;
    expect(namecoin!.work).toBe(wanted[0]!.work);
    expect(namecoin!.target).toEqual(targetToBytes(500n));
    expect(namecoin!.slot).toMatchObject({ chainId: 1, strictChainId: true, index: slotOf(0, 1, 1) });
    expect(fractal!.slot!.branch).toHaveLength(1);
    expect(tag!.slot).toBeUndefined();
    expect(tag!.scripts.map(toHex)).toEqual(tag!.rules!.map(({ script }) => toHex(script)));
    expect(Object.isFrozen(job)).toBe(true);
  });

  test("is in all else the job that Bitcoin alone would have", () => {
    const { job } = compose(everything());
    const { coinbasePrefix, coinbaseSuffix, commitmentOutputs, aux, ...rest } = job;
    const { coinbasePrefix: prefix, coinbaseSuffix: suffix, commitmentOutputs: bare, aux: none, ...plain } = pristine();
    expect(rest).toEqual(plain);
    expect(none).toBeUndefined();
    expect(bare).toEqual([]);
    expect(commitmentOutputs.map(({ script }) => toHex(script)).sort()).toEqual(
      aux!.entries.flatMap(({ scripts }) => scripts.map(toHex)).sort(),
    );
    const without = toHex(coinbasePrefix)
      .replace(/2cfabe6d6d.{80}/, "")
      .slice(0, 82);
    expect(without).toBe(toHex(prefix).slice(0, 82));
    expect(toHex(coinbaseSuffix).endsWith(toHex(suffix).slice(-100))).toBe(true);
  });

  test("without chains is that job itself", () => {
    expect(compose([]).job).toEqual(pristine());
    expect(compose([]).job.aux).toBeUndefined();
  });

  test("leaves the places of chains alone when others have no work", () => {
    const chainIds = new Map([
      ["namecoin", 1],
      ["syscoin", 16],
      ["fractal", 8228],
    ]);
    const all = compose([auxpow("namecoin", 1), syscoin(), auxpow("fractal", 8228)], { chainIds }).job.aux!;
    const one = compose([auxpow("namecoin", 1)], { chainIds }).job.aux!;
    expect(all.entries.map(({ slot }) => slot!.index)).toEqual([3, 6, 2]);
    expect(one.entries[0]!.slot!.index).toBe(3);
    expect(one.entries[0]!.slot!.branch).toHaveLength(3);
    const alone = compose([auxpow("namecoin", 1)]).job.aux!;
    expect(alone.entries[0]!.slot!.branch).toHaveLength(0);
  });

  test("takes hundreds of AuxPoW chains", () => {
    const { job, dropped } = compose(Array.from({ length: 300 }, (_, i) => auxpow(`chain-${i}`, i * 211)));
    expect(dropped).toEqual([]);
    expect(job.aux!.entries).toHaveLength(300);
  });
});

describe("two chains with one chain ID", () => {
  test("are told apart by the order in which they are wanted, and the refusal names the other", () => {
    const made = compose([auxpow("namecoin", 1), auxpow("ixcoin", 1), rsk()]);
    expect(chainsOf(made.job)).toEqual(["namecoin", "rsk"]);
    expect(made.dropped).toEqual([{ chain: "ixcoin", reason: "chain_id", detail: "namecoin has the chain ID 1 too" }]);
  });

  test("are refused even while the owner has no work", () => {
    const made = compose([auxpow("ixcoin", 1)], { chainIds: new Map([["namecoin", 1]]) });
    expect(reasons(made)).toEqual(["ixcoin chain_id"]);
  });

  test("a chain whose ID changed is refused", () => {
    const made = compose([auxpow("namecoin", 2)], { chainIds: new Map([["namecoin", 1]]) });
    expect(made.dropped[0]!.detail).toBe("its chain ID was 1 and is now 2");
  });
});

describe("what cannot be placed is dropped, and only that", () => {
  test("outputs beyond the template's room, the last wanted first", () => {
    // A payout of 10 bytes, RSK's output of 52, Hathor's of 47.
    const room = (bytes: number) => ({ template: { ...template, coinbaseRoom: { bytes, sigops: 400 } } });
    expect(reasons(compose([rsk(), hathor(), auxpow("namecoin", 1)], {}, room(109)))).toEqual([]);
    const tight = compose([rsk(), hathor(), auxpow("namecoin", 1)], {}, room(108));
    expect(reasons(tight)).toEqual(["hathor no_room"]);
    expect(chainsOf(tight.job)).toEqual(["rsk", "namecoin"]);
    expect(reasons(compose([rsk(), hathor()], {}, room(57)))).toEqual(["rsk no_room"]);
    expect(reasons(compose([rsk(), hathor()], {}, room(10)))).toEqual(["rsk no_room", "hathor no_room"]);
  });

  test("a script with more signature operations than there is room for", () => {
    const script = fromHex("ae".repeat(30));
    const wanted = { chain: "odd", work: workOf(), commitments: [{ kind: "output" as const, script }] };
    expect(reasons(compose([wanted, rsk()]))).toEqual(["odd no_room"]);
  });

  test("the AuxPoW chains where the scriptSig has no 45 bytes left", () => {
    // 100 bytes: height 4, push of the tag, push and extranonce 21, commitment 45.
    expect(reasons(compose([auxpow("namecoin", 1), rsk()], {}, { tag: utf8("x".repeat(29)) }))).toEqual([]);
    const long = compose([auxpow("namecoin", 1), rsk(), syscoin()], {}, { tag: utf8("x".repeat(30)) });
    expect(reasons(long)).toEqual(["namecoin script_too_long", "syscoin script_too_long"]);
    expect(chainsOf(long.job)).toEqual(["rsk"]);
  });

  test("chains beyond the operator's size class, the last wanted first", () => {
    const size = (job: Job) => job.coinbasePrefix.length + job.extranonceSize + job.coinbaseSuffix.length;
    const plain = size(pristine());
    const both = compose([rsk(), hathor()], { sizeLimitBytes: plain + 52 + 47 });
    expect(size(both.job)).toBe(plain + 52 + 47);
    expect(reasons(both)).toEqual([]);
    expect(reasons(compose([rsk(), hathor()], { sizeLimitBytes: plain + 52 + 46 }))).toEqual(["hathor size_class"]);
    const small = compose([rsk(), hathor(), output("tag", "t", {}, 3)], { sizeLimitBytes: plain + 52 + 20 });
    expect(reasons(small)).toEqual(["hathor size_class"]);
    const none = compose(everything(), { sizeLimitBytes: 10 });
    expect(none.dropped.every(({ reason }) => reason === "size_class")).toBe(true);
    expect(none.job).toEqual(pristine());
  });

  test("what would make the job's message longer than 8 KiB", () => {
    const roomy = { template: { ...template, coinbaseRoom: { bytes: 1e6, sigops: 1e6 } } };
    const many = Array.from({ length: 100 }, (_, i) => output(`tag-${i}`, "t", {}, 74));
    const made = compose(many, {}, roomy);
    const frame = (job: Job) => new PreparedJob(job).newExtendedMiningJob(1, false).length;
    expect(reasons(compose(many.slice(0, 10), {}, roomy))).toEqual([]);
    expect(made.dropped.length).toBeGreaterThan(5);
    expect(made.dropped.every(({ reason }) => reason === "frame")).toBe(true);
    expect(frame(made.job)).toBeLessThanOrEqual(MAX_JOB_FRAME);
    expect(frame(made.job)).toBeGreaterThan(MAX_JOB_FRAME - 86);
    expect(frame(made.job)).toBe(jobFrameSize(made.job));
    expect(jobFrameSize(pristine())).toBe(frame(pristine()));
  });

  test("a tag behind which the template has more than RSK bears", () => {
    const outputs = [...template.coinbase.outputs, { value: 0n, script: fromHex(`6a4c4b${"00".repeat(75)}`) }];
    const long = { template: { ...template, coinbase: { ...template.coinbase, outputs } } };
    const made = compose([rsk(), auxpow("namecoin", 1)], {}, long);
    expect(reasons(made)).toEqual(["rsk max_bytes_after"]);
    expect(chainsOf(made.job)).toEqual(["namecoin"]);
  });

  test("the second of two chains that both must be last, or are alike", () => {
    expect(reasons(compose([rsk(), rsk("rsk-test")]))).toEqual(["rsk-test occurrence"]);
    const one = output("one", "same");
    expect(reasons(compose([one, { ...one, chain: "two" }]))).toEqual(["two occurrence"]);
  });

  test("a chain whose mark stands in the pool's tag or in its own hash", () => {
    expect(reasons(compose([hathor(), rsk()], {}, { tag: utf8("Hath pool") }))).toEqual(["hathor occurrence"]);
    const twice = output("rsk", "RSKBLOCK:RSKBLOCK:", { last: utf8("RSKBLOCK:") });
    expect(reasons(compose([twice, hathor()]))).toEqual(["rsk occurrence"]);
  });

  test("a chain whose mark stands in the hash of an AuxPoW chain before it", () => {
    const work = { ...workOf(), hash: concat(utf8("Hath"), random.bytes(28)) };
    const clash = {
      chain: "clash",
      work,
      commitments: [{ kind: "auxpow" as const, chainId: 5, hash: work.hash, strictChainId: false }],
    };
    expect(reasons(compose([clash, hathor()]))).toEqual(["hathor occurrence"]);
    expect(reasons(compose([hathor(), clash]))).toEqual(["clash occurrence"]);
  });

  test("a script that Bitcoin would take for the witness commitment is refused: without segwit it would spoil the block", () => {
    const script = concat(fromHex("6a24aa21a9ed"), random.bytes(32));
    const fake = { chain: "fake", work: workOf(), commitments: [{ kind: "output" as const, script }] };
    const plain = { ...template, coinbase: { ...template.coinbase, outputs: [], witness: [] } };
    for (const each of [plain, template]) {
      const made = compose([fake, rsk()], {}, { template: each });
      expect(reasons(made)).toEqual(["fake forbidden"]);
      expect(chainsOf(made.job)).toEqual(["rsk"]);
    }
  });

  test("a script with AuxPoW's own mark, whoever else is there", () => {
    const evil = {
      chain: "evil",
      work: workOf(),
      commitments: [{ kind: "output" as const, script: fromHex("6a04fabe6d6d") }],
    };
    expect(reasons(compose([evil]))).toEqual(["evil forbidden"]);
    expect(reasons(compose([evil, auxpow("namecoin", 1)]))).toEqual(["evil forbidden"]);
  });

  test("AuxPoW chains where the pool's own tag has the mark", () => {
    const made = compose([auxpow("namecoin", 1), rsk()], {}, { tag: fromHex("fabe6d6d") });
    expect(reasons(made)).toEqual(["namecoin occurrence"]);
    expect(chainsOf(made.job)).toEqual(["rsk"]);
  });

  test("a chain that forbids what others have, and never those others when they come first", () => {
    const made = compose([output("tag", "a sys b"), syscoin()]);
    expect(reasons(made)).toEqual(["syscoin forbidden"]);
    expect(reasons(compose([syscoin(), output("tag", "a sys b")]))).toEqual(["tag forbidden"]);
  });

  test("a mark that an extranonce could complete", () => {
    // The extranonce stands behind its push of 20 and before the sequence fe ff ff ff.
    const near = (mark: string) => output("near", "", { script: fromHex(`6a04${mark}`), first: fromHex(mark) });
    expect(reasons(compose([near("14aabbcc")]))).toEqual(["near occurrence"]);
    expect(reasons(compose([near("aabbccfe")]))).toEqual(["near occurrence"]);
    expect(reasons(compose([near("aabbccdd")]))).toEqual([]);
  });
});

describe("a malformed commitment", () => {
  const good = auxpow("namecoin", 1);
  const hash = good.work.hash;
  const leaf = { kind: "auxpow", chainId: 1, hash, strictChainId: true };
  const tag = { kind: "output", script: fromHex("6a0101") };
  const throwing = Object.defineProperty({ ...tag }, "script", {
    get() {
      throw new Error("no script today");
    },
  });
  test.each<[string, unknown]>([
    ["hash of 31 bytes", [{ ...leaf, hash: hash.subarray(1) }]],
    ["hash as hex", [{ ...leaf, hash: toHex(hash) }]],
    ["hash that is not the work's", [{ ...leaf, hash: new Uint8Array(32) }]],
    ["chain ID of 17 bits", [{ ...leaf, chainId: 65_536 }]],
    ["negative chain ID", [{ ...leaf, chainId: -1 }]],
    ["broken chain ID", [{ ...leaf, chainId: 1.5 }]],
    ["script of 101 bytes", [{ ...tag, script: new Uint8Array(101) }]],
    ["empty script", [{ ...tag, script: new Uint8Array(0) }]],
    ["two leaves", [leaf, leaf]],
    ["five outputs", [1, 2, 3, 4, 5].map((byte) => ({ ...tag, script: Uint8Array.of(0x6a, 1, byte) }))],
    ["no commitment", []],
    ["unknown kind", [{ ...tag, kind: "input" }]],
    ["mark that is not in the script", [{ ...tag, last: utf8("RSK") }]],
    ["empty mark", [{ ...tag, first: new Uint8Array(0) }]],
    ["negative limit", [{ ...tag, maxBytesAfter: -1 }]],
    ["getter that throws", [throwing]],
    ["promise", Promise.resolve([tag])],
    ["null", [null]],
    ["nothing", undefined],
  ])("(%s) takes its chain out of the job and no other", (_, commitments) => {
    const bad = { chain: "bad", work: good.work, commitments } as ChainCommitments;
    const made = compose([bad, rsk()]);
    expect(reasons(made)).toEqual(["bad invalid"]);
    expect(made.dropped[0]!.detail).not.toBe("");
    expect(chainsOf(made.job)).toEqual(["rsk"]);
  });

  test.each([-1n, 2n ** 256n, "easy"])("as does a target of %s", (target) => {
    const work = { ...good.work, target } as ChainCommitments["work"];
    expect(reasons(compose([{ ...good, work }, rsk()]))).toEqual(["namecoin invalid"]);
  });

  test("later changes to what a plugin gave change no job", () => {
    const wanted = rsk();
    const { job } = compose([wanted]);
    const before = toHex(job.aux!.entries[0]!.scripts[0]!);
    for (const each of wanted.commitments) if (each.kind === "output") each.script.fill(0);
    expect(toHex(job.aux!.entries[0]!.scripts[0]!)).toBe(before);
  });
});

describe("Bitcoin's work", () => {
  test("goes out when an error of our own keeps all chains out", () => {
    const channelTarget = () => {
      throw new Error("not today");
    };
    const made = compose([rsk(), auxpow("namecoin", 1)], { channelTarget });
    expect(made.job).toEqual(pristine());
    expect(made.dropped).toEqual([
      { chain: "rsk", reason: "failed", detail: "not today" },
      { chain: "namecoin", reason: "failed", detail: "not today" },
    ]);
  });

  test("fails as it would without chains", () => {
    const wrong = { payout: () => payout(1n) };
    expect(() => compose([rsk()], {}, wrong)).toThrow("the coinbase pays 1 sat of");
    const tooLong = { tag: utf8("x".repeat(80)) };
    expect(() => compose([rsk()], {}, tooLong)).toThrow("(size 107, atMost 100)");
  });

  test("goes out whatever plugins return", () => {
    const anything = fc.anything({ withTypedArray: true, withBigInt: true, withNullPrototype: true });
    const shaped = fc.record(
      {
        kind: fc.constantFrom("auxpow", "output", "x"),
        chainId: fc.oneof(fc.integer(), anything),
        hash: fc.oneof(fc.uint8Array(), anything),
        script: fc.oneof(fc.uint8Array({ maxLength: 120 }), anything),
        maxBytesAfter: fc.oneof(fc.integer(), anything),
        first: fc.oneof(fc.uint8Array(), anything),
        last: anything,
        forbid: anything,
        strictChainId: anything,
      },
      { requiredKeys: ["kind"] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(anything, fc.array(shaped, { maxLength: 6 })), { maxLength: 5 }), (all) => {
        const wanted = all.map(
          (commitments, i) => ({ chain: `c${i}`, work: workOf(), commitments }) as ChainCommitments,
        );
        const { job, dropped } = compose([...wanted, rsk()]);
        expect(chainsOf(job).length + dropped.length).toBe(wanted.length + 1);
        expect(dropped.every(({ reason }) => reason !== "failed")).toBe(true);
        const { outputs } = coinbaseOf(job);
        expect(outputs[0]).toEqual(payout(template.coinbaseValue)[0]);
      }),
      { numRuns: 300 },
    );
  });
});
