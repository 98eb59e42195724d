/** Nodes of one process that exchange blocks, in place of a peer-to-peer network. Transactions are not exchanged. */
import type { Unsubscribe } from "../../kernel/events.ts";
import type { BlockData } from "./block-data.ts";
import type { BlockNode } from "./block-index.ts";
import type { Chain } from "./chain.ts";

/** One node's connections. */
export class Peering {
  readonly #chain: Chain;
  readonly #peers = new Map<Peering, Unsubscribe>();

  constructor(deps: { readonly chain: Chain }) {
    this.#chain = deps.chain;
  }

  /** Number of peers. */
  get size(): number {
    return this.#peers.size;
  }

  /** Exchanges blocks both ways from now on, beginning with what only one side knows and still has the content of. */
  connect(peer: Peering): void {
    if (peer === this || this.#peers.has(peer)) return;
    this.#link(peer);
    peer.#link(this);
    this.#offer(peer);
    peer.#offer(this);
  }

  /** Ends the exchange with `peer`. */
  disconnect(peer: Peering): void {
    this.#unlink(peer);
    peer.#unlink(this);
  }

  /** Ends the exchange with everyone. */
  disconnectAll(): void {
    for (const peer of [...this.#peers.keys()]) this.disconnect(peer);
  }

  #link(peer: Peering): void {
    this.#peers.set(
      peer,
      this.#chain.events.on("tip", () => this.#offer(peer)),
    );
  }

  #unlink(peer: Peering): void {
    this.#peers.get(peer)?.();
    this.#peers.delete(peer);
  }

  /** Gives `peer` the blocks of the active chain that it lacks, oldest first. */
  #offer(peer: Peering): void {
    const missing: BlockData[] = [];
    for (let at: BlockNode | undefined = this.#chain.tip; at?.data !== undefined; at = at.prev) {
      if ((peer.#chain.find(at.key)?.txCount ?? 0) > 0) break;
      missing.push(at.data);
    }
    for (const data of missing.reverse()) peer.#chain.submit(data);
  }
}
