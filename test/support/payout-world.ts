/**
 * A chain's wallet and network in memory, and the database behind it, that stop at any point: every call may fail before it has its effect or
 * after it, and a run that was killed gets nothing done any more.
 */
import { createHash } from "node:crypto";
import { sql } from "kysely";
import { accountIds } from "../../src/ledger/books/accounts.ts";
import { post } from "../../src/ledger/books/transactions.ts";
import type { AddressCheck } from "../../src/ledger/payouts/addresses.ts";
import { setPayoutAddress } from "../../src/ledger/payouts/addresses.ts";
import { payableBalances } from "../../src/ledger/payouts/balances.ts";
import type { CommonsTerms } from "../../src/ledger/payouts/commons.ts";
import { Payouts } from "../../src/ledger/payouts/execute.ts";
import { PayoutPlanner } from "../../src/ledger/payouts/planner.ts";
import { payoutsIn } from "../../src/ledger/payouts/records.ts";
import type {
  BroadcastAnswer,
  Conflict,
  FeeFrom,
  Found,
  PayoutWallet,
  SignedTransaction,
  WalletOutput,
} from "../../src/ledger/payouts/wallet.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import type { AccountKind, LedgerDb } from "../../src/ledger/store/schema.ts";
import { FakeClock } from "./fake-clock.ts";

/** What a killed run's calls throw. */
export class Killed extends Error {}

/** Decides about each call of a run, by its name, before and after its effect; throws for a failure. */
export type Mishap = (call: string, when: "before" | "after") => void | Promise<void>;

/** No mishap. */
export const LUCK: Mishap = () => undefined;

/** Kills the run at its `at`-th point: every call has two. Tells by `points` how many there were. */
export function killAt(at: number): Mishap & { readonly points: number } {
  let points = 0;
  const mishap: Mishap = () => {
    points += 1;
    if (points >= at) throw new Killed(`killed at point ${at}`);
  };
  return Object.defineProperty(mishap, "points", { get: () => points }) as Mishap & { readonly points: number };
}

interface Tx {
  readonly nonce: number;
  readonly inputs: readonly number[];
  readonly outputs: readonly WalletOutput[];
  readonly fee: string;
}

const FEE = 1000n;

/** The network and the wallet's file: what stays when a run or a daemon dies. */
export class FakeNetwork {
  /** Every transaction that the network took, by txid. */
  readonly taken = new Map<string, Tx>();
  readonly #depth = new Map<string, number>();
  readonly #spentBy = new Map<number, string>();
  readonly locked = new Set<number>();
  /** Addresses that the daemon knows as none. */
  readonly bad = new Set<string>();
  /** Why `broadcast` refuses everything; empty for not. */
  refuses = "";
  /** What the wallet's coins leave that is too small for change: it goes to the fee, and payees who bear that pay less. */
  surplus = 0n;
  #nonce = 0;

  /** A block with all that waits. */
  mine(blocks = 1): void {
    for (const txid of this.taken.keys()) this.#depth.set(txid, (this.#depth.get(txid) ?? 0) + blocks);
  }

  /** The daemon forgets what is in no block. */
  forget(): void {
    for (const [txid, { inputs }] of [...this.taken]) {
      if (this.#depth.has(txid)) continue;
      this.taken.delete(txid);
      for (const input of inputs) this.#spentBy.delete(input);
    }
  }

  /** The operator spends the coins of a transaction otherwise, paying `outputs`; returns the txid. */
  spend(raw: string, outputs: readonly WalletOutput[], fee = FEE): string {
    const { inputs } = read(raw);
    const other = { nonce: ++this.#nonce, inputs, outputs, fee: String(fee) };
    for (const input of inputs) this.#spentBy.delete(input);
    this.taken.delete(txidOf(raw));
    const answer = this.take(rawOf(other));
    if (answer.kind !== "sent") throw new Error(answer.kind);
    this.#depth.set(txidOf(rawOf(other)), 1);
    return txidOf(rawOf(other));
  }

  take(raw: string): BroadcastAnswer {
    if (this.refuses !== "") return { kind: "refused", reason: this.refuses };
    const txid = txidOf(raw);
    if (this.taken.has(txid)) return { kind: "sent" };
    const tx = read(raw);
    if (tx.inputs.some((input) => this.#spentBy.has(input)))
      return { kind: "spent", reason: "bad-txns-inputs-missingorspent" };
    for (const input of tx.inputs) {
      this.#spentBy.set(input, txid);
      this.locked.delete(input);
    }
    this.taken.set(txid, tx);
    return { kind: "sent" };
  }

  /** What arrived at each address, over all transactions that the network took. */
  received(): Map<string, bigint> {
    const sums = new Map<string, bigint>();
    for (const { outputs } of this.taken.values()) {
      for (const { address, amount } of outputs) sums.set(address, (sums.get(address) ?? 0n) + BigInt(amount));
    }
    return sums;
  }

  /** A wallet that speaks to this network and meets `mishap`. */
  wallet(mishap: Mishap): PayoutWallet {
    const call = async <T>(name: string, effect: () => T): Promise<T> => {
      await mishap(name, "before");
      const result = effect();
      await mishap(name, "after");
      return result;
    };
    return {
      ready: () => call("ready", () => undefined),
      validate: (addresses) =>
        call(
          "validate",
          () =>
            new Map(
              addresses.map((a) => [a, this.bad.has(a) ? { refused: "no address" } : { address: a.toLowerCase() }]),
            ),
        ),
      make: (outputs, feeFrom) => call("make", () => this.#make(outputs, feeFrom)),
      hold: (raw) => call("hold", () => read(raw).inputs.forEach((input) => void this.locked.add(input))),
      release: (raw) => call("release", () => read(raw).inputs.forEach((input) => void this.locked.delete(input))),
      broadcast: (raw) => call("broadcast", () => this.take(raw)),
      find: (txid) => call("find", () => this.#find(txid)),
      conflictOf: ({ txid, rawTransaction, outputs }) =>
        call("conflictOf", () => this.#conflict(txid, rawTransaction, outputs)),
    };
  }

  #make(outputs: readonly WalletOutput[], feeFrom: FeeFrom): SignedTransaction {
    const withheld = feeFrom === "workers" ? FEE - this.surplus : 0n;
    const [share, rest] = [withheld / BigInt(outputs.length), withheld % BigInt(outputs.length)];
    const paid = outputs.map(({ address, amount }, i) => ({ address, amount: amount - share - (i === 0 ? rest : 0n) }));
    // Each transaction spends coins of its own: no conflict keeps two of them from being taken.
    const coin = this.#nonce + 1;
    const raw = rawOf({ nonce: ++this.#nonce, inputs: [coin], outputs: paid, fee: String(FEE) });
    return { txid: txidOf(raw), rawTransaction: raw, fee: FEE, withheld };
  }

  #find(txid: string): Found {
    const confirmations = this.#depth.get(txid);
    if (!this.taken.has(txid)) return { kind: "unknown" };
    return confirmations === undefined ? { kind: "mempool" } : { kind: "confirmed", confirmations };
  }

  #conflict(own: string, raw: string, count: number): Conflict | undefined {
    const spender = read(raw)
      .inputs.map((input) => this.#spentBy.get(input))
      .find((txid) => txid !== undefined && txid !== own);
    const tx = spender === undefined ? undefined : this.taken.get(spender);
    const confirmations = spender === undefined ? undefined : this.#depth.get(spender);
    if (spender === undefined || tx === undefined || confirmations === undefined) return undefined;
    const wanted = read(raw).outputs.slice(0, count);
    const paid = wanted.map(({ address }) => tx.outputs.find((each) => each.address === address)?.amount);
    const isSame = wanted.every(({ amount }, i) => BigInt(paid[i] ?? 0n) === BigInt(amount));
    return {
      txid: spender,
      rawTransaction: rawOf(tx),
      fee: BigInt(tx.fee),
      confirmations,
      pays: isSame ? "all" : paid.some((amount) => amount !== undefined) ? "some" : "none",
    };
  }
}

/** A ledger whose calls meet `mishap`. */
export function mishapLedger(ledger: LedgerAccess, mishap: Mishap): LedgerAccess {
  const wrapped =
    (name: "run" | "transaction") =>
    async <T>(work: (db: LedgerDb) => Promise<T>): Promise<T> => {
      await mishap(name, "before");
      const result = await ledger[name](work);
      await mishap(name, "after");
      return result;
    };
  return { run: wrapped("run"), transaction: wrapped("transaction") };
}

/** Options of one run. */
export interface RunOptions {
  readonly chain: string;
  readonly mishap?: Mishap;
  readonly feeFrom?: FeeFrom;
  readonly least?: bigint;
  readonly maxPayments?: number;
  readonly check?: AddressCheck;
  readonly commons?: CommonsTerms;
  readonly only?: string;
}

/** An operator who said nothing about the commons. */
export const NO_COMMONS: CommonsTerms = { isKept: true, address: undefined, contributor: undefined };

/** What a process has that pays on a chain. */
export function payer(ledger: LedgerAccess, network: FakeNetwork, options: RunOptions) {
  const { chain, mishap = LUCK, feeFrom = "operator", least = 1n, maxPayments = 500 } = options;
  const lines: string[] = [];
  const clock = new FakeClock();
  const access = mishapLedger(ledger, mishap);
  const wallet = network.wallet(mishap);
  const planner = new PayoutPlanner(
    { ledger: access, clock, check: options.check ?? (() => "unknown"), wallet },
    {
      chain,
      coin: { symbol: "NMC", decimals: 8 },
      least,
      dust: 1n,
      maxPayments,
      commons: options.commons ?? NO_COMMONS,
      ...(options.only === undefined ? {} : { only: options.only }),
    },
  );
  const payouts = new Payouts(
    { ledger: access, clock, wallet, planner, say: (line) => void lines.push(line) },
    { chain, feeFrom, confirmations: 6 },
  );
  return { planner, payouts, lines };
}

/** One run as the command makes it: what an earlier one left, then everything that is owed. Returns what needs the operator. */
export async function payRun(ledger: LedgerAccess, network: FakeNetwork, options: RunOptions): Promise<string[]> {
  const { planner, payouts } = payer(ledger, network, options);
  const troubles = await payouts.resume();
  const plan = await planner.plan();
  if (plan.payments.length > 0) await payouts.execute(plan);
  return troubles;
}

/** Owes amounts to accounts of a chain: `name` a worker's identity, `operator`, or `beneficiary:<name>`. */
export async function owe(ledger: LedgerAccess, chain: string, amounts: Readonly<Record<string, bigint>>, key = "1") {
  await ledger.transaction(async (db) => {
    const accounts = Object.keys(amounts).map(accountOfName);
    const reward = { kind: "reward", name: "" } as const;
    const idOf = await accountIds(db, chain, [reward, ...accounts]);
    const all = Object.values(amounts).reduce((sum, amount) => sum + amount, 0n);
    const postings = [
      ...Object.entries(amounts).map(([name, amount]) => ({ accountId: idOf(accountOfName(name)), amount })),
      { accountId: idOf(reward), amount: -all },
    ];
    const head = { chain, kind: "distribution", blockId: undefined, payoutId: undefined, atMs: 1 } as const;
    await post(db, { ...head, key: `test:${chain}:${key}`, postings });
  });
}

function accountOfName(name: string): { readonly kind: AccountKind; readonly name: string } {
  if (name === "operator") return { kind: "operator", name: "" };
  const [, beneficiary] = /^beneficiary:(.*)$/.exec(name) ?? [];
  return beneficiary === undefined ? { kind: "worker", name } : { kind: "beneficiary", name: beneficiary };
}

/** Registers addresses of payees. */
export async function register(ledger: LedgerAccess, chain: string, addresses: Readonly<Record<string, string>>) {
  for (const [payee, address] of Object.entries(addresses)) {
    const entry = { chain, payee, address, least: undefined, atMs: 1 };
    await ledger.run((db) => setPayoutAddress(db, entry, () => "unknown"));
  }
}

/** What the books say of a chain: balances by name, the sum of everything, and payouts that are under way. */
export async function booksOf(ledger: LedgerAccess, chain: string) {
  return await ledger.run(async (db) => {
    const { rows } = await sql<{ sum_lo: bigint | null }>`select sum(amount_lo) as sum_lo from postings
      join accounts on accounts.id = account_id where chain = ${chain}`.execute(db);
    const kinds = await sql<{ kind: string; amount_lo: bigint }>`select kind, sum(amount_lo) as amount_lo from postings
      join accounts on accounts.id = account_id where chain = ${chain} group by kind`.execute(db);
    return {
      balances: Object.fromEntries(
        (await payableBalances(db, chain)).map(({ kind, name, amount }) => [
          kind === "worker" ? name : name === "" ? kind : `${kind}:${name}`,
          amount,
        ]),
      ),
      sum: rows[0]?.sum_lo ?? 0n,
      byKind: Object.fromEntries(kinds.rows.map(({ kind, amount_lo }) => [kind, amount_lo])),
      underWay: await payoutsIn(db, chain, ["prepared", "signed"]),
      all: await payoutsIn(db, chain, ["prepared", "signed", "sent", "confirmed", "cancelled"]),
    };
  });
}

function rawOf({ nonce, inputs, outputs, fee }: Tx): string {
  const plain = { nonce, inputs, outputs: outputs.map(({ address, amount }) => [address, String(amount)]), fee };
  return Buffer.from(JSON.stringify(plain)).toString("hex");
}

function read(raw: string): Tx {
  const { nonce, inputs, outputs, fee } = JSON.parse(Buffer.from(raw, "hex").toString());
  const paid = outputs.map(([address, amount]: [string, string]) => ({ address, amount: BigInt(amount) }));
  return { nonce, inputs, outputs: paid, fee };
}

function txidOf(raw: string): string {
  return createHash("sha256").update(raw).digest("hex");
}
