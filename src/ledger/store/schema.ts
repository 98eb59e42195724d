/**
 * The tables of the ledger, the same in SQLite and PostgreSQL. Times are wall times in ms since the Unix epoch. Columns in pairs `…_hi`, `…_lo` are
 * one exact integer (`amount.ts`): amounts in the chain's base unit (sat, wei), work in hashes. All other integers are below 2^53 and plain numbers.
 *
 * Chains go by the name they are configured under; Bitcoin's is `bitcoin`.
 */
import type { Generated, Kysely } from "kysely";

/** The name that Bitcoin goes by in the ledger. */
export const BITCOIN = "bitcoin";

/** What a found block has come to; see docs/rewards.md for who moves it from one to the next. */
export type BlockState =
  | "found"
  | "submitting"
  | "accepted"
  | "rejected"
  | "stale"
  | "failed"
  | "confirmed"
  | "uncle"
  | "mature"
  | "orphaned"
  | "distributed";

/** Who mines: every user identity that had a share accepted. */
export interface WorkersTable {
  readonly id: Generated<number>;
  /** The whole identity, e.g. `farm.rig7`. */
  readonly identity: string;
  readonly first_share_ms: number;
  readonly last_share_ms: number;
}

/** What work counts for: sets of auxiliary chains that jobs committed to, so that a credit is one row however many chains it counts for, and other pools. */
export interface ChainSetsTable {
  readonly id: Generated<number>;
  /**
   * Names in ascending order between commas, with one at both ends: `,namecoin,rsk,`; `,` for Bitcoin alone. Work on a pool's jobs is `pool:NAME` and
   * counts for no chain (`work-sets.ts`).
   */
  readonly chains: string;
}

/** A stretch of time whose work is counted together. A found block ends one, so windows begin and end between slices. */
export interface SlicesTable {
  readonly id: Generated<number>;
  /** Which server's shares: `stratum_v2.server_id`. */
  readonly server: number;
  /** Shares after this … */
  readonly start_ms: number;
  /** … and up to this, included. While the slice is open: the newest share in it. */
  readonly end_ms: number;
  /** 1 while shares may still come, else 0. */
  readonly open: number;
}

/** Work of one worker in one slice under one set of chains, or for one pool. */
export interface CreditsTable {
  readonly slice_id: number;
  readonly worker_id: number;
  readonly chain_set_id: number;
  /** Expected hashes: the sum of the channel difficulties · 2^32. */
  readonly work_hi: bigint;
  readonly work_lo: bigint;
  readonly shares: number;
}

/** Batches of credit that are in: one that is written twice, since its answer was lost, counts once. */
export interface CreditBatchesTable {
  readonly id: string;
  readonly at_ms: number;
}

/** Every found block of every chain, whatever became of it. */
export interface BlocksTable {
  readonly id: Generated<number>;
  readonly chain: string;
  /** `bitcoin:<hash>` or `FoundAux.key`: the same solution gives the same key. */
  readonly key: string;
  /** As the chain prints it; the work's id until a daemon said otherwise. */
  readonly block_hash: string;
  /** Hash of the Bitcoin header, display hex: blocks of several chains may share it. */
  readonly header_hash: string;
  readonly height: number;
  readonly worker_id: number | null;
  /** User identity of the finder. */
  readonly finder: string;
  readonly found_ms: number;
  readonly state: BlockState;
  /** When it came into `state`. */
  readonly state_ms: number;
  /** The last words of a daemon or of ours about it; empty for none. */
  readonly note: string;
  readonly confirmations: number;
  /** 1 once a daemon said that it is an uncle: it stays so when it matures. */
  readonly uncle: number;
  /** Hashes that a block of its target takes on average. */
  readonly difficulty_hi: bigint;
  readonly difficulty_lo: bigint;
  /** What it was expected to pay when it was found; `null` when the daemon did not say. */
  readonly expected_hi: bigint | null;
  readonly expected_lo: bigint | null;
  /** What it really pays, from the chain; `null` until known. For Bitcoin without what the coinbase paid to the finder. */
  readonly actual_hi: bigint | null;
  readonly actual_lo: bigint | null;
  /** What the coinbase paid straight to the finder (solo), 0 otherwise. */
  readonly finder_paid_hi: bigint;
  readonly finder_paid_lo: bigint;
  /** The address of that; `null` otherwise. */
  readonly finder_address: string | null;
  /** 1 when coinbases paid user identities at that time: what it pays beside that is the operator's, whatever the configuration says by now. */
  readonly gift: Generated<number>;
  /** The work as it was offered (`AuxWork` as JSON, bigints and bytes as text), for the plugin's status call; `null` for Bitcoin. */
  readonly aux_work: string | null;
  /** When its chain is to be asked next; `null` for never again. */
  readonly next_check_ms: number | null;
}

/**
 * Each change of a block's state. A block that was distributed before it was mature stays `distributed` when it becomes so, and only gets
 * a line here with `mature`. So does one whose chain says that it pays another amount than before, with the state that it has.
 */
export interface BlockEventsTable {
  readonly id: Generated<number>;
  readonly block_id: number;
  readonly at_ms: number;
  readonly state: BlockState;
  readonly note: string;
}

/**
 * What an account is for. `reward` is where rewards come from (its balance is minus all that was mined), `worker` what a worker is owed, `operator`
 * the fee, `beneficiary` a share that the configuration names, `payout` what left through the chain's wallet, `coinbase` what coinbases paid to finders,
 * `network_fee` what payouts cost.
 */
export type AccountKind = "reward" | "worker" | "operator" | "beneficiary" | "payout" | "coinbase" | "network_fee";

/** Accounts of the books, each in one chain's unit. */
export interface AccountsTable {
  readonly id: Generated<number>;
  readonly chain: string;
  readonly kind: AccountKind;
  /** The worker's identity or the beneficiary's name; empty for the kinds of which a chain has one. */
  readonly name: string;
}

/** What a transaction of the books records. */
export type TransactionKind = "distribution" | "reversal" | "payout" | "payout_reversal" | "summary";

/** A transaction of the books; its postings sum up to 0. */
export interface TransactionsTable {
  readonly id: Generated<number>;
  /** Names what it records, so that nothing is recorded twice: `distribution:<block id>:<n>`, `reversal:<block id>:<n>`, `payout:<id>` … */
  readonly key: string;
  readonly chain: string;
  readonly kind: TransactionKind;
  readonly block_id: number | null;
  readonly payout_id: number | null;
  readonly at_ms: number;
}

/** One line of a transaction: `account` gets (plus) or gives (minus). */
export interface PostingsTable {
  readonly transaction_id: number;
  readonly account_id: number;
  readonly amount_hi: bigint;
  readonly amount_lo: bigint;
}

/** Where a worker, or everybody of an account (identity up to the first dot), is paid on a chain. */
export interface PayoutAddressesTable {
  readonly chain: string;
  /** A whole identity, an account name, `operator`, or `beneficiary:<name>`. */
  readonly payee: string;
  readonly address: string;
  /** Least amount that is paid; `null` for the chain's own. */
  readonly least_hi: bigint | null;
  readonly least_lo: bigint | null;
  readonly at_ms: number;
}

/** `prepared` a plan is written down, `signed` its transaction is too and the books are posted, `sent` the daemon took it, `confirmed` it is in the chain, `cancelled` it never went out. */
export type PayoutState = "prepared" | "signed" | "sent" | "confirmed" | "cancelled";

/** Payments of one chain that go out in one transaction. */
export interface PayoutsTable {
  readonly id: Generated<number>;
  readonly chain: string;
  readonly state: PayoutState;
  readonly created_ms: number;
  readonly state_ms: number;
  readonly total_hi: bigint;
  readonly total_lo: bigint;
  /** What the network takes; `null` until signed. */
  readonly fee_hi: bigint | null;
  readonly fee_lo: bigint | null;
  readonly txid: string | null;
  /** The signed transaction, hex: sent again and again, never made anew. */
  readonly raw_transaction: string | null;
  readonly note: string;
}

/** What one account is paid by a payout. */
export interface PayoutItemsTable {
  readonly payout_id: number;
  readonly account_id: number;
  readonly address: string;
  readonly amount_hi: bigint;
  readonly amount_lo: bigint;
}

/** All tables by name. */
export interface LedgerTables {
  readonly workers: WorkersTable;
  readonly chain_sets: ChainSetsTable;
  readonly slices: SlicesTable;
  readonly credits: CreditsTable;
  readonly credit_batches: CreditBatchesTable;
  readonly blocks: BlocksTable;
  readonly block_events: BlockEventsTable;
  readonly accounts: AccountsTable;
  readonly transactions: TransactionsTable;
  readonly postings: PostingsTable;
  readonly payout_addresses: PayoutAddressesTable;
  readonly payouts: PayoutsTable;
  readonly payout_items: PayoutItemsTable;
}

/** A database with these tables, or a transaction in it. */
export type LedgerDb = Kysely<LedgerTables>;
