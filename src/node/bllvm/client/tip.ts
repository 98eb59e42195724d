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
  #isVague = false;

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
    this.#isVague = false;
    this.#offer(tip);
  }

  /** An event said that there is another tip, but not its height: it must be read. */
  outdate(): void {
    this.#events += 1;
    this.#isVague = true;
  }

  /**
   * Call it before a read is sent. What it gives takes the answer, and says whether it must be read again: where an event came in
   * between, that one knows better, since the node sends answers and events on ways that overtake each other.
   */
  reading(): (tip: Tip) => boolean {
    const before = this.#events;
    return (tip) => {
      if (before !== this.#events) return this.#isVague;
      this.#isVague = false;
      this.#offer(tip);
      return false;
    };
  }

  #offer(tip: Tip): void {
    if (this.#tip !== undefined && equal(this.#tip.blockHash, tip.blockHash)) return;
    this.#tip = { blockHash: Uint8Array.from(tip.blockHash), height: tip.height };
    this.#onTip(this.#tip);
  }
}
