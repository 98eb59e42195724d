/**
 * Where one check is carried out: it opens stages and chains on them, and clears them away whatever happens. What goes wrong on
 * the way to the point of a check is laid at the door of the rule that says so.
 */
import { describe } from "../kernel/fault.ts";
import type { Chain, ChainPlugin, Commitment, Outcome, Proof } from "../merge/plugin.ts";
import { commitmentsFlaw, outcomeFlaw } from "../merge/shapes.ts";
import type { AuxEntry, AuxWork } from "../mining/aux.ts";
import type { Job } from "../mining/job.ts";
import { Broken } from "./broken.ts";
import { endingOf } from "./deadline.ts";
import type { Footprint } from "./footprint.ts";
import { KitHost } from "./kit-host.ts";
import type { LooseEnds } from "./loose-ends.ts";
import { compose, solve } from "./mined.ts";
import type { Ability, Rehearsal, Stage } from "./rehearsal.ts";
import type { Witness } from "./witness.ts";

/** What is the same for all checks of a plugin. */
export interface BenchOptions {
  /** Name of the chain, as an operator would call it. */
  readonly chain: string;
  /** Folder that relative paths of the configuration start from, absolute. */
  readonly folder: string;
  /** How long the plugin may take for anything, ms. */
  readonly withinMs: number;
  /** The parsed `package.json`; `undefined` when there is none at hand. */
  readonly packageJson: unknown;
}

/** What a bench needs. */
export interface BenchDeps {
  readonly plugin: ChainPlugin;
  readonly rehearsal: Rehearsal;
  readonly witness: Witness;
  readonly looseEnds: LooseEnds;
  /** Basic rules that were seen not to hold, so that no later check waits in vain for the same. */
  readonly obstacles: Map<string, Broken>;
  readonly footprint: Footprint;
}

/** A proof with all that it came from. */
export interface Solved {
  readonly work: AuxWork;
  readonly commitments: readonly Commitment[];
  readonly job: Job;
  readonly entry: AuxEntry;
  readonly proof: Proof;
}

/** One check's bench. */
export class Bench {
  readonly plugin: ChainPlugin;
  readonly rehearsal: Rehearsal;
  readonly witness: Witness;
  readonly looseEnds: LooseEnds;
  readonly obstacles: Map<string, Broken>;
  readonly footprint: Footprint;
  readonly options: BenchOptions;

  constructor(deps: BenchDeps, options: BenchOptions) {
    this.plugin = deps.plugin;
    this.rehearsal = deps.rehearsal;
    this.witness = deps.witness;
    this.looseEnds = deps.looseEnds;
    this.obstacles = deps.obstacles;
    this.footprint = deps.footprint;
    this.options = options;
  }

  /** Whether the chain has what some chains lack. */
  has(ability: Ability): boolean {
    const { without = {} } = this.rehearsal;
    return without[ability] === undefined && without.daemon === undefined;
  }

  /** Opens a stage for `work` and closes it. */
  async stage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
    const stage = await this.#openStage();
    try {
      return await work(stage);
    } finally {
      await endingOf(() => stage.close(), this.options.withinMs);
    }
  }

  /** Opens a stage and a chain on it, not started. Stops the chain afterwards, if `work` has not done so. */
  async session<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return await this.stage(async (stage) => await this.sessionOn(stage, work));
  }

  /** Opens another chain on a stage that is there: what a restart of the server does. */
  async sessionOn<T>(stage: Stage, work: (session: Session) => Promise<T>): Promise<T> {
    const session = new Session(this, stage);
    try {
      return await work(session);
    } finally {
      await session.clear();
    }
  }

  /** The output of the plugin's schema for the stage's configuration. */
  parsed(stage: Stage): unknown {
    const result = this.footprint.run(() => this.plugin.config.safeParse(stage.config));
    if (!result.success) {
      this.witness.hear("an error of the schema", result.error);
      throw new Broken(
        "config-accepts",
        `the schema refuses the rehearsal's own configuration: ${issuesText(result.error)}`,
      );
    }
    return result.data;
  }

  async #openStage(): Promise<Stage> {
    const ending = await endingOf(() => this.rehearsal.open(), this.options.withinMs);
    if (ending.kind === "resolved") return ending.value;
    const why = ending.kind === "rejected" ? describe(ending.error) : "it takes too long";
    throw new Broken("rehearsal", `the rehearsal does not open: ${why}`);
  }
}

/** The issues of a zod error on one line, each with its key. */
export function issuesText(error: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}): string {
  return error.issues
    .map(({ path, message }) => [path.map(String).join("."), message].filter((part) => part !== "").join(": "))
    .join("; ");
}

/** A chain on a stage. */
export class Session {
  readonly stage: Stage;
  readonly host: KitHost;
  readonly chain: Chain;
  readonly #bench: Bench;
  readonly #stopping = new AbortController();
  #stopped = false;

  /** `config`: the output of the schema for another configuration than the stage's. Throws `Broken` when the plugin does not open. */
  constructor(bench: Bench, stage: Stage, config = bench.parsed(stage)) {
    this.#bench = bench;
    this.stage = stage;
    const { chain, folder } = bench.options;
    this.host = new KitHost({ witness: bench.witness }, { chain, folder, signal: this.#stopping.signal });
    try {
      this.chain = bench.footprint.run(() => bench.plugin.open(config, this.host));
    } catch (error) {
      bench.witness.hear("an error of open", error);
      throw new Broken("open", `open threw: ${describe(error)}`, { cause: error });
    }
    const missing = (["start", "stop", "commit", "submit", "status"] as const).filter(
      (name) => typeof this.chain?.[name] !== "function",
    );
    if (missing.length > 0) throw new Broken("open", `what open returned has no ${missing.join(", no ")}`);
  }

  /** How long the plugin may take. */
  get withinMs(): number {
    return this.#bench.options.withinMs;
  }

  /** Calls the plugin in its own context. */
  run<T>(work: () => T): T {
    return this.#bench.footprint.run(work);
  }

  /** Starts the chain; `Broken("start")` when it does not come up. */
  async start(): Promise<void> {
    await this.#once("start", () => this.#start());
  }

  async #start(): Promise<void> {
    const ending = await endingOf(() => this.run(() => this.chain.start()), this.withinMs);
    if (ending.kind === "resolved") return;
    if (ending.kind === "rejected") this.#bench.witness.hear("an error of start", ending.error);
    const why =
      ending.kind === "pending" ? `did not resolve within ${this.withinMs} ms` : `rejected: ${describe(ending.error)}`;
    throw new Broken("start", `start ${why}`);
  }

  /** Starts the chain and waits for work. */
  async begin(): Promise<AuxWork> {
    await this.start();
    return await this.#once("offers", () => this.nextWork(() => true, "offers", "no work was offered after the start"));
  }

  /** Does `work`, unless it failed once already for want of `rule`. */
  async #once<T>(rule: string, work: () => Promise<T>): Promise<T> {
    const { obstacles } = this.#bench;
    const known = obstacles.get(rule);
    if (known !== undefined) throw known;
    try {
      return await work();
    } catch (error) {
      if (error instanceof Broken && error.rule === rule) obstacles.set(rule, error);
      throw error;
    }
  }

  /** Waits for work that is `wanted`; `Broken(rule, otherwise)` when none comes in time. */
  async nextWork(
    wanted: (work: AuxWork) => boolean,
    rule: string,
    otherwise: string,
    withinMs = this.withinMs,
  ): Promise<AuxWork> {
    const good = (): boolean => this.host.work !== undefined && wanted(this.host.work);
    await this.host.until(() => good() || this.host.offers.some(({ flaw }) => flaw !== undefined), withinMs);
    const flawed = this.host.offers.find(({ flaw }) => flaw !== undefined);
    if (flawed?.flaw !== undefined) throw new Broken("offers", `work was offered with a wrong shape: ${flawed.flaw}`);
    const { work, troubled } = this.host;
    if (work !== undefined && wanted(work)) return work;
    const trouble = troubled === undefined ? "" : `; the plugin's trouble: ${troubled}`;
    throw new Broken(rule, `${otherwise} within ${withinMs} ms${trouble}`);
  }

  /** The chain's commitments for `work`, as a list. */
  commit(work: AuxWork): readonly Commitment[] {
    let result: ReturnType<Chain["commit"]>;
    try {
      result = this.run(() => this.chain.commit(work));
    } catch (error) {
      this.#bench.witness.hear("an error of commit", error);
      throw new Broken("commit", `commit threw: ${describe(error)}`, { cause: error });
    }
    const flaw = commitmentsFlaw(result);
    if (flaw !== undefined) throw new Broken("commit", flaw);
    return Array.isArray(result) ? result : [result as Commitment];
  }

  /** Mines `work`. `salt`: another proof of the same work for each. */
  solve(work: AuxWork, salt = 0): Solved {
    const commitments = this.commit(work);
    const { job, entry, dropped } = compose({ name: this.#bench.options.chain, work, commitments });
    if (entry === undefined) {
      const [first] = dropped;
      throw new Broken(
        "placed",
        `no job can carry it: ${first?.detail ?? "it was left out"} (${first?.reason ?? "failed"})`,
      );
    }
    const proof = solve(job, entry, salt);
    if (proof === undefined)
      throw new Broken("rehearsal", "the rehearsal's work has a target that a million hashes do not meet");
    return { work, commitments, job, entry, proof };
  }

  /** Starts the chain, waits for work and mines it. */
  async beginAndSolve(): Promise<Solved> {
    return this.solve(await this.begin());
  }

  /** Submits with time to answer and returns the outcome; `Broken(rule)` when there is none. */
  async submit(proof: Proof, rule: string): Promise<Outcome> {
    const signal = new AbortController();
    const ending = await endingOf(() => this.run(() => this.chain.submit(proof, signal.signal)), this.withinMs);
    this.run(() => signal.abort(new Error("the check is over")));
    if (ending.kind === "pending") throw new Broken(rule, `submit did not answer within ${this.withinMs} ms`);
    if (ending.kind === "rejected") {
      this.#bench.witness.hear("an error of submit", ending.error);
      throw new Broken(rule, `submit threw, and gave no verdict: ${describe(ending.error)}`);
    }
    this.#bench.witness.hear("an outcome", ending.value);
    const flaw = outcomeFlaw(ending.value);
    if (flaw !== undefined) throw new Broken(rule, `submit resolved with a wrong shape: ${flaw}`);
    return ending.value;
  }

  /** Aborts the host's signal, as the server does before it stops a chain. */
  abort(): void {
    this.run(() => this.#stopping.abort(new Error("the chain is stopped")));
  }

  /** Stops the chain. */
  async stop(): Promise<void> {
    this.abort();
    if (this.#stopped) return;
    this.#stopped = true;
    const ending = await endingOf(() => this.run(() => this.chain.stop()), this.withinMs);
    if (ending.kind === "resolved") return;
    if (ending.kind === "rejected") this.#bench.witness.hear("an error of stop", ending.error);
    const why =
      ending.kind === "pending" ? `did not resolve within ${this.withinMs} ms` : `rejected: ${describe(ending.error)}`;
    throw new Broken("stop", `stop ${why}`);
  }

  /** Stops the chain if that was not done, and says nothing of how it went. */
  async clear(): Promise<void> {
    await endingOf(() => this.stop(), this.withinMs + 100);
  }
}
