/** Pool mode's parts and how they hang together: a chapter of the container, of which nothing is made without pools above. */
import type { DependencyContainer, InjectionToken } from "tsyringe";
import type { Log } from "../kernel/log.ts";
import { ChannelWishes } from "../upstream/channel-wishes.ts";
import { DeclaringChoice } from "../upstream/declaring/choice.ts";
import type { OwnWork } from "../upstream/declaring/declared-job.ts";
import { DeclaringPool } from "../upstream/declaring/declaring-pool.ts";
import { UpstreamFeed } from "../upstream/feed.ts";
import type { PoolPeer } from "../upstream/peer.ts";
import { PoolConnection } from "../upstream/pool-connection.ts";
import { UPSTREAM_POOLS_DEFAULTS, UpstreamPools } from "../upstream/pools.ts";
import { clientIdentityOf } from "./client-identity.ts";
import { dialServer } from "./dialers.ts";
import { paysOurselves, type Settings } from "./settings.ts";
import { TOKENS } from "./tokens.ts";

/** What the container lends. */
export interface UpstreamTools {
  readonly settings: Settings;
  readonly part: <T>(token: InjectionToken<T>, make: () => T) => void;
  readonly get: DependencyContainer["resolve"];
  readonly log: (name: string) => Log;
}

/** Registers the choice among pools, what it connects with, and the job feed. */
export function registerUpstream({ settings, part, get, log }: UpstreamTools): void {
  const { upstream, config, versionRollingMask } = settings;
  const refreshMs = config.jobs.refresh_s * 1000;

  part(TOKENS.upstream, () => {
    if (upstream === undefined) return undefined;
    const { pools, fallback, failbackMs, channels, rollableBytes, workerNames } = upstream;
    const { connectTimeoutMs, idleTimeoutMs } = upstream;
    const deps = {
      clock: get(TOKENS.clock),
      random: get(TOKENS.random),
      log: log("upstream"),
      meter: get(TOKENS.meter),
      crypto: get(TOKENS.noise).crypto,
      dial: dialServer(clientIdentityOf(settings)),
      jobIds: get(TOKENS.jobIds),
    };
    const choices = new Map<string, DeclaringChoice>();
    const options = { channels, rollableBytes, workerNames, versionRollingMask, connectTimeoutMs, idleTimeoutMs };
    return new UpstreamPools(
      {
        ...deps,
        bus: get(TOKENS.bus),
        connect: (pool, connection) => {
          const ordinary = (): PoolPeer => new PoolConnection(deps, pool, { ...options, connection });
          const { jds } = pool;
          if (jds === undefined) return ordinary();
          let choice = choices.get(pool.name);
          if (choice === undefined) {
            choice = new DeclaringChoice(deps, { pool: pool.name });
            choices.set(pool.name, choice);
          }
          const declaring = (onRefused: (reason: string) => void): PoolPeer =>
            new DeclaringPool(
              { ...deps, work: ownWork(get), blocks: (found) => get(TOKENS.othersBlocks).submit(found), onRefused },
              pool,
              { ...options, connection, jds, mode: upstream.declare, tag: settings.tag },
            );
          return choice.connect({ declaring, ordinary });
        },
        hashrate: () => get(TOKENS.miningServer).hashrate,
      },
      { ...UPSTREAM_POOLS_DEFAULTS, pools, fallback, failbackMs },
    );
  });

  part(TOKENS.channelWishes, () =>
    upstream?.channels === "per_miner"
      ? new ChannelWishes({ clock: get(TOKENS.clock), jobIds: get(TOKENS.jobIds) }, { refreshMs })
      : undefined,
  );

  part(TOKENS.upstreamFeed, () => {
    const pools = get(TOKENS.upstream);
    if (pools === undefined) return undefined;
    const channels = get(TOKENS.channelWishes);
    return new UpstreamFeed(
      {
        clock: get(TOKENS.clock),
        meter: get(TOKENS.meter),
        jobIds: get(TOKENS.jobIds),
        pools,
        ...(channels === undefined ? {} : { channels }),
        ...(paysOurselves(settings) ? { solo: get(TOKENS.jobMaker) } : {}),
      },
      { refreshMs },
    );
  });

  part(TOKENS.jobs, () => get(TOKENS.upstreamFeed) ?? get(TOKENS.jobMaker));
}

/** Our own work as jobs at pools are made of it. */
function ownWork(get: UpstreamTools["get"]): OwnWork {
  const [source, merge] = [get(TOKENS.jobSource), get(TOKENS.mergeMining)];
  return {
    current: () => source.current(),
    onTemplate: (listener) => source.onTemplate(listener),
    transactionsOf: async (template) =>
      template.transactions ?? (await get(TOKENS.providers)?.transactionsOf(template)),
    makeJob: (parts) => merge.makeJob(parts),
    onWork: (listener) => merge.onWork(listener),
    hasChains: () =>
      get(TOKENS.pluginHost)
        .chains()
        .some(({ state }) => state !== "disabled"),
  };
}
