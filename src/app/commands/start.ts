/** `start`: the server until it is interrupted. */
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import { generateAuthoritySecretKey } from "../../sv2/noise/authority-key.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import type { World } from "../container.ts";
import { claimDataNetwork } from "../data-network.ts";
import { devnetConfig, startDevnet } from "../devnet.ts";
import { EXIT } from "../exit-codes.ts";
import { aborted, onHangup } from "../interrupt.ts";
import { createLog } from "../log.ts";
import { listenerUrl } from "../miner-url.ts";
import { authorityKeyOf, type RunningServer, startServer } from "../run.ts";
import { parseHostPort, settingsOf } from "../settings.ts";
import { systemRandom } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/** Words behind `start`. */
export interface StartOptions {
  readonly config?: string;
  readonly devnet: boolean;
  readonly listen?: string;
  readonly json: boolean;
}

/** Without a configuration the embedded node's server is for this machine only. */
const DEVNET_LISTEN = "127.0.0.1:3333";

/** Runs until `signal` aborts; returns the exit code. Throws `Fault` `config-*` or `start-failed`. */
export async function start(options: StartOptions, terminal: Terminal, signal: AbortSignal): Promise<number> {
  const loaded = options.devnet && options.config === undefined ? devnetConfig() : loadConfig(options.config);
  const { config } = loaded;
  const format = config.log.format === "auto" ? (process.stderr.isTTY === true ? "pretty" : "json") : config.log.format;
  const log = createLog({ level: config.log.level, format });
  if (!config.stratum_v2.enabled) {
    log.warn("stratum_v2.enabled is false: nothing to do");
    return EXIT.ok.code;
  }
  const { world, before } = await prepare(options, loaded, log, signal);
  let server: RunningServer;
  try {
    server = await startServer(world, signal, before);
  } catch (error) {
    if (signal.aborted) return EXIT.ok.code;
    throw error;
  }
  announce(server, options, terminal, log);
  // Without a file a terminal that is closed ends the server, as it ends other programs.
  const release =
    loaded.file === undefined
      ? undefined
      : onHangup(() => {
          // A server that stops has no chains to change.
          if (!signal.aborted) void server.reload().catch(() => undefined);
        });
  await aborted(signal);
  log.info("stopping: no new connections; shares on their way still count");
  await server.stop();
  release?.();
  log.info("stopped");
  return EXIT.ok.code;
}

async function prepare(
  options: StartOptions,
  loaded: LoadedConfig,
  log: Log,
  signal: AbortSignal,
): Promise<{ world: World; before: readonly Part[] }> {
  const { config, file } = loaded;
  const listen =
    options.listen ?? (options.devnet && file === undefined ? DEVNET_LISTEN : config.stratum_v2.listen_addr);
  if (options.devnet) {
    const { settings, part, adapt } = await startDevnet(loaded, listen, log, signal);
    const authoritySecretKey = generateAuthoritySecretKey(systemRandom());
    const adapted = file === undefined ? {} : { reload: () => adapt(loadConfig(options.config)) };
    return { world: { settings, authoritySecretKey, log, ...adapted }, before: [part] };
  }
  const settings = { ...settingsOf(loaded), listen: parseHostPort(listen) };
  await claimDataNetwork(settings.dataDir, settings.network, log);
  const authoritySecretKey = await authorityKeyOf(settings.dataDir, log);
  // All of the file is looked at, not only what is taken over: one that is half written may well be valid TOML.
  const load = (): LoadedConfig => {
    const again = loadConfig(options.config);
    settingsOf(again);
    return again;
  };
  const reload = file === undefined ? {} : { reload: load };
  return { world: { settings, authoritySecretKey, log, ...reload }, before: [] };
}

function announce(server: RunningServer, options: StartOptions, terminal: Terminal, log: Log): void {
  const [listening = ""] = server.listening;
  const { authorityPublicKey } = server;
  const listeners = server.listeners.map((listener) => ({
    transport: listener.transport,
    listening: listener.listening,
    url: listenerUrl(listener, authorityPublicKey),
  }));
  const url = listeners[0]?.url;
  for (const each of listeners) log.info(`miners connect to ${each.url}`, { ...each, authorityPublicKey });
  if (server.templates !== undefined) {
    log.info(`template clients connect to stratum2+tcp://${server.templates}/${authorityPublicKey}`);
  }
  if (server.declaration !== undefined) {
    log.info(`declaring clients connect to stratum2+tcp://${server.declaration}/${authorityPublicKey}`);
  }
  if (options.json) terminal.out(jsonLine({ listening, authorityPublicKey, url, listeners }));
}
