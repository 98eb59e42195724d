/** How the parts of the ledger reach its database: through a port, since it may be away for a while and mining goes on. */
import type { LedgerDb } from "./schema.ts";

/** The ledger's database. */
export interface LedgerAccess {
  /** Runs `work` on the open database. Rejects with a `Fault` `ledger-*` that says why it could not be done; nothing is written half. */
  run<T>(work: (db: LedgerDb) => Promise<T>): Promise<T>;
  /**
   * As `run`, all in one transaction: it is on the disk as a whole when this resolves, or not there at all when it rejects. `work` is called
   * again when another transaction came between, so it leaves nothing behind but what it writes into `db`. Its first failure is
   * the end of the transaction, also when `work` catches it. When the connection breaks in the middle of the commit, the transaction may be
   * there although this rejects: what must not happen twice carries a key.
   */
  transaction<T>(work: (db: LedgerDb) => Promise<T>): Promise<T>;
}
