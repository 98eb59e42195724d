/**
 * Pays a plan exactly once, whatever crashes when. The order is the promise:
 *
 * 1. `prepared`: the plan is in the database, and takes the one place of its chain.
 * 2. The wallet makes and signs a transaction. It is nowhere but in our memory; a crash here loses it, and nothing was paid.
 * 3. `signed`: its bytes and the postings of the books are written in one transaction of the database. From here on it is never made anew.
 * 4. These bytes are sent, and sent again after every crash: a network takes a transaction once, however often it is sent.
 * 5. `sent`, and `confirmed` once it is deep enough in the chain.
 *
 * The wallet is told to hold the coins only after 3, so that a crash before leaves no lock in it that nobody knows of.
 */
import type { Clock } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { LedgerAccess } from "../store/access.ts";
import type { PayoutPlan } from "./plan.ts";
import { countText } from "./plan-json.ts";
import type { PayoutPlanner } from "./planner.ts";
import { isOtherPayout, itemsOf, movePayout, outputsOf, type PayoutRecord, payoutOf, payoutsIn } from "./records.ts";
import { adoptReplacement, preparePayout, recordSigned, reversePayout } from "./steps.ts";
import type { Conflict, FeeFrom, PayoutWallet, SignedTransaction } from "./wallet.ts";

/** What payouts are made with. */
export interface PayoutDeps {
  readonly ledger: LedgerAccess;
  readonly clock: Clock;
  readonly wallet: PayoutWallet;
  readonly planner: Pick<PayoutPlanner, "owed">;
  /** Takes one line of progress for the operator. */
  readonly say: (line: string) => void;
}

/** Options of `Payouts`. */
export interface PayoutOptions {
  readonly chain: string;
  readonly feeFrom: FeeFrom;
  /** Confirmations that make a payout, or a conflict with one, final. */
  readonly confirmations: number;
}

/** What holds unless the operator says otherwise. */
export const PAYOUT_DEFAULTS = { confirmations: 6, maxPayments: 500 } as const;

/** The payouts of one chain. */
export class Payouts {
  readonly #deps: PayoutDeps;
  readonly #options: PayoutOptions;

  constructor(deps: PayoutDeps, options: PayoutOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Pays a plan and returns the payout once the daemon took it. Throws a `Fault` `payout-*` or `node-*`; before `signed` nothing was paid then,
   * after it `resume` goes on.
   */
  async execute(plan: PayoutPlan): Promise<PayoutRecord> {
    const { ledger, clock, wallet, planner, say } = this.#deps;
    await wallet.ready();
    const id = await preparePayout(ledger, planner, plan, clock.nowMs());
    say(`payout ${id}: written down, ${countText(plan.payments.length, "payment")}`);
    const payout = await this.#read(id);
    const signed = await this.#make(payout);
    await recordSigned(ledger, payout, signed, clock.nowMs());
    say(`payout ${id}: signed as ${signed.txid}, and in the books`);
    return await this.#send(id);
  }

  /**
   * Finishes what an earlier run left: sends what is signed, gives up what was only prepared, looks after what is not confirmed yet. Returns sentences about
   * payouts that need the operator. Throws as `execute` when one that is signed cannot be sent.
   */
  async resume(): Promise<string[]> {
    const { ledger, say } = this.#deps;
    const { chain } = this.#options;
    for (const payout of await ledger.run((db) => payoutsIn(db, chain, ["prepared", "signed"]))) {
      if (payout.state === "prepared") {
        if (await this.#giveUp(payout.id)) say(`payout ${payout.id}: given up, nothing had been signed`);
      } else {
        say(`payout ${payout.id}: signed by an earlier run, sending it`);
        await this.#send(payout.id);
      }
    }
    const troubles: string[] = [];
    for (const payout of await ledger.run((db) => payoutsIn(db, chain, ["sent"]))) {
      const trouble = await this.#follow(payout);
      if (trouble !== undefined) troubles.push(trouble);
    }
    return troubles;
  }

  /**
   * Cancels a payout, for good. One that is signed only when the wallet proves that other transactions spent its coins, or with `force`. Throws `Fault`
   * `payout-unknown`, `payout-state` or `payout-not-proven`.
   */
  async cancel(id: number, { force }: { readonly force: boolean }): Promise<PayoutRecord> {
    const { ledger, clock, wallet, say } = this.#deps;
    const payout = await this.#read(id);
    if (payout.state === "prepared" && (await this.#giveUp(id))) return await this.#read(id);
    const { txid, rawTransaction, state } = await this.#read(id);
    if (txid === undefined || rawTransaction === undefined || (state !== "signed" && state !== "sent")) {
      throw new Fault("payout-state", { payout: id, state });
    }
    const found = await wallet.find(txid);
    if (found.kind === "confirmed" || found.kind === "mempool") {
      throw new Fault("payout-not-proven", { payout: id, txid, why: `it is ${whereOf(found)}` });
    }
    const conflict = await this.#conflict(payout);
    if (conflict?.pays === "all") {
      await this.#adopt(payout, conflict);
      throw new Fault("payout-not-proven", { payout: id, why: `${conflict.txid} paid the same payees` });
    }
    const enough = this.#options.confirmations;
    const proven = conflict !== undefined && conflict.pays === "none" && conflict.confirmations >= enough;
    if (!proven && !force) {
      throw new Fault("payout-not-proven", {
        payout: id,
        txid,
        why: conflict?.pays === "some" ? "it paid some of the payees" : undefined,
        spentBy: conflict?.txid,
        confirmations: conflict?.confirmations,
        enough: conflict === undefined ? undefined : enough,
      });
    }
    const note = proven ? `cancelled: ${conflict.txid} spent its coins` : "cancelled by force";
    await reversePayout(ledger, payout, note, clock.nowMs());
    await wallet.release(rawTransaction);
    say(`payout ${id}: ${note}; the balances are back`);
    return await this.#read(id);
  }

  /** Makes and signs; whatever fails on the way, nothing was paid and nothing is left under way. */
  async #make(payout: PayoutRecord): Promise<SignedTransaction> {
    const { ledger, wallet } = this.#deps;
    try {
      const items = await ledger.run((db) => itemsOf(db, payout.id));
      return await wallet.make(outputsOf(items), this.#options.feeFrom);
    } catch (error) {
      // What cannot be given up now is given up by the next run.
      await this.#giveUp(payout.id).catch(() => false);
      throw error;
    }
  }

  async #send(id: number): Promise<PayoutRecord> {
    const { wallet, say } = this.#deps;
    const payout = await this.#read(id);
    const { txid, rawTransaction } = payout;
    if (txid === undefined || rawTransaction === undefined || payout.state !== "signed") return payout;
    const before = await wallet.find(txid);
    if (before.kind === "conflicted") return await this.#spent(payout, "another transaction is in the chain");
    if (before.kind === "unknown") {
      await wallet.hold(rawTransaction);
      // Asking the wallet took a while: somebody may have cancelled it by force.
      const now = await this.#read(id);
      if (now.state !== "signed") return now;
      const answer = await wallet.broadcast(rawTransaction);
      if (answer.kind === "refused") throw new Fault("payout-refused", { payout: id, txid, reason: answer.reason });
      if (answer.kind === "spent") {
        // Its own coins count as spent once it is in a block itself.
        const after = await wallet.find(txid);
        if (after.kind !== "confirmed" && after.kind !== "mempool") return await this.#spent(payout, answer.reason);
      }
    }
    await this.#move(id, "sent");
    say(`payout ${id}: sent as ${txid}`);
    return await this.#read(id);
  }

  async #follow(payout: PayoutRecord): Promise<string | undefined> {
    const { wallet, say } = this.#deps;
    const { id, txid, rawTransaction } = payout;
    if (txid === undefined || rawTransaction === undefined) return undefined;
    const found = await wallet.find(txid);
    if (found.kind === "confirmed" && found.confirmations >= this.#options.confirmations) {
      await this.#move(id, "confirmed");
      say(`payout ${id}: confirmed`);
      return undefined;
    }
    if (found.kind === "confirmed" || found.kind === "mempool") {
      say(`payout ${id}: ${whereOf(found)}`);
      return undefined;
    }
    // A daemon forgets what waits for too long, or what it had in memory when it was killed.
    const answer = found.kind === "unknown" ? await wallet.broadcast(rawTransaction) : undefined;
    if (answer?.kind === "sent") {
      say(`payout ${id}: the daemon had lost it, sent again`);
      return undefined;
    }
    const conflict = await this.#conflict(payout);
    if (conflict?.pays === "all") {
      await this.#adopt(payout, conflict);
      return undefined;
    }
    const why =
      conflict === undefined ? (answer?.reason ?? "its coins were spent") : `${conflict.txid} spent its coins`;
    return `payout ${id} (${txid}) is not in the chain and is not taken: ${why}`;
  }

  /** Somebody else spent its coins: a replacement of the wallet's own is the payout, anything else is for the operator to judge. */
  async #spent(payout: PayoutRecord, reason: string): Promise<PayoutRecord> {
    const conflict = await this.#conflict(payout);
    if (conflict?.pays === "all") return await this.#adopt(payout, conflict);
    const { id, txid } = payout;
    throw new Fault("payout-inputs-spent", { payout: id, txid, reason, spentBy: conflict?.txid });
  }

  async #adopt(payout: PayoutRecord, conflict: Conflict): Promise<PayoutRecord> {
    const { ledger, clock, say } = this.#deps;
    await adoptReplacement(ledger, payout, conflict, clock.nowMs());
    say(`payout ${payout.id}: the wallet sent it with another fee, as ${conflict.txid}`);
    return await this.#read(payout.id);
  }

  /** A later payout may pay the same payees as much, with coins that the wallet took back from this one: it is no replacement. */
  async #conflict({ id, chain, txid, rawTransaction }: PayoutRecord): Promise<Conflict | undefined> {
    const { ledger, wallet } = this.#deps;
    if (txid === undefined || rawTransaction === undefined) return undefined;
    const items = await ledger.run((db) => itemsOf(db, id));
    const found = await wallet.conflictOf({ txid, rawTransaction, outputs: outputsOf(items).length });
    if (found === undefined || !(await ledger.run((db) => isOtherPayout(db, chain, id, found.txid)))) return found;
    return { ...found, pays: "none" };
  }

  /** Says that the daemon took it, or that it is deep enough. Another run may have said so before. */
  async #move(id: number, to: "sent" | "confirmed"): Promise<void> {
    const { ledger, clock } = this.#deps;
    const moved = await ledger.transaction((db) =>
      movePayout(db, id, [to === "sent" ? "signed" : "sent"], to, clock.nowMs()),
    );
    if (moved) return;
    const { state } = await this.#read(id);
    if (state !== "sent" && state !== "confirmed") throw new Fault("payout-state", { payout: id, state });
  }

  async #giveUp(id: number): Promise<boolean> {
    const { ledger, clock } = this.#deps;
    const note = "nothing was signed";
    return await ledger.transaction((db) => movePayout(db, id, ["prepared"], "cancelled", clock.nowMs(), { note }));
  }

  async #read(id: number): Promise<PayoutRecord> {
    return await this.#deps.ledger.run((db) => payoutOf(db, this.#options.chain, id));
  }
}

function whereOf(found: { readonly kind: "confirmed"; readonly confirmations: number } | { readonly kind: "mempool" }) {
  return found.kind === "mempool" ? "waiting for a block" : `in the chain, ${found.confirmations} confirmations`;
}
