/**
 * Any sequence of pools, sizes, tips, shares, answers and closes: every share counts once or not at all, for its own job's pool; a miner that takes a
 * Success for all shares before it, as proxies do, never takes one for accepted that is not; and every share is what the pool itself would make of it.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../src/kernel/bytes.ts";
import type { Job } from "../../../src/mining/job.ts";
import { ANY_TARGET, type Mined, type Peer, type TestChannel, TestPool, toNumber } from "../../support/conversation.ts";
import { POOL_TARGET, PoolSide, PoolSides, type SentShare } from "../../support/pool-side.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** Shares as hard as this are the pools' too: every third or so of a channel's. */
const POOLS = POOL_TARGET / 3n;

/** A share with all that is known of it from the outside. */
interface Record {
  readonly channel: Channel;
  readonly job: Job;
  readonly sequenceNumber: number;
  readonly difficulty: number;
  outcome: "waiting" | "accepted" | "refused";
}

/** A channel as its miner keeps it. */
interface Channel {
  readonly miner: TestChannel;
  readonly user: string;
  readonly mined: Mined[];
  /** Shares without an answer, in the order in which they were sent. */
  open: Record[];
}

class World {
  sides: PoolSide[] = [];
  readonly pool: TestPool;
  readonly peers: Peer[];
  channels: Channel[] = [];
  readonly waiting = new Map<SentShare, Record>();
  readonly jobs = new Map<number, Job>();
  #connection = 0;
  #tip = 1;
  #user = 0;
  credited = 0;

  constructor() {
    this.pool = new TestPool({
      upstream: { submit: (share, answer) => new PoolSides(...this.sides).submit(share, answer) },
    });
    const options = { rollableBytes: 8, ackBatchSize: 3, ackMaxDelayMs: 2000 };
    this.peers = [this.pool.connect(options), this.pool.connect({ ...options, requiresStandardJobs: true })];
    for (let i = 0; i < 3; i++) this.connect(i);
  }

  /** A pool is there, on a connection of its own. */
  connect(index: number): void {
    this.sides[index] = new PoolSide(`pool ${index}`, ++this.#connection, 12);
  }

  offer(index: number, extranonceSize: number): void {
    const side = this.sides[index]!;
    if (!side.isThere) {
      this.connect(index);
      return;
    }
    const prevHash = seededRandom(this.#tip).bytes(32);
    this.#keep(this.pool.give(side.job({ jobId: this.pool.jobIds.next(), prevHash, extranonceSize, target: POOLS })));
  }

  own(): void {
    this.#keep(this.pool.refresh());
  }

  tip(): void {
    this.#tip += 1;
  }

  #keep(job: Job): void {
    this.jobs.set(job.jobId, job);
    this.read();
  }

  open(kind: "standard" | "extended"): void {
    if (this.channels.length >= 5) return;
    const user = `user${++this.#user}`;
    const peer = this.peers[kind === "standard" ? this.#user % 2 : 0]!;
    this.read();
    const miner =
      kind === "standard" ? peer.openStandard({ userIdentity: user }) : peer.openExtended({ userIdentity: user });
    this.channels.push({ miner, user, mined: [], open: [] });
  }

  close(index: number): void {
    const [channel] = this.channels.splice(index % Math.max(1, this.channels.length), 1);
    channel?.miner.peer.send("CloseChannel", { channelId: channel.miner.channelId, reasonCode: "" });
    this.read();
  }

  update(index: number): void {
    const { channelId, peer } = this.channels[index % this.channels.length]?.miner ?? {};
    if (channelId === undefined || peer === undefined) return;
    peer.send("UpdateChannel", { channelId, nominalHashRate: 5 + index, maximumTarget: ANY_TARGET });
    this.read();
  }

  share(index: number, what: "good" | "small" | "again"): void {
    const channel = this.channels[index % Math.max(1, this.channels.length)];
    if (channel === undefined || channel.miner.jobId === -1) return;
    const target = toNumber(channel.miner.target);
    const isSmall = what === "small" && target > (POOLS * 11n) / 10n;
    const old = what === "again" ? channel.mined[index % Math.max(1, channel.mined.length)] : undefined;
    const mined = old ?? channel.miner.mine(isSmall ? { above: POOLS } : { atMost: POOLS < target ? POOLS : target });
    if (old === undefined) channel.mined.push(mined);
    this.#submit(channel, mined, old === undefined);
  }

  /** `isNew`: it is of the newest job and was not sent before, so there is nothing wrong with it. */
  #submit(channel: Channel, mined: Mined, isNew: boolean): void {
    const { pool } = this;
    const job = this.#jobOf(mined.jobId);
    const side = this.sides.find(({ connection }) => connection === job.pool?.connection);
    const sentBefore = side?.shares.length ?? 0;
    const sequenceNumber = channel.miner.submit(mined);
    const share: Record = {
      channel,
      job,
      sequenceNumber,
      difficulty: this.#credit()?.difficulty ?? 0,
      outcome: "waiting",
    };
    channel.open.push(share);
    const wanted = side?.isThere === true && toNumber(mined.hash) <= POOLS;
    if (wanted && side.shares.length > sentBefore) {
      expect(side.shares.length).toBe(sentBefore + 1);
      this.waiting.set(side.waiting[side.waiting.length - 1]!, share);
      const sent = side.shares[sentBefore]!;
      expect(toHex(side.hashOf(sent))).toBe(toHex(mined.hash));
      expect(sent.work).toBe(job.pool);
      expect(sent.extranonce).toHaveLength(job.extranonceSize);
      expect(toHex(sent.extranonce.subarray(0, 4))).toBe(toHex(channel.miner.extranoncePrefix.subarray(0, 4)));
    } else if (pool.credits.length > this.credited) {
      expect(wanted).toBe(false);
      this.#accepted(share);
    } else {
      expect(isNew).toBe(false);
      share.outcome = "refused";
    }
    expect(pool.credits).toHaveLength(this.credited);
    this.read();
  }

  /** The job with an id, or the one that a job of one channel is a repetition of. */
  #jobOf(jobId: number): Job {
    const known = this.jobs.get(jobId);
    if (known !== undefined) return known;
    for (const { miner } of this.channels) {
      const job = miner.peer.downstream.newestJob(miner.channelId)?.prepared.job;
      if (job?.jobId === jobId) this.jobs.set(jobId, job);
    }
    return this.jobs.get(jobId)!;
  }

  #credit() {
    return this.pool.credits[this.credited];
  }

  #accepted(share: Record): void {
    const credit = this.#credit();
    this.credited += 1;
    const { job, channel } = share;
    expect(credit).toMatchObject({ userIdentity: channel.user, jobId: job.jobId, height: job.template.height });
    expect(credit?.pool).toBe(job.pool?.pool);
    expect(this.pool.judged.at(-1)).toMatchObject({ errorCode: undefined, difficulty: credit?.difficulty, job });
    share.outcome = "accepted";
  }

  answer(index: number, at: number, said: string | null | undefined): void {
    const side = this.sides[index]!;
    const sent = side.waiting[at % Math.max(1, side.waiting.length)];
    if (sent === undefined) return;
    const share = this.waiting.get(sent)!;
    this.waiting.delete(sent);
    // What the miner reads below is only right if it knows: the outcome stands before the answer's messages are read.
    side.answer(said, at % side.waiting.length);
    if (typeof said === "string") share.outcome = "refused";
    else this.#accepted(share);
    expect(this.pool.credits).toHaveLength(this.credited);
    this.read();
  }

  end(index: number): void {
    const side = this.sides[index]!;
    while (side.waiting.length > 0) this.answer(index, 0, null);
    side.end();
  }

  pass(): void {
    this.pool.pass(1);
    this.read();
  }

  /** Each miner reads what came, and checks what it was told of its shares. */
  read(): void {
    for (const peer of this.peers) {
      const channels = this.channels.filter(({ miner }) => miner.peer === peer);
      for (const message of peer.received()) {
        for (const { miner } of channels) miner.follow(message);
        if (message.name !== "SubmitSharesSuccess" && message.name !== "SubmitSharesError") continue;
        const channel = channels.find(({ miner }) => miner.channelId === message.value.channelId);
        expect(channel).toBeDefined();
        if (message.name === "SubmitSharesError") this.#refused(channel!, message.value.sequenceNumber);
        else this.#acknowledged(channel!, message.value.lastSequenceNumber, message.value.newSubmitsAcceptedCount);
      }
    }
    const prefixes = this.channels.map(({ miner }) => toHex(miner.extranoncePrefix.subarray(0, 4)));
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const { miner } of this.channels) {
      const behind = miner.extranoncePrefix.subarray(4, miner.kind === "standard" ? -4 : undefined);
      expect(behind.every((byte) => byte === 0)).toBe(true);
    }
  }

  #refused(channel: Channel, sequenceNumber: number): void {
    const share = channel.open.find((sent) => sent.sequenceNumber === sequenceNumber);
    expect(share?.outcome).toBe("refused");
    channel.open = channel.open.filter((sent) => sent !== share);
  }

  #acknowledged(channel: Channel, last: number, count: number): void {
    const covered = channel.open.filter(({ sequenceNumber }) => sequenceNumber <= last);
    expect(covered.map(({ outcome }) => outcome)).toEqual(covered.map(() => "accepted"));
    expect(covered).toHaveLength(count);
    channel.open = channel.open.filter(({ sequenceNumber }) => sequenceNumber > last);
  }

  /** Everything is answered and told: nothing is left over. */
  finish(): void {
    for (const index of this.sides.keys()) this.end(index);
    for (const [sent] of this.waiting) sent.answer(null);
    for (const { downstream } of this.peers) downstream.flush();
    this.read();
    for (const { open } of this.channels) expect(open).toEqual([]);
    for (const { downstream } of this.peers) downstream.close();
    expect(this.pool.extranonces.inUse).toBe(0);
  }
}

const side = fc.nat(2);
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(side, fc.constantFrom(12, 13, 16, 20, 32)).map(
      ([at, size]) =>
        (world: World) =>
          world.offer(at, size),
    ),
  },
  { weight: 1, arbitrary: fc.constant((world: World) => world.own()) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.tip()) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom("standard" as const, "extended" as const)
      .map((kind) => (world: World) => world.open(kind)),
  },
  { weight: 1, arbitrary: fc.nat(9).map((at) => (world: World) => world.close(at)) },
  { weight: 1, arbitrary: fc.nat(9).map((at) => (world: World) => world.update(at)) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom("good" as const, "good" as const, "small" as const, "again" as const))
      .map(
        ([at, what]) =>
          (world: World) =>
            world.share(at, what),
      ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(side, fc.nat(5), fc.constantFrom(undefined, undefined, null, "stale-share")).map(
      ([at, which, said]) =>
        (world: World) =>
          world.answer(at, which, said),
    ),
  },
  { weight: 1, arbitrary: side.map((at) => (world: World) => world.end(at)) },
  { weight: 1, arbitrary: fc.constant((world: World) => world.pass()) },
);

test("every share counts once or not at all, whatever comes in between", { timeout: 60_000 }, () => {
  let forwarded = 0;
  let credited = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 70 }), (steps) => {
      const world = new World();
      world.offer(0, 12);
      world.open("extended");
      for (const run of steps) run(world);
      world.finish();
      forwarded += world.pool.meter.sum("shares_forwarded_total");
      credited += world.credited;
    }),
    { numRuns: 60 },
  );
  expect(forwarded).toBeGreaterThan(100);
  expect(credited).toBeGreaterThan(forwarded / 2);
});
