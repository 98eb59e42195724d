/** Lists in pieces: a statement has a bound on its parameters (SQLite 32,766), and a piece at a time leaves the event loop to the miners in between. */

/** `list` in pieces of `size`, the last one perhaps shorter. */
export function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}
