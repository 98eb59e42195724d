/** Where a module's own lines go: module.log for a process that the node started, standard error for a service, and never into a pipe that nobody reads. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Log, silentLog } from "../../kernel/log.ts";
import { createLog, type LogOptions, logTo } from "../log.ts";
import type { Launch } from "./launch.ts";
import { LogFile, MODULE_LOG } from "./log-file.ts";

/** What the choice depends on beside the launch. */
export interface ModuleLogDeps {
  /** Whether standard error is a pipe. */
  readonly isErrPiped: boolean;
}

/**
 * The log of a module. Without a module.log a process that the node started writes nothing rather than into a pipe: the node never reads it, and at
 * 64 KiB the write, and mining with it, would stop for ever.
 */
export function moduleLog(
  { isErrPiped }: ModuleLogDeps,
  { mode, dataDir }: Pick<Launch, "mode" | "dataDir">,
  options: LogOptions,
): Log {
  if (mode === "attached") return createLog(options);
  return fileAt(dataDir, options) ?? (isErrPiped ? silentLog : createLog(options));
}

function fileAt(dataDir: string | undefined, { level }: LogOptions): Log | undefined {
  if (dataDir === undefined) return undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return logTo(new LogFile({ path: join(dataDir, "module.log"), ...MODULE_LOG }), { level });
  } catch {
    return undefined;
  }
}
