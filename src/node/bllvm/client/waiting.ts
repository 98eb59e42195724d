/** Calls that wait to be sent, those that matter most first, each sort within its own bound: reads can crowd out no block. */
import { OPERATIONS, type Operation } from "./operations.ts";

/** Most calls that wait, by priority. A submission carries a block of up to 4 MB. */
export const MOST_WAITING = [8, 256, 64] as const;

/** A queue by priority. */
export class Waiting<C extends { readonly operation: Operation }> {
  readonly #queues: readonly C[][] = MOST_WAITING.map(() => []);

  /** Calls that wait. */
  get size(): number {
    return this.#queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  /** Appends it; `false` when there are too many of its priority. */
  add(call: C): boolean {
    const { priority } = OPERATIONS[call.operation];
    const queue = this.#queues[priority];
    if (queue === undefined || queue.length >= MOST_WAITING[priority]) return false;
    queue.push(call);
    return true;
  }

  /** The one to be sent next. */
  first(): C | undefined {
    return this.#queues.find((queue) => queue.length > 0)?.[0];
  }

  /** Takes one out, wherever it stands. */
  remove(call: C): void {
    const queue = this.#queues[OPERATIONS[call.operation].priority];
    const at = queue?.indexOf(call) ?? -1;
    if (at >= 0) queue?.splice(at, 1);
  }

  /** Takes out all. */
  clear(): C[] {
    return this.#queues.flatMap((queue) => queue.splice(0));
  }
}
