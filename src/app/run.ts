/** Starts the composed server in the order in which its parts depend on each other, and stops it in reverse. */
import type { DependencyContainer } from "tsyringe";
import type { TransportName } from "../client/url.ts";
import type { ReloadedConfig } from "../host/control-api.ts";
import { Lifecycle, type Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import { showAddress } from "../ledger/store/address.ts";
import { createAuthorityKeyFile, readAuthorityKeyFile } from "../pool/identity-file.ts";
import { authorityPublicKey, encodeAuthorityPublicKey } from "../sv2/noise/authority-key.ts";
import { AnnounceJobs } from "./announce-jobs.ts";
import { CoinbaseWatch } from "./coinbase-watch.ts";
import { compose, type World } from "./container.ts";
import { declarationNews } from "./declaration-parts.ts";
import { certificateOf } from "./listener-settings.ts";
import { catchLooseEnds } from "./loose-ends.ts";
import { authorityKeyPath } from "./parts.ts";
import { minesOwnTemplates, payoutReserveOf, paysOurselves } from "./settings.ts";
import { ledgerHealthOf } from "./status.ts";
import { StatusLine } from "./status-line.ts";
import { systemClock, systemRandom } from "./system.ts";
import { templateServerParts } from "./template-server-parts.ts";
import { TOKENS } from "./tokens.ts";
import { poolModeWords } from "./upstream-words.ts";

/** A part that does not stop within this time is left behind. The server itself takes up to 12.5 s for its goodbye. */
const STOP_TIMEOUT_MS = 20_000;

/** Where miners can connect. */
export interface Listener {
  readonly transport: TransportName;
  /** `host:port` that it is bound to. */
  readonly listening: string;
  readonly noise: boolean;
  /** SHA-256 of the certificate (32 bytes), where that is all that vouches for it. */
  readonly certSha256: Uint8Array | undefined;
}

/** A server that miners can connect to. */
export interface RunningServer {
  readonly container: DependencyContainer;
  /** `host:port` of each listener, the port as the system chose it when 0 was configured. */
  readonly listening: readonly string[];
  /** The same with what miners have to know of each to connect; TCP first. */
  readonly listeners: readonly Listener[];
  /** `host:port` of the template server; `undefined` where there is none. */
  readonly templates: string | undefined;
  /** `host:port` of the job declaration server; `undefined` where there is none. */
  readonly declaration: string | undefined;
  /** The authority's public key as miners write it, base58check. */
  readonly authorityPublicKey: string;
  /** Reads the configuration file again. Throws `Fault` for one that cannot be taken over, and then everything goes on as before. */
  reload(): Promise<ReloadedConfig>;
  /** Stops everything; shares on their way still count, found blocks are submitted. Never rejects. */
  stop(): Promise<void>;
}

/** Parts beside the server's own. */
export interface Beside {
  /** What it stands on; started first. */
  readonly below: readonly Part[];
  /** What stands on it; started last. */
  readonly above: readonly Part[];
}

const NOTHING: Beside = { below: [], above: [] };

/**
 * Starts the server and resolves once miners can connect. `before` are parts that it stands on, e.g. an embedded node; `beside` gives those that are made of
 * its own.
 * Throws `Fault` `config-*` or `plugin-*` for a chain that cannot be mined as it is configured, and `Fault("start-failed")`
 * with the cause; nothing is left running then.
 */
export async function startServer(
  world: World,
  signal: AbortSignal,
  before: readonly Part[] = [],
  beside: (container: DependencyContainer) => Beside = () => NOTHING,
): Promise<RunningServer> {
  const container = compose(world);
  const host = container.resolve(TOKENS.pluginHost);
  // Until the process ends: what a plugin left behind may fail after everything was stopped.
  const release = catchLooseEnds({ log: world.log, clock: systemClock, host });
  // Before anything runs: a chain whose plugin or table is wrong is the operator's to mend.
  try {
    await host.apply(world.settings);
  } catch (error) {
    for (const part of before.toReversed()) await part.stop();
    release();
    throw error;
  }
  const control = container.resolve(TOKENS.control);
  const lifecycle = new Lifecycle({ clock: systemClock, log: world.log }, { stopTimeoutMs: STOP_TIMEOUT_MS });
  const server = container.resolve(TOKENS.miningServer);
  const nodes = container.resolve(TOKENS.nodes);
  const certificates = container.resolve(TOKENS.certificates);
  const connections: Part = {
    name: "node connections",
    start: async () => undefined,
    stop: async () => nodes.forEach((node) => void node.close()),
  };
  const { below, above } = beside(container);
  const { settings } = world;
  const isSolo = minesOwnTemplates(settings);
  const [pools, jobs] = [container.resolve(TOKENS.upstream), container.resolve(TOKENS.jobs)];
  const parts: Part[] = [
    ...before,
    ...below,
    connections,
    container.resolve(TOKENS.ledger),
    container.resolve(TOKENS.credit),
    container.resolve(TOKENS.blockRecords),
    // Blocks of before wait in the journal for a node.
    ...(nodes.length === 0 && settings.providers.length === 0 ? [] : [container.resolve(TOKENS.blockSink)]),
    ...(nodes.length === 0 ? [] : [container.resolve(TOKENS.othersBlocks)]),
    ...(isSolo ? [container.resolve(TOKENS.jobSource)] : []),
    container.resolve(TOKENS.mergeMining),
    ...(paysOurselves(settings) ? [container.resolve(TOKENS.jobMaker)] : []),
    host,
    ...(isSolo
      ? [new CoinbaseWatch({ log: world.log, jobs }, { reserveBytes: payoutReserveOf(settings.config) })]
      : []),
    container.resolve(TOKENS.blockFollower),
    container.resolve(TOKENS.distribution),
    container.resolve(TOKENS.compaction),
    container.resolve(TOKENS.summaries),
    ...(certificates === undefined ? [] : [certificates]),
    // Pools outlive the server: shares on their way are theirs.
    ...poolMode(container),
    server,
    ...declarationServer(container),
    ...templateServerParts({ get: (token) => container.resolve(token) }),
    ...(control === undefined ? [] : [control]),
    ...above,
    new StatusLine(
      {
        clock: systemClock,
        log: world.log,
        meter: container.resolve(TOKENS.meter),
        server,
        ledger: () => ledgerHealthOf(container.resolve(TOKENS.ledger).status(), container.resolve(TOKENS.credit)),
        ...(pools === undefined ? {} : { miningFor: () => pools.status().miningFor }),
      },
      { everyMs: 60_000 },
    ),
  ];
  world.log.info(`the ledger is ${showAddress(settings.ledger)}`);
  for (const { level, message } of poolModeWords(settings)) world.log[level](message);
  try {
    await lifecycle.start(parts, signal);
  } catch (error) {
    release();
    throw error;
  }
  return {
    container,
    listening: server.addresses,
    listeners: listenersOf(container),
    templates: container.resolve(TOKENS.templateServer)?.server.addresses[0],
    declaration: container.resolve(TOKENS.declarationServer)?.addresses[0],
    authorityPublicKey: encodeAuthorityPublicKey(authorityPublicKey(world.authoritySecretKey)),
    reload: () => container.resolve(TOKENS.reloader).reload(),
    stop: async () => {
      await lifecycle.stop();
      await container.dispose();
    },
  };
}

function listenersOf(container: DependencyContainer): Listener[] {
  const certificate = container.resolve(TOKENS.certificates)?.current();
  const { selfSigned } = certificateOf(container.resolve(TOKENS.settings));
  return container.resolve(TOKENS.transports).flatMap(({ kind, noise, address }) => {
    if (address === undefined) return [];
    // With Noise inside, the authority key vouches; a certificate of the operator's changes, and authorities vouch for it.
    const certSha256 = kind !== "tcp" && !noise && selfSigned ? certificate?.sha256 : undefined;
    return [{ transport: kind, listening: address, noise, certSha256 }];
  });
}

/** The job declaration server, where there is one; it begins after the mining server that its jobs are for. */
function declarationServer(container: DependencyContainer): readonly Part[] {
  const server = container.resolve(TOKENS.declarationServer);
  const settings = container.resolve(TOKENS.settings);
  const news = declarationNews({ settings, get: (token) => container.resolve(token) });
  return server === undefined || news === undefined ? [] : [news, server];
}

/** What comes from pools, and who hears of it; nothing without pools above. */
function poolMode(container: DependencyContainer): readonly Part[] {
  const [pools, feed] = [container.resolve(TOKENS.upstream), container.resolve(TOKENS.upstreamFeed)];
  if (pools === undefined || feed === undefined) return [];
  const announced = new AnnounceJobs({ clock: systemClock, bus: container.resolve(TOKENS.bus), jobs: feed });
  return [announced, feed, pools];
}

/** The authority key of a data folder, made at the first start. Throws `Fault` `key-file-*`. */
export async function authorityKeyOf(dataDir: string, log: Log): Promise<Uint8Array> {
  const path = authorityKeyPath(dataDir);
  const existing = await readAuthorityKeyFile(path);
  if (existing !== undefined) return existing;
  const made = await createAuthorityKeyFile(path, systemRandom());
  log.info(`made a new authority key: ${path}. Keep a copy: miners that check the key need the same one`);
  return made;
}
