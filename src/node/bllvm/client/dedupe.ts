/**
 * Events that arrive twice. The node keeps a subscription for each type and connection without looking whether it is there
 * already, so the same event may come twice in a row; nothing in it but its content tells.
 * Source: blvm-node `src/module/api/events.rs` 79-84.
 */
import { toHex } from "../../../kernel/bytes.ts";
import type { Clock } from "../../../kernel/clock.ts";
import type { BllvmEvents } from "../bllvm-node.ts";

/** How long a content is remembered: a repetition comes at once, a chain may honestly come back to a block later. */
const REMEMBER_MS = 5_000;
/** Most contents remembered. */
const MOST = 256;

/** Remembers what was told lately. */
export class Dedupe {
  readonly #clock: Clock;
  /** Content to the monotonic ms at which it was told, oldest first. */
  readonly #told = new Map<string, number>();

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Whether this event is to be told, that is, not the repetition of one that was told a moment ago. */
  isNew<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, atMs] of this.#told) {
      if (nowMs - atMs < REMEMBER_MS && this.#told.size < MOST) break;
      this.#told.delete(key);
    }
    const key = `${name} ${content(event)}`;
    if (this.#told.has(key)) return false;
    for (const undone of undoes(name, event)) this.#told.delete(undone);
    this.#told.set(key, nowMs);
    return true;
  }
}

/** Keys of what `event` makes possible again: a chain that left a block may come back to it, however quickly. */
function undoes<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): string[] {
  const told = { name, event } as Told;
  if (told.name === "NewBlock") return [`BlockDisconnected ${toHex(told.event.blockHash)}/${told.event.height}`];
  if (told.name === "BlockDisconnected") return [`NewBlock ${toHex(told.event.hash)}/${told.event.height}`];
  if (told.name === "ChainReorg") return [`ChainReorg ${toHex(told.event.newTip)}/${toHex(told.event.oldTip)}`];
  return [];
}

type Told = { [N in keyof BllvmEvents]: { readonly name: N; readonly event: BllvmEvents[N] } }[keyof BllvmEvents];

function content(event: object): string {
  return Object.values(event)
    .map((value) => (value instanceof Uint8Array ? toHex(value) : String(value)))
    .join("/");
}
