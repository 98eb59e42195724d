/**
 * What one run of a chain sees of the server, and nothing more. It is made anew for every start: once the run has ended, its host is
 * deaf, its signal aborted and its timers gone, so that a plugin that goes on regardless reaches nobody.
 */
import { setMaxListeners } from "node:events";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { ChainMeter, Host } from "../merge/plugin.ts";
import type { AuxWork } from "../mining/aux.ts";
import { limitedLog } from "./limited-log.ts";

/** Names that a plugin may count and measure, and daemons that it may tell of. */
const MAX_NAMES = 32;
const METRIC_NAME = /^[a-z0-9_]{1,40}$/;
/** Characters of a trouble sentence and of a daemon's name that are kept. */
const MAX_SENTENCE = 300;
/** Timers that may be set at once. */
const MAX_TIMERS = 1000;
/** Longest time of a timer, ms (24.8 days): Node rings at once for a longer one. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** What a host works with. */
export interface ChainHostDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Takes an offer; must not throw. */
  readonly onOffer: (work: AuxWork | undefined) => void;
  readonly onTrouble: (sentence: string | undefined) => void;
  /** Told of what a timer of the plugin threw, or of a limit that it broke. */
  readonly onError: (error: unknown) => void;
}

/** A host, and the hand that ends it, which is not the plugin's. */
export interface ChainHost {
  readonly host: Host;
  /** Aborts the signal, cancels all timers and hears nothing from now on. */
  end(reason: string): void;
}

/** The host of one run of `chain`. `folder`: the configuration file's, absolute. */
export function chainHost(
  deps: ChainHostDeps,
  { chain, folder }: { readonly chain: string; readonly folder: string },
): ChainHost {
  const abort = new AbortController();
  const alive = (): boolean => !abort.signal.aborted;
  // A plugin may wait for it in as many places as it likes.
  setMaxListeners(0, abort.signal);
  const timers = new ChainTimers(deps, alive);
  const host: Host = Object.freeze({
    chain,
    folder,
    signal: abort.signal,
    log: limitedLog({ clock: deps.clock, log: deps.log, alive }),
    meter: chainMeter(deps, chain, alive),
    clock: Object.freeze({
      nowMs: () => deps.clock.nowMs(),
      monotonicMs: () => deps.clock.monotonicMs(),
      after: (delayMs: number, run: () => void) => timers.after(delayMs, run),
      every: (periodMs: number, run: () => void) => timers.every(periodMs, run),
    }),
    offer: (work: AuxWork | undefined) => {
      if (alive()) deps.onOffer(work);
    },
    trouble: (sentence: string | undefined) => {
      if (alive()) deps.onTrouble(sentence === undefined ? undefined : oneLine(sentence));
    },
  });
  return {
    host,
    end: (reason) => {
      if (!alive()) return;
      timers.end();
      abort.abort(new Error(reason));
    },
  };
}

/** `text` on one line, short and without control characters, whatever a plugin passed. */
export function oneLine(text: unknown): string {
  const plain = String(text).replaceAll(/\p{Cc}+/gu, " ");
  return plain.length <= MAX_SENTENCE ? plain : `${plain.slice(0, MAX_SENTENCE - 1)}…`;
}

/** Timers that end with the run, and whose callbacks harm nobody when they throw or reject. */
class ChainTimers {
  readonly #deps: ChainHostDeps;
  readonly #alive: () => boolean;
  readonly #timers = new Set<Timer>();

  constructor(deps: ChainHostDeps, alive: () => boolean) {
    this.#deps = deps;
    this.#alive = alive;
  }

  after(delayMs: number, run: () => void): Timer {
    const time = timeOf(delayMs);
    return this.#keep((timer) =>
      this.#deps.clock.after(time, () => {
        this.#timers.delete(timer);
        this.#run(run);
      }),
    );
  }

  every(periodMs: number, run: () => void): Timer {
    const time = timeOf(periodMs);
    return this.#keep(() => this.#deps.clock.every(time, () => this.#run(run)));
  }

  end(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #keep(set: (kept: Timer) => Timer): Timer {
    if (!this.#alive()) return { cancel() {} };
    const kept: Timer = {
      cancel: () => {
        this.#timers.delete(kept);
        timer.cancel();
      },
    };
    const timer = set(kept);
    this.#timers.add(kept);
    if (this.#timers.size > MAX_TIMERS) this.#deps.onError(new Error(`it has more than ${MAX_TIMERS} timers`));
    return kept;
  }

  #run(run: () => unknown): void {
    if (!this.#alive()) return;
    try {
      const result = run();
      // An async function is easily handed over as a callback; its rejection is the plugin's, not the process's.
      if (result instanceof Promise) result.catch((error: unknown) => this.#deps.onError(error));
    } catch (error) {
      this.#deps.onError(error);
    }
  }
}

/** Throws `TypeError` for what is no time, which Node would take for one millisecond. */
function timeOf(ms: unknown): number {
  if (typeof ms !== "number" || Number.isNaN(ms))
    throw new TypeError(`the time of a timer is not a number: ${oneLine(ms)}`);
  return Math.min(ms, MAX_DELAY_MS);
}

/** Measures under the chain's name; what has no valid name or number is passed over with one line in the log. */
function chainMeter({ meter, log }: ChainHostDeps, chain: string, alive: () => boolean): ChainMeter {
  const names = new Set<string>();
  const daemons = new Set<string>();
  let told = false;
  const admitted = (set: Set<string>, name: string, valid: boolean): boolean => {
    if (!alive()) return false;
    if (valid && (set.has(name) || set.size < MAX_NAMES)) {
      set.add(name);
      return true;
    }
    if (!told)
      log.warn(`a measurement of the plugin is passed over: ${oneLine(name)} (${MAX_NAMES} names of a-z, 0-9, _)`);
    told = true;
    return false;
  };
  return Object.freeze({
    count: (name: string, value = 1) => {
      if (admitted(names, name, METRIC_NAME.test(name) && Number.isFinite(value) && value >= 0))
        meter.count("aux_plugin_total", value, { chain, name });
    },
    gauge: (name: string, value: number) => {
      if (admitted(names, name, METRIC_NAME.test(name) && Number.isFinite(value)))
        meter.gauge("aux_plugin_value", value, { chain, name });
    },
    daemon: (name: string, up: boolean) => {
      const daemon = oneLine(name);
      if (admitted(daemons, daemon, daemon !== "")) meter.gauge("aux_daemon_up", up ? 1 : 0, { chain, daemon });
    },
  });
}
