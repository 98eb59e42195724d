/** A typed in-process bus. Listeners run synchronously in order; one that throws is reported and harms nobody else. */

/** Stops a subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

/** Events by name with the type of what they carry. */
export class Bus<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();
  readonly #onError: (error: unknown, name: keyof Events) => void;

  /** `onError` is told of a listener that threw. */
  constructor(deps: { onError: (error: unknown, name: keyof Events) => void }) {
    this.#onError = deps.onError;
  }

  /** Calls `listener` for every later event `name`. */
  on<N extends keyof Events>(name: N, listener: (event: Events[N]) => void): Unsubscribe {
    let set = this.#listeners.get(name);
    if (set === undefined) {
      set = new Set();
      this.#listeners.set(name, set);
    }
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** Tells all listeners of `name`. */
  emit<N extends keyof Events>(name: N, event: Events[N]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (event: Events[N]) => void)(event);
      } catch (error) {
        this.#onError(error, name);
      }
    }
  }
}
