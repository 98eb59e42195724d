/** Our own mining server as the pool, over a loopback socket with Noise: what the connection asks for, gets and sends is judged by the other half. */
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock, systemRandom } from "../../src/app/system.ts";
import { targetFromBytes } from "../../src/bitcoin/target.ts";
import { dialTcp } from "../../src/client/dial-tcp.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { BIP320_MASK, type Job, JobIds, jobMerkleRoot } from "../../src/mining/job.ts";
import type { PreparedJob } from "../../src/mining/prepared-job.ts";
import type { UpstreamAnswer, UpstreamShare } from "../../src/mining/upstream-ports.ts";
import { nodeCrypto } from "../../src/pool/noise-crypto.ts";
import {
  PoolConnection,
  type PoolConnectionEnd,
  type PoolConnectionOptions,
} from "../../src/upstream/pool-connection.ts";
import { makeTemplate } from "../support/fake-chain.ts";
import { grind } from "../support/grind.ts";
import { recordingMeter } from "../support/recording-meter.ts";
import { startServer, type TestServer, type TestServerOptions } from "../support/server.ts";
import { until } from "../support/until.ts";
import { u256 } from "../support/upstream-stage.ts";

/** Who vouches for test servers (test/support/server.ts). */
const AUTHORITY = fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");

/** A server and a connection to it. */
async function connected(server: TestServerOptions = {}, options: Partial<PoolConnectionOptions> = {}) {
  const pool = await startServer({ template: makeTemplate({ height: 840_000, prevHash: u256(1) }), ...server });
  return { pool, ...connectTo(pool, options) };
}

function connectTo(pool: TestServer, options: Partial<PoolConnectionOptions> = {}, authorityPublicKey = AUTHORITY) {
  const [host = "", port = ""] = pool.address.split(":");
  const meter = recordingMeter();
  const connection = new PoolConnection(
    {
      clock: systemClock,
      random: systemRandom(),
      log: silentLog,
      meter,
      crypto: nodeCrypto({ log: silentLog }),
      dial: dialTcp,
      jobIds: new JobIds(),
    },
    {
      name: "ours",
      url: "",
      address: { transport: "tcp", host, port: Number(port), noise: true, authorityPublicKey },
      userIdentity: "account.farm",
    },
    {
      connection: 1,
      channels: "aggregated",
      rollableBytes: 8,
      workerNames: true,
      versionRollingMask: BIP320_MASK,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      ...options,
    },
  );
  const jobs: Job[] = [];
  let isReady = false;
  const stop = new AbortController();
  const running = connection.run(
    {
      onReady: () => {
        isReady = true;
      },
      onJob: (job) => void jobs.push(job),
    },
    stop.signal,
  );
  let ended: PoolConnectionEnd | undefined;
  void running.then((end) => {
    ended = end;
  });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return { connection, meter, jobs, running, stop, isReady: () => isReady, ended: () => ended };
}

/** A share of `job` that meets the pool's target. */
function mine(job: Job, nonce = 0, userIdentity = "account.rig1"): UpstreamShare {
  if (job.pool === undefined) throw new TypeError("no pool's job");
  const extranonce = new Uint8Array(job.extranonceSize).fill(nonce);
  const { version, prevHash, minTime: ntime, nBits } = job;
  const header = { version, prevHash, merkleRoot: jobMerkleRoot(job, extranonce), time: ntime, nBits };
  const found = grind(header, targetFromBytes(job.pool.target));
  return { work: job.pool, version, ntime, nonce: found.nonce, extranonce, userIdentity, block: false };
}

describe("our own server as the pool", () => {
  test("gives jobs whose shares it accepts, each for the worker that found it", async () => {
    const { pool, connection, jobs, isReady } = await connected({ mining: { ackBatchSize: 3 } });
    await until("there is a job", () => isReady() && jobs.length > 0);
    const job = jobs[0] as Job;
    expect(job.template.height).toBe(840_000);
    expect(connection.state()).toMatchObject({ stage: "ready", isKeyChecked: true, extensions: [2], channels: 1 });
    const said: UpstreamAnswer[] = [];
    const workers = ["account.rig1", "account.rig2", "account.rig1"];
    workers.forEach((worker, i) => {
      expect(connection.submit(mine(job, i, worker), (answer) => void said.push(answer))).toBe(true);
    });
    await until("all shares are answered", () => said.length === 3, 20_000);
    expect(said).toEqual([undefined, undefined, undefined]);
    await until("all shares are credited", () => pool.credits.length === 3);
    expect(pool.credits.map(({ userIdentity }) => userIdentity)).toEqual(workers);
    expect(connection.state().shares).toMatchObject({ sent: 3, accepted: 3, refused: 0, waiting: 0 });
  });

  test("refuses what is no share, in the codes of SRI", async () => {
    const { connection, jobs } = await connected();
    await until("there is a job", () => jobs.length > 0);
    const job = jobs[0] as Job;
    const good = mine(job, 1);
    const said: UpstreamAnswer[] = [];
    const submit = (share: UpstreamShare): boolean => connection.submit(share, (answer) => void said.push(answer));
    submit({ ...good, work: { ...good.work, jobId: 0xffff } });
    submit({ ...good, ntime: 1 });
    submit(good);
    submit(good);
    await until("all shares are answered", () => said.length === 4, 20_000);
    expect([...said].sort()).toEqual(["duplicate-share", "invalid-job-id", "invalid-share", undefined]);
  });

  test("brings a new block, and the next job", async () => {
    const { pool, jobs } = await connected();
    await until("there is a job", () => jobs.length > 0);
    pool.source.offer(makeTemplate({ height: 840_001, prevHash: u256(2) }), "newBlock");
    await until("there is another job", () => jobs.length > 1);
    expect(jobs.at(-1)).toMatchObject({ prevHash: u256(2), template: { height: 840_001 } });
  });

  test("serves a channel for each miner", async () => {
    const { pool, connection, isReady } = await connected({ mining: { ackBatchSize: 1 } }, { channels: "per_miner" });
    const works: PreparedJob[][] = [[], []];
    const said: UpstreamAnswer[] = [];
    works.forEach((list, i) => {
      const wish = { userIdentity: `account.rig${i}`, nominalHashrate: 1e6, maxTarget: 2n ** 256n - 1n };
      connection.open(wish, (work) => list.push(work));
    });
    await until("both have work", () => isReady() && works.every((list) => list.length > 0));
    for (const [i, list] of works.entries()) {
      const job = list[0]?.job as Job;
      connection.submit(mine(job, i, `account.rig${i}`), (answer) => void said.push(answer));
    }
    await until("all shares are answered", () => said.length === 2, 20_000);
    expect(said).toEqual([undefined, undefined]);
    expect(pool.credits.map(({ userIdentity }) => userIdentity).sort()).toEqual([
      "account.farm.rig0",
      "account.farm.rig1",
    ]);
  });

  test("is not taken for another authority's", async () => {
    const pool = await startServer();
    const { running } = connectTo(
      pool,
      {},
      fromHex("dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"),
    );
    expect((await running).fault?.code).toBe("certificate-signature");
  });

  test("is left in peace, and leaves us the answers that it did not give", async () => {
    const { pool, connection, jobs, running } = await connected();
    await until("there is a job", () => jobs.length > 0);
    const said: UpstreamAnswer[] = [];
    connection.submit(mine(jobs[0] as Job), (answer) => void said.push(answer));
    await pool.stop();
    const end = await running;
    expect(end.moveTo).toBeUndefined();
    expect(said).toHaveLength(1);
  });
});
