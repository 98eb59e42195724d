/**
 * Both databases give integers as `bigint`. Columns whose values may be large, by the schema's rule those that end in `_hi` or `_lo`, stay so;
 * all others become numbers.
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
    copy[name] = typeof value === "bigint" && !LARGE.test(name) ? Number(value) : value;
  }
  return copy;
}
