/** A devnet node for unit tests: no network, fake clock, seeded randomness. */
import { DevnetNode } from "../../src/devnet/node/node.ts";
import type { DevnetNodeOptions } from "../../src/devnet/node/options.ts";
import { FakeClock } from "./fake-clock.ts";
import { recordingLog } from "./recording-log.ts";
import { seededRandom } from "./seeded-random.ts";

/** A node with its history made, no transactions unless asked for, and the clock it lives by. */
export function devnet(options: DevnetNodeOptions = {}, clock = new FakeClock(), seed = 1) {
  const log = recordingLog();
  const node = new DevnetNode({ clock, random: seededRandom(seed), log }, { transactions: { atLeast: 0 }, ...options });
  node.prepare();
  const now = (): number => Math.floor(clock.nowMs() / 1000);
  return { node, chain: node.chain, mempool: node.mempool, clock, log, now };
}
