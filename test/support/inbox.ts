/** Messages as they arrived, and waiting for the next one of a kind: what scripted peers and the sniffer share. */

/** Why a wait ended without what it waited for. */
export class InboxTimeout extends Error {}

interface Waiter<T> {
  readonly wants: (item: T) => boolean;
  readonly resolve: (item: T) => void;
  readonly reject: (error: Error) => void;
}

/** An ordered list of items with a reading position. */
export class Inbox<T> {
  /** Everything that ever arrived. */
  readonly all: T[] = [];
  readonly #describe: (item: T) => string;
  #unread: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  #closed: string | undefined;

  /** `describe`: an item's name for messages of failed waits. */
  constructor(describe: (item: T) => string) {
    this.#describe = describe;
  }

  /** Items that no wait has passed yet. */
  get unread(): readonly T[] {
    return this.#unread;
  }

  /** Adds an item. */
  push(item: T): void {
    this.all.push(item);
    this.#unread.push(item);
    for (const waiter of this.#waiters) {
      if (!waiter.wants(item)) continue;
      this.#waiters.delete(waiter);
      this.#unread = [];
      waiter.resolve(item);
      return;
    }
  }

  /** No more will come: who waits is told so. */
  close(reason: string): void {
    this.#closed ??= reason;
    for (const waiter of this.#waiters) waiter.reject(this.#failure("the other side closed first", this.#closed));
    this.#waiters.clear();
  }

  /** The next unread item that `wants` accepts; it and everything before it count as read. */
  next(wants: (item: T) => boolean, what: string, timeoutMs: number): Promise<T> {
    const at = this.#unread.findIndex(wants);
    if (at >= 0) {
      const [found] = this.#unread.splice(0, at + 1).slice(-1);
      return Promise.resolve(found as T);
    }
    if (this.#closed !== undefined) return Promise.reject(this.#failure(what, this.#closed));
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = {
        wants,
        resolve: (item) => {
          clearTimeout(timer);
          resolve(item);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(this.#failure(what, `${timeoutMs} ms passed`));
      }, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Forgets what is unread. */
  skip(): void {
    this.#unread = [];
  }

  #failure(what: string, why: string): InboxTimeout {
    const unread = this.#unread.slice(-20).map(this.#describe).join(", ");
    return new InboxTimeout(`waited for ${what} in vain: ${why}; unread: ${unread === "" ? "nothing" : unread}`);
  }
}
