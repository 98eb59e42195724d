/**
 * Who may write next. On one connection messages are apart in time, so each waits until the one before is done with; different
 * connections have nothing to do with each other, and a hundred of them may be written to before the network is looked at.
 */
import type { Network } from "./network.ts";

/** Keeps messages of one connection apart. */
export class Turns {
  readonly #network: Network;
  readonly #busy = new Set<unknown>();

  constructor(deps: { readonly network: Network }) {
    this.#network = deps.network;
  }

  /** Resolves when nothing is under way on `connection`, which then has the turn. */
  async take(connection: unknown): Promise<void> {
    if (this.#busy.has(connection)) await this.end();
    this.#busy.add(connection);
  }

  /** Resolves when nothing is under way anywhere. */
  async end(): Promise<void> {
    await this.#network.settle();
    this.#busy.clear();
  }
}
