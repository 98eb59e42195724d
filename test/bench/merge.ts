/**
 * What merge mining costs: a share's way with 0 to 8 chains, a job's composition, the time from a winning share to the proof that
 * leaves for the daemon (with the record on a real disk in between), and from a daemon's new block to the last channel's job.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/app/system.ts";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { headerHash, serializeHeader } from "../../src/bitcoin/header.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { FoundAuxJournal } from "../../src/ledger/found-aux-journal.ts";
import type { FoundAuxStore } from "../../src/merge/found-aux.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../../src/merge/merge-mining.ts";
import type { ChainPolicy, Proof } from "../../src/merge/plugin.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import type { HashedShare } from "../../src/mining/downstream-deps.ts";
import { type Job, jobMerkleRoot } from "../../src/mining/job.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type Bench, repeated } from "./bench.ts";
import { median } from "./clients.ts";
import { benchTemplate, intake } from "./shares.ts";

/** Namecoin, Syscoin, Elastos, Fractal, Unobtanium, Terracoin, Emercoin by chain ID; RSK is the eighth. */
const CHAIN_IDS = [1, 16, 1224, 8228, 117, 50, 666];
const POLICY: ChainPolicy = { update: 2, minIntervalMs: 0, expiryMs: 3_600_000, prefer: "newest" };
const HARD = 2n ** 180n;
const EXTRANONCE = new Uint8Array(20).fill(7);

const noStore: FoundAuxStore = { add: async () => {}, settle: async () => {}, unsettled: async () => [] };

/** A work of a chain; `n` makes it another. */
function work(chain: string, n: number, target: bigint): AuxWork {
  const hash = sha256d(utf8(`${chain} ${n}`));
  const id = Buffer.from(hash).toString("hex");
  return { id, hash, parent: `${chain} ${n}`, height: n, target, value: 1n, details: {} };
}

/** Merge mining of the first `count` chains; `submitted` is told of every proof that leaves. */
export function benchMerge(
  count: number,
  submitted: (proof: Proof) => void = () => {},
  store: FoundAuxStore = noStore,
  clock: Clock = systemClock,
): MergeMining {
  const merge = new MergeMining(
    { clock, log: silentLog, meter: silentMeter, bus: { emit() {} }, store },
    { ...MERGE_MINING_DEFAULTS, coalesceMs: 0, minGapMs: 0 },
  );
  for (let i = 0; i < count; i++) {
    const chainId = CHAIN_IDS[i];
    const name = chainId === undefined ? "rsk" : `chain-${chainId}`;
    merge.addChain({
      name,
      policy: POLICY,
      chain: {
        commit: ({ hash }) =>
          chainId === undefined
            ? [{ kind: "output", script: rskScript(hash), maxBytesAfter: 128, last: utf8("RSKBLOCK:") }]
            : [{ kind: "auxpow", chainId, hash, strictChainId: true }],
        verify: () => undefined,
        submit: async (proof) => {
          submitted(proof);
          return { verdict: "accepted", reason: "" };
        },
      },
    });
  }
  return merge;
}

function rskScript(hash: Uint8Array): Uint8Array {
  return Uint8Array.of(0x6a, 41, ...utf8("RSKBLOCK:"), ...hash);
}

/** Offers new work of every chain of `merge`. */
export function offerAll(merge: MergeMining, n: number, target = HARD): void {
  for (const { chain } of merge.status()) merge.offer(chain, work(chain, n, target));
}

/** A job of `merge` on a template with 12 branches. */
export function benchMergeJob(merge: MergeMining, jobId: number): Job {
  const payout = (value: bigint) => [{ value, script: new Uint8Array(22) }];
  const tag = utf8("/bllvm-stratum-v2/");
  const job = merge.makeJob({ template: TEMPLATE, payout, tag, jobId, nowMs: 1_700_000_000_000 });
  return job;
}

const TEMPLATE = benchTemplate(12);

function hashedShare(job: Job, nonce: number): HashedShare {
  const header = serializeHeader({
    version: job.version,
    prevHash: job.prevHash,
    merkleRoot: jobMerkleRoot(job, EXTRANONCE),
    time: job.minTime,
    nBits: job.nBits,
    nonce,
  });
  return {
    job,
    header,
    hash: headerHash(header),
    extranonce: () => EXTRANONCE,
    userIdentity: "bench.worker",
    accepted: true,
  };
}

/** Offered work expires by a timer, which would keep the process alive. */
const standing = (count: number): MergeMining => benchMerge(count, undefined, undefined, new FakeClock(0));

/** The look of merge mining at one share, and the composition of one job. */
export const mergeBenches: readonly Bench[] = [
  ...[0, 1, 4, 8].map((count) => {
    const merge = standing(count);
    offerAll(merge, 1);
    const share = hashedShare(benchMergeJob(merge, 1), 1);
    return repeated(`look at a share for ${count} chains`, 20_000, () => merge.hashed(share));
  }),
  ...[0, 1, 4, 8].map((count) => {
    const merge = standing(count);
    offerAll(merge, 1);
    return repeated(`compose and verify a job with ${count} chains`, 20, (n) => benchMergeJob(merge, n + 1));
  }),
];

/**
 * Whole shares a second with chains beside Bitcoin, 12 branches, encoded message to answer. In turns and the best of three, so
 * that what else the machine does falls on all alike.
 */
export function sharesWithChains(): { readonly name: string; readonly perSecond: number }[] {
  const rows = (["standard", "extended"] as const).flatMap((kind) =>
    [0, 1, 4, 8].map((count) => ({ kind, count, perSecond: 0 })),
  );
  for (let turn = 0; turn < 3; turn++) {
    for (const row of rows) {
      const merge = standing(row.count);
      offerAll(merge, 1);
      const perSecond = intake(row.kind, 12, (jobId) => benchMergeJob(merge, jobId), merge.hashed);
      row.perSecond = Math.max(row.perSecond, perSecond);
    }
  }
  return rows.map(({ kind, count, perSecond }) => {
    return { name: `${kind} share, encode + decode + intake, ${count} chains`, perSecond };
  });
}

/** Ms from a winning share to its proof handed to the plugin: proof built and checked, record flushed to the disk in between. */
export async function shareToProof(rounds = 60): Promise<{ readonly medianMs: number; readonly worstMs: number }> {
  const folder = await mkdtemp(join(tmpdir(), "bench-merge-"));
  const journal = new FoundAuxJournal({ files: diskFiles, log: silentLog }, { folder, keep: 10, maxUnsettled: 1000 });
  let left = (): void => {};
  const merge = benchMerge(8, () => left(), journal);
  const times: number[] = [];
  try {
    await merge.start(new AbortController().signal);
    for (let n = 1; n <= rounds; n++) {
      offerAll(merge, n);
      // The first chain alone is won.
      const [first] = merge.status();
      merge.offer(first?.chain ?? "", work(first?.chain ?? "", n + 1_000_000, 2n ** 256n - 1n));
      const job = benchMergeJob(merge, n);
      const share = hashedShare(job, n);
      const gone = new Promise<void>((resolve) => {
        left = resolve;
      });
      const startedMs = performance.now();
      merge.hashed(share);
      await gone;
      times.push(performance.now() - startedMs);
    }
    await merge.stop();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { medianMs: median(times), worstMs: Math.max(...times) };
}
