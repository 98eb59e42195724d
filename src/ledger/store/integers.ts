/**
 * Both databases give integers as `bigint`. Columns whose values may be large, by the schema's rule those that end in `_hi` or `_lo`, stay so;
 * all others become numbers, and one that a number cannot hold is refused rather than rounded.
 */
import type {
  KyselyPlugin,
  PluginTransformQueryArgs,
  PluginTransformResultArgs,
  QueryResult,
  RootOperationNode,
  UnknownRow,
} from "kysely";

const LARGE = /_(hi|lo)$/;

/** The plugin that every ledger database has. */
export const integerColumns: KyselyPlugin = {
  transformQuery: ({ node }: PluginTransformQueryArgs): RootOperationNode => node,
  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return { ...result, rows: result.rows.map(narrowed) };
  },
};

function narrowed(row: UnknownRow): UnknownRow {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) {
    copy[name] = typeof value === "bigint" && !LARGE.test(name) ? exact(name, value) : value;
  }
  return copy;
}

function exact(name: string, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new TypeError(`column ${name} has ${value}, too large for a number: give it a name that ends in _hi or _lo`);
}
