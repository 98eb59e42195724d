/** Lines into the node's log. They are no requests and have no answer; they wait for nothing, rather they are dropped and counted. */
import type { Clock } from "../../../kernel/clock.ts";
import type { Meter } from "../../../kernel/meter.ts";
import { LOG_PACE, Pace } from "./pacing.ts";

/** Characters of a line. */
const MOST_CHARACTERS = 4096;
/** Unsent bytes above which the node has enough to read. */
const MOST_BUFFERED = 64 << 10;

/** Levels by the node's names. */
const LEVELS = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const;

/** A level of ours. */
export type LogLevel = keyof typeof LEVELS;

/** One line as the wire has it. */
export interface LogLine {
  readonly level: (typeof LEVELS)[LogLevel];
  readonly message: string;
  readonly target: string;
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** Where lines go while a connection is served. */
export interface LogOutlet {
  readonly bufferedBytes: number;
  send(line: LogLine): void;
}

/** The way of lines to the node. */
export class LogLines {
  readonly #deps: { readonly clock: Clock; readonly meter: Meter };
  readonly #pace: Pace;
  /** Where lines go; `undefined` while there is nowhere. */
  outlet: LogOutlet | undefined;

  constructor(deps: { readonly clock: Clock; readonly meter: Meter }) {
    this.#deps = deps;
    this.#pace = new Pace(deps, LOG_PACE);
  }

  /** Writes a line, or drops it. Never throws. */
  write(level: LogLevel, message: string, target: string): void {
    const { outlet } = this;
    const why = this.#obstacle();
    if (outlet === undefined || why !== undefined) {
      this.#deps.meter.count("bllvm_log_lines_dropped_total", 1, { why: why ?? "away" });
      return;
    }
    outlet.send({
      level: LEVELS[level],
      message: message.slice(0, MOST_CHARACTERS),
      target: target.slice(0, MOST_CHARACTERS),
      timestamp: BigInt(Math.floor(this.#deps.clock.nowMs() / 1000)),
    });
  }

  #obstacle(): "away" | "rate" | "slow" | undefined {
    if (this.outlet === undefined) return "away";
    if (this.outlet.bufferedBytes > MOST_BUFFERED) return "slow";
    return this.#pace.take() ? undefined : "rate";
  }
}
