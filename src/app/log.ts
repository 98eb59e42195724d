/** The log port on pino: lines for people on a terminal, JSON otherwise; standard error, so that standard output stays data. */
import pino from "pino";
import pretty from "pino-pretty";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log, LogFields } from "../kernel/log.ts";

/** How and from which level lines are written. */
export interface LogOptions {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  readonly format: "pretty" | "json";
}

/** Bytes of lines that are kept while they cannot be written, e.g. on a full disk; further ones are lost. */
const MAX_WAITING = 1 << 20;

/** Takes whole lines. It must not throw. */
export interface LineWriter {
  write(line: string): void;
}

/** A log that writes to standard error. A line that cannot be written is no reason to stop mining: it never throws. */
export function createLog(options: LogOptions): Log {
  const stderr = pino.destination({ fd: 2, sync: true, maxLength: MAX_WAITING });
  stderr.on("error", () => undefined);
  const destination =
    options.format === "pretty"
      ? pretty({
          destination: stderr,
          colorize: process.stderr.isTTY === true,
          translateTime: "SYS:HH:MM:ss.l",
          ignore: "pid,hostname",
        })
      : stderr;
  return logTo(destination, options);
}

/** A log of JSON lines that writes to `destination`. */
export function logTo(destination: LineWriter, { level }: Pick<LogOptions, "level">): Log {
  return wrap(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination));
}

function wrap(logger: pino.Logger): Log {
  const write = (level: "trace" | "debug" | "info" | "warn" | "error") => {
    return (message: string, fields?: LogFields): void => {
      if (!logger.isLevelEnabled(level)) return;
      logger[level](fields === undefined ? {} : plain(fields), message);
    };
  };
  return {
    trace: write("trace"),
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => wrap(logger.child(plain(fields))),
  };
}

/** Fields as JSON can hold them: big integers as text, an error as its code, sentence and advice. */
function plain(fields: LogFields): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "bigint") out[name] = value.toString();
    else if (value instanceof Fault) out[name] = { code: value.code, message: describe(value), help: value.help };
    else if (value instanceof Error) out[name] = { message: describe(value), stack: value.stack };
    else out[name] = value;
  }
  return out;
}
