/**
 * Work from Bitcoin Core nodes: several are watched, the best one in order of preference gives the templates, and the next
 * takes over when it fails. What makes a node good enough is decided in `trust.ts`.
 */
import type { NetworkName } from "../../bitcoin/network.ts";
import type { Rpc } from "../../daemon/rpc.ts";
import type { ConnectSocket } from "../../daemon/socket.ts";
import { type Clock, sleep, type Timer } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { JobSource, TemplateCause } from "../../mining/ports.ts";
import { isSameWork, type Template } from "../../mining/template.ts";
import { NodeWatch, type NoticeChoice } from "./node-watch.ts";
import { type SourceStatus, sourceStatus } from "./status.ts";
import { TemplateFeed } from "./template-feed.ts";
import { choose, isBehind, type Judgement, judge, type NodeTip } from "./trust.ts";

/** One node, in order of preference. */
export interface SourceNode {
  readonly rpc: Rpc;
  /** `tcp://host:port` of bitcoind's `-zmqpubhashblock`. */
  readonly zmqAddress?: string;
  /**
   * Work is taken from it where there is no better node, and its word counts against none: it tells no work of its chain, or is known to take blocks that the
   * network refuses.
   */
  readonly isLastResort?: boolean;
}

/** What `BitcoindJobSource` needs. */
export interface JobSourceDeps {
  /** At least one; the first is preferred. Their connections stay the caller's to close. */
  readonly nodes: readonly SourceNode[];
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Opens the connections to ZMQ publishers; `connectTcp` in production. */
  readonly connect: ConnectSocket;
}

/** How work is taken. The defaults stand in `JOB_SOURCE_DEFAULTS`. */
export interface JobSourceOptions {
  readonly network: NetworkName;
  /** Name of the part and `Template.source`. */
  readonly name: string;
  /** How nodes tell of new blocks besides ZMQ. */
  readonly notice: NoticeChoice;
  /** Ms between health checks of every node; a new tip is seen then at the latest. */
  readonly pollMs: number;
  /** Least ms between two templates of the same previous block. */
  readonly refreshMs: number;
  /** Ms between requests for a template, so that risen fees are seen before `refreshMs`. */
  readonly askMs: number;
  /** Rise of the coinbase value that is offered at once, as a fraction. */
  readonly feeRise: number;
  /** Ms from a new block's notice to an empty template when the full one has not come; `undefined` for never. */
  readonly emptyAfterMs: number | undefined;
  /** Ms for which a preferred node must be trusted before work is taken from it again. */
  readonly failbackMs: number;
  /** Age in ms of the best block from which on the operator is warned. */
  readonly staleTipMs: number;
  /** Ms that a node may lack another's best block before the other is preferred. */
  readonly lagMs: number;
  /** Ms for which headers may be ahead of blocks before other nodes are preferred. */
  readonly catchUpMs: number;
  /** Ms without any usable node after which `current()` gives nothing: by then the work is probably stale. */
  readonly withdrawAfterMs: number;
  /** Ms that `start` waits for the first template before it goes on without. */
  readonly startWaitMs: number;
}

/** Values that fit mainnet and harm nowhere else. */
export const JOB_SOURCE_DEFAULTS = {
  name: "bitcoind",
  notice: "auto",
  pollMs: 10_000,
  refreshMs: 30_000,
  askMs: 10_000,
  feeRise: 0.01,
  emptyAfterMs: 50,
  failbackMs: 120_000,
  staleTipMs: 5_400_000,
  lagMs: 3_000,
  catchUpMs: 30_000,
  withdrawAfterMs: 60_000,
  startWaitMs: 10_000,
} as const satisfies Omit<JobSourceOptions, "network">;

/** How often time alone can change the judgement. */
const JUDGE_EVERY_MS = 1_000;
/** Ms for which a template of a lower height from another node is held back: that node will catch up in seconds. */
const STEP_BACK_MS = 30_000;
/** How long `start` waits for a slow node while another has answered. */
const FIRST_CHECK_MS = 3_000;

/** Bitcoin Core nodes as a source of work. */
export class BitcoindJobSource implements JobSource {
  readonly name: string;
  readonly #deps: JobSourceDeps;
  readonly #options: JobSourceOptions;
  readonly #watches: readonly NodeWatch[];
  readonly #judgements: Judgement[];
  readonly #trustedSinceMs: (number | undefined)[];
  readonly #listeners = new Set<(template: Template, cause: TemplateCause) => void>();
  readonly #statusListeners = new Set<(status: SourceStatus) => void>();
  readonly #warned: (string | undefined)[] = [];
  #active: number | undefined;
  #feed: TemplateFeed | undefined;
  #current: Template | undefined;
  #currentNode: number | undefined;
  #currentFull = false;
  #currentMs = 0;
  #unusableSinceMs: number | undefined;
  #withdrawn = false;
  #templates = 0;
  #judgeTimer: Timer | undefined;
  #judging = false;

  constructor(deps: JobSourceDeps, options: JobSourceOptions) {
    if (deps.nodes.length === 0) throw new TypeError("a job source needs at least one node");
    this.name = options.name;
    this.#deps = deps;
    this.#options = options;
    this.#watches = deps.nodes.map(
      ({ rpc, zmqAddress }) => new NodeWatch({ ...deps, rpc }, { ...options, zmqAddress }),
    );
    this.#judgements = this.#watches.map(() => ({ trust: "unusable", fault: undefined, warnings: [] }));
    this.#trustedSinceMs = this.#watches.map(() => undefined);
    this.#watches.forEach((watch, index) => {
      watch.listen({
        onTip: (notice) => {
          this.#deps.log.debug(`node ${watch.rpc.name} has a new block, told by ${notice.kind}`, { hash: notice.hash });
          if (this.#active === index) this.#feed?.onTip(notice);
        },
        onTemplate: (notice) => {
          if (this.#active === index && notice.template !== undefined) this.#feed?.onTemplate(notice.template);
        },
        onFacts: () => this.#judge(),
      });
    });
  }

  current(): Template | undefined {
    return this.#withdrawn ? undefined : this.#current;
  }

  onTemplate(listener: (template: Template, cause: TemplateCause) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Whether a node gives work now. */
  isUsable(): boolean {
    return this.#active !== undefined;
  }

  /** Calls `listener` with the state of all nodes whenever the judgement of one or the choice changed. */
  onStatus(listener: (status: SourceStatus) => void): Unsubscribe {
    this.#statusListeners.add(listener);
    return () => void this.#statusListeners.delete(listener);
  }

  /** The state of all nodes now. */
  status(): SourceStatus {
    const { clock } = this.#deps;
    return sourceStatus(this.#watches, this.#judgements, this.#active, {
      template: this.current(),
      templateAgeMs: this.#current === undefined ? undefined : clock.monotonicMs() - this.#currentMs,
    });
  }

  /**
   * Watches all nodes and waits a little for the first template. Throws `Fault("node-wrong-network")` when a node is on
   * another network; every other trouble is logged, and work begins when it is over.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const patience = new AbortController();
    const giveUp = (): void => patience.abort();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      const checks = this.#watches.map((watch) => watch.start());
      const waited = sleep(clock, FIRST_CHECK_MS, patience.signal).catch(() => undefined);
      const givenUp = new Promise<void>((resolve) => {
        patience.signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([Promise.all(checks), waited.then(() => Promise.race([...checks, givenUp]))]);
      const wrong = this.#watches
        .filter((_, index) => !this.#isLastResort(index))
        .map(({ facts }) => facts.fault)
        .find((fault) => fault?.code === "node-wrong-network");
      if (wrong !== undefined) throw wrong;
      signal.throwIfAborted();
      // Only now: the first node to answer need not be the preferred one.
      this.#judging = true;
      this.#judgeTimer = clock.every(JUDGE_EVERY_MS, () => this.#judge());
      this.#judge();
      await this.#firstTemplate(patience.signal);
      signal.throwIfAborted();
      if (this.#current === undefined)
        log.error("no Bitcoin node gives work yet; there are no own templates until one does");
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      patience.abort();
      signal.removeEventListener("abort", giveUp);
    }
  }

  async stop(): Promise<void> {
    this.#judging = false;
    this.#judgeTimer?.cancel();
    this.#feed?.stop();
    this.#feed = undefined;
    this.#active = undefined;
    await Promise.all(this.#watches.map((watch) => watch.stop()));
  }

  async #firstTemplate(signal: AbortSignal): Promise<void> {
    if (this.#current !== undefined || this.#active === undefined) return;
    await new Promise<void>((resolve) => {
      const stop = this.onTemplate(() => resolve());
      sleep(this.#deps.clock, this.#options.startWaitMs, signal)
        .catch(() => undefined)
        .finally(() => {
          stop();
          resolve();
        });
    });
  }

  /** Judges all nodes anew and changes over if another one is to be preferred. */
  #judge(): void {
    if (!this.#judging) return;
    const { clock } = this.#deps;
    const now = { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    this.#markBehind(now.monotonicMs);
    let changed = false;
    this.#watches.forEach((watch, index) => {
      const before = this.#judgements[index];
      const judgement = judge(watch.facts, this.#options, now);
      this.#judgements[index] = judgement;
      const since = this.#trustedSinceMs[index];
      this.#trustedSinceMs[index] = judgement.trust === "trusted" ? (since ?? now.monotonicMs) : undefined;
      changed ||= before?.trust !== judgement.trust || before.fault?.code !== judgement.fault?.code;
      this.#warn(index, watch.rpc.name, judgement);
    });
    const candidates = this.#judgements.map(({ trust }, index) => ({
      trust,
      trustedSinceMs: this.#trustedSinceMs[index],
    }));
    const chosen = choose(candidates, this.#active, { failbackMs: this.#options.failbackMs, ...now });
    if (chosen !== this.#active) {
      changed = true;
      this.#changeOver(chosen);
    }
    this.#withdraw(now.monotonicMs);
    if (changed) for (const listener of this.#statusListeners) listener(this.status());
  }

  /** Where there are no others, a last resort is a node like any. */
  #isLastResort(index: number): boolean {
    const { nodes } = this.#deps;
    return nodes[index]?.isLastResort === true && nodes.some(({ isLastResort }) => isLastResort !== true);
  }

  /** Notes for each node since when another usable one has a better chain. */
  #markBehind(monotonicMs: number): void {
    const tips = this.#watches.flatMap(({ facts }, index) =>
      !this.#isLastResort(index) &&
      facts.tip !== undefined &&
      facts.fault === undefined &&
      this.#judgements[index]?.trust !== "unusable"
        ? [facts.tip]
        : [],
    );
    for (const watch of this.#watches) {
      const { tip, behindSinceMs } = watch.facts;
      const isLate = tip !== undefined && tips.some((other: NodeTip) => isBehind(tip, other));
      watch.markBehind(isLate ? (behindSinceMs ?? monotonicMs) : undefined);
    }
  }

  /** Says once what is wrong with a node that answers; what keeps it from answering was said by its watch. */
  #warn(index: number, node: string, { trust, fault, warnings }: Judgement): void {
    const own = this.#watches[index]?.facts.fault;
    const all = fault === undefined || fault === own ? warnings : [fault, ...warnings];
    const codes = all.map(({ code }) => code).join();
    if (this.#warned[index] === codes) return;
    this.#warned[index] = codes;
    for (const concern of all) {
      this.#deps.log.warn(`node ${node} is ${trust}: ${describe(concern)}. ${concern.help}`, { error: concern });
    }
  }

  #changeOver(chosen: number | undefined): void {
    const { log, clock, meter } = this.#deps;
    this.#feed?.stop();
    this.#feed = undefined;
    this.#active = chosen;
    const watch = chosen === undefined ? undefined : this.#watches[chosen];
    if (watch === undefined) {
      log.error("no Bitcoin node can be used; miners stay on their last work for now");
      return;
    }
    log.info(`work is taken from node ${watch.rpc.name}`, { address: watch.rpc.address });
    const feed = new TemplateFeed(
      {
        rpc: watch.rpc,
        clock,
        meter,
        header: (hash) => watch.header(hash),
        nextId: (node) => `${node}/${++this.#templates}`,
        offer: (template, full) => this.#offer(template, full, chosen),
        outcome: (error) => watch.reportTemplate(asTemplateFault(error, watch.rpc.name)),
      },
      { ...this.#options, source: this.name },
    );
    this.#feed = feed;
    feed.start(watch.facts.tip?.hash);
  }

  #offer(template: Template, full: boolean, node: number | undefined): boolean {
    const { clock, log } = this.#deps;
    const nowMs = clock.monotonicMs();
    const last = this.current();
    const sameWork = last !== undefined && isSameWork(last, template);
    if (last !== undefined && node !== this.#currentNode && template.height < last.height) {
      // The other node knew of the newer block before it failed; this one is about to learn of it.
      if (nowMs - this.#currentMs < STEP_BACK_MS) {
        log.warn("held back a template of a lower height than the last one", { height: template.height });
        return false;
      }
    }
    const cause: TemplateCause = !sameWork ? "newBlock" : this.#currentFull ? "refresh" : "fill";
    this.#current = template;
    this.#currentNode = node;
    this.#currentFull = full;
    this.#currentMs = nowMs;
    this.#withdrawn = false;
    for (const listener of this.#listeners) {
      try {
        listener(template, cause);
      } catch (error) {
        log.error(`a listener for templates failed: ${describe(error)}`, { error });
      }
    }
    return true;
  }

  /** Takes the work back once no node has been usable for too long. */
  #withdraw(monotonicMs: number): void {
    if (this.#active !== undefined) {
      this.#unusableSinceMs = undefined;
      return;
    }
    this.#unusableSinceMs ??= monotonicMs;
    if (this.#withdrawn || this.#current === undefined) return;
    if (monotonicMs - this.#unusableSinceMs < this.#options.withdrawAfterMs) return;
    this.#withdrawn = true;
    this.#deps.log.error("the last work is withdrawn: no Bitcoin node has been usable for too long");
  }
}

function asTemplateFault(error: unknown, node: string): Fault | undefined {
  if (error === undefined || error instanceof Fault) return error;
  return new Fault("node-template-unusable", { node, reason: describe(error) });
}
