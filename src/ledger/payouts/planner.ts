/** Makes plans from what the books and the wallet say at this moment. */
import type { Clock } from "../../kernel/clock.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { LedgerDb } from "../store/schema.ts";
import {
  type AddressCheck,
  type Destination,
  destinationOf,
  type Payee,
  type PayoutAddress,
  payoutAddressesOf,
} from "./addresses.ts";
import { type Balance, payableBalances } from "./balances.ts";
import { isCommons } from "./commons.ts";
import { addressIn } from "./identity-address.ts";
import { type AddressVerdict, makePlan, type PayoutPlan, type PlanOptions } from "./plan.ts";
import type { PayoutWallet } from "./wallet.ts";

/** What a planner works with. */
export interface PlannerDeps {
  readonly ledger: LedgerAccess;
  readonly clock: Clock;
  readonly check: AddressCheck;
  /** Asked about addresses; left out for a chain without a wallet. */
  readonly wallet?: Pick<PayoutWallet, "validate">;
}

/** Balances of a chain at one moment, and where each is paid. */
export interface Owed {
  readonly balances: readonly Balance[];
  readonly destinationOf: (account: Payee) => Destination | undefined;
}

/** Plans payouts of one chain. What the wallet said of an address holds as long as the planner lives. */
export class PayoutPlanner {
  readonly #deps: PlannerDeps;
  readonly #options: Omit<PlanOptions, "createdMs">;
  readonly #verdicts = new Map<string, AddressVerdict>();

  constructor(deps: PlannerDeps, options: Omit<PlanOptions, "createdMs">) {
    this.#deps = deps;
    this.#options = options;
  }

  /** A plan for this moment. The wallet is asked about every address in it, and whoever has a bad one is left out. */
  async plan(): Promise<PayoutPlan> {
    const { ledger, clock, check } = this.#deps;
    const { chain } = this.#options;
    const { balances, registered } = await ledger.run(async (db) => ({
      balances: await payableBalances(db, chain),
      registered: await payoutAddressesOf(db, chain),
    }));
    const nowhere = balances.filter((account) => destinationOf(account, registered, () => false) === undefined);
    const unregistered = nowhere.map((account) => this.#unregistered(account)).filter((text) => text !== "");
    await this.#ask(unregistered.filter((text) => check(chain, text) === "unknown"));
    const createdMs = clock.nowMs();
    for (;;) {
      const plan = makePlan(
        {
          balances,
          destinationOf: (account) => this.#destinationOf(account, registered),
          verdictOf: (address) => this.#verdicts.get(address),
        },
        { ...this.#options, createdMs },
      );
      // Those that take the place of refused ones are asked about in the next round.
      if (!(await this.#ask(plan.payments.map(({ address }) => address)))) return plan;
    }
  }

  /** What the books owe now, in `db`; where it goes is what a plan of this planner would say. */
  async owed(db: LedgerDb): Promise<Owed> {
    const { chain } = this.#options;
    const balances = await payableBalances(db, chain);
    const registered = await payoutAddressesOf(db, chain);
    return {
      balances,
      destinationOf: (account) => {
        const found = this.#destinationOf(account, registered);
        const verdict = found === undefined ? undefined : this.#verdicts.get(found.address);
        if (found === undefined || verdict === undefined) return found;
        return "refused" in verdict ? undefined : { ...found, address: verdict.address };
      },
    };
  }

  #destinationOf(account: Payee, registered: ReadonlyMap<string, PayoutAddress>): Destination | undefined {
    const found = destinationOf(account, registered, this.#isAddress);
    if (found !== undefined || !isCommons(account)) return found;
    const address = this.#unregistered(account);
    return address !== "" && this.#isAddress(address) ? { address, least: undefined } : undefined;
  }

  /** What may be the address of an account that has none registered; empty for nothing. */
  #unregistered(account: Payee): string {
    if (account.kind === "worker") return addressIn(account.name);
    return isCommons(account) ? (this.#options.commons.address ?? "") : "";
  }

  readonly #isAddress = (text: string): boolean => {
    const known = this.#deps.check(this.#options.chain, text);
    if (known !== "unknown") return known === "valid";
    const verdict = this.#verdicts.get(text);
    return verdict !== undefined && "address" in verdict;
  };

  /** Asks the wallet about addresses that it was not asked about; returns whether there were any. */
  async #ask(addresses: readonly string[]): Promise<boolean> {
    const { wallet } = this.#deps;
    const fresh = [...new Set(addresses)].filter((address) => !this.#verdicts.has(address));
    if (wallet === undefined || fresh.length === 0) return false;
    for (const [address, verdict] of await wallet.validate(fresh)) {
      this.#verdicts.set(address, verdict);
      // The way in which the wallet writes it is good as well.
      if ("address" in verdict && !this.#verdicts.has(verdict.address)) this.#verdicts.set(verdict.address, verdict);
    }
    return true;
  }
}
