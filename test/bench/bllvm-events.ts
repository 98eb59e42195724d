/** What a share costs the share path when it is told to a bllvm node's modules: with the events on, off, and while the node is away. */
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import type { BllvmState } from "../../src/node/bllvm/bllvm-node.ts";
import { EventPublisher, PUBLISHER_DEFAULTS } from "../../src/node/bllvm/publisher/event-publisher.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Bench, repeated } from "./bench.ts";

const CASES = [
  { what: "100 miners", miners: 100, phase: "up", enabled: true },
  { what: "1,000 miners", miners: 1000, phase: "up", enabled: true },
  { what: "10,000 miners", miners: 10_000, phase: "up", enabled: true },
  { what: "the node is away", miners: 10_000, phase: "down", enabled: true },
  { what: "publish_events = false", miners: 10_000, phase: "up", enabled: false },
] as const;

/** A share a case; no time passes, so an interval never ends and its bound on miners is met. */
export const publisherBenches: readonly Bench[] = CASES.map(({ what, miners, phase, enabled }) => {
  const state: BllvmState = {
    phase,
    sinceMs: 0,
    nodeVersion: "0.1.54",
    schema: "s3",
    trouble: undefined,
    unusable: [],
    isKnown: true,
  };
  const node = { state: () => state, onState: () => () => undefined, publish: async () => undefined };
  const publisher = new EventPublisher(
    { node, clock: new FakeClock(), log: silentLog, meter: silentMeter },
    { ...PUBLISHER_DEFAULTS, enabled, shareEventsPerS: 5 },
  );
  void publisher.start(new AbortController().signal);
  const random = seededRandom(1);
  const shares = Array.from({ length: 16_384 }, (_, i) => ({
    hash: random.bytes(32),
    miner: `farm${i % 100}.rig${(i * 7919) % miners}`,
  }));
  return repeated(`a share told to the publisher: ${what}`, 10_000, (n) => {
    const share = shares[n & 16_383];
    if (share !== undefined) publisher.share(1, share.hash, share.miner);
  });
});
