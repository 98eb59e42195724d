/** Merge mining under any order of events: chains that come and go, daemons and disks that fail and hang, crashes in between. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_TARGET } from "../../../src/bitcoin/target.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { Bus } from "../../../src/kernel/events.ts";
import type { MergeEvents } from "../../../src/merge/found-aux.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../../../src/merge/merge-mining.ts";
import type { Outcome, Proof } from "../../../src/merge/plugin.ts";
import { checkProof } from "../../../src/merge/prove.ts";
import type { AuxEntry } from "../../../src/mining/aux.ts";
import { type Job, JobIds } from "../../../src/mining/job.ts";
import { MemoryMeter } from "../../../src/ops/memory-meter.ts";
import { auxWork } from "../../support/aux-work.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeChain, FakeStore, says } from "../../support/found-aux.ts";
import { hashedShare } from "../../support/hashed-share.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { settle } from "../node/bitcoind/fakes.ts";

/** Two AuxPoW chains and two that are found by an output. */
const NAMES = ["namecoin", "syscoin", "rsk", "hathor"] as const;
const LEAVES = 2;
const never = new AbortController().signal;

const chain = fc.nat({ max: NAMES.length - 1 });
const solve = { chain, height: fc.nat({ max: 3 }), template: fc.nat({ max: 2 }), nonce: fc.nat({ max: 8 }) };
const daemons = fc.constantFrom("accepted", "stale", "rejected", "duplicate", "fails", "hangs", "garbage");
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("solve"), ...solve }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("late share"), job: fc.nat({ max: 4 }), nonce: solve.nonce }) },
  fc.record({ does: fc.constant("withdraw"), chain }),
  fc.record({ does: fc.constant("leave or join"), chain }),
  fc.record({ does: fc.constant("daemon"), chain, treats: daemons }),
  fc.record({ does: fc.constant("disk"), is: fc.constantFrom("well", "broken", "stuck") }),
  fc.record({ does: fc.constant("time"), ms: fc.constantFrom(1, 20, 300, 2000, 130_000) }),
  fc.record({ does: fc.constant("crash") }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class World {
  readonly wrongs: string[] = [];
  readonly store = new FakeStore();
  readonly #clock = new FakeClock();
  readonly #template = makeTemplate({ height: 800_000, prevHash: seededRandom(1).bytes(32) });
  readonly #ids = new JobIds();
  readonly #entries = new Map<string, AuxEntry[]>();
  readonly #joined = new Set<string>();
  readonly #treats = new Map<string, string>();
  #jobs: Job[] = [];
  #stuck: (() => void)[] = [];
  #hanging: ((outcome: Outcome) => void)[] = [];
  #disk = "well";
  #life = 0;
  #merge: MergeMining;

  constructor() {
    this.store.before = async () => {
      if (this.#disk === "broken") throw new Error("no space left");
      if (this.#disk === "stuck") await new Promise<void>((resolve) => this.#stuck.push(resolve));
    };
    this.#merge = this.#open();
  }

  async start(): Promise<void> {
    await this.#merge.start(never);
    for (const name of NAMES) this.#join(name);
  }

  async take(now: Step): Promise<void> {
    const name = NAMES["chain" in now ? now.chain : 0] ?? "namecoin";
    switch (now.does) {
      case "solve": {
        const { height, template, nonce } = now as Extract<Step, { height: number }>;
        const id = `${name} ${height} ${template}`;
        this.#merge.offer(name, auxWork({ id, height, parent: `p${height}`, target: MAX_TARGET }));
        this.#share(this.#job(), nonce);
        break;
      }
      case "late share": {
        const { job, nonce } = now as Extract<Step, { job: number }>;
        this.#share(this.#jobs.at(-1 - job), nonce);
        break;
      }
      case "withdraw":
        this.#merge.offer(name, undefined);
        break;
      case "leave or join":
        if (this.#joined.delete(name)) this.#merge.removeChain(name);
        else this.#join(name);
        break;
      case "daemon":
        this.#treats.set(name, (now as Extract<Step, { treats: string }>).treats);
        break;
      case "disk":
        this.#setDisk((now as Extract<Step, { is: string }>).is);
        break;
      case "time":
        this.#clock.advance((now as Extract<Step, { ms: number }>).ms);
        break;
      case "crash":
        await this.#crash();
    }
    this.#clock.advance(1);
    await settle();
  }

  /** All is well again, for long enough; then nothing may be left over. */
  async end(): Promise<void> {
    this.#setDisk("well");
    for (const name of NAMES) {
      this.#treats.set(name, "accepted");
      if (!this.#joined.has(name)) this.#join(name);
    }
    for (const resolve of this.#hanging.splice(0)) resolve(says("accepted"));
    for (let i = 0; i < 40; i++) {
      this.#clock.advance(i < 30 ? 50 : 31_000);
      await settle();
    }
    for (const { chain: name, pending, spares } of this.#merge.status()) {
      if (pending !== 0) this.wrongs.push(`${pending} blocks of ${name} wait for ever`);
      if (spares !== 0) this.wrongs.push(`${spares} spares of ${name} wait for ever`);
    }
    for (const key of this.store.open.keys()) this.wrongs.push(`${key} is left on disk`);
  }

  #open(): MergeMining {
    const life = this.#life;
    const { store, wrongs } = this;
    const isDead = (): boolean => life !== this.#life;
    const ended = new Promise<never>(() => undefined);
    const answered = new Set<string>();
    const bus = new Bus<MergeEvents>({ onError: (error) => void wrongs.push(String(error)) });
    bus.on("AuxBlockAnswered", ({ found: { key } }) => {
      if (answered.has(key)) wrongs.push(`${key} is answered twice`);
      answered.add(key);
    });
    return new MergeMining(
      {
        clock: this.#clock,
        log: recordingLog(),
        meter: new MemoryMeter(),
        bus,
        store: {
          add: (found) => (isDead() ? ended : store.add(found)),
          settle: (found, answer) => (isDead() ? ended : store.settle(found, answer)),
          unsettled: () => store.unsettled(),
        },
      },
      { ...MERGE_MINING_DEFAULTS, storeWaitMs: 100, maxSpares: 2, maxPending: 8, queueSize: 6 },
    );
  }

  #join(name: (typeof NAMES)[number]): void {
    const joins = new FakeChain();
    const chainId = NAMES.indexOf(name);
    joins.commitment = ({ hash }) =>
      chainId < LEAVES
        ? [{ kind: "auxpow", chainId, hash, strictChainId: true }]
        : [{ kind: "output", script: hash.slice() }];
    joins.answer = (proof) => this.#submitted(name, proof);
    this.#joined.add(name);
    this.#merge.addChain({
      name,
      policy: { update: 1, minIntervalMs: 0, expiryMs: 600_000, prefer: "newest" },
      chain: joins,
    });
  }

  async #submitted(name: string, proof: Proof): Promise<Outcome> {
    const entries = this.#entries.get(`${name} ${proof.work.id}`) ?? [];
    if (!entries.some((entry) => checkProof(proof, entry) === undefined)) {
      this.wrongs.push(`a proof of ${proof.work.id} is for none of its jobs`);
    }
    const treats = this.#treats.get(name) ?? "accepted";
    if (treats === "fails") throw new Error("nobody listens");
    if (treats === "hangs") return await new Promise((resolve) => this.#hanging.push(resolve));
    return says(treats as Outcome["verdict"]);
  }

  #job(): Job {
    const parts = { template: this.#template, payout, tag: utf8("/unit/"), nowMs: this.#clock.nowMs() };
    const job = this.#merge.makeJob({ ...parts, jobId: this.#ids.next() });
    // Jobs go to other processes one day.
    expect(structuredClone(job)).toEqual(job);
    this.#jobs.push(job);
    for (const entry of job.aux?.entries ?? []) {
      const key = `${entry.chain} ${entry.work.id}`;
      this.#entries.set(key, [...(this.#entries.get(key) ?? []), entry]);
    }
    return job;
  }

  #share(job: Job | undefined, nonce: number): void {
    if (job === undefined) return;
    const share = hashedShare(job, { nonce });
    this.#merge.hashed(share);
    share.spoil();
  }

  #setDisk(disk: string): void {
    this.#disk = disk;
    if (disk !== "stuck") for (const resolve of this.#stuck.splice(0)) resolve();
  }

  /** What was under way is gone; the disk and the daemons stay. */
  async #crash(): Promise<void> {
    this.#life += 1;
    this.#jobs = [];
    this.#stuck = [];
    this.#hanging = [];
    this.#joined.clear();
    this.#disk = "well";
    await settle();
    this.#merge = this.#open();
    await this.start();
  }
}

test("every proof is of its own job, every block gets one answer, and nothing is left over", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const world = new World();
      await world.start();
      for (const now of steps) await world.take(now);
      await world.end();
      expect(world.wrongs).toEqual([]);
    }),
    { numRuns: 80 },
  );
}, 60_000);
