/** How fast each caller may open channels: every opening costs a conversation and, where it takes another's place, that one's jobs. */
import type { Clock } from "../../../kernel/clock.ts";
import { Pace, type PaceOptions } from "../client/pacing.ts";

/** Options of `OpeningPaces`. */
export interface OpeningPacesOptions extends PaceOptions {
  /** Callers that are remembered; of more, the one that was quiet longest is forgotten and begins anew. */
  readonly maxCallers: number;
}

/** One pace for each caller. */
export class OpeningPaces {
  readonly #deps: { readonly clock: Clock };
  readonly #options: OpeningPacesOptions;
  /** In the order of their last opening, oldest first. */
  readonly #paces = new Map<string, Pace>();

  constructor(deps: { readonly clock: Clock }, options: OpeningPacesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Counts an opening: 0 when the caller may, else the ms that it has to wait. */
  waitMs(caller: string): number {
    const pace = this.#paces.get(caller) ?? new Pace(this.#deps, this.#options);
    this.#paces.delete(caller);
    this.#paces.set(caller, pace);
    for (const quiet of this.#paces.keys()) {
      if (this.#paces.size <= this.#options.maxCallers) break;
      this.#paces.delete(quiet);
    }
    return pace.take() ? 0 : pace.waitMs();
  }
}
