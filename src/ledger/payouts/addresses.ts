/** Where payees are paid: what was registered, and what an identity says by itself. */
import { Fault } from "../../kernel/fault.ts";
import { isWellFormedIdentity } from "../../mining/user-identity.ts";
import { fromColumns, toColumns } from "../store/amount.ts";
import type { LedgerDb, PayoutAddressesTable } from "../store/schema.ts";
import { accountOf, addressIn } from "./identity-address.ts";

/**
 * Whether `text` is an address of `chain`: `unknown` where only the chain's own daemon can tell. An unknown one may be registered, since the
 * wallet looks at it before it pays; no identity is taken for one.
 */
export type AddressCheck = (chain: string, text: string) => "valid" | "invalid" | "unknown";

/** Where a payee is paid on a chain. */
export interface PayoutAddress {
  readonly chain: string;
  /** A whole identity, an account, `operator`, or `beneficiary:<name>`. */
  readonly payee: string;
  readonly address: string;
  /** Least amount that is paid, in base units; `undefined` for the chain's own. */
  readonly least: bigint | undefined;
  /** When it was registered, ms since the Unix epoch. */
  readonly atMs: number;
}

/** An account that can be paid. */
export interface Payee {
  readonly kind: "worker" | "operator" | "beneficiary";
  readonly name: string;
}

/** Where an account is paid. */
export interface Destination {
  readonly address: string;
  readonly least: bigint | undefined;
}

/** Longest name of a payee, as long as identities are on the wire; and of an address. */
const MAX_PAYEE = 255;
/** Payees that are no workers; a beneficiary's name stands behind. */
const OPERATOR = "operator";
const BENEFICIARY = "beneficiary:";
/** Letters and digits, and what cashaddr and account-like addresses have between them. */
const ADDRESS = /^[A-Za-z0-9][A-Za-z0-9:._-]{0,127}$/;

/** Registers an address, or replaces the one before. Throws `Fault` `payout-payee`, `payout-address` or `payout-amount`, and then nothing changed. */
export async function setPayoutAddress(db: LedgerDb, entry: PayoutAddress, check: AddressCheck): Promise<void> {
  const { chain, payee, address, least, atMs } = entry;
  if (payee === "" || payee.length > MAX_PAYEE || !isWellFormedIdentity(payee)) {
    throw new Fault("payout-payee", { characters: payee.length });
  }
  if (!ADDRESS.test(address) || check(chain, address) === "invalid") {
    throw new Fault("payout-address", { chain, address: address.slice(0, 128) });
  }
  if (least !== undefined && least < 0n) throw new Fault("payout-amount", { amount: least });
  const columns = least === undefined ? undefined : toColumns(least);
  const values = { address, least_hi: columns?.hi ?? null, least_lo: columns?.lo ?? null, at_ms: atMs };
  await db
    .insertInto("payout_addresses")
    .values({ chain, payee, ...values })
    .onConflict((conflict) => conflict.columns(["chain", "payee"]).doUpdateSet(values))
    .execute();
}

/** Forgets the address of a payee; returns whether there was one. */
export async function removePayoutAddress(db: LedgerDb, chain: string, payee: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom("payout_addresses")
    .where("chain", "=", chain)
    .where("payee", "=", payee)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Registered addresses of a chain in ascending order of their payees: `limit` of them behind `after`, from the first with an empty text. */
export async function listPayoutAddresses(
  db: LedgerDb,
  { chain, after, limit }: { readonly chain: string; readonly after: string; readonly limit: number },
): Promise<PayoutAddress[]> {
  const rows = await db
    .selectFrom("payout_addresses")
    .selectAll()
    .where("chain", "=", chain)
    .where("payee", ">", after)
    .orderBy("payee")
    .limit(limit)
    .execute();
  return rows.map(entryOf);
}

/** Registered addresses of a chain by payee, all of them. */
export async function payoutAddressesOf(db: LedgerDb, chain: string): Promise<ReadonlyMap<string, PayoutAddress>> {
  const rows = await db.selectFrom("payout_addresses").selectAll().where("chain", "=", chain).execute();
  return new Map(rows.map((row) => [row.payee, entryOf(row)]));
}

/**
 * Where an account is paid: for a worker at the address of its identity, else of its account, else at the one inside its identity when the check knows
 * that it is one. A worker may call itself as the operator is called here, and is not paid at his address for that. `undefined` for nowhere.
 */
export function destinationOf(
  { kind, name }: Payee,
  registered: ReadonlyMap<string, PayoutAddress>,
  isAddress: (text: string) => boolean,
): Destination | undefined {
  if (kind === "operator") return registered.get(OPERATOR);
  if (kind === "beneficiary") return registered.get(`${BENEFICIARY}${name}`);
  const ofWorker = (payee: string): PayoutAddress | undefined => (isOurs(payee) ? undefined : registered.get(payee));
  const entry = ofWorker(name) ?? ofWorker(accountOf(name));
  if (entry !== undefined) return entry;
  const inside = addressIn(name);
  return inside !== "" && isAddress(inside) ? { address: inside, least: undefined } : undefined;
}

/** Whether a payee is no worker, whatever workers call themselves. */
function isOurs(payee: string): boolean {
  return payee === OPERATOR || payee.startsWith(BENEFICIARY);
}

function entryOf({ chain, payee, address, least_hi, least_lo, at_ms }: PayoutAddressesTable): PayoutAddress {
  const least = least_hi === null || least_lo === null ? undefined : fromColumns(least_hi, least_lo);
  return { chain, payee, address, least, atMs: at_ms };
}
