/**
 * What is done at the node's word that it stops: it kills its modules about 200 ms later, without a signal that could be heard. Found blocks are on the disk
 * before they are submitted; what is left is the credit of the last shares. Source: blvm-node `src/node/mod.rs` (NodeShutdown, 100 ms, DataMaintenance,
 * 100 ms, SIGKILL).
 */
import type { Clock } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { describe } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import type { CreditLedger } from "../../ledger/credit/credit-ledger.ts";
import type { BllvmNode } from "../../node/bllvm/bllvm-node.ts";

/** What it works with. */
export interface GoodbyeDeps {
  readonly node: Pick<BllvmNode, "on">;
  readonly credit: Pick<CreditLedger, "flush" | "pendingShares">;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Our own log: the node takes no more lines. */
  readonly log: Log;
}

/** Writes credit at NodeShutdown, and at DataMaintenance that asks for it. */
export class Goodbye implements Part {
  readonly name = "goodbye";
  readonly #deps: GoodbyeDeps;
  readonly #subscriptions: Unsubscribe[] = [];

  constructor(deps: GoodbyeDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { node, log } = this.#deps;
    this.#subscriptions.push(
      node.on("NodeShutdown", ({ reason }) => {
        log.warn(`the bllvm node stops (${reason}): credit for shares is written now`);
        void this.#flush();
      }),
      node.on("DataMaintenance", ({ operation }) => {
        if (operation === "flush") void this.#flush();
      }),
    );
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
  }

  async #flush(): Promise<void> {
    const { credit, clock, log } = this.#deps;
    const shares = credit.pendingShares;
    if (shares === 0) return;
    const beganMs = clock.monotonicMs();
    try {
      await credit.flush();
      log.info(`credit for ${shares} shares was written in ${Math.ceil(clock.monotonicMs() - beganMs)} ms`);
    } catch (error) {
      log.error(`credit for ${shares} shares could not be written: ${describe(error)}`, { error });
    }
  }
}
