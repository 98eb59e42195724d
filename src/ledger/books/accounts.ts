/** The accounts of the books: made when they are first needed, never removed. */
import type { AccountKind, LedgerDb } from "../store/schema.ts";
import { chunks } from "./pieces.ts";

/** An account of a chain. */
export interface Account {
  readonly kind: AccountKind;
  /** The worker's identity or the beneficiary's name; empty for the kinds of which a chain has one. */
  readonly name: string;
}

/** Finds the id of an account that was asked for. */
export type AccountIds = (account: Account) => number;

/** Names in one query. */
const NAMES_AT_ONCE = 500;

/**
 * Ids of `accounts` on a chain; those that are not there yet are made. Two processes may do so at once. The answer throws `TypeError` for an
 * account that was not asked for.
 */
export async function accountIds(db: LedgerDb, chain: string, accounts: Iterable<Account>): Promise<AccountIds> {
  const ids = new Map<string, number>();
  const names = new Map<AccountKind, Set<string>>();
  for (const { kind, name } of accounts) {
    const known = names.get(kind);
    if (known === undefined) names.set(kind, new Set([name]));
    else known.add(name);
  }
  // In one order for all processes: PostgreSQL would see two that make the same accounts in different orders as a deadlock.
  for (const [kind, wanted] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const some of chunks([...wanted].sort(), NAMES_AT_ONCE)) await addIds(db, chain, kind, some, ids);
  }
  return ({ kind, name }) => {
    const id = ids.get(keyOf(kind, name));
    if (id === undefined) throw new TypeError(`nobody asked for the account ${kind} ${name}`);
    return id;
  };
}

async function addIds(
  db: LedgerDb,
  chain: string,
  kind: AccountKind,
  names: readonly string[],
  ids: Map<string, number>,
): Promise<void> {
  const read = async (some: readonly string[]): Promise<void> => {
    const rows = await db
      .selectFrom("accounts")
      .select(["id", "name"])
      .where("chain", "=", chain)
      .where("kind", "=", kind)
      .where("name", "in", some)
      .execute();
    for (const { id, name } of rows) ids.set(keyOf(kind, name), id);
  };
  await read(names);
  const missing = names.filter((name) => !ids.has(keyOf(kind, name)));
  if (missing.length === 0) return;
  await db
    .insertInto("accounts")
    .values(missing.map((name) => ({ chain, kind, name })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await read(missing);
}

function keyOf(kind: AccountKind, name: string): string {
  return `${kind}:${name}`;
}
