/**
 * The seed's ChainTipUpdated, which no node sends: made of NewBlock, of what is read after a connect or a ChainReorg, and of
 * polling, since events are dropped when the node's queue is full and none is sent again after a reconnect.
 */
import { equal } from "../../../kernel/bytes.ts";

/** A tip of the node's best chain. */
export interface Tip {
  /** `Uint8Array(32)`, internal byte order. */
  readonly blockHash: Uint8Array;
  readonly height: number;
}

/** The newest tip that is known, told once each time it is another one. */
export class TipWatch {
  readonly #onTip: (tip: Tip) => void;
  #tip: Tip | undefined;
  #events = 0;

  constructor(deps: { readonly onTip: (tip: Tip) => void }) {
    this.#onTip = deps.onTip;
  }

  /** The newest one; `undefined` before the first. */
  get tip(): Tip | undefined {
    return this.#tip;
  }

  /** An event named it. */
  fromEvent(tip: Tip): void {
    this.#events += 1;
    this.#offer(tip);
  }

  /** An event said that there is another tip, without its height: whatever is being read now may be older than that. */
  outdate(): void {
    this.#events += 1;
  }

  /**
   * Call it before a read is sent. What it gives takes the answer, and says whether that counted: an event that came in
   * between knows better, since the node sends answers and events on ways that overtake each other.
   */
  reading(): (tip: Tip) => boolean {
    const before = this.#events;
    return (tip) => {
      if (before !== this.#events) return false;
      this.#offer(tip);
      return true;
    };
  }

  #offer(tip: Tip): void {
    if (this.#tip !== undefined && equal(this.#tip.blockHash, tip.blockHash)) return;
    this.#tip = { blockHash: Uint8Array.from(tip.blockHash), height: tip.height };
    this.#onTip(this.#tip);
  }
}
