/**
 * Keeps the tip: what events say of it, and reading it after a connect, after events that leave it open, and every few seconds.
 * A node without a tip closes the connection at the first question, so on each connection one question goes ahead, alone.
 */
import { Polling } from "../../../daemon/polling.ts";
import { equal } from "../../../kernel/bytes.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { NodeEvent } from "./events.ts";
import type { Requests } from "./requests.ts";
import { type Tip, TipWatch } from "./tip.ts";

/** What the reader needs. */
export interface TipReaderDeps {
  readonly clock: Clock;
  readonly requests: Pick<Requests, "probeTip" | "tip">;
  /** Which connection is served now, if any: another object for each. */
  readonly served: () => object | undefined;
  readonly onTip: (tip: Tip) => void;
  /** A look is over, whatever came of it. */
  readonly onLooked: () => void;
}

/** The tip of one client. */
export class TipReader {
  readonly #deps: TipReaderDeps;
  readonly #watch: TipWatch;
  readonly #polling: Polling;
  /** The connection on which the node proved to have a tip. */
  #probed: object | undefined;

  constructor(deps: TipReaderDeps, options: { readonly everyMs: number }) {
    this.#deps = deps;
    this.#watch = new TipWatch(deps);
    this.#polling = new Polling(deps, { everyMs: options.everyMs, run: () => this.#look() });
  }

  /** The newest one; `undefined` before the first. */
  get tip(): Tip | undefined {
    return this.#watch.tip;
  }

  /** Reads it now. */
  look(): void {
    this.#polling.poke();
  }

  async stop(): Promise<void> {
    await this.#polling.stop();
  }

  /** Takes what an event says. What the node's RPC mines makes no NewBlock, so other events that name a block are looked into. */
  onEvent(told: NodeEvent): void {
    if (told.name === "NewBlock") {
      this.#watch.fromEvent(told.event);
    } else if (told.name === "ChainReorg" || told.name === "BlockDisconnected") {
      this.#watch.outdate();
      this.look();
    } else if (told.name === "BlockMined") {
      this.#lookUnless(told.event.blockHash);
    } else if (told.name === "BlockTemplateUpdated") {
      this.#lookUnless(told.event.prevHash);
    }
  }

  #lookUnless(hash: Uint8Array): void {
    if (this.tip === undefined || !equal(this.tip.blockHash, hash)) this.look();
  }

  async #look(): Promise<void> {
    const { served, requests, onLooked } = this.#deps;
    const connection = served();
    if (connection === undefined) return;
    try {
      if (this.#probed !== connection) await requests.probeTip();
      this.#probed = connection;
      const take = this.#watch.reading();
      if (take(await requests.tip())) this.look();
    } finally {
      onLooked();
    }
  }
}
