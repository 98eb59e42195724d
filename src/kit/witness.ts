/** All that a plugin lets out, kept word for word: log lines, measurements, trouble, errors. It is searched for secrets. */
import { inspect } from "node:util";
import type { Log, LogFields } from "../kernel/log.ts";
import type { ChainMeter } from "../merge/plugin.ts";

/** Pieces of text that are kept; a plugin that says more in a minute has other faults. */
const MAX_PIECES = 20_000;
/** Names of measurements. */
const METER_NAME = /^[a-z0-9_]{1,40}$/;
const MAX_METER_NAMES = 32;
/** Characters of a trouble sentence. */
const MAX_TROUBLE = 1000;

/** Keeps what was said. One for all checks of a plugin. */
export class Witness {
  readonly #pieces: { readonly where: string; readonly text: string }[] = [];
  readonly #meterNames = new Set<string>();
  /** What was wrong with the names and values of measurements, one clause each. */
  readonly meterFlaws: string[] = [];
  /** What was wrong with trouble sentences, one clause each. */
  readonly troubleFlaws: string[] = [];

  /** Keeps `value`, whatever it is, with its stack, causes and fields. */
  hear(where: string, value: unknown): void {
    if (this.#pieces.length >= MAX_PIECES) return;
    this.#pieces.push({ where, text: typeof value === "string" ? value : deepText(value) });
  }

  /** Where one of `secrets` was said, in plain or in a usual coding; `undefined` when none was. */
  leak(secrets: readonly string[]): { readonly where: string; readonly text: string } | undefined {
    const wanted = secrets.filter((secret) => secret.length > 0).flatMap(codings);
    return this.#pieces.find(({ text }) => wanted.some((form) => text.includes(form)));
  }

  /** A log for a plugin. */
  log(fields: LogFields = {}): Log {
    const line =
      (level: string) =>
      (message: string, more: LogFields = {}): void =>
        this.hear(`a log line (${level})`, { message, ...fields, ...more });
    return {
      trace: line("trace"),
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      child: (more) => this.log({ ...fields, ...more }),
    };
  }

  /** Hears a trouble sentence and judges its form. */
  trouble(sentence: unknown): void {
    this.hear("a trouble sentence", sentence);
    const flaw = troubleFlaw(sentence);
    if (flaw !== undefined && this.troubleFlaws.length < 20) this.troubleFlaws.push(flaw);
  }

  /** A meter for a plugin. */
  meter(): ChainMeter {
    const measured = (kind: string) => (name: string, value?: number) => {
      this.hear(`a ${kind}`, `${String(name)} ${String(value)}`);
      this.#judge(kind, name, value);
    };
    return {
      count: measured("count"),
      gauge: measured("gauge"),
      daemon: (name, up) => this.hear("a daemon's state", `${String(name)} ${String(up)}`),
    };
  }

  #judge(kind: string, name: unknown, value: unknown): void {
    const flaw = meterFlaw(kind, name, value);
    if (flaw !== undefined) this.#flawed(flaw);
    if (typeof name === "string") this.#meterNames.add(name);
    if (this.#meterNames.size === MAX_METER_NAMES + 1) this.#flawed(`${MAX_METER_NAMES + 1} names`);
  }

  #flawed(flaw: string): void {
    if (this.meterFlaws.length < 20) this.meterFlaws.push(flaw);
  }
}

function troubleFlaw(sentence: unknown): string | undefined {
  if (typeof sentence !== "string" || sentence.trim() === "")
    return `host.trouble was told ${JSON.stringify(sentence)}`;
  if (sentence.length > MAX_TROUBLE) return `a trouble sentence has ${sentence.length} characters`;
  return /\p{Cc}/u.test(sentence) ? "a trouble sentence has line breaks or control characters" : undefined;
}

function meterFlaw(kind: string, name: unknown, value: unknown): string | undefined {
  if (typeof name !== "string" || !METER_NAME.test(name)) return `the name ${JSON.stringify(name)} of a ${kind}`;
  if (kind === "count" && value === undefined) return undefined;
  if (!Number.isFinite(value)) return `the value ${String(value)} of ${name}`;
  return kind === "count" && (value as number) < 0
    ? `the negative value ${String(value)} of the count ${name}`
    : undefined;
}

/** How a secret may be spelt: as it is, in a URL, as JSON, in base64 (also within `user:password`, at any of the three offsets). */
function codings(secret: string): string[] {
  const bytes = Buffer.from(secret, "utf8");
  const base64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    // Characters that depend on the neighbours are cut off.
    return text.slice(offset === 0 ? 0 : offset + 1, Math.floor(((offset + bytes.length) * 8) / 6));
  });
  const long = base64.filter((text) => text.length >= 6);
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), bytes.toString("hex"), ...long];
}

function deepText(value: unknown): string {
  return inspect(value, {
    depth: 8,
    showHidden: true,
    maxArrayLength: 200,
    maxStringLength: 100_000,
    breakLength: Infinity,
  });
}
