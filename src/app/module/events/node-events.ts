/** From the node to the server's bus: what the node tells of the chain, under its own names, for whoever in the server wants to know. */
import type { Bus, Unsubscribe } from "../../../kernel/events.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { BllvmEvents, BllvmNode } from "../../../node/bllvm/bllvm-node.ts";

/** Names of what is passed on. NodeShutdown and DataMaintenance are not: they are meant for whoever runs us. */
export const NODE_EVENTS = [
  "NewBlock",
  "BlockDisconnected",
  "ChainReorg",
  "BlockMined",
  "BlockTemplateUpdated",
  "MiningDifficultyChanged",
  "ChainTipUpdated",
] as const satisfies readonly (keyof BllvmEvents)[];

/** Events of the node on the bus, by name. */
export type NodeEvents = Readonly<Pick<BllvmEvents, (typeof NODE_EVENTS)[number]>>;

/** What passing on works with. */
export interface NodeEventsDeps {
  readonly node: Pick<BllvmNode, "on">;
  readonly bus: Pick<Bus<NodeEvents>, "emit">;
}

/** Passes events on between start and stop. */
export class NodeEventsToBus implements Part {
  readonly name = "events of the bllvm node";
  readonly #deps: NodeEventsDeps;
  readonly #subscriptions: Unsubscribe[] = [];

  constructor(deps: NodeEventsDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (const name of NODE_EVENTS) this.#pass(name);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
  }

  #pass<N extends keyof NodeEvents>(name: N): void {
    const { node, bus } = this.#deps;
    this.#subscriptions.push(node.on(name, (event: BllvmEvents[N]) => bus.emit(name, event)));
  }
}
