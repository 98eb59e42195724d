import fc from "fast-check";
import { expect, test } from "vitest";
import { parseServerUrl } from "../../../src/client/url.ts";
import { Bus } from "../../../src/kernel/events.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import type { Job } from "../../../src/mining/job.ts";
import type { TemplateCause } from "../../../src/mining/ports.ts";
import type { PoolLinkEvents } from "../../../src/upstream/events.ts";
import { UpstreamFeed } from "../../../src/upstream/feed.ts";
import { UPSTREAM_POOLS_DEFAULTS, UpstreamPools } from "../../../src/upstream/pools.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakePeer, poolJobOf, poolNamed } from "../../support/fake-pool-peer.ts";
import { recordingMeter } from "../../support/recording-meter.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const FAILBACK_MS = 120_000;
const NAMES = ["a", "b", "c"];

type Step =
  | { readonly kind: "ready" | "lose" | "move" | "job"; readonly pool: number }
  | { readonly kind: "wait"; readonly ms: number };

const pool = fc.integer({ min: 0, max: NAMES.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("ready", "ready", "ready", "lose", "move", "job"), pool }) as fc.Arbitrary<Step>,
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(100, 1500, 30_000, 70_000, FAILBACK_MS) }),
);

/** A peer that knows whether it is usable, and since when. */
class WatchedPeer extends FakePeer {
  readySinceMs: number | undefined;
  isOver = false;
}

test("whatever pools do: a pool that works is mined for, changes are one clean job, and nobody is moved back early", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: "max" }), fc.boolean(), async (steps, hasSolo) => {
      const clock = new FakeClock();
      const meter = recordingMeter();
      const made: WatchedPeer[] = [];
      const links: string[] = [];
      const bus = new Bus<PoolLinkEvents>({ onError: (error) => expect.unreachable(String(error)) });
      const usable = (): WatchedPeer[] =>
        made.filter((peer) => peer.readySinceMs !== undefined && !peer.isOver && !peer.isEnded);
      const lastOf = (name: string): WatchedPeer | undefined => usable().findLast((peer) => peer.pool.name === name);
      const steadyMs = (name: string): number => clock.monotonicMs() - (lastOf(name)?.readySinceMs ?? Number.NaN);
      let wasSolo = false;
      bus.on("MiningPoolConnected", ({ poolUrl }) => {
        links.push(`+${poolUrl}`);
        const name = NAMES.find((each) => poolNamed(each).url === poolUrl) ?? "";
        if (wasSolo) expect(steadyMs(name)).toBeGreaterThanOrEqual(FAILBACK_MS);
        wasSolo = false;
      });
      bus.on("MiningPoolDisconnected", ({ poolUrl, reason }) => {
        links.push(`-${poolUrl}`);
        const [, name] = /^moved back to the preferred pool (.*)$/.exec(reason) ?? [];
        if (name !== undefined) expect(steadyMs(name)).toBeGreaterThanOrEqual(FAILBACK_MS);
      });
      const pools = new UpstreamPools(
        {
          clock,
          random: seededRandom(1),
          log: silentLog,
          meter,
          bus,
          connect: (one, connection) => {
            const peer = new WatchedPeer(one, connection);
            made.push(peer);
            return peer;
          },
          hashrate: () => 1,
        },
        {
          ...UPSTREAM_POOLS_DEFAULTS,
          pools: NAMES.map(poolNamed),
          fallback: hasSolo ? "solo" : "none",
          failbackMs: FAILBACK_MS,
        },
      );
      let lastId = 0;
      const own: Job = Object.freeze({ ...poolJobOf("own", 0, 0), pool: undefined });
      const solo = { current: () => own, onJob: () => () => undefined };
      const feed = new UpstreamFeed(
        { clock, meter, jobIds: { next: () => ++lastId }, pools, ...(hasSolo ? { solo } : {}) },
        { refreshMs: 60_000 },
      );
      let before: Job | undefined;
      feed.onJob((job: Job, cause: TemplateCause) => {
        // Work of another origin is new work; the same origin's is so only where the pool says so.
        if (before?.pool?.connection !== job.pool?.connection || before === undefined) expect(cause).toBe("newBlock");
        before = job;
      });
      const never = new AbortController().signal;
      await feed.start(never);
      await pools.start(never);
      for (const one of steps) {
        const open = made.filter((peer) => !peer.isOver && !peer.isEnded);
        const peer = one.kind === "wait" ? undefined : open[one.pool % Math.max(1, open.length)];
        if (one.kind === "wait") clock.advance(one.ms);
        else if (peer === undefined) continue;
        else if (one.kind === "ready" && peer.readySinceMs === undefined) {
          peer.readySinceMs = clock.monotonicMs();
          peer.ready();
        } else if (one.kind === "job" && peer.readySinceMs !== undefined) peer.job(lastId);
        else if (one.kind === "lose" || one.kind === "move") {
          peer.isOver = true;
          await peer.lose("gone", one.kind === "move" ? parseServerUrl("tcp://other.example.com:1") : undefined);
        }
        for (let i = 0; i < 5; i++) await Promise.resolve();
        const { miningFor, pools: standings } = pools.status();
        wasSolo = miningFor === "solo";
        const isMoving = made.some(
          ({ pool: { address }, readySinceMs, isOver, isEnded }) =>
            address.host === "other.example.com" && readySinceMs === undefined && !isOver && !isEnded,
        );
        // One that works is mined for: at once, unless the one before is on the move.
        const attached = standings.filter(({ state }) => state === "ready" || state === "mining");
        if (attached.length > 0 && miningFor === undefined) expect(isMoving).toBe(true);
        const at = NAMES.indexOf(miningFor ?? "");
        if (at >= 0) {
          expect(lastOf(miningFor ?? "")).toBeDefined();
          expect(meter.sum(`upstream_active{pool=${miningFor}}`)).toBe(1);
          expect(standings[at]?.state).toBe("mining");
          // Those before it are tried for as long as it takes, those behind it are let alone.
          standings.forEach(({ state }, i) => {
            if (i !== at) expect(state === "resting").toBe(i > at);
          });
        }
        expect(meter.sum("upstream_active")).toBe(at >= 0 ? 1 : 0);
        // Each is connected to once, and once more while the connection before lingers.
        for (const name of NAMES) {
          const connected = made.filter(({ pool: its, isOver, isEnded }) => its.name === name && !isOver && !isEnded);
          expect(connected.length).toBeLessThanOrEqual(2);
        }
      }
      // What connects is what disconnects, in turn.
      for (const [i, link] of links.entries()) {
        expect(link.startsWith(i % 2 === 0 ? "+" : "-")).toBe(true);
        if (i % 2 === 1) expect(link.slice(1)).toBe(links[i - 1]?.slice(1));
      }
      await pools.stop();
      await feed.stop();
      expect(clock.pending).toBe(0);
      expect(made.every((peer) => peer.isOver || peer.isEnded)).toBe(true);
    }),
    { numRuns: 150 },
  );
});
