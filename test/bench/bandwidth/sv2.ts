/**
 * A day over SV2 on one connection: the program's own server with its own vardiff, jobs and acknowledgements, on a clock that is moved
 * from one event to the next and stands still while messages are on their way.
 */
import { systemRandom } from "../../../src/app/system.ts";
import { silentLog } from "../../../src/kernel/log.ts";
import { nodeCrypto } from "../../../src/pool/noise-crypto.ts";
import { Connection } from "../../../src/sv2/connection.ts";
import { NoiseInitiator } from "../../../src/sv2/noise/handshake.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type BenchServer, startBenchServer } from "../bench-server.ts";
import type { Carrier } from "./carriers.ts";
import { type Day, FIRST_DIFFICULTY, LEAST_DIFFICULTY, START_MS } from "./day.ts";
import type { Figures } from "./figures.ts";
import { difference, type Network } from "./network.ts";
import { overhear } from "./overheard.ts";
import { Sv2Client } from "./sv2-client.ts";
import { Tally } from "./tally.ts";

/** What the miners are to the server. */
export type Channels =
  /** A standard channel that wants jobs of its own, as a device has it (REQUIRES_STANDARD_JOBS). */
  | "standard"
  /** A standard channel for each miner, all in one group with one stream of jobs, behind a proxy. */
  | "grouped standard"
  /** An extended channel for each miner, all in one group. */
  | "extended"
  /** One extended channel for all miners. */
  | "aggregated"
  /** The same, and each share names its worker (extension 0x0002). */
  | "aggregated, workers named";

/** How SV2 is spoken. */
export interface Sv2Options {
  readonly carrier: Carrier;
  readonly channels: Channels;
  /** Shares that one acknowledgement is for, and how long the first of them waits at most, seconds. */
  readonly ackShares: number;
  readonly ackS: number;
}

/** The server does something each tenth of a second. */
const STEP_MS = 100;
const ADDRESS = "bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep";

/** Plays `day` and returns what it took. */
export async function runSv2(day: Day, options: Sv2Options, network: Network): Promise<Figures> {
  const { carrier, channels, ackShares, ackS } = options;
  const { noise } = carrier;
  const aggregated = channels.startsWith("aggregated");
  const clock = new FakeClock(START_MS);
  let writes = (): number => 0;
  const sharesPerMinute = aggregated ? day.sharesPerMinute * day.miners : day.sharesPerMinute;
  const server = await startBenchServer({
    clock,
    async listen(deps) {
      const transport = await carrier.listen(deps);
      writes = overhear(transport);
      return transport;
    },
    noise,
    template: day.first,
    refreshMs: 100 * 3_600_000,
    mining: {
      sharesPerMinute,
      ackBatchSize: ackShares,
      ackMaxDelayMs: ackS * 1000,
      minDifficulty: LEAST_DIFFICULTY,
      maxDifficulty: 1,
    },
  });
  const began = network.count();
  const link = await carrier.dial(server.port);
  const tally = new Tally();
  const initiator = noise
    ? new NoiseInitiator({ crypto: nodeCrypto({ log: silentLog }), clock, random: systemRandom() }, {})
    : undefined;
  const connection = new Connection({ noise: initiator }, { role: "client", maxFrameSize: 0xffff });
  const client = new Sv2Client({ link, connection, tally }, { noise });
  await network.settle();
  client.setup(channels === "standard");
  await network.settle();
  if (channels === "aggregated, workers named") {
    client.nameWorkers();
    await network.settle();
  }
  const kind = channels.includes("standard") ? "standard" : "extended";
  const hashrate = (FIRST_DIFFICULTY * 2 ** 32 * sharesPerMinute) / 60;
  for (let i = 0; i < (aggregated ? 1 : day.miners); i++) {
    client.open(kind, aggregated ? ADDRESS : workerOf(i), hashrate);
    await network.settle();
  }

  const to = async (atMs: number): Promise<void> => {
    while (clock.monotonicMs() < atMs) {
      const before = writes();
      clock.advance(Math.min(atMs, (Math.floor(clock.monotonicMs() / STEP_MS) + 1) * STEP_MS) - clock.monotonicMs());
      if (writes() !== before) await network.settle();
    }
  };
  for (const event of day.events) {
    await to(event.atMs);
    // Difficulties are the server's own to change.
    if (event.kind === "retarget") continue;
    if (event.kind === "job") server.source.offer(event.template, event.cause);
    else {
      const channel = client.channels[aggregated ? 0 : event.miner];
      if (channel === undefined) throw new Error(`miner ${event.miner} has no channel`);
      const worker = channels === "aggregated, workers named" ? `rig${event.miner + 1}` : undefined;
      client.share(channel, event.late, worker);
    }
    await network.settle();
  }
  // A server that stops acknowledges what is left and says goodbye; so the last batch is counted too.
  await stop(server, clock, network);
  await network.settle();
  return {
    upBytes: link.sentBytes,
    downBytes: link.receivedBytes,
    ip: difference(network.count(), began),
    messages: tally.messages,
    accepted: client.accepted,
    refused: client.refused,
  };
}

/** As the recorded SV1 miner is called. */
function workerOf(miner: number): string {
  return `${ADDRESS}.rig${miner + 1}`;
}

async function stop(server: BenchServer, clock: FakeClock, network: Network): Promise<void> {
  let stopped = false;
  const stopping = server.stop().then(() => {
    stopped = true;
  });
  while (!stopped) {
    clock.advance(STEP_MS);
    await network.settle();
  }
  await stopping;
}
