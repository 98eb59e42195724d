/**
 * The node's events (blvm-node `src/module/api/events.rs`): subscribers by type as a list in which an id may stand twice, one
 * channel of 100 messages an id that drops when it is full, and nothing kept for who is away.
 */
import type { AnyEvent, EventName, EventTypeName } from "./messages.ts";

/** Messages that wait for a module's connection at most. */
export const CHANNEL_SIZE = 100;

/** What carries events to one connection; emptied behind the caller's back, as the node's forwarding task does. */
export class EventChannel {
  readonly #deliver: (event: AnyEvent) => void;
  #waiting: AnyEvent[] = [];
  #scheduled = false;
  #closed = false;

  constructor(deps: { readonly deliver: (event: AnyEvent) => void }) {
    this.#deliver = deps.deliver;
  }

  /** Whether `event` found room. */
  offer(event: AnyEvent): boolean {
    if (this.#closed || this.#waiting.length >= CHANNEL_SIZE) return false;
    this.#waiting.push(event);
    if (!this.#scheduled) setImmediate(() => this.#drain());
    this.#scheduled = true;
    return true;
  }

  /** Forgets what waits. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #drain(): void {
    this.#scheduled = false;
    for (const event of this.#waiting.splice(0)) this.#deliver(event);
  }
}

/** Who gets what. */
export class EventHub {
  readonly #subscribers = new Map<EventTypeName, string[]>();
  readonly #channels = new Map<string, EventChannel>();
  #toDrop = 0;
  /** Every event that was published, by the node or by a module. */
  readonly published: AnyEvent[] = [];
  /** How often a full channel or a fault on demand cost a subscriber an event. */
  dropped = 0;

  /** Appends `moduleId` to the lists of `types`, also where it stands already; its channel is `channel` from now on. */
  subscribe(moduleId: string, types: readonly EventTypeName[], channel: EventChannel): void {
    this.#channels.set(moduleId, channel);
    for (const type of types) this.#subscribers.set(type, [...(this.#subscribers.get(type) ?? []), moduleId]);
  }

  /** Removes everything under `moduleId`, whichever connection it belongs to by now. */
  unsubscribe(moduleId: string): void {
    this.#channels.delete(moduleId);
    for (const [type, ids] of this.#subscribers) {
      this.#subscribers.set(
        type,
        ids.filter((id) => id !== moduleId),
      );
    }
  }

  /** Ids subscribed to `type`, with repetitions. */
  subscribersOf(type: EventName): readonly string[] {
    return this.#subscribers.get(type) ?? [];
  }

  /** Loses the next `count` events. */
  dropNext(count: number): void {
    this.#toDrop += count;
  }

  /** Offers `event` to every subscriber. */
  publish(event: AnyEvent): void {
    this.published.push(event);
    if (this.#toDrop > 0) {
      this.#toDrop--;
      this.dropped++;
      return;
    }
    for (const id of this.subscribersOf(event.name)) {
      if (this.#channels.get(id)?.offer(event) === false) this.dropped++;
    }
  }
}
