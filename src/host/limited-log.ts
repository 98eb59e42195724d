/**
 * The log as a plugin sees it: it ends with the run and takes so many lines and no more. Lines are written before anything else goes
 * on, so a plugin that writes without end would hold up every share.
 */
import type { Clock } from "../kernel/clock.ts";
import { describe } from "../kernel/fault.ts";
import type { Log, LogFields } from "../kernel/log.ts";

/** Lines at once. */
const BURST = 200;
/** Lines a second from then on. */
const PER_SECOND = 20;
/** Characters of a line that are kept, and of each of its fields. */
const MAX_LINE = 4000;
/** Fields of a line that are kept. */
const MAX_FIELDS = 32;

/** What the log works with. */
export interface LimitedLogDeps {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  /** Whether the run that it belongs to goes on. */
  readonly alive: () => boolean;
}

/** `log` for one run of a plugin. Its children count together with it; lines for developers count apart from those for operators. */
export function limitedLog({ clock, log, alive }: LimitedLogDeps): Log {
  const forOperators = new LineBudget(clock);
  const forDevelopers = new LineBudget(clock);
  const over = (into: Log): Log => {
    const write =
      (level: "trace" | "debug" | "info" | "warn" | "error") =>
      (message: string, fields?: LogFields): void => {
        if (!alive()) return;
        const quiet = level === "trace" || level === "debug";
        const budget = quiet ? forDevelopers : forOperators;
        const verdict = budget.take();
        if (verdict === "last") {
          into[quiet ? level : "warn"](`it writes too many lines: more than ${PER_SECOND} a second are left out`);
        } else if (verdict !== "none") {
          if (verdict.leftOut > 0) into[quiet ? level : "warn"](`${verdict.leftOut} lines were left out`);
          into[level](String(message).slice(0, MAX_LINE), fields === undefined ? undefined : short(fields));
        }
      };
    return Object.freeze({
      trace: write("trace"),
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields: LogFields) => over(into.child(short(fields))),
    });
  };
  return over(log);
}

/** The first fields, each cut to what a line may have. */
function short(fields: LogFields): LogFields {
  const kept = Object.entries(fields).slice(0, MAX_FIELDS);
  return Object.fromEntries(kept.map(([name, value]) => [name.slice(0, MAX_LINE), cut(value)]));
}

function cut(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, MAX_LINE);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) {
    const words = describe(value);
    return words.length <= MAX_LINE ? value : new Error(words.slice(0, MAX_LINE));
  }
  if (ArrayBuffer.isView(value) && value.byteLength > MAX_LINE) return `${value.byteLength} bytes`;
  try {
    const text =
      JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner)) ?? "";
    return text.length <= MAX_LINE ? value : text.slice(0, MAX_LINE);
  } catch (error) {
    // A circle, most likely.
    return `it has no JSON: ${describe(error).slice(0, MAX_LINE)}`;
  }
}

/** How many lines may be written. Once it is used up nothing is until half of it is there again, so that a flood is told in few lines. */
class LineBudget {
  readonly #clock: LimitedLogDeps["clock"];
  #left = BURST;
  #countedMs: number;
  #leftOut = 0;

  constructor(clock: LimitedLogDeps["clock"]) {
    this.#clock = clock;
    this.#countedMs = clock.monotonicMs();
  }

  /** Whether one more line may be written, and how many were not before it; `last`: this one is the first that may not. */
  take(): { readonly leftOut: number } | "last" | "none" {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#countedMs) / 1000) * PER_SECOND);
    this.#countedMs = nowMs;
    const leftOut = this.#leftOut;
    if (this.#left >= (leftOut === 0 ? 1 : BURST / 2)) {
      this.#left -= 1;
      this.#leftOut = 0;
      return { leftOut };
    }
    this.#leftOut += 1;
    return leftOut === 0 ? "last" : "none";
  }
}
