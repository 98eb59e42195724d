/**
 * From a block of an auxiliary chain that somebody else found to the last of ten thousand channels' jobs: the daemon's notice, the
 * call for work, the board, the job, and the way through ten thousand encrypted connections.
 */
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../../src/merge/merge-mining.ts";
import type { AuxWork } from "../../src/mining/aux.ts";
import { MemoryMeter } from "../../src/ops/memory-meter.ts";
import { auxPowPlugin, NAMECOIN_LIKE } from "../../src/plugin.ts";
import { startBenchServer } from "./bench-server.ts";
import { Clients, median } from "./clients.ts";

/** How the daemon tells of a new block. */
export type Notice = "zmq" | "wait";

/** One figure, ms. */
export interface TipFigure {
  readonly name: string;
  readonly medianMs: number;
  readonly worstMs: number;
}

const ROUNDS = 9;
const now = (): number => performance.timeOrigin + performance.now();

/** Measures with `count` connections, one channel each. */
export async function measureAuxTip(
  count: number,
  channel: "standard" | "extended",
  notice: Notice,
): Promise<TipFigure[]> {
  const [clock, log] = [systemClock, silentLog];
  const daemon = new NamecoinDaemon({ clock, random: systemRandom(), log }, { zmqPort: 0, nBits: 0x1b00ffff });
  const never = new AbortController();
  await daemon.start(never.signal);
  const store = { add: async () => {}, settle: async () => {}, unsettled: async () => [] };
  const bus = { emit() {} };
  const merge = new MergeMining({ clock, log, meter: new MemoryMeter(), bus, store }, MERGE_MINING_DEFAULTS);
  const plugin = auxPowPlugin({
    ...NAMECOIN_LIKE,
    name: "namecoin",
    coin: { symbol: "NMC", decimals: 8 },
    chainId: 1,
  });
  const url = new URL(daemon.url);
  [url.username, url.password] = [daemon.user, daemon.password];
  let offered: (work: AuxWork) => void = () => {};
  const chain = plugin.open(
    plugin.config.parse({
      payout: "msTHUZmDNkrQkN7igdMth9jC7LAuCtRfWs",
      poll_s: 60,
      daemons: [
        notice === "zmq"
          ? { url: url.href, zmq_hashblock: daemon.zmqAddress, notice: "poll" }
          : { url: url.href, notice: "wait" },
      ],
    }),
    {
      chain: "namecoin",
      folder: "/",
      signal: never.signal,
      log,
      meter: { count() {}, gauge() {}, daemon() {} },
      clock,
      offer(work) {
        merge.offer("namecoin", work);
        if (work !== undefined) offered(work);
      },
      trouble() {},
    },
  );
  merge.addChain({
    name: "namecoin",
    policy: { update: 1, minIntervalMs: 0, expiryMs: 3_600_000, prefer: "value" },
    chain: {
      commit: (work) => [chain.commit(work)].flat(),
      verify: () => undefined,
      submit: (proof) => chain.submit(proof, never.signal),
    },
  });
  const first = new Promise<void>((resolve) => {
    offered = () => resolve();
  });
  await chain.start();
  await first;
  const { port, stop } = await startBenchServer({ merge });
  const clients = new Clients();
  const [toOffer, toLast]: [number[], number[]] = [[], []];
  try {
    await clients.ask({ kind: "open", port, count, channel }, "opened");
    for (let round = 0; round < ROUNDS; round++) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const told = clients.next("jobs");
      const heard = new Promise<number>((resolve) => {
        offered = () => resolve(now());
      });
      const startedMs = now();
      daemon.mineForeignBlock();
      toOffer.push((await heard) - startedMs);
      toLast.push((await told).lastMs - startedMs);
    }
  } finally {
    clients.end();
    never.abort();
    await chain.stop();
    await stop();
    await merge.stop();
    await daemon.stop();
  }
  const how = notice === "zmq" ? "ZMQ" : "waitfornewblock";
  const figure = (name: string, values: readonly number[]): TipFigure => {
    return { name: `${name}, ${how}`, medianMs: median(values), worstMs: Math.max(...values) };
  };
  return [
    figure("new aux block to its work on the board", toOffer),
    figure(`new aux block to the last of ${count.toLocaleString("en")} ${channel} channels' jobs`, toLast),
  ];
}
