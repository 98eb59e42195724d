/**
 * Template providers as a source of work, beside a source of nodes or without one. All are connected all the time; work is taken from the first in order of
 * preference that has a template, at once from the next when it is lost, and from a preferred one again when it has worked for a while.
 */
import type { ServiceEnd } from "../../client/service-session.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { sleep } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import { type Random, randomU32 } from "../../kernel/random.ts";
import type { FoundBlock, JobSource, TemplateCause } from "../../mining/ports.ts";
import { isSameWork, type Template } from "../../mining/template.ts";
import type { OutputConstraints } from "./output-constraints.ts";
import { type Provider, ProviderConnection, type ProviderConnectionDeps } from "./provider-connection.ts";

/** First and longest pause before a provider is dialled again, ms. */
const FIRST_PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 30_000;

/** A connection that worked for so long, ms, makes good what failed before. */
const STEADY_MS = 60_000;

/** For so long, ms, a template of a lower height than the last is held back: that source will catch up in seconds. */
const STEP_BACK_MS = 30_000;

/** How often the choice is looked at again, and what we reserve, ms. */
const LOOK_EVERY_MS = 1_000;

/** Connections whose templates may still be solved. */
const CONNECTIONS_KEPT = 16;

/** A source of nodes, as far as it takes part in the choice. */
export interface NodeSource extends JobSource {
  /** Whether one of its nodes gives work now. */
  isUsable(): boolean;
}

/** What `TemplateProviders` works with. */
export interface TemplateProvidersDeps extends ProviderConnectionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** The nodes, if there are any; started and stopped by the providers. */
  readonly nodes?: NodeSource;
  /** What our outputs take now. */
  readonly constraints: () => OutputConstraints;
}

/** Options of `TemplateProviders`. */
export interface TemplateProvidersOptions {
  /** In order of preference, one at least. */
  readonly providers: readonly Provider[];
  /** Which come first while both work. */
  readonly prefer: "providers" | "nodes";
  /** How long a preferred source must have worked before work is taken from it again, ms. */
  readonly failbackMs: number;
  readonly connectTimeoutMs: number;
  /** Whether the transactions of each template that is mined are fetched, so that a block can be submitted whole. */
  readonly fetch: boolean;
  /** Ms that `start` waits for the first template before it goes on without. */
  readonly startWaitMs: number;
}

/** How one provider stands. */
export interface ProviderStatus {
  readonly name: string;
  readonly url: string;
  readonly state: "active" | "ready" | "dialling" | "waiting";
  /** Why the last connection ended, in words. */
  readonly trouble: string | undefined;
}

/** A source in the choice. */
interface Candidate {
  readonly name: string;
  current(): Template | undefined;
  /** Monotonic ms since which it has had a template without a break; `undefined` while it has none. */
  sinceMs: number | undefined;
}

/** One provider, connected again and again. */
class ProviderLine implements Candidate {
  readonly name: string;
  readonly provider: Provider;
  sinceMs: number | undefined;
  template: Template | undefined;
  connection: ProviderConnection | undefined;
  trouble: string | undefined;
  /** Why it was left, as the log has it. */
  told: string | undefined;
  failures = 0;
  redial: Timer | undefined;

  constructor(provider: Provider) {
    this.name = provider.name;
    this.provider = provider;
  }

  current(): Template | undefined {
    return this.template;
  }
}

/** The source. */
export class TemplateProviders implements JobSource {
  readonly name = "template providers";
  readonly #deps: TemplateProvidersDeps;
  readonly #options: TemplateProvidersOptions;
  readonly #lines: readonly ProviderLine[];
  /** In order of preference. */
  readonly #candidates: readonly Candidate[];
  readonly #listeners = new Set<(template: Template, cause: TemplateCause) => void>();
  readonly #tipListeners = new Set<(provider: string, prevHash: Uint8Array) => void>();
  /** Connections by their templates' ids' beginning, the oldest first. */
  readonly #connections: ProviderConnection[] = [];
  readonly #subscriptions: Unsubscribe[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #over = new AbortController();
  #active: Candidate | undefined;
  #current: Template | undefined;
  #currentMs = 0;
  #lastConnection = 0;
  #constraints: OutputConstraints = { bytes: 0, sigops: 0 };

  constructor(deps: TemplateProvidersDeps, options: TemplateProvidersOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#lines = options.providers.map((provider) => new ProviderLine(provider));
    const { nodes } = deps;
    const others: Candidate[] =
      nodes === undefined
        ? []
        : [{ name: nodes.name, current: () => (nodes.isUsable() ? nodes.current() : undefined), sinceMs: undefined }];
    this.#candidates = options.prefer === "nodes" ? [...others, ...this.#lines] : [...this.#lines, ...others];
  }

  current(): Template | undefined {
    return this.#active === undefined ? undefined : this.#current;
  }

  onTemplate(listener: (template: Template, cause: TemplateCause) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` with every tip that a provider names, `Uint8Array(32)`, internal byte order. */
  onTip(listener: (provider: string, prevHash: Uint8Array) => void): Unsubscribe {
    this.#tipListeners.add(listener);
    return () => void this.#tipListeners.delete(listener);
  }

  /** The transactions of a template, from whoever has them; `undefined` when nobody does any more. Never rejects. */
  async transactionsOf(template: Pick<Template, "id" | "transactions">): Promise<readonly Uint8Array[] | undefined> {
    if (template.transactions !== undefined) return template.transactions;
    for (const connection of this.#connections.toReversed()) {
      const found = await connection.transactionsOf(template);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Hands a block to the provider whose template it solves. Returns whether it was sent. */
  solution(block: FoundBlock): boolean {
    return this.#connections.toReversed().some((connection) => connection.solution(block));
  }

  /** How all providers stand. */
  status(): readonly ProviderStatus[] {
    return this.#lines.map((line) => ({
      name: line.name,
      url: line.provider.url,
      state:
        line === this.#active
          ? "active"
          : line.template !== undefined
            ? "ready"
            : line.connection === undefined
              ? "waiting"
              : "dialling",
      trouble: line.trouble,
    }));
  }

  /** Connects to all, starts the nodes, and waits a little for the first template. Throws what the nodes' start throws. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, nodes, log } = this.#deps;
    this.#constraints = this.#deps.constraints();
    for (const line of this.#lines) this.#dial(line);
    const timer = clock.every(LOOK_EVERY_MS, () => this.#look());
    this.#subscriptions.push(() => timer.cancel());
    if (nodes !== undefined) {
      const candidate = this.#candidates.find(({ name }) => name === nodes.name);
      this.#subscriptions.push(
        nodes.onTemplate((template, cause) => {
          if (candidate !== undefined) this.#had(candidate, template, cause);
        }),
      );
      try {
        await nodes.start(signal);
      } catch (error) {
        await this.stop();
        throw error;
      }
      this.#look();
    }
    await this.#first(signal);
    if (this.#current === undefined) {
      log.error("no template provider gives work yet; there are no own templates until one does");
    }
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    for (const line of this.#lines) line.redial?.cancel();
    this.#over.abort();
    await Promise.all([...this.#running, this.#deps.nodes?.stop()]);
  }

  async #first(signal: AbortSignal): Promise<void> {
    if (this.#current !== undefined) return;
    const patience = new AbortController();
    const stop = this.onTemplate(() => patience.abort());
    const giveUp = (): void => patience.abort();
    signal.addEventListener("abort", giveUp, { once: true });
    await sleep(this.#deps.clock, this.#options.startWaitMs, patience.signal).catch(() => undefined);
    signal.removeEventListener("abort", giveUp);
    stop();
    signal.throwIfAborted();
  }

  #dial(line: ProviderLine): void {
    const { connectTimeoutMs } = this.#options;
    this.#lastConnection += 1;
    const options = { connection: this.#lastConnection, constraints: this.#constraints, connectTimeoutMs };
    const connection = new ProviderConnection(this.#deps, line.provider, options);
    line.connection = connection;
    this.#connections.push(connection);
    if (this.#connections.length > CONNECTIONS_KEPT) this.#connections.shift();
    const run = connection
      .run(
        {
          onTemplate: (template, cause) => {
            line.template = template;
            line.told = undefined;
            this.#had(line, template, cause);
          },
          onTip: (prevHash) => {
            for (const listener of this.#tipListeners) listener(line.name, prevHash);
          },
        },
        this.#over.signal,
      )
      .then((end) => this.#ended(line, end));
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }

  #ended(line: ProviderLine, { reason, fault }: ServiceEnd): void {
    if (this.#over.signal.aborted) return;
    const { clock, random, log, meter } = this.#deps;
    const nowMs = clock.monotonicMs();
    const wasSteady = line.sinceMs !== undefined && nowMs - line.sinceMs >= STEADY_MS;
    line.failures = wasSteady ? 1 : line.failures + 1;
    line.connection = undefined;
    line.template = undefined;
    line.trouble = reason;
    meter.count("template_provider_failures_total", 1, { provider: line.name });
    const level = line.told === reason ? "debug" : "warn";
    line.told = reason;
    log[level](`template provider ${line.name}: ${reason}${fault === undefined ? "" : `. ${fault.help}`}`, {
      provider: line.name,
      error: fault,
    });
    const pauseMs = Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(line.failures - 1, 10));
    line.redial = clock.after(pauseMs * (0.75 + randomU32(random) / 2 ** 33), () => this.#dial(line));
    this.#look();
  }

  /** A candidate has another template. */
  #had(candidate: Candidate, template: Template, cause: TemplateCause): void {
    candidate.sinceMs ??= this.#deps.clock.monotonicMs();
    if (candidate === this.#active) this.#offer(template, cause);
    else this.#look();
  }

  /** Looks who is to give work, and whether what we reserve has changed. */
  #look(): void {
    const { clock, log, meter } = this.#deps;
    const nowMs = clock.monotonicMs();
    this.#reserve();
    for (const candidate of this.#candidates) {
      if (candidate.current() === undefined) candidate.sinceMs = undefined;
      else candidate.sinceMs ??= nowMs;
      meter.gauge("template_source_up", candidate.sinceMs === undefined ? 0 : 1, { source: candidate.name });
    }
    const chosen = this.#choose(nowMs);
    if (chosen === this.#active) return;
    this.#active = chosen;
    const template = chosen?.current();
    if (chosen === undefined || template === undefined) {
      log.error("no source of templates can be used; miners stay on their last work for now");
      return;
    }
    log.info(`templates are taken from ${chosen.name}`);
    meter.count("template_source_switches_total", 1, { to: chosen.name });
    this.#offer(template, "newBlock");
  }

  #choose(nowMs: number): Candidate | undefined {
    const usable = this.#candidates.filter(({ sinceMs }) => sinceMs !== undefined);
    const active = this.#active;
    if (active === undefined || !usable.includes(active)) return usable[0];
    const { failbackMs } = this.#options;
    const better = usable.slice(0, usable.indexOf(active));
    return better.find(({ sinceMs = nowMs }) => nowMs - sinceMs >= failbackMs) ?? active;
  }

  #offer(template: Template, offered: TemplateCause): void {
    const { clock, log } = this.#deps;
    const last = this.#current;
    const nowMs = clock.monotonicMs();
    if (last !== undefined && template.source !== last.source && template.height < last.height) {
      // The other one knew of the newer block; this one is about to learn of it.
      if (nowMs - this.#currentMs < STEP_BACK_MS) {
        log.warn("held back a template of a lower height than the last one", { height: template.height });
        return;
      }
    }
    if (this.#options.fetch) void this.transactionsOf(template);
    const isSame = last !== undefined && isSameWork(last, template);
    const cause: TemplateCause = !isSame ? "newBlock" : offered === "newBlock" ? "refresh" : offered;
    this.#current = template;
    this.#currentMs = nowMs;
    for (const listener of this.#listeners) {
      try {
        listener(template, cause);
      } catch (error) {
        log.error(`a listener for templates failed: ${describe(error)}`, { error });
      }
    }
  }

  #reserve(): void {
    const wanted = this.#deps.constraints();
    if (wanted.bytes === this.#constraints.bytes && wanted.sigops === this.#constraints.sigops) return;
    this.#constraints = wanted;
    for (const { connection } of this.#lines) connection?.constrain(wanted);
  }
}
