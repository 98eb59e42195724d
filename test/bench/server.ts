/**
 * The whole server over real sockets with Noise: shares a second, the time from a new template to the last channel's job,
 * connections a second and memory a connection. The clients run in a process of their own.
 */
import { systemRandom } from "../../src/app/system.ts";
import { makeTemplate } from "../support/fake-chain.ts";
import { startBenchServer } from "./bench-server.ts";
import { Clients, median, memory } from "./clients.ts";

/** One figure. */
export interface ServerFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: "shares/s" | "connections/s" | "ms" | "KiB";
}

const now = (): number => performance.timeOrigin + performance.now();

/** Measures `count` connections with one channel each. */
export async function measureServer(count: number, channel: "standard" | "extended"): Promise<ServerFigure[]> {
  const { source, port, stop } = await startBenchServer();
  const clients = new Clients();
  const figures: ServerFigure[] = [];
  const label = `${count.toLocaleString("en")} ${channel} channels`;
  const figure = (name: string, value: number, unit: ServerFigure["unit"]): void => {
    figures.push({ name: `${name}, ${label}`, value, unit });
  };
  try {
    const before = memory();
    const { ms } = await clients.ask({ kind: "open", port, count, channel }, "opened");
    figure("connect, handshake, open a channel", count / (ms / 1000), "connections/s");
    figure("memory a connection", (memory() - before) / count / 1024, "KiB");
    for (const cause of ["newBlock", "refresh"] as const) {
      const times: number[] = [];
      for (let i = 0; i < 7; i++) {
        const template = makeTemplate({
          height: 840_001 + (cause === "newBlock" ? i : 6),
          prevHash:
            cause === "newBlock" ? systemRandom().bytes(32) : (source.current()?.prevHash ?? new Uint8Array(32)),
          transactions: 2500,
        });
        const told = clients.next("jobs");
        const startedMs = now();
        source.offer(template, cause);
        times.push((await told).lastMs - startedMs);
      }
      figure(cause === "newBlock" ? "new block to last job" : "new template to last job", median(times), "ms");
    }
    const rates: number[] = [];
    const connections = Math.min(count, 200);
    for (let i = 0; i < 5; i++) {
      const startedMs = now();
      const done = await clients.ask({ kind: "shares", connections, perConnection: 250 }, "acknowledged");
      if (done.rejected > 0) throw new Error(`${done.rejected} shares were rejected`);
      rates.push((connections * 250) / ((done.ms - startedMs) / 1000));
    }
    figure(`shares over ${connections} sockets`, median(rates), "shares/s");
  } finally {
    clients.end();
    await stop();
  }
  return figures;
}
