/** What `doctor` says of each pool above: every step of the way to its first job, up to the one that fails, by the very connection that mines. */
import { lookup } from "node:dns/promises";
import { describe } from "../../kernel/fault.ts";
import { silentLog } from "../../kernel/log.ts";
import { silentMeter } from "../../kernel/meter.ts";
import { JobIds } from "../../mining/job.ts";
import { nodeCrypto } from "../../pool/noise-crypto.ts";
import { WORKER_TRACKING_TYPE } from "../../sv2/messages/extensions.ts";
import {
  PoolConnection,
  type PoolConnectionEnd,
  type PoolConnectionState,
  type UpstreamPool,
} from "../../upstream/pool-connection.ts";
import type { ClientIdentityPaths } from "../client-identity.ts";
import { dialServer } from "../dialers.ts";
import { systemClock, systemRandom } from "../system.ts";
import type { UpstreamSettings } from "../upstream-settings.ts";
import type { Finding } from "./doctor-chains.ts";

/** What a pool is asked with. */
export interface PoolCheckOptions
  extends Pick<UpstreamSettings, "rollableBytes" | "workerNames" | "connectTimeoutMs" | "idleTimeoutMs"> {
  readonly versionRollingMask: number;
  /** Our certificate for pools that want one. */
  readonly clientIdentity?: ClientIdentityPaths | undefined;
}

const KEY_FIX =
  "Take the authority key that the pool publishes for this host and port; a certificate that is expired or not yet valid is the pool's to mend, or this machine's clock is wrong.";
const NO_KEY_FIX =
  "Put the pool's authority key behind the port: stratum2+tcp://HOST:PORT/KEY. Without it anybody on the way can take the hash rate.";
const DNS_FIX = "Check the pool's name and this machine's DNS (`getent hosts NAME`), or write an address.";
const CLOSED_FIX =
  "The pool closed the connection without a word. Check `user`, and whether the pool wants something besides; its support can see why.";

/** Looks at a pool, as far as it gets. Never throws. */
export async function checkPool(pool: UpstreamPool, options: PoolCheckOptions): Promise<Finding[]> {
  const check = `pool ${pool.name}`;
  const { host, port } = pool.address;
  const ok = (detail: string): Finding => ({ check, result: "ok", detail });
  const failed = (detail: string, fix: string): Finding => ({ check, result: "failed", detail, fix });
  const findings: Finding[] = [];
  try {
    const { address } = await lookup(host);
    findings.push(ok(address === host ? `${host} is an address` : `${host} resolves to ${address}`));
  } catch (error) {
    return [failed(describe(error), DNS_FIX)];
  }
  const { isReached, state, height, end, waitedMs } = await mineForAMoment(pool, options);
  if (isReached) findings.push(ok(`${host}:${port} takes connections`));
  if (isAtLeast(state, "setup")) {
    findings.push(
      state.isKeyChecked
        ? ok("it speaks Stratum V2, and its key is the one of the URL")
        : {
            check,
            result: "warning",
            detail: "it speaks Stratum V2; its key was not checked, for the URL has none",
            fix: NO_KEY_FIX,
          },
    );
  }
  if (isAtLeast(state, "waiting")) findings.push(ok(channelWords(pool, state)));
  if (isAtLeast(state, "ready")) {
    const of = height === undefined || height === 0 ? "" : ` for block ${height}`;
    return [...findings, ok(`its first job${of} came ${waitedMs} ms after we dialled`)];
  }
  return [...findings, failed(end.reason, fixOf(end, pool.address))];
}

/** What was seen of a pool. */
interface Seen {
  /** A stream was opened. */
  readonly isReached: boolean;
  /** When it had come farthest. */
  readonly state: PoolConnectionState;
  /** Of the first job. */
  readonly height: number | undefined;
  readonly end: PoolConnectionEnd;
  /** From dialling to the first job, ms. */
  readonly waitedMs: number;
}

/** Connects as for mining, and leaves when there is a job. */
async function mineForAMoment(pool: UpstreamPool, options: PoolCheckOptions): Promise<Seen> {
  const dial = dialServer(options.clientIdentity);
  let isReached = false;
  let state: PoolConnectionState;
  let [height, readyMs]: [number | undefined, number] = [undefined, 0];
  const connection = new PoolConnection(
    {
      clock: systemClock,
      random: systemRandom(),
      log: silentLog,
      meter: silentMeter,
      crypto: nodeCrypto({ log: silentLog }),
      dial: async (server, listener, signal) => {
        const look = (): void => {
          state = farthest(state, connection.state());
        };
        const link = await dial(
          server,
          {
            onData(bytes) {
              listener.onData(bytes);
              look();
            },
            onClose(reason) {
              look();
              listener.onClose(reason);
            },
          },
          signal,
        );
        isReached = true;
        return link;
      },
      jobIds: new JobIds(),
    },
    pool,
    { ...options, connection: 1, channels: "aggregated" },
  );
  const enough = new AbortController();
  const startMs = systemClock.monotonicMs();
  state = connection.state();
  const end = await connection.run(
    {
      onReady() {},
      onJob(job) {
        height = job.template.height;
        readyMs = systemClock.monotonicMs();
        state = connection.state();
        enough.abort();
      },
    },
    enough.signal,
  );
  return { isReached, state, height, end, waitedMs: Math.round(readyMs - startMs) };
}

const STAGES = ["new", "dialling", "setup", "extensions", "opening", "waiting", "ready"] as const;

function isAtLeast({ stage }: PoolConnectionState, wanted: (typeof STAGES)[number]): boolean {
  return stage !== "ended" && STAGES.indexOf(stage) >= STAGES.indexOf(wanted);
}

/** What was reached is lost with the end. */
function farthest(before: PoolConnectionState, now: PoolConnectionState): PoolConnectionState {
  return now.stage === "ended" || (before.stage !== "ended" && isAtLeast(before, now.stage)) ? before : now;
}

function channelWords(
  { userIdentity }: UpstreamPool,
  { extranonceSize, difficulty, extensions }: PoolConnectionState,
): string {
  const workers = extensions.includes(WORKER_TRACKING_TYPE) ? "workers are named to it" : "it tracks no workers";
  const target = difficulty === undefined ? "" : `, shares from difficulty ${difficulty.toPrecision(3)} on`;
  return `it opens a channel for ${JSON.stringify(userIdentity)}: ${extranonceSize ?? 0} bytes of extranonce${target}; ${workers}`;
}

function fixOf({ fault }: PoolConnectionEnd, { host, port }: UpstreamPool["address"]): string {
  if (fault === undefined) return CLOSED_FIX;
  if (fault.code === "server-unreachable") {
    return `Check host and port, the way through the network, and firewalls on both sides (\`nc -vz ${host} ${port}\`).`;
  }
  return /^(certificate|noise)-/.test(fault.code) ? KEY_FIX : fault.help;
}
