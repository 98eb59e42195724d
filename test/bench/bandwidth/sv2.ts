/**
 * A day over SV2: the program's own server with its own vardiff, jobs and acknowledgements, on a clock that is moved
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
import type { Link } from "./links.ts";
import { difference, type Network } from "./network.ts";
import { overhear } from "./overheard.ts";
import type { Sv2Channel } from "./sv2-channel.ts";
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
  /** Whether each miner has a connection of its own, over QUIC a stream; otherwise a proxy has one for all. Default false. */
  readonly apart?: boolean;
  /** Shares that one acknowledgement is for, and how long the first of them waits at most, seconds. */
  readonly ackShares: number;
  readonly ackS: number;
}

/** The server does something each tenth of a second. */
const STEP_MS = 100;
const ADDRESS = "bcrt1qs7mj32z39df0sxxph0ttz2cy5ule3fxznftyep";

/** Plays `day` and returns what it took. */
export async function runSv2(day: Day, options: Sv2Options, network: Network): Promise<Figures> {
  const { carrier, channels, apart = false, ackShares, ackS } = options;
  const { noise } = carrier;
  const aggregated = channels.startsWith("aggregated");
  const clock = new FakeClock(START_MS);
  const carriage = await carrier.open(clock);
  const settle = (): Promise<void> => carriage.traffic?.settle() ?? network.settle();
  let writes = (): number => 0;
  const sharesPerMinute = aggregated ? day.sharesPerMinute * day.miners : day.sharesPerMinute;
  const server = await startBenchServer({
    clock,
    async listen(deps) {
      const transport = await carriage.listen(deps);
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
  const tally = new Tally();
  const connect = async (): Promise<{ link: Link; client: Sv2Client }> => {
    const link = await carriage.dial(server.port);
    const initiator = noise
      ? new NoiseInitiator({ crypto: nodeCrypto({ log: silentLog }), clock, random: systemRandom() }, {})
      : undefined;
    const connection = new Connection({ noise: initiator }, { role: "client", maxFrameSize: 0xffff });
    const client = new Sv2Client({ link, connection, tally }, { noise });
    await settle();
    client.setup(channels === "standard");
    await settle();
    if (channels === "aggregated, workers named") {
      client.nameWorkers();
      await settle();
    }
    return { link, client };
  };
  const kind = channels.includes("standard") ? "standard" : "extended";
  const hashrate = (FIRST_DIFFICULTY * 2 ** 32 * sharesPerMinute) / 60;
  const ends = [await connect()];
  const seats: { client: Sv2Client; channel: Sv2Channel }[] = [];
  for (let i = 0; i < (aggregated ? 1 : day.miners); i++) {
    if (apart && i > 0) ends.push(await connect());
    const client = ends.at(-1)?.client;
    client?.open(kind, aggregated ? ADDRESS : workerOf(i), hashrate);
    await settle();
    const channel = client?.channels.at(-1);
    if (client === undefined || channel === undefined) throw new Error(`miner ${i} has no channel`);
    seats.push({ client, channel });
  }

  const activity = (): number => writes() + (carriage.traffic?.sent() ?? 0);
  const to = async (atMs: number): Promise<void> => {
    while (clock.monotonicMs() < atMs) {
      const before = activity();
      clock.advance(Math.min(atMs, (Math.floor(clock.monotonicMs() / STEP_MS) + 1) * STEP_MS) - clock.monotonicMs());
      if (activity() !== before) await settle();
    }
  };
  for (const event of day.events) {
    await to(event.atMs);
    // Difficulties are the server's own to change.
    if (event.kind === "retarget") continue;
    if (event.kind === "job") server.source.offer(event.template, event.cause);
    else {
      const seat = seats[aggregated ? 0 : event.miner];
      if (seat === undefined) throw new Error(`there is no miner ${event.miner}`);
      const worker = channels === "aggregated, workers named" ? `rig${event.miner + 1}` : undefined;
      seat.client.share(seat.channel, event.late, worker);
    }
    await settle();
  }
  // A server that stops acknowledges what is left and says goodbye; so the last batch is counted too.
  await stop(server, clock, settle);
  await settle();
  const ip = difference(network.count(), began);
  await carriage.traffic?.close();
  const sum = (of: (end: (typeof ends)[number]) => number): number => ends.reduce((total, end) => total + of(end), 0);
  return {
    upBytes: sum(({ link }) => link.sentBytes),
    downBytes: sum(({ link }) => link.receivedBytes),
    ip,
    messages: tally.messages,
    accepted: sum(({ client }) => client.accepted),
    refused: sum(({ client }) => client.refused),
  };
}

/** As the recorded SV1 miner is called. */
function workerOf(miner: number): string {
  return `${ADDRESS}.rig${miner + 1}`;
}

async function stop(server: BenchServer, clock: FakeClock, settle: () => Promise<void>): Promise<void> {
  let stopped = false;
  const stopping = server.stop().then(() => {
    stopped = true;
  });
  while (!stopped) {
    clock.advance(STEP_MS);
    await settle();
  }
  await stopping;
}
