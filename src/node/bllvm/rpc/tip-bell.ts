/** Rings when the bllvm node's tip may be another: at its events and at every change of the connection. */
import { type Clock, sleep } from "../../../kernel/clock.ts";
import type { BllvmEvents, BllvmNode } from "../bllvm-node.ts";

/**
 * Events after which the tip is read again. `BlockMined` is among them, but says nothing by itself: the node sends it when a block
 * that was submitted is queued, before it is checked (blvm-node `src/rpc/mining.rs`, `submit_block`).
 */
const OF_THE_TIP = [
  "NewBlock",
  "ChainReorg",
  "BlockDisconnected",
  "BlockMined",
  "ChainTipUpdated",
] as const satisfies readonly (keyof BllvmEvents)[];

/** A bell for one who waits. Holds listeners at the node until it is put away. */
export class TipBell {
  readonly #ends: readonly (() => void)[];
  #rang = false;
  #wake: (() => void) | undefined;

  constructor(node: Pick<BllvmNode, "on" | "onState">) {
    const ring = (): void => this.ring();
    this.#ends = [...OF_THE_TIP.map((name) => node.on(name, ring)), node.onState(ring)];
  }

  /** Rings it by hand. */
  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  /** Resolves when it rings, at once if it has since the last call, after `waitMs`, or when `signal` aborts. Never rejects. */
  async rings(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#wake = () => over.abort();
    signal.addEventListener("abort", this.#wake, { once: true });
    if (this.#rang || signal.aborted) over.abort();
    await sleep(clock, waitMs, over.signal).catch(() => undefined);
    signal.removeEventListener("abort", this.#wake);
    this.#wake = undefined;
    this.#rang = false;
  }

  /** Ends listening. */
  putAway(): void {
    for (const end of this.#ends) end();
  }
}
