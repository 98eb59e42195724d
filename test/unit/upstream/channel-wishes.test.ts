import { expect, test } from "vitest";
import { type PreparedJob, prepared } from "../../../src/mining/prepared-job.ts";
import { ChannelWishes } from "../../../src/upstream/channel-wishes.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakePeer, poolJobOf, poolNamed } from "../../support/fake-pool-peer.ts";

const wish = (userIdentity: string) => ({ userIdentity, nominalHashrate: 1e12, maxTarget: 2n ** 256n - 1n });

function stage() {
  const clock = new FakeClock();
  let lastId = 0;
  const jobIds = { next: () => ++lastId };
  const channels = new ChannelWishes({ clock, jobIds }, { refreshMs: 60_000 });
  channels.start();
  const pool = (name: string, connection: number) => new FakePeer(poolNamed(name), connection);
  const open = (name: string) => {
    const works: PreparedJob[] = [];
    return { works, channel: channels.open(wish(name), (work) => works.push(work)) };
  };
  return { clock, channels, pool, open };
}

const workOf = (pool: string, connection: number, jobId: number) => prepared(poolJobOf(pool, connection, jobId));

test("a channel is asked for at the pool that is mined for, and gets its jobs", () => {
  const { channels, pool, open } = stage();
  const main = pool("main", 1);
  channels.use(main);
  const { works, channel } = open("alice");
  expect(main.wishes.map(({ wish: { userIdentity } }) => userIdentity)).toEqual(["alice"]);
  expect(channel.current()).toBeUndefined();
  const work = workOf("main", 1, 1);
  main.wishes[0]?.give(work);
  expect(works).toEqual([work]);
  expect(channel.current()).toBe(work);
});

test("those that were opened without a pool are asked for when there is one, as they are by then", () => {
  const { channels, pool, open } = stage();
  const { channel } = open("alice");
  open("bob").channel.close();
  channel.update({ nominalHashrate: 2e12, maxTarget: 5n });
  const main = pool("main", 1);
  channels.use(main);
  expect(main.wishes.map(({ wish: asked }) => asked)).toEqual([
    { userIdentity: "alice", nominalHashrate: 2e12, maxTarget: 5n },
  ]);
});

test("another pool takes all channels over; what the one before still says is not heard", () => {
  const { channels, pool, open } = stage();
  const [main, second] = [pool("main", 1), pool("second", 2)];
  channels.use(main);
  const { works, channel } = open("alice");
  const first = workOf("main", 1, 1);
  main.wishes[0]?.give(first);
  channels.use(undefined);
  expect(channel.current()).toBe(first);
  channels.use(second);
  main.wishes[0]?.give(workOf("main", 1, 2));
  const other = workOf("second", 2, 1);
  second.wishes[0]?.give(other);
  expect(works).toEqual([first, other]);
  expect(channel.current()).toBe(other);
  channel.close();
  expect(second.wishes[0]?.isClosed).toBe(true);
  expect(channels.size).toBe(0);
});

test("own templates take the place of a pool's work", () => {
  const { channels, pool, open } = stage();
  const main = pool("main", 1);
  channels.use(main);
  const { channel } = open("alice");
  main.wishes[0]?.give(workOf("main", 1, 1));
  channels.use(undefined, true);
  expect(channel.current()).toBeUndefined();
});

test("a channel that the pool says nothing to gets its last job again, under another number", () => {
  const { channels, pool, open, clock } = stage();
  const main = pool("main", 1);
  channels.use(main);
  const { works, channel } = open("alice");
  const work = workOf("main", 1, 1);
  main.wishes[0]?.give(work);
  clock.advance(60_000);
  expect(works).toHaveLength(2);
  expect(works[1]?.job).toMatchObject({ pool: work.job.pool, prevHash: work.job.prevHash });
  expect(works[1]?.job.jobId).not.toBe(work.job.jobId);
  expect(channel.current()).toBe(works[1]);
  channels.use(undefined);
  clock.advance(120_000);
  expect(works).toHaveLength(4);
  channels.stop();
  expect(clock.pending).toBe(0);
});

test("ten thousand silent channels get their last jobs again some at a time, each once a minute", () => {
  const { channels, pool, open, clock } = stage();
  const main = pool("main", 1);
  channels.use(main);
  const miners = Array.from({ length: 10_000 }, (_, i) => open(`a.${i}`));
  for (const { give } of main.wishes) give(workOf("main", 1, 1));
  channels.use(undefined);
  const repeated = (): number => miners.reduce((sum, { works }) => sum + works.length - 1, 0);
  clock.advance(59_000);
  expect(repeated()).toBe(0);
  let most = 0;
  for (let i = 0; i < 250; i++) {
    const before = repeated();
    clock.advance(100);
    most = Math.max(most, repeated() - before);
  }
  expect(repeated()).toBe(10_000);
  // Some milliseconds of work.
  expect(most).toBeLessThanOrEqual(512);
  expect(miners.every(({ works }) => works.length === 2)).toBe(true);
});
