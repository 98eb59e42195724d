/** What the books owe to everybody who can be paid. */
import { balancesOf, OWED } from "../books/balances.ts";
import type { LedgerDb } from "../store/schema.ts";
import type { Payee } from "./addresses.ts";

/** An account and what it is owed, in base units; negative when it was paid for what was orphaned later. */
export interface Balance extends Payee {
  readonly accountId: number;
  readonly amount: bigint;
}

/** Accounts that are read at a time. */
const PAGE = 1000;

/** Balances that are not 0 of a chain's workers, operator and beneficiaries, in the order of their accounts. */
export async function payableBalances(db: LedgerDb, chain: string): Promise<Balance[]> {
  const balances: Balance[] = [];
  for (let after = 0; ; ) {
    const page = await balancesOf(db, { chain, kinds: OWED, after, limit: PAGE });
    for (const { accountId, kind, name, amount } of page) {
      if (amount !== 0n) balances.push({ accountId, kind: kind as Payee["kind"], name, amount });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return balances;
    after = last.accountId;
  }
}
