/**
 * The file that says "keep away": the stand-in that registers us with the node creates it while the node starts it, since a
 * connection of ours at that moment would make the node's start wait for us. Source: reference to the node's `src/module/process/spawner.rs` 177-213.
 */
import type { Files } from "../../../daemon/files.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";

/** How often it is looked for, ms: as long as a node's start may have to wait for us. */
export const HOLD_POLL_MS = 500;
/** The stand-in lives for three seconds; a file that stays this long, ms, is one that it could not remove when it was killed. */
const STALE_MS = 30_000;

/** What `Hold` looks with. */
export interface HoldDeps {
  readonly files: Pick<Files, "read">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Looks for the file. */
export class Hold {
  readonly #deps: HoldDeps;
  readonly #path: string;
  #sinceMs: number | undefined;
  #isSaid = false;

  constructor(deps: HoldDeps, options: { readonly path: string }) {
    this.#deps = deps;
    this.#path = options.path;
  }

  /** Whether to keep away. What cannot be looked at counts as there: staying away for a while harms nobody. */
  async isOn(): Promise<boolean> {
    const { clock, log } = this.#deps;
    if (!(await this.#isThere())) {
      this.#sinceMs = undefined;
      this.#isSaid = false;
      return false;
    }
    const nowMs = clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < STALE_MS) return true;
    if (!this.#isSaid) {
      this.#isSaid = true;
      log.warn(`${this.#path} is passed over: what made it was killed ${STALE_MS / 1000} s ago or earlier. Remove it`);
    }
    return false;
  }

  async #isThere(): Promise<boolean> {
    try {
      await this.#deps.files.read(this.#path, 4096);
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      return code !== "ENOENT" && code !== "ENOTDIR";
    }
  }
}
