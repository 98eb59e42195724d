/**
 * What tables a PostgreSQL database has, in the schema that is ours alone. Kysely's own look passes the tables of all schemas to functions that fail over one
 * that somebody drops at that moment, so that another program's schema could keep the ledger from opening.
 */
import {
  type ColumnMetadata,
  type DatabaseIntrospector,
  type DatabaseMetadata,
  type DatabaseMetadataOptions,
  type Kysely,
  type SchemaMetadata,
  sql,
  type TableMetadata,
} from "kysely";

interface Row extends ColumnMetadata {
  readonly table: string;
  readonly schema: string;
  readonly isView: boolean;
}

/** Tables and views of the schema in which this connection makes tables. */
export class CurrentSchemaIntrospector implements DatabaseIntrospector {
  readonly #db: Kysely<unknown>;

  constructor(db: Kysely<unknown>) {
    this.#db = db;
  }

  /** That schema; none when there is none. */
  async getSchemas(): Promise<SchemaMetadata[]> {
    const { rows } = await sql<{ name: string | null }>`select current_schema() as name`.execute(this.#db);
    return rows.flatMap(({ name }) => (name === null ? [] : [{ name }]));
  }

  /** All its tables, Kysely's for migrations among them whatever `options` says: ours have other names. */
  async getTables(_options?: DatabaseMetadataOptions): Promise<TableMetadata[]> {
    const { rows } = await sql<Row>`
      select c.relname as "table", ns.nspname as "schema", c.relkind = 'v' as "isView", a.attname as "name",
        typ.typname as "dataType", a.attidentity <> '' as "isAutoIncrementing", not a.attnotnull as "isNullable",
        a.atthasdef as "hasDefaultValue"
      from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on a.attrelid = c.oid
        join pg_catalog.pg_namespace ns on c.relnamespace = ns.oid
        join pg_catalog.pg_type typ on a.atttypid = typ.oid
      where c.relkind in ('r', 'v', 'p') and ns.nspname = current_schema() and a.attnum > 0 and not a.attisdropped
      order by c.relname, a.attnum`.execute(this.#db);
    const tables = new Map<string, TableMetadata & { readonly columns: ColumnMetadata[] }>();
    for (const { table, schema, isView, ...column } of rows) {
      const known = tables.get(table) ?? { name: table, schema, isView, columns: [] };
      tables.set(table, known);
      known.columns.push(column);
    }
    return [...tables.values()];
  }

  /** As `getTables`. */
  async getMetadata(options?: DatabaseMetadataOptions): Promise<DatabaseMetadata> {
    return { tables: await this.getTables(options) };
  }
}
