/**
 * What miners cost that are all paid by the coinbase itself: from one job of the pool to as many different ones as there are channels,
 * made, judged by the rules of the chains, encoded and handed to `send`; and the memory that a block's worth of such jobs takes.
 */
import { systemClock } from "../../src/app/system.ts";
import { addressOfScript } from "../../src/bitcoin/address.ts";
import { concat, utf8 } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import type { MergeMining } from "../../src/merge/merge-mining.ts";
import { ChannelPayouts } from "../../src/mining/channel-payouts.ts";
import { Downstream } from "../../src/mining/downstream.ts";
import { MINING_DEFAULTS } from "../../src/mining/downstream-deps.ts";
import { ExtranonceAllocator } from "../../src/mining/extranonce.ts";
import type { Job } from "../../src/mining/job.ts";
import { FanOut } from "../../src/pool/fan-out.ts";
import { SERVER_DEFAULTS } from "../../src/pool/server-options.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { median } from "./clients.ts";
import { benchMerge, benchMergeJob, offerAll } from "./merge.ts";

/** One figure. */
export interface SoloFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "MB";
}

const ROUNDS = 9;
/** Jobs that a channel keeps on one block. */
const KEPT = 40;
const FLAGS = { requiresStandardJobs: false, requiresWorkSelection: false };

/** Measures with `count` channels, each paid to another address, on `connections` connections, with `chains` merge-mined chains. */
export async function measureSolo(
  count: number,
  connections: number,
  chains: number,
  kind: "standard" | "extended",
): Promise<SoloFigure[]> {
  const merge = benchMerge(chains, undefined, undefined, new FakeClock(0));
  offerAll(merge, 1);
  let job: Job = benchMergeJob(merge, 1);
  const clients = open(count, connections, kind, merge, () => job);
  const fanOut = new FanOut<Downstream>({ clock: systemClock }, { sliceMs: SERVER_DEFAULTS.times.fanOutSliceMs });
  const rounds: number[] = [];
  const longest: number[] = [];
  let id = 1;
  const round = async (): Promise<number> => {
    job = benchMergeJob(merge, ++id);
    let longestMs = 0;
    return await new Promise<number>((resolve) => {
      fanOut.start(
        clients,
        (client) => {
          const beganMs = performance.now();
          const more = client.newJob(job);
          longestMs = Math.max(longestMs, performance.now() - beganMs);
          return more;
        },
        (elapsedMs) => {
          longest.push(longestMs);
          resolve(elapsedMs);
        },
      );
    });
  };
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round());
  const stepMs = median(longest);
  const before = memory();
  for (let i = rounds.length; i < KEPT; i++) await round();
  const grown = ((memory() - before) * KEPT) / (KEPT - rounds.length);
  const what = `${count.toLocaleString("en")} ${kind} channels paid apart on ${connections.toLocaleString("en")} connections, ${chains} chains`;
  return [
    { name: `a job to ${what}`, value: median(rounds), unit: "ms" },
    { name: "its longest step between two looks at the clock", value: stepMs, unit: "ms" },
    { name: `${KEPT} jobs of each of them`, value: grown, unit: "MB" },
  ];
}

function open(
  count: number,
  connections: number,
  kind: "standard" | "extended",
  merge: MergeMining,
  currentJob: () => Job,
): Downstream[] {
  const script = new Uint8Array(22);
  const deps = {
    send: () => {},
    clock: systemClock,
    log: silentLog,
    meter: silentMeter,
    extranonces: new ExtranonceAllocator({}, { serverId: 1 }),
    authoriser: { authorise: () => ({ allowed: true }) as const },
    payouts: new ChannelPayouts(
      { log: silentLog, pool: (value) => [{ value, script }], flaw: merge.flawOf },
      { network: "mainnet" },
    ),
    shares: { credit() {} },
    blocks: () => {},
    currentJob,
    nextJobId: () => 0,
  };
  const clients = Array.from({ length: connections }, () => new Downstream(deps, { ...MINING_DEFAULTS, ...FLAGS }));
  for (let i = 0; i < count; i++) {
    const userIdentity = addressOfScript(concat(Uint8Array.of(0x51, 32), utf8(String(i).padStart(32, "a"))), "mainnet");
    const request = { requestId: i, userIdentity: `${userIdentity}.rig`, nominalHashRate: 1e12, maxTarget: ANY_TARGET };
    const client = clients[i % connections];
    if (kind === "standard") client?.receive({ name: "OpenStandardMiningChannel", value: request, tlv: NONE });
    else {
      const value = { ...request, minExtranonceSize: 4 };
      client?.receive({ name: "OpenExtendedMiningChannel", value, tlv: NONE });
    }
  }
  return clients;
}

const ANY_TARGET = new Uint8Array(32).fill(0xff);
const NONE = new Uint8Array(0);

/** Bytes in use after a collection, in MB. */
function memory(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}
