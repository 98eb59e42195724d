/**
 * The templates of one node while work is taken from it: asked for at once when there is a new block, again and again in
 * between, and replaced by an empty one when the node takes long.
 */
import type { NetworkName } from "../../bitcoin/network.ts";
import type { Rpc } from "../../daemon/rpc.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import { type Clock, sleep, type Timer } from "../../kernel/clock.ts";
import type { Meter } from "../../kernel/meter.ts";
import type { Template } from "../../mining/template.ts";
import { type BlockHeaderAnswer, type BlockTemplateAnswer, blockTemplate, miningInfo } from "./answers.ts";
import { templateOfAnswer, templateRefusal, templateRequest } from "./block-template.ts";
import { emptyTemplate, nextBitsRule } from "./empty-template.ts";
import { isWorthAJob, type RefreshOptions } from "./refresh.ts";
import { MAX_TEMPLATE_BYTES, type TipNotice } from "./tip-notices.ts";

/** How templates are taken. */
export interface TemplateFeedOptions extends RefreshOptions {
  readonly network: NetworkName;
  /** `Template.source`. */
  readonly source: string;
  /** Ms between two requests for the same previous block, at most `refreshMs`. */
  readonly askMs: number;
  /** Ms after a new block's notice until an empty template is offered; `undefined` for never. */
  readonly emptyAfterMs: number | undefined;
}

/** What `TemplateFeed` needs. */
export interface TemplateFeedDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly meter: Meter;
  /** The verbose header of the node's best block, by display hex. */
  readonly header: (hash: string) => Promise<BlockHeaderAnswer>;
  /** Makes an id that no other template of the process has. */
  readonly nextId: (node: string) => string;
  /** Takes a template, `full` false for an empty one that stands in; answers whether it is wanted now. */
  readonly offer: (template: Template, full: boolean) => boolean;
  /** Told of a request that failed, and with `undefined` of one that worked. */
  readonly outcome: (error: unknown) => void;
}

/**
 * The node builds a template under the same lock that answers for headers, so the header is asked for first; but a slow
 * header must not hold up the template for longer than this, ms.
 */
const HEADER_HEAD_START_MS = 20;
/** Requests at a time: one that was overtaken by a new block, and the one for it. */
const MAX_REQUESTS = 2;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

/** Takes templates from one node. Used once: started, stopped, forgotten. */
export class TemplateFeed {
  readonly #deps: TemplateFeedDeps;
  readonly #options: TemplateFeedOptions;
  readonly #abort = new AbortController();
  /** Best block of the node as far as known, display hex. */
  #tip: string | undefined;
  /** Counts requests and notices, to tell answers from before a notice from those after it. */
  #turn = 0;
  #tipTurn = 0;
  #requests = 0;
  #again = false;
  #last: { readonly template: Template; readonly atMs: number; readonly full: boolean } | undefined;
  #askTimer: Timer | undefined;
  #emptyTimer: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;

  constructor(deps: TemplateFeedDeps, options: TemplateFeedOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Begins with a full template; `tip` is the node's best block if it is known. */
  start(tip: string | undefined): void {
    this.#tip = tip;
    void this.#ask();
  }

  /** Ends all requests; nothing is offered any more. */
  stop(): void {
    this.#abort.abort(new Error("work is no longer taken from this node"));
    this.#askTimer?.cancel();
    this.#emptyTimer?.cancel();
  }

  /** The node has another best block. */
  onTip(notice: TipNotice): void {
    if (this.#abort.signal.aborted || notice.hash === this.#tip) return;
    this.#tip = notice.hash;
    this.#tipTurn = ++this.#turn;
    this.#emptyTimer?.cancel();
    if (notice.template !== undefined) this.#answered(notice.template, ++this.#turn);
    else void this.#follow(notice.hash);
  }

  /** A template came without being asked for, by long poll. */
  onTemplate(answer: BlockTemplateAnswer): void {
    if (!this.#abort.signal.aborted) this.#answered(answer, ++this.#turn);
  }

  /** Gets the header of the new block, then the template on it; offers an empty one if that takes too long. */
  async #follow(hash: string): Promise<void> {
    const { clock } = this.#deps;
    const { emptyAfterMs } = this.#options;
    const last = this.#last?.template;
    if (emptyAfterMs !== undefined && last !== undefined) {
      const known = this.#nextBlock(hash);
      const offerEmpty = async (): Promise<void> => {
        const next = await known;
        if (next !== undefined) this.#offerEmpty(hash, next, last);
      };
      if (emptyAfterMs > 0) this.#emptyTimer = clock.after(emptyAfterMs, () => void offerEmpty());
      else void offerEmpty();
      const patience = new AbortController();
      await Promise.race([known, sleep(clock, HEADER_HEAD_START_MS, patience.signal).catch(() => undefined)]);
      patience.abort();
    }
    await this.#ask();
  }

  /** Header of the new best block and the compact target of the next; `undefined` when the full template must be waited for. */
  async #nextBlock(hash: string): Promise<{ tip: BlockHeaderAnswer; nBits: number } | undefined> {
    const { signal } = this.#abort;
    try {
      const tip = await this.#deps.header(hash);
      const rule = nextBitsRule(tip.height, this.#options.network);
      if (rule === "wait") return undefined;
      if (rule === "same") return { tip, nBits: Number.parseInt(tip.bits, 16) };
      const { next } = await this.#deps.rpc.call("getmininginfo", [], miningInfo, { signal });
      return next?.height === tip.height + 1 ? { tip, nBits: Number.parseInt(next.bits, 16) } : undefined;
    } catch {
      // The request for the template meets the same trouble and reports it.
      return undefined;
    }
  }

  #offerEmpty(hash: string, next: { tip: BlockHeaderAnswer; nBits: number }, last: Template): void {
    const { rpc, clock, nextId } = this.#deps;
    const overtaken = this.#tip !== hash || this.#isOn(hash);
    if (overtaken || this.#abort.signal.aborted) return;
    const nowS = Math.floor((clock.nowMs() + (rpc.clockOffsetMs ?? 0)) / 1000);
    const { network, source } = this.#options;
    const origin = { id: nextId(rpc.name), source, node: rpc.name };
    this.#offer(emptyTemplate({ ...next, network, nowS, last }, origin), false);
  }

  async #ask(): Promise<void> {
    if (this.#requests >= MAX_REQUESTS) {
      this.#again = true;
      return;
    }
    const { rpc, clock, meter } = this.#deps;
    const { signal } = this.#abort;
    const turn = ++this.#turn;
    const startedMs = clock.monotonicMs();
    this.#askTimer?.cancel();
    this.#requests += 1;
    try {
      const answer = await rpc.call("getblocktemplate", [templateRequest(this.#options.network)], blockTemplate, {
        signal,
        maxBytes: MAX_TEMPLATE_BYTES,
      });
      meter.observe("template_seconds", (clock.monotonicMs() - startedMs) / 1000, { node: rpc.name });
      if (!signal.aborted) this.#answered(answer, turn);
    } catch (error) {
      if (!signal.aborted) this.#failed(templateRefusal(error));
    } finally {
      this.#requests -= 1;
    }
    if (!this.#again || signal.aborted) return;
    this.#again = false;
    await this.#ask();
  }

  #answered(answer: BlockTemplateAnswer, turn: number): void {
    const { rpc, clock, nextId, outcome } = this.#deps;
    this.#askIn(this.#options.askMs);
    const hash = answer.previousblockhash;
    // Asked before the last notice came and on another block than it named: the node has moved on since.
    if (hash !== this.#tip && turn < this.#tipTurn) return;
    let template: Template;
    try {
      template = templateOfAnswer(answer, { id: nextId(rpc.name), source: this.#options.source, node: rpc.name });
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#tip = hash;
    outcome(undefined);
    const last = this.#last;
    const isWanted =
      last?.full !== true || isWorthAJob(last.template, template, clock.monotonicMs() - last.atMs, this.#options);
    if (isWanted) this.#offer(template, true);
  }

  #failed(error: unknown): void {
    this.#askIn(this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    this.#deps.outcome(error);
  }

  #offer(template: Template, full: boolean): void {
    this.#emptyTimer?.cancel();
    if (!this.#deps.offer(template, full)) return;
    this.#last = { template, atMs: this.#deps.clock.monotonicMs(), full };
  }

  #askIn(delayMs: number): void {
    this.#askTimer?.cancel();
    this.#askTimer = this.#deps.clock.after(delayMs, () => void this.#ask());
  }

  /** Whether the last template builds on `hash`. */
  #isOn(hash: string): boolean {
    return this.#last !== undefined && toDisplayHex(this.#last.template.prevHash) === hash;
  }
}
