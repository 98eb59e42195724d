/** The log port: a message for people, facts for machines. `src/app` implements it with pino. */

/** Facts of a log line: plain values; an `error` is written with its code and causes. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines at a level. */
export interface Log {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries `fields` too. */
  child(fields: LogFields): Log;
}

/** A log that writes nothing. */
export const silentLog: Log = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
