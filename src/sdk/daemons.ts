/**
 * The daemons of one chain as one: work is taken from the first in order of preference that is well, from the next as soon
 * as it fails, and from the preferred one again once it has been well for a while. What happens is logged when it changes.
 */
import type { z } from "zod";
import { Polling } from "../daemon/polling.ts";
import type { CallOptions, RpcParams } from "../daemon/rpc.ts";
import { withSignals } from "../kernel/abort.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Host } from "../merge/plugin.ts";
import type { Daemon } from "./daemon-config.ts";

/** What `Daemons` needs. */
export interface DaemonsDeps<D extends Daemon> {
  readonly host: Pick<Host, "clock" | "log" | "meter" | "signal">;
  /** In order of preference, at least one. */
  readonly daemons: readonly D[];
}

/** How they are watched. */
export interface DaemonsOptions<D extends Daemon> {
  /** Whether a daemon that work is not taken from is well: rejects when not. Without it only real calls tell. */
  readonly probe?: (daemon: D, signal: AbortSignal) => Promise<unknown>;
  /** Ms between two probes of a daemon. */
  readonly probeMs?: number;
  /** Ms for which a preferred daemon must have been well before work is taken from it again. */
  readonly failbackMs?: number;
}

/** How a question is put. */
export interface AskOptions {
  readonly signal?: AbortSignal;
  /**
   * Whether a failure is the daemon's own word, on which the others are not asked. An error that the daemon answered with
   * (`node-rpc-error`) when left out.
   */
  readonly isAnswer?: (error: unknown) => boolean;
  /** Whether the outcome says if the daemon is well. True when left out. */
  readonly tells?: boolean;
}

/** Who answered what. */
export interface Answered<D extends Daemon, T> {
  readonly daemon: D;
  readonly value: T;
}

/** One daemon for status displays. */
export interface DaemonStatus {
  readonly name: string;
  /** Without credentials. */
  readonly address: string;
  readonly active: boolean;
  /** `undefined` until it was asked for the first time. */
  readonly up: boolean | undefined;
  /** Why it is not up, in a sentence. */
  readonly trouble: string | undefined;
}

const PROBE_MS = 10_000;
const FAILBACK_MS = 30_000;
/** The same failure of the same daemon is a line of its own at most this often; a flapping daemon must not fill the log. */
const LOG_AGAIN_MS = 60_000;
/** Moves of work that are told at once; one more a minute. */
const MOVES_TOLD = 4;

/** What is known of one daemon. */
interface State<D extends Daemon> {
  readonly daemon: D;
  up: boolean | undefined;
  fault: Fault | undefined;
  /** Monotonic ms since when it has been well without a break. */
  wellSinceMs: number | undefined;
  /** Monotonic ms of the last line about a failure, by fault code. */
  readonly loggedMs: Map<string, number>;
  /** Whether its failure was told, so that its recovery is told too. */
  told: boolean;
}

/** All daemons of a chain. */
export class Daemons<D extends Daemon = Daemon> {
  readonly #host: DaemonsDeps<D>["host"];
  readonly #options: DaemonsOptions<D>;
  readonly #states: readonly State<D>[];
  #active: State<D>;
  #probes: Polling[] = [];
  /** Monotonic ms until which so many moves have been told that they must last: `LOG_AGAIN_MS` for each. */
  #movesToldMs = 0;

  /** Throws `TypeError` for an empty list. */
  constructor(deps: DaemonsDeps<D>, options: DaemonsOptions<D> = {}) {
    this.#host = deps.host;
    this.#options = options;
    this.#states = deps.daemons.map((daemon) => ({
      daemon,
      up: undefined,
      fault: undefined,
      wellSinceMs: undefined,
      loggedMs: new Map(),
      told: false,
    }));
    const [first] = this.#states;
    if (first === undefined) throw new TypeError("a chain needs one daemon at least");
    this.#active = first;
  }

  /** All of them, in order of preference. */
  get all(): readonly D[] {
    return this.#states.map(({ daemon }) => daemon);
  }

  /** The one that work is taken from. */
  get active(): D {
    return this.#active.daemon;
  }

  /** Begins to probe the others. Without it everything else works too. */
  start(): void {
    const { probe, probeMs = PROBE_MS } = this.#options;
    if (probe === undefined || this.#states.length === 1) return;
    this.#probes = this.#states.map((state) => {
      const run = async (signal: AbortSignal): Promise<void> => {
        if (state !== this.#active) await this.#try(state, (daemon) => probe(daemon, signal), true, signal);
      };
      const polling = new Polling({ clock: this.#host.clock }, { everyMs: probeMs, run });
      polling.poke();
      return polling;
    });
  }

  /** Ends the probes and closes all connections. */
  async stop(): Promise<void> {
    await Promise.all(this.#probes.map((polling) => polling.stop()));
    for (const { daemon } of this.#states) daemon.rpc.close();
  }

  /** Calls `method` at the daemon that work is taken from, or at the next that answers. Throws as `Rpc.call` does. */
  async call<S extends z.ZodType>(
    method: string,
    params: RpcParams,
    schema: S,
    options: CallOptions & Pick<AskOptions, "tells"> = {},
  ): Promise<z.output<S>> {
    const { tells, signal, ...limits } = options;
    const question = ({ rpc }: D, until: AbortSignal): Promise<z.output<S>> =>
      rpc.call(method, params, schema, { ...limits, signal: until });
    const more = { ...(signal === undefined ? {} : { signal }), ...(tells === undefined ? {} : { tells }) };
    return (await this.ask(question, more)).value;
  }

  /**
   * Puts a question to the daemon that work is taken from and, while it fails, to the others in order. Throws the failure of the most
   * preferred daemon when none answers, or the signal's reason.
   */
  ask<T>(question: (daemon: D, signal: AbortSignal) => Promise<T>, options: AskOptions = {}): Promise<Answered<D, T>> {
    return withSignals([options.signal, this.#host.signal], (signal) => this.#ask(question, options, signal));
  }

  async #ask<T>(
    question: (daemon: D, signal: AbortSignal) => Promise<T>,
    { tells = true, isAnswer = isRpcError }: AskOptions,
    signal: AbortSignal,
  ): Promise<Answered<D, T>> {
    if (tells) this.#failback();
    const failures = new Map<State<D>, unknown>();
    for (const state of this.#order()) {
      try {
        const value = await this.#try(state, (daemon) => question(daemon, signal), tells, signal, isAnswer);
        if (tells) this.#activate(state);
        return { daemon: state.daemon, value };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (isAnswer(error)) throw error;
        failures.set(state, error);
      }
    }
    throw this.#states.map((state) => failures.get(state)).find((error) => error !== undefined);
  }

  /** All daemons in the order in which a question is put to them, the one called `first` before all others. */
  inOrder(first?: string): readonly D[] {
    const daemons = this.#order().map(({ daemon }) => daemon);
    const at = daemons.findIndex(({ name }) => name === first);
    const [chosen] = at < 0 ? [] : daemons.splice(at, 1);
    return chosen === undefined ? daemons : [chosen, ...daemons];
  }

  /** Why no daemon can be used, in a sentence; `undefined` while one can. */
  trouble(): string | undefined {
    if (this.#states.some(({ fault }) => fault === undefined)) return undefined;
    const sentences = this.#states.map(({ daemon, fault }) => `${daemon.name}: ${inWords(fault)}`);
    return this.#states.length === 1 ? inWords(this.#active.fault) : `no daemon can be used; ${sentences.join(" ")}`;
  }

  /** Every daemon's state, in order of preference. */
  status(): readonly DaemonStatus[] {
    return this.#states.map((state) => ({
      name: state.daemon.name,
      address: state.daemon.rpc.address,
      active: state === this.#active,
      up: state.up,
      trouble: state.fault === undefined ? undefined : inWords(state.fault),
    }));
  }

  /** The active one, then those that are well or were never asked, then the failing ones, each in order of preference. */
  #order(): readonly State<D>[] {
    const others = this.#states.filter((state) => state !== this.#active);
    const isWell = ({ fault }: State<D>): boolean => fault === undefined;
    return [this.#active, ...others.filter(isWell), ...others.filter((state) => !isWell(state))];
  }

  async #try<T>(
    state: State<D>,
    question: (daemon: D) => Promise<T>,
    tells: boolean,
    signal: AbortSignal,
    isAnswer: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    try {
      signal.throwIfAborted();
      const value = await question(state.daemon);
      if (tells) this.#good(state);
      return value;
    } catch (error) {
      if (tells && !signal.aborted) {
        if (isAnswer(error)) this.#good(state);
        else this.#bad(state, error);
      }
      throw error;
    }
  }

  #good(state: State<D>): void {
    const { log, meter, clock } = this.#host;
    const { name } = state.daemon;
    if (state.told) log.info(`daemon ${name} is well again`, { daemon: name });
    state.told = false;
    state.fault = undefined;
    state.wellSinceMs ??= clock.monotonicMs();
    if (state.up !== true) meter.daemon(name, true);
    state.up = true;
  }

  #bad(state: State<D>, error: unknown): void {
    const { log, meter, clock } = this.#host;
    const { name } = state.daemon;
    const fault =
      error instanceof Fault ? error : new Fault("node-connection", { node: name, reason: describe(error) });
    const before = state.fault;
    state.fault = fault;
    state.wellSinceMs = undefined;
    if (state.up !== false) meter.daemon(name, false);
    state.up = false;
    if (before?.code === fault.code) return;
    const lastMs = state.loggedMs.get(fault.code);
    const line = `daemon ${name}: ${inWords(fault)}`;
    if (lastMs !== undefined && clock.monotonicMs() - lastMs < LOG_AGAIN_MS) {
      log.debug(line, { daemon: name, error: fault });
      return;
    }
    state.loggedMs.set(fault.code, clock.monotonicMs());
    state.told = true;
    log.warn(line, { daemon: name, error: fault });
  }

  /** Goes back to a more preferred daemon that has been well for long enough. */
  #failback(): void {
    const { failbackMs = FAILBACK_MS } = this.#options;
    const nowMs = this.#host.clock.monotonicMs();
    const isSteady = ({ wellSinceMs }: State<D>): boolean =>
      wellSinceMs !== undefined && nowMs - wellSinceMs >= failbackMs;
    const better = this.#states.slice(0, this.#states.indexOf(this.#active)).find(isSteady);
    if (better !== undefined) this.#activate(better);
  }

  #activate(state: State<D>): void {
    if (state === this.#active) return;
    const { clock, log } = this.#host;
    const before = this.#active.daemon.name;
    this.#active = state;
    const { name } = state.daemon;
    const nowMs = clock.monotonicMs();
    const toldMs = Math.max(nowMs, this.#movesToldMs);
    const isTold = toldMs - nowMs <= (MOVES_TOLD - 1) * LOG_AGAIN_MS;
    if (isTold) this.#movesToldMs = toldMs + LOG_AGAIN_MS;
    const line = `work comes from daemon ${name} now, no longer from ${before}`;
    log[isTold ? "info" : "debug"](line, { daemon: name, before });
  }
}

/** A failure and its remedy, for the operator. */
function inWords(fault: Fault | undefined): string {
  return fault === undefined ? "" : `${describe(fault)}. ${fault.help}`;
}

function isRpcError(error: unknown): boolean {
  return error instanceof Fault && error.code === "node-rpc-error";
}
