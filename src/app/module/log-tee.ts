/**
 * A log that is written twice: into ours whole, and its sentences into the node's log, which is where an operator of the node looks. Fields are not
 * sent: their length is not known, and the sentences tell what matters. Lines are bounded in length and number, for they share the connection with
 * requests.
 */
import type { Clock } from "../../kernel/clock.ts";
import type { Log, LogFields } from "../../kernel/log.ts";
import type { BllvmNode } from "../../node/bllvm/bllvm-node.ts";
import { TokenBucket } from "../../pool/token-bucket.ts";
import { plainText } from "../reports/plain-text.ts";

/** Levels of lines, the least important first. */
const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** A level. */
export type LogLevel = (typeof LEVELS)[number];

/** What the two logs work with. */
export interface LogTeeDeps {
  /** Our own log. */
  readonly log: Log;
  /** The node, as soon as there is one: what makes it wants a log too. */
  readonly node: () => Pick<BllvmNode, "log"> | undefined;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Options of `logTee`. */
export interface LogTeeOptions {
  /** Least level that is sent; `info` when left out. */
  readonly level?: LogLevel;
  /** Where the node's log says that a line comes from, before our part's name. */
  readonly target: string;
}

/** Characters of a line, and of its target, that are sent. */
const MAX_LINE = 1000;
const MAX_TARGET = 100;

/** Lines that are sent. */
const LINES = { perSecond: 20, burst: 200 };

/** `log` whose lines also go to the node. Never throws because of the node. */
export function logTee({ log, node, clock }: LogTeeDeps, { level = "info", target }: LogTeeOptions): Log {
  const least = LEVELS.indexOf(level);
  const bucket = new TokenBucket(LINES, clock.monotonicMs());
  let leftOut = 0;
  const send = (at: LogLevel, message: string, from: string): void => {
    const to = node();
    if (to === undefined || LEVELS.indexOf(at) < least) return;
    if (!bucket.tryTake(clock.monotonicMs())) {
      leftOut += 1;
      return;
    }
    const more = leftOut === 0 ? "" : ` (${leftOut} lines before it were not sent)`;
    leftOut = 0;
    try {
      to.log(at, `${bounded(message, MAX_LINE - more.length)}${more}`, from);
    } catch {
      // The line is in our own log.
    }
  };
  const over = (ours: Log, from: string): Log => {
    const write =
      (at: LogLevel) =>
      (message: string, fields?: LogFields): void => {
        ours[at](message, fields);
        send(at, message, from);
      };
    return {
      trace: write("trace"),
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields) => over(ours.child(fields), targetOf(target, fields, from)),
    };
  };
  return over(log, target);
}

/** The part or chain that a child log is for. */
function targetOf(target: string, { part, chain }: LogFields, before: string): string {
  const name = typeof chain === "string" ? chain : part;
  return typeof name === "string" ? bounded(`${target}::${name.replaceAll(" ", "-")}`, MAX_TARGET) : before;
}

function bounded(text: string, most: number): string {
  // Cut twice: writing out what is not seen makes a text longer, and need not be done for all of a long one.
  const plain = plainText(text.slice(0, most));
  return plain.length <= most && text.length <= most ? plain : `${plain.slice(0, most - 1)}…`;
}
