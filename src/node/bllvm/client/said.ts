/** Keeps the log readable while a node comes and goes: each trouble is told once, and again only after a time without it. */
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";

/** Ms after which the same is news again. */
const NEWS_MS = 600_000;
/** Most different sentences that are remembered. */
const MOST = 64;

/** Says things once. */
export class Said {
  readonly #deps: { readonly clock: Clock; readonly log: Log };
  /** Sentence to the monotonic ms at which it was the case last. */
  readonly #lastMs = new Map<string, number>();

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps;
  }

  /** Says it at `level`, or at `debug` if it was the case a short while ago too. */
  say(level: "info" | "warn", sentence: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const lastMs = this.#lastMs.get(sentence);
    this.#lastMs.delete(sentence);
    this.#lastMs.set(sentence, nowMs);
    for (const oldest of this.#lastMs.keys()) {
      if (this.#lastMs.size <= MOST) break;
      this.#lastMs.delete(oldest);
    }
    const isNews = lastMs === undefined || nowMs - lastMs >= NEWS_MS;
    this.#deps.log[isNews ? level : "debug"](sentence);
  }
}
