/** Rows for statements that insert many at once. */

/** Rows of the largest chunk; with up to eight columns far below SQLite's 32,766 parameters of a statement. */
const MAX_ROWS = 1024;

/**
 * Cuts `rows` into chunks whose lengths are powers of two, the largest first: so a table needs eleven prepared statements at most, whatever
 * the number of rows.
 */
export function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  let size = MAX_ROWS;
  for (let at = 0; at < rows.length; at += size) {
    while (size > rows.length - at) size /= 2;
    yield rows.slice(at, at + size);
  }
}
