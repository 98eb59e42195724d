/**
 * namecoind's templates of AuxPoW blocks (src/rpc/auxpow_miner.cpp), its bugs included: one current template for each
 * payout script, refreshed when the tip changed, or after 60 s when the waiting transactions did. The refreshed one is
 * handed out once and then forgotten in favour of the old one, because the table of current templates is filled with
 * `emplace`. What was handed out can be submitted until a *create* call sees another tip.
 */

import { toHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { BlockDraft, NamecoinBlock, NamecoinChain } from "./chain.ts";

/** A template is refreshed after this long when only the waiting transactions changed, ms. */
const REFRESH_MS = 60_000;

/** What templates are made with. */
export interface TemplateDeps {
  readonly chain: NamecoinChain;
  readonly clock: Clock;
  /** Makes the block to be solved, on the tip; what it throws goes to the caller of `create`. */
  readonly build: (script: Uint8Array) => BlockDraft;
}

/** The cache; a restarted daemon has a new one. */
export class AuxTemplates {
  readonly #deps: TemplateDeps;
  readonly #current = new Map<string, BlockDraft>();
  readonly #all = new Map<string, BlockDraft>();
  #tip: NamecoinBlock | undefined;
  #updates = 0;
  #builtMs = 0;

  constructor(deps: TemplateDeps) {
    this.#deps = deps;
  }

  /** The template to be mined for `script` now. */
  create(script: Uint8Array): BlockDraft {
    const { chain, clock, build } = this.#deps;
    const owner = toHex(script);
    const current = this.#current.get(owner);
    const isRefreshDue = chain.updates !== this.#updates && clock.monotonicMs() - this.#builtMs > REFRESH_MS;
    if (current !== undefined && this.#tip === chain.tip && !isRefreshDue) return current;
    if (this.#tip !== chain.tip) {
      this.#all.clear();
      this.#current.clear();
    }
    const built = build(script);
    this.#updates = chain.updates;
    this.#tip = chain.tip;
    this.#builtMs = clock.monotonicMs();
    if (!this.#current.has(owner)) this.#current.set(owner, built);
    this.#all.set(built.key, built);
    return built;
  }

  /** The template with the hash `key` (display order, lower case), if it was handed out since the tip was last seen to change. */
  find(key: string): BlockDraft | undefined {
    return this.#all.get(key);
  }
}
