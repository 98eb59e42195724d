/** Things that go wrong on purpose: what a test or a demo makes an embedded daemon do instead of answering well. */

/**
 * One misbehaviour: `delay` before the answer, `error` an RPC error instead of it, `http` a bare HTTP answer (e.g. 503, or 200
 * with a body that is no JSON), `hang` no answer until the client gives up, `drop` the connection is closed without an
 * answer, `reset` it is cut with a TCP reset.
 */
export type Disturbance =
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "error"; readonly code: number; readonly message: string }
  | { readonly kind: "http"; readonly status: number; readonly body: string }
  | { readonly kind: "hang" }
  | { readonly kind: "drop" }
  | { readonly kind: "reset" };

/** The misbehaviours in force, by RPC method. */
export class Disturbances {
  readonly #byMethod = new Map<string, { readonly disturbance: Disturbance; left: number }[]>();

  /** Adds one for `method`, or for all with `*`, for the next `times` calls. Several for one method act in order. */
  set(method: string, disturbance: Disturbance, times = Number.POSITIVE_INFINITY): void {
    const list = this.#byMethod.get(method) ?? [];
    list.push({ disturbance, left: times });
    this.#byMethod.set(method, list);
  }

  /** Takes back what was set for `method`, or everything. */
  clear(method?: string): void {
    if (method === undefined) this.#byMethod.clear();
    else this.#byMethod.delete(method);
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
