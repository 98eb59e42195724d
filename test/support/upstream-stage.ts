/** A connection to a pool that a test plays, in memory and on a clock of its own. */
import { onTestFinished } from "vitest";
import { coinbaseHalves } from "../../src/bitcoin/coinbase.ts";
import { opReturn } from "../../src/bitcoin/script.ts";
import type { ServerAddress } from "../../src/client/url.ts";
import { fromHex, utf8 } from "../../src/kernel/bytes.ts";
import { BIP320_MASK, type Job, JobIds } from "../../src/mining/job.ts";
import type { TemplateCause } from "../../src/mining/ports.ts";
import type { UpstreamAnswer, UpstreamShare } from "../../src/mining/upstream-ports.ts";
import { nobleCrypto } from "../../src/sv2/noise/crypto.ts";
import {
  PoolConnection,
  type PoolConnectionDeps,
  type PoolConnectionEnd,
  type PoolConnectionOptions,
} from "../../src/upstream/pool-connection.ts";
import { FakeClock } from "./fake-clock.ts";
import type { Fields, Message } from "./messages.ts";
import { recordingLog } from "./recording-log.ts";
import { recordingMeter } from "./recording-meter.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { seededRandom } from "./seeded-random.ts";

/** Extranonce bytes that the played pool leaves to its clients, and those in front of them. */
export const POOL_EXTRANONCE_SIZE = 16;
export const POOL_PREFIX: Uint8Array = Uint8Array.of(9, 8, 7, 6);

/** Connection number of the stage. */
export const CONNECTION = 7;

/** `Uint8Array(32)` full of `byte`. */
export const u256 = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Lets promises that are due settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A job of the played pool: height 840,000, 20 bytes of extranonce. Future unless `minNtime` is given. */
export function poolJobMessage(changes: Partial<Fields<"NewExtendedMiningJob">> = {}): Fields<"NewExtendedMiningJob"> {
  const { prefix, suffix } = coinbaseHalves({
    txVersion: 2,
    scriptSigPrefix: fromHex("0340d10c0520"),
    extranonceSize: POOL_PREFIX.length + POOL_EXTRANONCE_SIZE,
    sequence: 0xffffffff,
    outputs: [{ value: 312_500_000n, script: opReturn(utf8("pool")) }],
    lockTime: 0,
  });
  return {
    channelId: 2,
    jobId: 1,
    minNtime: null,
    version: 0x20000000,
    versionRollingAllowed: true,
    merklePath: [u256(0x11), u256(0x22)],
    coinbaseTxPrefix: prefix,
    coinbaseTxSuffix: suffix,
    ...changes,
  };
}

/** Its SetNewPrevHash. */
export function prevHashMessage(changes: Partial<Fields<"SetNewPrevHash">> = {}): Fields<"SetNewPrevHash"> {
  return { channelId: 2, jobId: 1, prevHash: u256(9), minNtime: 1_700_000_000, nbits: 0x1703a30c, ...changes };
}

/** Answers as SRI's pool does (group 1, channels from 2, a first future job of the channel itself); `changes` replaces single answers. */
export function playPool(changes: (message: Message, server: ScriptedServer) => boolean = () => false) {
  let channelId = 1;
  return (message: Message, server: ScriptedServer): void => {
    if (changes(message, server)) return;
    if (message.name === "SetupConnection") server.send("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });
    if (message.name === "RequestExtensions") {
      const { requestId, requestedExtensions: supportedExtensions } = message.value;
      server.send("RequestExtensionsSuccess", { requestId, supportedExtensions });
    }
    if (message.name === "OpenExtendedMiningChannel") {
      channelId += 1;
      const { requestId } = message.value;
      server.send("OpenExtendedMiningChannelSuccess", {
        requestId,
        channelId,
        groupChannelId: 1,
        target: u256(0x7f),
        extranonceSize: POOL_EXTRANONCE_SIZE,
        extranoncePrefix: Uint8Array.of(9, 8, 7, 4 + channelId),
      });
      server.send("NewExtendedMiningJob", poolJobMessage({ channelId }));
      server.send("SetNewPrevHash", prevHashMessage({ channelId }));
    }
  };
}

/** What a test may choose. */
export interface UpstreamStageOptions extends Partial<PoolConnectionOptions> {
  readonly onMessage?: (message: Message, server: ScriptedServer) => void;
  readonly server?: ScriptedServer;
  readonly address?: Partial<ServerAddress>;
  readonly deps?: Partial<PoolConnectionDeps>;
  readonly clock?: FakeClock;
}

/** A connection that is ready to be run. */
export function upstreamStage(options: UpstreamStageOptions = {}) {
  const { onMessage = playPool(), address, deps, server = new ScriptedServer({ onMessage }), ...others } = options;
  const clock = options.clock ?? new FakeClock();
  const log = recordingLog();
  const meter = recordingMeter();
  const jobs: { readonly job: Job; readonly cause: TemplateCause }[] = [];
  const blocks: UpstreamShare[] = [];
  const told: string[] = [];
  const stop = new AbortController();
  const connection = new PoolConnection(
    {
      clock,
      random: seededRandom(5),
      log,
      meter,
      crypto: nobleCrypto(),
      dial: server.dial,
      jobIds: new JobIds({}, { first: 1000 }),
      ...deps,
    },
    {
      name: "main",
      url: "stratum2+tcp://pool.example:3333",
      address: { transport: "tcp", host: "pool.example", port: 3333, noise: false, ...address },
      userIdentity: "account.farm",
    },
    {
      connection: CONNECTION,
      channels: "aggregated",
      rollableBytes: 8,
      workerNames: true,
      versionRollingMask: BIP320_MASK,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 180_000,
      ...others,
    },
  );
  let ended: PoolConnectionEnd | undefined;
  let running: Promise<PoolConnectionEnd> | undefined;
  const run = async (): Promise<void> => {
    running = connection.run(
      {
        onReady: () => void told.push("ready"),
        onJob: (job, cause) => {
          told.push(`${cause} ${job.pool?.channelId}/${job.pool?.jobId}`);
          jobs.push({ job, cause });
        },
        onBlock: (share) => void blocks.push(share),
      },
      stop.signal,
    );
    void running.then((end) => {
      ended = end;
    });
    await settle();
  };
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return {
    connection,
    server,
    clock,
    log,
    meter,
    jobs,
    blocks,
    told,
    run,
    /** Ends it from our side. */
    stop: async (): Promise<PoolConnectionEnd> => {
      stop.abort();
      return (await running) as PoolConnectionEnd;
    },
    /** How it ended; fails when it goes on. */
    end: async (): Promise<PoolConnectionEnd> => {
      await settle();
      if (ended === undefined) throw new Error("the connection goes on");
      return ended;
    },
    /** Whether it goes on. */
    goesOn: async (): Promise<boolean> => {
      await settle();
      return ended === undefined;
    },
    /** The newest job. */
    job: (): Job => {
      const newest = jobs.at(-1)?.job;
      if (newest === undefined) throw new Error("there is no job");
      return newest;
    },
  };
}

/** Anything running on such a stage. */
export type UpstreamStage = ReturnType<typeof upstreamStage>;

/** A share of `job`, not a hashed one: pools are played. */
export function shareOf(job: Job, changes: Partial<UpstreamShare> = {}): UpstreamShare {
  if (job.pool === undefined) throw new TypeError("it is no pool's job");
  return {
    work: job.pool,
    version: job.version,
    ntime: job.minTime,
    nonce: 1,
    extranonce: new Uint8Array(job.extranonceSize).fill(3),
    userIdentity: "account.rig1",
    block: false,
    ...changes,
  };
}

/** Sends a share and keeps its answers. */
export function submit(stage: UpstreamStage, changes: Partial<UpstreamShare> = {}) {
  const answers: UpstreamAnswer[] = [];
  const isSent = stage.connection.submit(shareOf(stage.job(), changes), (said) => void answers.push(said));
  return { isSent, answers };
}
