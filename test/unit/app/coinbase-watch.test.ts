import { describe, expect, test } from "vitest";
import { CoinbaseWatch } from "../../../src/app/coinbase-watch.ts";
import type { Job } from "../../../src/mining/job.ts";
import type { JobFeed } from "../../../src/mining/ports.ts";
import { recordingLog } from "../../support/recording-log.ts";

async function watched(reserveBytes = 0) {
  const log = recordingLog();
  let tell: (job: Job) => void = () => undefined;
  const jobs: JobFeed = {
    current: () => undefined,
    onJob: (listener) => {
      tell = (job) => listener(job, "refresh");
      return () => {
        tell = () => undefined;
      };
    },
  };
  const watch = new CoinbaseWatch({ log, jobs }, { reserveBytes });
  await watch.start(new AbortController().signal);
  const job = (bytes: number, aux: unknown = { entries: [{ chain: "rsk" }] }): void =>
    tell({
      aux: aux === false ? undefined : aux,
      coinbasePrefix: new Uint8Array(100),
      coinbaseSuffix: new Uint8Array(bytes - 120),
      extranonceSize: 20,
    } as unknown as Job);
  return { watch, log, job };
}

describe("coinbases that firmware cuts off", () => {
  test("a channel's own payout counts as if it were there", async () => {
    const { log, job } = await watched(51);
    job(205);
    expect(log.lines).toEqual([]);
    job(206);
    expect(log.lines[0]?.fields).toEqual({ bytes: 257, chains: ["rsk"] });
  });

  test("each limit is told once, with the bytes and the chains, when a coinbase passes it", async () => {
    const { log, job } = await watched();
    job(256);
    expect(log.lines).toEqual([]);
    job(257);
    job(300);
    job(513);
    job(400);
    expect(log.lines.map(({ message }) => message.replace(/;.*/, ""))).toEqual([
      "coinbases have 257 bytes now, and some firmware behind translators cuts them off (SparkMiner beyond 256)",
      "coinbases have 513 bytes now, and some firmware behind translators cuts them off (ESP-Miner (Bitaxe) of before 2026 beyond 384, NerdMiner beyond 512)",
    ]);
    expect(log.lines[0]?.fields).toEqual({ bytes: 257, chains: ["rsk"] });
  });

  test("jobs for Bitcoin alone are no matter of merge mining, and after the stop nothing is said", async () => {
    const { watch, log, job } = await watched();
    job(9000, false);
    await watch.stop();
    job(9000);
    expect(log.lines).toEqual([]);
  });
});
