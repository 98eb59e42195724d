/** Things that go wrong on purpose: what a test or a demo makes the node do instead of answering well. */

/**
 * One misbehaviour: `delay` before the answer, `error` an RPC error instead of it, `http` a bare HTTP answer (e.g. 503), `hang`
 * no answer until the client gives up, `drop` the connection is cut without an answer.
 */
export type Disturbance =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "error"; readonly code: number; readonly message: string }
  | { readonly kind: "http"; readonly status: number; readonly body: string }
  | { readonly kind: "hang" }
  | { readonly kind: "drop" };

/** The misbehaviours in force, by RPC method. */
export class Disturbances {
  readonly #byMethod = new Map<string, { readonly disturbance: Disturbance; left: number }[]>();

  /**
   * The node claims to be in initial block download: getblockchaininfo says so and getblocktemplate fails with -10, as
   * Core does on mainnet.
   */
  initialBlockDownload = false;

  /** The node claims to have no peers: getblocktemplate fails with -9, as Core does on mainnet. */
  notConnected = false;

  /** Blocks by which getblockchaininfo's `headers` are ahead of its `blocks`. */
  headersAhead = 0;

  /** Adds one for `method`, or for all with `*`, for the next `times` calls. Several for one method act in order. */
  set(method: string, disturbance: Disturbance, times = Number.POSITIVE_INFINITY): void {
    const list = this.#byMethod.get(method) ?? [];
    list.push({ disturbance, left: times });
    this.#byMethod.set(method, list);
  }

  /** Takes back what was set for `method`, or everything, the public fields included. */
  clear(method?: string): void {
    if (method !== undefined) {
      this.#byMethod.delete(method);
      return;
    }
    this.#byMethod.clear();
    this.initialBlockDownload = false;
    this.notConnected = false;
    this.headersAhead = 0;
  }

  /** What one call of `method` suffers; counts as one of its times. */
  take(method: string): readonly Disturbance[] {
    const taken: Disturbance[] = [];
    for (const key of [method, "*"]) {
      const list = this.#byMethod.get(key);
      if (list === undefined) continue;
      for (const each of list) {
        each.left--;
        taken.push(each.disturbance);
      }
      const rest = list.filter((each) => each.left > 0);
      if (rest.length > 0) this.#byMethod.set(key, rest);
      else this.#byMethod.delete(key);
    }
    return taken;
  }
}
