/** The process of a module, from how it was started to its end: launch, configuration, log, server. */
import { fstatSync } from "node:fs";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { claimDataNetwork } from "../data-network.ts";
import { EXIT } from "../exit-codes.ts";
import { adviceOf, exitCodeOf } from "../failure.ts";
import { aborted, interruptSignal, onHangup } from "../interrupt.ts";
import { listenerUrl } from "../miner-url.ts";
import { authorityKeyOf, type RunningServer } from "../run.ts";
import { settingsOf } from "../settings.ts";
import { processTerminal } from "../terminal.ts";
import { type ResolvedConfig, resolveConfig } from "./config/resolve.ts";
import { detectLaunch, type Launch, withSocket } from "./launch.ts";
import { moduleLog } from "./module-log.ts";
import { readIfThere } from "./read-if-there.ts";
import { startModule } from "./run-module.ts";

/**
 * Runs as the process that the node's launcher became; `argv` are its words. Returns the exit code and never rejects: whoever started it reads
 * nothing, so that what went wrong stands in module.log.
 */
export async function moduleProcess(argv: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  let log: Log | undefined;
  try {
    const launch = detectLaunch({ argv, env: process.env, cwd: process.cwd() });
    log = earlyLog(launch);
    return await runModule(launch, interruptSignal(terminal));
  } catch (error) {
    const advice = error instanceof Fault ? ` What to do: ${adviceOf(error)}` : "";
    // The launcher has pointed standard error at module.log, too.
    if (log === undefined) terminal.err(`error: ${describe(error)}.${advice}`);
    else log.error(`${describe(error)}.${advice}`, { error });
    return exitCodeOf(error);
  }
}

/** Runs until `signal` aborts, and returns the exit code. Throws `Fault` `config-*`, `bllvm-*`, `plugin-*` or `start-failed`. */
export async function runModule(launch: Launch, signal: AbortSignal): Promise<number> {
  const resolve = (): ResolvedConfig =>
    resolveConfig({ launch, env: process.env, cwd: process.cwd(), read: readIfThere });
  const loaded = resolve();
  const log = logOf(launch, loaded.config);
  for (const warning of loaded.warnings) log.warn(warning);
  log.info(loaded.sources.length === 0 ? "no configuration was found" : `configured by ${loaded.sources.join(", ")}`);
  if (!loaded.config.stratum_v2.enabled) {
    log.warn("stratum_v2.enabled is false: nothing to do");
    return EXIT.ok.code;
  }
  const known = withSocket(launch, loaded.config.bllvm.socket, loaded.folder);
  const settings = settingsOf(loaded, "module");
  await claimDataNetwork(settings.dataDir, settings.network, log);
  const authoritySecretKey = await authorityKeyOf(settings.dataDir, log);
  // Also a file that only now appears counts.
  const reload = (): LoadedConfig => {
    const again = resolve();
    settingsOf(again, "module");
    return again;
  };
  let server: RunningServer;
  try {
    server = await startModule({ settings, authoritySecretKey, log, reload }, known, signal);
  } catch (error) {
    if (signal.aborted) return EXIT.ok.code;
    throw error;
  }
  const { authorityPublicKey, listeners } = server;
  for (const listener of listeners) {
    const { listening } = listener;
    log.info(`miners connect to ${listenerUrl(listener, authorityPublicKey)}`, { listening, authorityPublicKey });
  }
  const release = onHangup(() => {
    if (!signal.aborted) void server.reload().catch(() => undefined);
  });
  await aborted(signal);
  log.info("stopping: no new connections; shares on their way still count");
  await server.stop();
  release();
  log.info("stopped");
  return EXIT.ok.code;
}

/** The log until the configuration tells its level. */
function earlyLog(launch: Launch): Log {
  const format = process.stderr.isTTY === true ? "pretty" : "json";
  return moduleLog({ isErrPiped: isErrPiped() }, launch, { level: "info", format });
}

function logOf(launch: Launch, { log: { level, format: given } }: Config): Log {
  const format = given === "auto" ? (process.stderr.isTTY === true ? "pretty" : "json") : given;
  return moduleLog({ isErrPiped: isErrPiped() }, launch, { level, format });
}

function isErrPiped(): boolean {
  try {
    const seen = fstatSync(2);
    return seen.isFIFO() || seen.isSocket();
  } catch {
    // It is closed.
    return true;
  }
}
