/** Coinbases that others make: what they are told to hold, and which chains they count for, judged by verifiers that did not place anything. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_TARGET } from "../../../src/bitcoin/target.ts";
import type { TxOutput } from "../../../src/bitcoin/transaction.ts";
import { concat, utf8 } from "../../../src/kernel/bytes.ts";
import { Bus } from "../../../src/kernel/events.ts";
import { verifyAuxPow } from "../../../src/merge/auxpow/verify.ts";
import type { MergeEvents } from "../../../src/merge/found-aux.ts";
import { commitmentsMessage, commitmentsOf, liveCommitmentsOf } from "../../../src/merge/live-commitments.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../../../src/merge/merge-mining.ts";
import type { Commitment } from "../../../src/merge/plugin.ts";
import { buildProof, checkProof } from "../../../src/merge/prove.ts";
import { RSK_TAG } from "../../../src/merge/rsk/proof.ts";
import { verifyRsk } from "../../../src/merge/rsk/verify.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { buildJob, type Commitments, type Job, JobIds, type JobParts } from "../../../src/mining/job.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { mergeMining } from "../../../src/sv2/messages/merge-mining.ts";
import { auxWork } from "../../support/aux-work.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeChain, FakeStore } from "../../support/found-aux.ts";
import { hashedShare } from "../../support/hashed-share.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const ROOM = { scriptSigBytes: 45, outputBytes: 1000 };
const IDS = { namecoin: 1, syscoin: 16 } as const;

const leaf =
  (chainId: number) =>
  (work: AuxWork): Commitment[] => [{ kind: "auxpow", chainId, hash: work.hash, strictChainId: true }];
const rskScript = (hash: Uint8Array): Uint8Array => concat(Uint8Array.of(0x6a, 41), RSK_TAG, hash);
const rsk = (work: AuxWork): Commitment[] => [
  { kind: "output", script: rskScript(work.hash), maxBytesAfter: 128, last: RSK_TAG },
];
const tag = (work: AuxWork): Commitment[] => [{ kind: "output", script: concat(utf8("j t "), work.hash) }];
const easy = (id: string, wish: Partial<AuxWork> = {}): AuxWork => auxWork({ id, target: MAX_TARGET, ...wish });

/** Merge mining with three chains that have work, and a job made of it; `custom` makes somebody else's job. */
function setting(names: readonly string[] = ["namecoin", "syscoin", "rsk", "plain"]) {
  const clock = new FakeClock();
  const log = recordingLog();
  const bus = new Bus<MergeEvents>({ onError: () => undefined });
  const merge = new MergeMining(
    { clock, log, meter: new MemoryMeter(), bus, store: new FakeStore([]) },
    MERGE_MINING_DEFAULTS,
  );
  const jobIds = new JobIds();
  const template = makeTemplate({ height: 800_000, prevHash: seededRandom(1).bytes(32) });
  const parts = (commitments?: Commitments): JobParts => ({
    template,
    payout,
    tag: utf8("/foreign/"),
    jobId: jobIds.next(),
    nowMs: clock.nowMs(),
    ...(commitments === undefined ? {} : { commitments }),
  });
  const rules: Readonly<Record<string, FakeChain["commitment"]>> = {
    namecoin: leaf(IDS.namecoin),
    syscoin: leaf(IDS.syscoin),
    rsk,
    plain: tag,
  };
  for (const name of names) {
    const chain = new FakeChain([]);
    chain.commitment = rules[name] as FakeChain["commitment"];
    merge.addChain({
      name,
      policy: { update: 1, minIntervalMs: 0, expiryMs: 600_000, prefer: "value" },
      chain: name in IDS ? Object.assign(chain, { chainId: IDS[name as keyof typeof IDS] }) : chain,
    });
    merge.offer(name, easy(`${name} 1`));
  }
  const own = (): Job => merge.makeJob(parts());
  const custom = (commitments?: Commitments): Job => buildJob(parts(commitments));
  const chains = (job: Job): readonly string[] => merge.recognise(job).aux?.chains ?? [];
  return { merge, clock, log, own, custom, chains };
}

/** The chains for which independent verifiers take the proof of a share of `job`. */
function proved(job: Job): string[] {
  const share = hashedShare(job, { version: 0x20000000 });
  const given = { header: share.header, extranonce: share.extranonce() };
  return (job.aux?.entries ?? []).flatMap((entry) => {
    const proof = buildProof(job, entry, given);
    if (checkProof(proof, entry) !== undefined) return [];
    const { chain, work } = entry;
    const { auxpow, header, coinbase, merkleBranch } = proof;
    const { hash, target } = work;
    if (auxpow !== undefined) {
      const chainId = IDS[chain as keyof typeof IDS];
      return verifyAuxPow({ auxpow, hash, chainId, strictChainId: true, target, everywhere: true }) === undefined
        ? [chain]
        : [];
    }
    if (chain !== "rsk") return [chain];
    return verifyRsk({ header, hash, target, coinbase, merkleBranch }) === undefined ? [chain] : [];
  });
}

describe("what a coinbase must hold", () => {
  test("is nothing before there is a job of ours to place it in, and without work", () => {
    const { merge, own } = setting();
    expect(merge.liveCommitments(ROOM)).toMatchObject({ chains: [], outputs: [] });
    own();
    expect(merge.liveCommitments(ROOM).chains).toEqual(["namecoin", "syscoin", "rsk", "plain"]);
    for (const name of ["namecoin", "syscoin", "rsk", "plain"]) merge.offer(name, undefined);
    expect(merge.liveCommitments(ROOM)).toMatchObject({ chains: [], scriptSig: new Uint8Array(0), outputs: [] });
  });

  test("put into a coinbase it counts for all its chains, and verifiers take the proofs", () => {
    const { merge, own, custom } = setting();
    own();
    const live = merge.liveCommitments(ROOM);
    expect(live.scriptSig).toHaveLength(45);
    expect(live.outputs).toHaveLength(2);
    const job = merge.recognise(custom(commitmentsOf(live)));
    expect(job.aux?.chains).toEqual(live.chains);
    expect(proved(job)).toEqual(["namecoin", "syscoin", "rsk", "plain"]);
  });

  test("fits into the room: the last chains are left out, and the tree's places stay", () => {
    const { merge, own, custom, chains } = setting();
    own();
    expect(merge.liveCommitments({ scriptSigBytes: 45, outputBytes: 60 }).chains).toEqual([
      "namecoin",
      "syscoin",
      "rsk",
    ]);
    expect(merge.liveCommitments({ scriptSigBytes: 45, outputBytes: 0 }).chains).toEqual(["namecoin", "syscoin"]);
    const outputs = merge.liveCommitments(ROOM, () => true);
    expect([outputs.chains, outputs.scriptSig.length]).toEqual([["rsk", "plain"], 0]);
    expect(merge.liveCommitments(ROOM, (chain) => chain !== "rsk").chains).toEqual(["plain"]);
    expect(chains(custom(commitmentsOf(merge.liveCommitments({ scriptSigBytes: 45, outputBytes: 0 }))))).toEqual([
      "namecoin",
      "syscoin",
    ]);
  });

  test("is the same object until work changes, and has another number then", () => {
    const { merge, own } = setting();
    own();
    const first = merge.liveCommitments(ROOM);
    merge.offer("rsk", easy("rsk 1"));
    expect(merge.liveCommitments(ROOM)).toBe(first);
    merge.offer("rsk", easy("rsk 2", { parent: "p2" }));
    const second = merge.liveCommitments(ROOM);
    expect(second.id).toBeGreaterThan(first.id);
    expect(second.outputs.at(-1)?.script).toEqual(rskScript(easy("rsk 2").hash));
  });

  test("goes over the wire and back", () => {
    const { merge, own } = setting();
    own();
    const live = merge.liveCommitments(ROOM);
    const frame = mergeMining.encode("Commitments", commitmentsMessage(live, 7));
    const back = mergeMining.decode(0x02, frame.subarray(6));
    expect(back.name === "Commitments" && liveCommitmentsOf(back.value)).toEqual(live);
  });

  test.each([
    ["an output too few in a list", { maxBytesAfter: [] }, "different lengths"],
    ["a scriptSig that is no push", { scriptSig: new Uint8Array(45) }, "no push of an AuxPoW commitment"],
    ["a script of no bytes", { outputScripts: [new Uint8Array(0), new Uint8Array(1)] }, "a script has not"],
    ["a script of 101 bytes", { outputScripts: [new Uint8Array(101), new Uint8Array(1)] }, "a script has not"],
  ])("a message with %s is refused", (_, wrong, words) => {
    const { merge, own } = setting();
    own();
    expect(liveCommitmentsOf({ ...commitmentsMessage(merge.liveCommitments(ROOM), 1), ...wrong })).toContain(words);
  });

  test("lasts as long as it usually did", () => {
    const { merge, clock } = setting(["rsk"]);
    expect(merge.freshnessMs("rsk")).toBeUndefined();
    for (let i = 2; i <= 5; i++) {
      clock.advance(30_000);
      merge.offer("rsk", easy(`rsk ${i}`, { parent: `p${i}` }));
    }
    expect(merge.freshnessMs("rsk")).toBe(30_000);
    clock.advance(90_000);
    expect(merge.freshnessMs("rsk")).toBe(90_000);
    merge.removeChain("rsk");
    expect(merge.freshnessMs("rsk")).toBeUndefined();
  });
});

describe("which chains a coinbase counts for", () => {
  test("older work on the same parent counts, work on another parent does not", () => {
    const { merge, own, custom, chains } = setting(["namecoin", "rsk"]);
    own();
    const first = commitmentsOf(merge.liveCommitments(ROOM));
    merge.offer("namecoin", easy("namecoin 2", { value: 6_000_000_000n }));
    merge.offer("rsk", easy("rsk 2", { value: 6_000_000_000n }));
    own();
    expect(chains(custom(first))).toEqual(["namecoin", "rsk"]);
    merge.offer("rsk", easy("rsk 3", { parent: "p2", height: 22 }));
    expect(chains(custom(first))).toEqual(["namecoin"]);
    merge.offer("namecoin", easy("namecoin 3", { parent: "p2", height: 22 }));
    expect(chains(custom(first))).toEqual([]);
  });

  test("a chain that left, or withdrew its work, does not count", () => {
    const { merge, own, custom, chains } = setting(["namecoin", "rsk"]);
    own();
    const live = commitmentsOf(merge.liveCommitments(ROOM));
    merge.removeChain("rsk");
    expect(chains(custom(live))).toEqual(["namecoin"]);
    merge.offer("namecoin", undefined);
    expect(chains(custom(live))).toEqual([]);
  });

  test("our own jobs' commitments count in other coinbases too", () => {
    const { merge, own, custom, chains } = setting(["namecoin"]);
    const job = own();
    const at = job.coinbasePrefix.findIndex((_, i) => merge !== undefined && job.coinbasePrefix[i] === 0xfa);
    expect(chains(custom({ scriptSig: job.coinbasePrefix.slice(at, at + 44) }))).toEqual(["namecoin"]);
  });

  test("a job that is no job is passed on as it is, with a word in the log", () => {
    const { merge, custom, log } = setting();
    const broken = { ...custom(), coinbaseSuffix: new Uint8Array(3) };
    expect(merge.recognise(broken)).toBe(broken);
    expect(log.lines.at(-1)).toMatchObject({ level: "error", message: expect.stringContaining("counts for no chain") });
  });

  test("any mixture of commitments and decoys counts for exactly the chains whose proofs are taken", () => {
    const decoys = {
      "other RSK hash behind": rskScript(new Uint8Array(32).fill(9)),
      "other RSK tag without hash": concat(Uint8Array.of(0x6a, 9), RSK_TAG),
      "a second magic": concat(Uint8Array.of(0x6a, 4), Uint8Array.of(0xfa, 0xbe, 0x6d, 0x6d)),
      "200 bytes": concat(Uint8Array.of(0x6a, 0x4c, 200), new Uint8Array(200)),
      harmless: Uint8Array.of(0x6a),
    } as const;
    const shape = fc.record({
      scriptSig: fc.constantFrom("live", "unknown root", "none"),
      rsk: fc.constantFrom<number>(0, 1, 2),
      plain: fc.constantFrom<number>(0, 1, 2),
      before: fc.subarray(Object.keys(decoys) as (keyof typeof decoys)[]),
      after: fc.subarray(Object.keys(decoys) as (keyof typeof decoys)[]),
    });
    fc.assert(
      fc.property(shape, (wish) => {
        const { merge, own, custom } = setting();
        own();
        const live = merge.liveCommitments(ROOM);
        const at = (script: Uint8Array): TxOutput => ({ value: 0n, script });
        const scriptOf = (chain: "rsk" | "plain"): Uint8Array =>
          chain === "rsk" ? rskScript(easy("rsk 1").hash) : concat(utf8("j t "), easy("plain 1").hash);
        const outputs = [
          ...wish.before.map((name) => at(decoys[name])),
          ...Array.from({ length: wish.plain }, () => at(scriptOf("plain"))),
          ...Array.from({ length: wish.rsk }, () => at(scriptOf("rsk"))),
          ...wish.after.map((name) => at(decoys[name])),
        ];
        const root = concat(live.scriptSig.subarray(1, 5), new Uint8Array(32).fill(3), live.scriptSig.subarray(37));
        const scriptSig = { live: live.scriptSig.subarray(1), "unknown root": root, none: undefined }[wish.scriptSig];
        const job = merge.recognise(custom({ outputs, ...(scriptSig === undefined ? {} : { scriptSig }) }));
        // What it counts for is proved …
        expect(proved(job)).toEqual(job.aux?.chains ?? []);
        // … and what could be proved counts.
        const all = [...wish.before, ...wish.after];
        const noMagic = !all.includes("a second magic");
        const expected = [
          ...(wish.scriptSig === "live" && noMagic ? ["namecoin", "syscoin"] : []),
          ...(wish.rsk === 1 && !wish.after.some((name) => name.includes("RSK") || name === "200 bytes")
            ? ["rsk"]
            : []),
          ...(wish.plain === 1 ? ["plain"] : []),
        ];
        expect(job.aux?.chains ?? []).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
