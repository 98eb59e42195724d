/**
 * One run of a chain: its plugin opened once, with a host of its own, from `start` to `stop`. Every call goes through here, is timed and has
 * a deadline; the first thing that goes wrong breaks the run, and a broken run is never used again.
 */
import type { Clock } from "../kernel/clock.ts";
import { Fault, type FaultData } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { MAX_CHAIN_ID } from "../merge/auxpow/slot.ts";
import type {
  BlockStatus,
  Chain,
  ChainPlugin,
  Commitment,
  Host,
  Outcome,
  Proof,
  SubmittedBlock,
} from "../merge/plugin.ts";
import { commitmentsFlaw, outcomeFlaw, statusFlaw } from "../merge/shapes.ts";
import type { AuxWork } from "../mining/aux.ts";
import { type ChainHost, chainHost } from "./chain-host.ts";
import { callWithin, type Ended } from "./deadline.ts";

/** How long a plugin's calls may take, ms. */
export interface ChainDeadlines {
  readonly startMs: number;
  readonly stopMs: number;
  readonly submitMs: number;
  readonly statusMs: number;
  /** How long `submit` and `status` may take to give up after their signal aborted. */
  readonly graceMs: number;
  /** `commit` and `verify` hold up the whole process while they run, so taking longer is as bad as throwing. */
  readonly syncMs: number;
}

/** Sound values; `submitMs` is below the time after which merge mining itself gives a submission up. */
export const CHAIN_DEADLINES: ChainDeadlines = {
  startMs: 30_000,
  stopMs: 5000,
  submitMs: 60_000,
  statusMs: 30_000,
  graceMs: 2000,
  syncMs: 1000,
};

/** A scope of one chain: it makes the chain of its plugin, and goes with it. `src/app` makes it a child container. */
export interface ChainScope {
  /** Calls `open` of the plugin; throws what it throws. */
  open(): Chain;
  /** Lets go of the scope. */
  dispose(): Promise<void>;
}

/** Makes scopes. */
export type ChainScopes = (plugin: ChainPlugin, config: unknown, host: Host) => ChainScope;

/** What a run works with. */
export interface ChainRunDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly scopes: ChainScopes;
  /** Takes the run's work; throws a `Fault` when the work or the commitment made of it is at fault. */
  readonly offer: (work: AuxWork | undefined) => void;
  readonly onTrouble: (sentence: string | undefined) => void;
  /** Told once, of the first thing that went wrong. */
  readonly onBroken: (error: unknown) => void;
}

/** What a run is of. */
export interface ChainRunOptions {
  readonly chain: string;
  readonly folder: string;
  readonly plugin: ChainPlugin;
  /** Gives the configuration as the plugin's schema gives it out; asked at each opening. Throws `Fault` `config-*`. */
  readonly config: () => unknown;
  readonly deadlines: ChainDeadlines;
}

type Call = "open" | "start" | "stop" | "commit" | "verify" | "submit" | "status";

/** A run. */
export class ChainRun {
  readonly #deps: ChainRunDeps;
  readonly #options: ChainRunOptions;
  readonly #life: ChainHost;
  #scope: ChainScope | undefined;
  #chain: Chain | undefined;
  #chainId: number | undefined;
  #broken = false;
  #stopped: Promise<void> | undefined;
  #offering = false;
  /** What went wrong inside an offer; told when the offer is over, so that the board is not changed while it is at work. */
  #flaw: { readonly error: unknown } | undefined;

  constructor(deps: ChainRunDeps, options: ChainRunOptions) {
    const { chain, folder } = options;
    this.#deps = deps;
    this.#options = options;
    this.#life = chainHost(
      {
        clock: deps.clock,
        log: deps.log,
        meter: deps.meter,
        onOffer: (work) => this.#offer(work),
        onTrouble: deps.onTrouble,
        onError: (error) => this.#break(this.#fault("chain-loose-end", {}, error)),
      },
      { chain, folder },
    );
  }

  /** Opens the chain; no I/O. Throws what the plugin throws, or `Fault("chain-answer")` for something that is no chain. */
  open(): void {
    const { plugin, config } = this.#options;
    this.#scope = this.#deps.scopes(plugin, config(), this.#life.host);
    const scope = this.#scope;
    const chain = this.#timed("open", () => scope.open());
    const missing = (["start", "stop", "commit", "submit", "status"] as const).find(
      (name) => typeof (chain as Partial<Chain> | undefined)?.[name] !== "function",
    );
    if (missing !== undefined) throw this.#fault("chain-answer", { call: "open", why: `the chain has no ${missing}` });
    const { chainId } = chain;
    if (chainId !== undefined && !(Number.isInteger(chainId) && chainId >= 0 && chainId <= MAX_CHAIN_ID)) {
      const why = `chainId is not a whole number from 0 to ${MAX_CHAIN_ID}`;
      throw this.#fault("chain-answer", { call: "open", why });
    }
    this.#chainId = chainId;
    this.#chain = chain;
  }

  /** The ID that the chain said in advance. */
  get chainId(): number | undefined {
    return this.#chainId;
  }

  /** Resolves once the chain is at work; a chain that fails or hangs is broken. Never rejects. */
  async start(): Promise<boolean> {
    const ended = await this.#call("start", this.#options.deadlines.startMs, 0, () => this.#running().start());
    if (ended.how === "returned") return true;
    if (ended.how !== "stopped") this.#break(this.#faultOf("start", ended));
    return false;
  }

  /** Ends the run: its host is dead at once, its chain told to let go. Never rejects; one that hangs is left behind with a line. */
  stop(reason: string): Promise<void> {
    this.#life.end(reason);
    // Who breaks a run and who stops it may come at the same moment.
    this.#stopped ??= this.#letGo();
    return this.#stopped;
  }

  async #letGo(): Promise<void> {
    const { log } = this.#deps;
    const chain = this.#chain;
    if (chain !== undefined) {
      const ended = await this.#call("stop", this.#options.deadlines.stopMs, 0, () => chain.stop(), neverAborts());
      if (ended.how === "failed" || ended.how === "hung") {
        const fault = this.#faultOf("stop", ended);
        log.warn(`it did not stop cleanly and may hold connections until the server stops: ${fault.message}`, {
          error: fault,
        });
      }
    }
    await this.#scope?.dispose();
  }

  /** What must stand in the coinbase for `work`. Throws a `Fault`, and is broken, when the plugin does not say it at once and right. */
  commit(work: AuxWork): readonly Commitment[] {
    const made = this.#sync("commit", () => this.#running().commit(work), commitmentsFlaw);
    return (Array.isArray(made) ? made : [made]) as readonly Commitment[];
  }

  /** The plugin's own check of a proof. Throws a `Fault`, and is broken, as `commit`. */
  verify(proof: Proof): string | undefined {
    const chain = this.#running();
    if (chain.verify === undefined) return undefined;
    return this.#sync("verify", () => chain.verify?.(proof), verifyFlaw);
  }

  /** Rejects with the plugin's own error when no daemon can say; with a `Fault` when the run is over or breaks by it. */
  submit(proof: Proof): Promise<Outcome> {
    const { submitMs } = this.#options.deadlines;
    return this.#ask("submit", submitMs, (chain, signal) => chain.submit(proof, signal), outcomeFlaw);
  }

  /** As `submit`. */
  status(block: SubmittedBlock): Promise<BlockStatus> {
    const { statusMs } = this.#options.deadlines;
    return this.#ask("status", statusMs, (chain, signal) => chain.status(block, signal), statusFlaw);
  }

  /** Breaks the run from outside, for an error that nothing handled. */
  blame(error: unknown): void {
    this.#break(this.#fault("chain-loose-end", {}, error));
  }

  #offer(work: AuxWork | undefined): void {
    if (this.#offering) {
      this.#flaw ??= { error: this.#fault("chain-answer", { call: "commit", why: "it offers work itself" }) };
      return;
    }
    this.#offering = true;
    try {
      this.#deps.offer(work);
    } catch (error) {
      this.#flaw ??= { error };
    } finally {
      this.#offering = false;
    }
    const flaw = this.#flaw;
    if (flaw !== undefined) this.#break(flaw.error);
  }

  /** A call that answers at once. */
  #sync<T>(call: Call, work: () => T, flawOf: (answer: unknown) => string | undefined): T {
    const { clock } = this.#deps;
    const startedMs = clock.monotonicMs();
    let fault: Fault;
    try {
      const answer = this.#timed(call, work);
      ignoreRejection(answer);
      const why = isThenable(answer) ? "it returned a promise; it must answer at once" : flawOf(answer);
      const tookMs = clock.monotonicMs() - startedMs;
      if (why === undefined && tookMs <= this.#options.deadlines.syncMs) return answer;
      fault =
        why === undefined
          ? this.#fault("chain-call-timeout", { call, tookMs: Math.round(tookMs) })
          : this.#fault("chain-answer", { call, why });
    } catch (error) {
      fault = error instanceof Fault && error.code === "chain-not-running" ? error : this.#faultOf(call, { error });
    }
    if (this.#offering) this.#flaw ??= { error: fault };
    else this.#break(fault);
    throw fault;
  }

  async #ask<T>(
    call: Call,
    timeoutMs: number,
    work: (chain: Chain, signal: AbortSignal) => Promise<T>,
    flawOf: (answer: unknown) => string | undefined,
  ): Promise<T> {
    const chain = this.#running();
    const ended = await this.#call(call, timeoutMs, this.#options.deadlines.graceMs, (signal) => work(chain, signal));
    if (ended.how === "stopped") throw this.#fault("chain-not-running");
    // No answer yet is an answer: daemons are away, busy, loading. That is tried again and is nobody's fault.
    if (ended.how === "failed") throw ended.error;
    if (ended.how === "returned") {
      const why = flawOf(ended.value);
      if (why === undefined) return ended.value;
      throw this.#break(this.#fault("chain-answer", { call, why }));
    }
    throw this.#break(this.#faultOf(call, ended, timeoutMs));
  }

  async #call<T>(
    call: Call,
    timeoutMs: number,
    graceMs: number,
    work: (signal: AbortSignal) => Promise<T>,
    stop: AbortSignal = this.#life.host.signal,
  ): Promise<Ended<T>> {
    const { clock, meter } = this.#deps;
    const startedMs = clock.monotonicMs();
    const ended = await callWithin({ clock, timeoutMs, graceMs, stop }, work);
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    meter.observe("aux_call_seconds", seconds, { chain: this.#options.chain, call });
    return ended;
  }

  #timed<T>(call: Call, work: () => T): T {
    const { clock, meter } = this.#deps;
    const startedMs = clock.monotonicMs();
    try {
      return work();
    } finally {
      const seconds = (clock.monotonicMs() - startedMs) / 1000;
      meter.observe("aux_call_seconds", seconds, { chain: this.#options.chain, call });
    }
  }

  #running(): Chain {
    if (this.#chain === undefined || this.#life.host.signal.aborted) throw this.#fault("chain-not-running");
    return this.#chain;
  }

  #break<E>(error: E): E {
    if (this.#broken || this.#life.host.signal.aborted) return error;
    this.#broken = true;
    this.#life.end("the chain is isolated");
    this.#deps.onBroken(error);
    return error;
  }

  #faultOf(call: Call, ended: { readonly how?: string; readonly error?: unknown }, timeoutMs?: number): Fault {
    if (ended.how !== "hung") return this.#fault("chain-call-failed", { call }, ended.error);
    const { startMs, stopMs } = this.#options.deadlines;
    return this.#fault("chain-call-timeout", { call, timeoutMs: timeoutMs ?? (call === "stop" ? stopMs : startMs) });
  }

  #fault(
    code: "chain-answer" | "chain-call-failed" | "chain-call-timeout" | "chain-loose-end" | "chain-not-running",
    data: FaultData = {},
    cause?: unknown,
  ): Fault {
    return new Fault(code, { chain: this.#options.chain, ...data }, cause === undefined ? {} : { cause });
  }
}

function verifyFlaw(answer: unknown): string | undefined {
  return answer === undefined || typeof answer === "string" ? undefined : "it is neither undefined nor a sentence";
}

function isThenable(value: unknown): boolean {
  return typeof (value as { readonly then?: unknown } | undefined | null)?.then === "function";
}

function ignoreRejection(value: unknown): void {
  if (isThenable(value)) void Promise.resolve(value).catch(() => undefined);
}

function neverAborts(): AbortSignal {
  return new AbortController().signal;
}
