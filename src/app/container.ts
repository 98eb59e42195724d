/**
 * The composition root: which part is made of what. It reads like a table of contents; nothing is started here, and no
 * other file knows the container.
 */
import "reflect-metadata";
import { type DependencyContainer, type InjectionToken, instanceCachingFactory, container as root } from "tsyringe";
import type { TxOutput } from "../bitcoin/transaction.ts";
import { diskFiles } from "../daemon/files.ts";
import type { ControlPort } from "../host/control-api.ts";
import { ControlServer } from "../host/control-server.ts";
import { diskPlugins } from "../host/plugin-files.ts";
import { PluginHost } from "../host/plugin-host.ts";
import { Bus } from "../kernel/events.ts";
import { describe } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { randomU32 } from "../kernel/random.ts";
import { MERGE_MINING_DEFAULTS, MergeMining } from "../merge/merge-mining.ts";
import { ChannelPayouts } from "../mining/channel-payouts.ts";
import { ExtranonceAllocator } from "../mining/extranonce.ts";
import { JobIds } from "../mining/job.ts";
import type { Authoriser } from "../mining/ports.ts";
import { BitcoindBlockSink, BLOCK_SINK_DEFAULTS } from "../node/bitcoind/submit.ts";
import { MemoryMeter } from "../ops/memory-meter.ts";
import {
  allowListAuthoriser,
  directPayoutAuthoriser,
  openAuthoriser,
  payoutAddressAuthoriser,
} from "../pool/authoriser.ts";
import { JobMaker } from "../pool/job-maker.ts";
import { nodeCrypto } from "../pool/noise-crypto.ts";
import { MiningServer } from "../pool/server.ts";
import type { ServerLimits } from "../pool/server-options.ts";
import { EphemeralKeyPool } from "../sv2/noise/key-pool.ts";
import { StaticIdentity } from "../sv2/noise/static-identity.ts";
import { SILENT_BUS } from "./announce-jobs.ts";
import { chainScopes } from "./chain-scope.ts";
import { acceptedBlocks, chainStatisticsOf } from "./chain-statistics.ts";
import { coinOf } from "./coin-of.ts";
import type { LoadedConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { registerDeclaration } from "./declaration-parts.ts";
import { registerLedger } from "./ledger-parts.ts";
import { registerListeners } from "./listener-parts.ts";
import { miningOptionsOf } from "./mining-options.ts";
import { logTee } from "./module/log-tee.ts";
import { bllvmClient, bllvmRpc, type NodeLink } from "./module/node-link.ts";
import { pluginLoader, rpcClient } from "./parts.ts";
import { payoutAddressPort } from "./payout-address-port.ts";
import { addressCheck } from "./payout-settings.ts";
import { blockNodes, providersPart } from "./provider-blocks.ts";
import { Reloader } from "./reload.ts";
import { serverReports, textReports } from "./reports/server-reports.ts";
import { minesOwnTemplates, payoutReserveOf, type Settings } from "./settings.ts";
import { ledgerHealthOf, statusOf } from "./status.ts";
import { systemClock, systemRandom } from "./system.ts";
import { registerTemplates } from "./template-parts.ts";
import { registerTemplateServer } from "./template-server-parts.ts";
import { type ServerEvents, TOKENS } from "./tokens.ts";
import { registerUpstream } from "./upstream-parts.ts";

/** Ephemeral keys kept ready: a reconnect storm of as many miners costs half the time. 300 bytes each. */
const EPHEMERAL_KEYS = 1000;

/** What is decided before anything can be composed. */
export interface World {
  readonly settings: Settings;
  /** The authority's secret key: 32 bytes. */
  readonly authoritySecretKey: Uint8Array;
  readonly log: Log;
  /** How the bllvm node is reached; for its module alone. */
  readonly bllvm?: NodeLink;
  /** Reads the configuration file again; left out when there is none. */
  readonly reload?: () => LoadedConfig;
}

/** A container with every part of the server, each made when it is first asked for. */
export function compose(world: World): DependencyContainer {
  const c = root.createChildContainer();
  const part = <T>(token: InjectionToken<T>, make: () => T): void => {
    c.register(token, { useFactory: instanceCachingFactory(make) });
  };
  const get = <T>(token: InjectionToken<T>): T => c.resolve(token);
  const log = (name: string): Log => get(TOKENS.log).child({ part: name });
  const { config } = world.settings;

  // The world
  c.register(TOKENS.settings, { useValue: world.settings });
  c.register(TOKENS.authoritySecretKey, { useValue: world.authoritySecretKey });
  part(TOKENS.log, () =>
    world.bllvm === undefined
      ? world.log
      : logTee(
          { log: world.log, node: () => get(TOKENS.bllvm), clock: get(TOKENS.clock) },
          { target: world.bllvm.moduleName },
        ),
  );
  c.register(TOKENS.clock, { useValue: systemClock });
  part(TOKENS.random, () => systemRandom());
  part(TOKENS.meter, () => new MemoryMeter());
  part(
    TOKENS.bus,
    () =>
      new Bus<ServerEvents>({
        onError: (error, name) => log("bus").error(`a listener of ${name} failed: ${describe(error)}`, { error }),
      }),
  );

  // Work and found blocks
  part(TOKENS.bllvm, () => {
    if (world.bllvm === undefined) return undefined;
    const deps = { clock: get(TOKENS.clock), random: get(TOKENS.random), meter: get(TOKENS.meter) };
    return bllvmClient({ ...deps, log: world.log.child({ part: "bllvm" }) }, world.bllvm, world.settings);
  });
  part(TOKENS.nodes, () => {
    const configured = world.settings.nodes.map((node) => rpcClient(node, config));
    const node = get(TOKENS.bllvm);
    if (node === undefined) return configured;
    // Last: the others know the witnesses of transactions.
    return [...configured, bllvmRpc({ node, clock: get(TOKENS.clock), log: log("bllvm") }, world.settings)];
  });
  registerTemplates({ settings: world.settings, part, get, log });
  part(
    TOKENS.blockSink,
    () =>
      new BitcoindBlockSink(
        {
          nodes: blockNodes({ get, log }),
          journal: get(TOKENS.blockJournal),
          clock: get(TOKENS.clock),
          log: log("blocks"),
          meter: get(TOKENS.meter),
          ...providersPart(get(TOKENS.providers)),
        },
        BLOCK_SINK_DEFAULTS,
      ),
  );

  registerLedger({ settings: world.settings, part, get, log });

  // Auxiliary chains
  part(
    TOKENS.mergeMining,
    () =>
      new MergeMining(
        {
          clock: get(TOKENS.clock),
          log: log("merge mining"),
          meter: get(TOKENS.meter),
          bus: get(TOKENS.bus),
          store: get(TOKENS.foundAux),
          onFind: (foundMs) => get(TOKENS.credit).cut(foundMs),
        },
        {
          ...MERGE_MINING_DEFAULTS,
          manyMakers: world.settings.upstream?.pools.some(({ jds }) => jds !== undefined) === true,
          clampMinDifficulty: config.merge_mining.clamp_min_difficulty,
          sizeLimitBytes: config.merge_mining.coinbase_max_bytes,
          reserveBytes: payoutReserveOf(config),
          giveUpMs: config.merge_mining.give_up_s * 1000,
        },
      ),
  );
  part(
    TOKENS.pluginHost,
    () =>
      new PluginHost({
        clock: get(TOKENS.clock),
        log: log("plugins"),
        meter: get(TOKENS.meter),
        random: get(TOKENS.random),
        bus: get(TOKENS.bus),
        mergeMining: get(TOKENS.mergeMining),
        scopes: chainScopes(),
        files: diskPlugins,
        loader: pluginLoader(),
      }),
  );
  part(
    TOKENS.reloader,
    () => new Reloader({ log: log("config"), host: get(TOKENS.pluginHost), load: world.reload }, config),
  );

  // What the server tells of itself
  part(TOKENS.status, () => {
    const startedMs = get(TOKENS.clock).nowMs();
    return () =>
      statusOf({
        startedMs,
        nowMs: get(TOKENS.clock).nowMs(),
        meter: get(TOKENS.meter),
        connections: get(TOKENS.miningServer).connections,
        chains: get(TOKENS.pluginHost).chains(),
        work: get(TOKENS.mergeMining).status(),
        job: get(TOKENS.jobs).current(),
        upstream: get(TOKENS.upstream)?.status(),
        ledger: ledgerHealthOf(get(TOKENS.ledger).status(), get(TOKENS.credit)),
        nodes: minesOwnTemplates(world.settings) ? (get(TOKENS.nodeSource)?.status().nodes ?? []) : [],
        providers: get(TOKENS.providers)?.status() ?? [],
        bllvm: get(TOKENS.bllvm)?.state(),
        monotonicMs: get(TOKENS.clock).monotonicMs(),
      });
  });
  part(TOKENS.chainStatistics, () => {
    const accepted = acceptedBlocks(get(TOKENS.recordedBlocks));
    return () =>
      chainStatisticsOf({ status: get(TOKENS.status)(), job: get(TOKENS.jobs).current(), accepted: accepted() });
  });
  part(TOKENS.reports, () =>
    serverReports({
      loaded: () => world.reload?.() ?? world.settings,
      clock: get(TOKENS.clock),
      work: () => get(TOKENS.mergeMining).status(),
      job: () => get(TOKENS.jobs).current(),
    }),
  );
  part(TOKENS.control, () => {
    const { control } = world.settings;
    if (control === undefined) return undefined;
    const host = get(TOKENS.pluginHost);
    const port: ControlPort = {
      status: get(TOKENS.status),
      chains: () => host.chains(),
      plugins: () => host.plugins(),
      enable: (chain) => host.enable(chain),
      disable: (chain) => host.disable(chain),
      restart: (chain) => host.restart(chain),
      reload: () => get(TOKENS.reloader).reload(),
      report: textReports(get(TOKENS.reports)),
      ...payoutAddressPort({
        ledger: get(TOKENS.ledger),
        clock: get(TOKENS.clock),
        check: addressCheck(world.settings.network),
        // Chains may have come by a reload.
        coinOf: (chain) => coinOf(world.reload?.() ?? world.settings, chain),
      }),
    };
    return new ControlServer({ log: log("control"), files: diskFiles, port }, control);
  });

  // Jobs and shares
  part(TOKENS.jobIds, () => new JobIds());
  part(TOKENS.jobMaker, () => {
    const { payoutScript, tag, versionRollingMask, upstream } = world.settings;
    if (payoutScript === undefined) throw new TypeError("own templates need a payout");
    return new JobMaker(
      {
        clock: get(TOKENS.clock),
        log: log("jobs"),
        meter: get(TOKENS.meter),
        jobSource: get(TOKENS.jobSource),
        bus: upstream === undefined ? get(TOKENS.bus) : SILENT_BUS,
        jobIds: get(TOKENS.jobIds),
        payout: (value) => poolOutputs(payoutScript, value),
        merge: get(TOKENS.mergeMining),
      },
      { tag, versionRollingMask, refreshMs: config.jobs.refresh_s * 1000 },
    );
  });
  registerUpstream({ settings: world.settings, part, get, log });
  part(TOKENS.extranonces, () => {
    const capacity = config.limits.channels;
    // Elsewhere at each start: a restarted server does not search again what its miners searched before.
    const first = randomU32(get(TOKENS.random)) % capacity;
    return new ExtranonceAllocator({}, { serverId: config.stratum_v2.server_id, capacity, first });
  });
  part(TOKENS.authoriser, () => authoriser(world.settings));
  part(TOKENS.payouts, () => {
    const { network, payoutScript } = world.settings;
    if (config.bitcoin.coinbase_pays === "pool" || payoutScript === undefined) return undefined;
    const { flawOf: flaw } = get(TOKENS.mergeMining);
    return new ChannelPayouts(
      { log: log("jobs"), pool: (value) => poolOutputs(payoutScript, value), flaw },
      { network },
    );
  });
  // Miners
  part(TOKENS.noise, () => {
    const [clock, random, crypto] = [get(TOKENS.clock), get(TOKENS.random), nodeCrypto({ log: log("noise") })];
    return {
      crypto,
      identity: new StaticIdentity(
        { crypto, clock, random },
        { authoritySecretKey: get(TOKENS.authoritySecretKey), certValiditySec: config.stratum_v2.cert_validity_s },
      ),
      ephemeralKeys: new EphemeralKeyPool({ crypto, random }, { capacity: EPHEMERAL_KEYS }),
    };
  });
  registerListeners({ settings: world.settings, part, get, log }, limitsOf(config));
  registerTemplateServer({ settings: world.settings, part, get, log }, limitsOf(config));
  registerDeclaration({ settings: world.settings, part, get, log }, limitsOf(config));
  part(TOKENS.miningServer, () => {
    const [payouts, upstream, poolChannels] = [get(TOKENS.payouts), get(TOKENS.upstream), get(TOKENS.channelWishes)];
    const customJobs = get(TOKENS.declarations);
    return new MiningServer(
      {
        transports: get(TOKENS.transports),
        door: get(TOKENS.door),
        noise: get(TOKENS.noise),
        clock: get(TOKENS.clock),
        log: log("server"),
        meter: get(TOKENS.meter),
        jobs: get(TOKENS.jobs),
        jobIds: get(TOKENS.jobIds),
        extranonces: get(TOKENS.extranonces),
        authoriser: get(TOKENS.authoriser),
        ...(payouts === undefined ? {} : { payouts }),
        ...(upstream === undefined ? {} : { upstream }),
        ...(poolChannels === undefined ? {} : { poolChannels }),
        ...(customJobs === undefined ? {} : { customJobs }),
        blockSink: get(TOKENS.recordedBlocks),
        shareSink: get(TOKENS.credit),
        bus: get(TOKENS.bus),
        chainStatistics: get(TOKENS.chainStatistics),
        ...(minesOwnTemplates(world.settings) ? { onHashed: get(TOKENS.mergeMining).hashed } : {}),
      },
      {
        limits: limitsOf(config),
        requiredExtensions: config.access.required_extensions,
        fixedVersion: world.settings.versionRollingMask === 0,
        mining: miningOptionsOf(world.settings),
      },
    );
  });
  return c;
}

function poolOutputs(script: Uint8Array, value: bigint): readonly TxOutput[] {
  return [{ value, script }];
}

function authoriser({ config, network }: Settings): Authoriser {
  const { access, bitcoin } = config;
  switch (access.policy) {
    case "open":
      return openAuthoriser();
    case "allow_list":
      return allowListAuthoriser(access.allow);
    case "payout_address":
      return bitcoin.coinbase_pays === "pool" ? payoutAddressAuthoriser(network) : directPayoutAuthoriser(network);
  }
}

function limitsOf({ limits }: Config): ServerLimits {
  return {
    connections: limits.connections,
    connectionsPerAddress: limits.connections_per_address,
    handshakesPerSecond: limits.handshakes_per_second,
    handshakeTimeoutMs: limits.handshake_timeout_s * 1000,
    idleTimeoutMs: limits.idle_timeout_s * 1000,
    bufferBytes: limits.buffer_bytes,
    frameBytes: limits.frame_bytes,
    messagesPerSecond: limits.messages_per_second,
  };
}
