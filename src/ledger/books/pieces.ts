/** Long work in pieces: a statement has a bound on its parameters (SQLite 32,766), and between two pieces the event loop is the miners'. */

/** `list` in pieces of `size`, the last one perhaps shorter. */
export function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

/** Resolves once all that waits in the event loop had its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
