/**
 * Keeps one chain running: starts it, takes it out of the jobs the moment that anything goes wrong with its plugin, and starts it
 * again after a while. Nothing that a plugin does reaches further than here; only a call that never returns the processor cannot
 * be ended from within the process.
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Random } from "../kernel/random.ts";
import type { MergeBus } from "../merge/found-aux.ts";
import type { GuardedChain } from "../merge/guarded-chain.ts";
import type { BlockStatus, ChainPlugin, SubmittedBlock } from "../merge/plugin.ts";
import type { AuxWork } from "../mining/aux.ts";
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { type ChainDeadlines, ChainRun, type ChainScopes } from "./chain-run.ts";
import { limitedLog } from "./limited-log.ts";

/**
 * What a chain does: `starting` its plugin was asked to start, `running` it was, `isolated` it failed and is started again by itself,
 * `stopped` the server stops, `disabled` it rests by configuration or by an operator's word.
 */
export type ChainState = "starting" | "running" | "isolated" | "stopped" | "disabled";

/** A chain's state for people and programs. */
export interface SupervisedHealth {
  readonly state: ChainState;
  /** Wall time since when, ms since the Unix epoch. */
  readonly sinceMs: number;
  /** What keeps it from working: the fault that isolated it, or the plugin's own sentence. */
  readonly trouble: string | undefined;
  /** Times that it was started again since the server started. */
  readonly restarts: number;
  /** Wall time of the next start, ms since the Unix epoch; while `isolated`. */
  readonly nextStartMs: number | undefined;
}

/** What a supervisor works with. */
export interface SupervisorDeps {
  readonly clock: Clock;
  /** Its lines carry the chain's name. */
  readonly log: Log;
  readonly meter: Meter;
  readonly random: Random;
  readonly bus: MergeBus;
  readonly scopes: ChainScopes;
  /** Takes the chain's work; throws a `Fault` when it is at fault. */
  readonly offer: (work: AuxWork | undefined) => void;
}

/** Options of `ChainSupervisor`. */
export interface SupervisorOptions {
  readonly chain: string;
  /** Folder of the configuration file. */
  readonly folder: string;
  readonly plugin: ChainPlugin;
  /** As `ChainRunOptions.config`. */
  readonly config: () => unknown;
  readonly deadlines: ChainDeadlines;
  readonly backoff: BackoffOptions;
}

/** The supervisor of one chain. */
export class ChainSupervisor {
  readonly #deps: SupervisorDeps;
  readonly #options: SupervisorOptions;
  /** For what the plugin says of itself. */
  readonly #pluginLog: Log;
  #run: ChainRun | undefined;
  #state: ChainState = "stopped";
  #sinceMs: number;
  #isolation: string | undefined;
  #trouble: string | undefined;
  #restarts = 0;
  #attempt = 0;
  #runningSinceMs = 0;
  #retry: { readonly timer: Timer; readonly atMs: number } | undefined;
  /** The stop of a broken run, so that a plugin is never opened beside its own remains. */
  #clearing: Promise<void> = Promise.resolve();
  /** Whether it takes part. Until then another supervisor may stand for the chain, so nothing is told, offered or started by itself. */
  #wanted = false;
  #over = false;

  constructor(deps: SupervisorDeps, options: SupervisorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#pluginLog = limitedLog({ clock: deps.clock, log: deps.log, alive: () => true });
    this.#sinceMs = deps.clock.nowMs();
  }

  /** What merge mining asks of the chain; the same object over all restarts, and it rejects while the chain is down. */
  readonly guarded: GuardedChain = {
    commit: (work) => this.#running().commit(work),
    verify: (proof) => this.#run?.verify(proof),
    submit: async (proof) => {
      // A chain joins, and its blocks of earlier runs are submitted, right before it is started.
      if (!this.#wanted) await Promise.resolve();
      return await this.#running().submit(proof);
    },
  };

  /** The ID that the chain said in advance, once it is open. */
  get chainId(): number | undefined {
    return this.#run?.chainId;
  }

  /** Opens the chain for its first start, so that a configuration that cannot work is told before anything runs. Throws `Fault` `config-*`. */
  open(): void {
    const { chain, plugin } = this.#options;
    try {
      this.#run = this.#newRun();
      this.#run.open();
    } catch (cause) {
      void this.#run?.stop("it could not be opened");
      this.#run = undefined;
      if (cause instanceof Fault && cause.code.startsWith("config-")) throw cause;
      throw new Fault("config-chain-refused", { chain, plugin: plugin.name }, { cause });
    }
  }

  /** Starts the chain that was opened, after a while if it broke meanwhile; returns at once. */
  start(): void {
    if (this.#wanted || this.#over) return;
    this.#wanted = true;
    if (this.#run !== undefined) void this.#begin(this.#run);
    else this.#retryIn(this.#options.backoff.firstMs);
  }

  /** Ends the chain for good. Never rejects. `state` is what it is shown as afterwards. */
  async stop(state: "stopped" | "disabled"): Promise<void> {
    this.#over = true;
    this.#retry?.timer.cancel();
    this.#retry = undefined;
    const run = this.#run;
    this.#run = undefined;
    this.#isolation = undefined;
    this.#trouble = undefined;
    this.#enter(state);
    await this.#clearing;
    await run?.stop(`the chain is ${state}`);
  }

  /** Isolates the chain for an error that came from its plugin and that nothing handled; returns whether there was something to isolate. */
  blame(error: unknown): boolean {
    const run = this.#run;
    run?.blame(error);
    return run !== undefined;
  }

  /** What became of a block. Rejects when the chain cannot say. */
  async status(block: SubmittedBlock): Promise<BlockStatus> {
    return await this.#running().status(block);
  }

  /** For `chain list`, the API and the dashboard. */
  health(): SupervisedHealth {
    return {
      state: this.#state,
      sinceMs: this.#sinceMs,
      trouble: this.#isolation ?? this.#trouble,
      restarts: this.#restarts,
      nextStartMs: this.#retry?.atMs,
    };
  }

  #newRun(): ChainRun {
    const { clock, log, meter, scopes, offer } = this.#deps;
    const run: ChainRun = new ChainRun(
      {
        clock,
        log,
        meter,
        scopes,
        offer: (work) => {
          if (this.#wanted) offer(work);
        },
        onTrouble: (sentence) => {
          if (run === this.#run) this.#onTrouble(sentence);
        },
        onBroken: (error) => {
          if (run === this.#run) this.#isolate(run, error);
          else void run.stop("it was broken before it ran");
        },
      },
      this.#options,
    );
    return run;
  }

  async #begin(run: ChainRun): Promise<void> {
    this.#enter("starting");
    const started = await run.start();
    if (!started || run !== this.#run) return;
    this.#runningSinceMs = this.#deps.clock.monotonicMs();
    this.#isolation = undefined;
    this.#enter("running");
  }

  #isolate(run: ChainRun, error: unknown): void {
    const { clock, log, random } = this.#deps;
    const { chain, backoff } = this.#options;
    this.#run = undefined;
    const ranMs = this.#state === "running" ? clock.monotonicMs() - this.#runningSinceMs : 0;
    if (ranMs >= backoff.steadyMs) this.#attempt = 0;
    const delayMs = backoffMs(backoff, this.#attempt, random);
    this.#attempt += 1;
    this.#isolation = describe(error);
    this.#trouble = undefined;
    const again = this.#wanted ? `. It is started again in ${(delayMs / 1000).toFixed(1)} s` : "";
    log.error(`${chain} is isolated and leaves the next job: ${this.#isolation}${again}`, {
      error,
      restarts: this.#restarts,
    });
    if (this.#wanted) {
      this.#withdraw();
      this.#retryIn(delayMs);
    }
    this.#enter("isolated");
    this.#clearing = run.stop("the chain is isolated");
  }

  #retryIn(delayMs: number): void {
    const { clock } = this.#deps;
    this.#retry = { atMs: clock.nowMs() + delayMs, timer: clock.after(delayMs, () => void this.#restart()) };
  }

  async #restart(): Promise<void> {
    const { chain } = this.#options;
    await this.#clearing;
    if (this.#over) return;
    this.#retry = undefined;
    this.#restarts += 1;
    this.#deps.meter.count("aux_chain_restarts_total", 1, { chain });
    const run = this.#newRun();
    this.#run = run;
    try {
      run.open();
    } catch (error) {
      if (run === this.#run) this.#isolate(run, error);
      return;
    }
    await this.#begin(run);
  }

  #withdraw(): void {
    try {
      this.#deps.offer(undefined);
    } catch (error) {
      this.#deps.log.error(`the work of ${this.#options.chain} could not be withdrawn: ${describe(error)}`, { error });
    }
  }

  #onTrouble(sentence: string | undefined): void {
    if (sentence === this.#trouble) return;
    const { chain } = this.#options;
    this.#trouble = sentence;
    if (sentence === undefined) this.#pluginLog.info(`${chain}: all is well again`);
    else this.#pluginLog.warn(`${chain}: ${sentence}`);
    this.#tell();
  }

  #enter(state: ChainState): void {
    const { clock, log, meter } = this.#deps;
    const { chain } = this.#options;
    if (this.#wanted) meter.gauge("aux_chain_up", state === "running" ? 1 : 0, { chain });
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = clock.nowMs();
    if (state === "running") log.info(`${chain} runs`, { plugin: this.#options.plugin.name });
    this.#tell();
  }

  #tell(): void {
    if (!this.#wanted) return;
    const { state, trouble } = this.health();
    this.#deps.bus.emit("ChainChanged", { chain: this.#options.chain, state, trouble });
  }

  #running(): ChainRun {
    if (this.#run === undefined) throw new Fault("chain-not-running", { chain: this.#options.chain });
    return this.#run;
  }
}
