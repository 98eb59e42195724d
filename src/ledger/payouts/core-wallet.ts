/**
 * The wallet of Bitcoin Core and its kin over JSON-RPC (src/wallet/rpc/spend.cpp, src/rpc/rawtransaction.cpp). Amounts go out as decimal text,
 * which Core reads as exactly as numbers. The transaction is looked at with our own parser before it counts.
 */
import { z } from "zod";
import type { Rpc } from "../../daemon/rpc.ts";
import { Fault } from "../../kernel/fault.ts";
import { type Coin, coinsText, unitsOf } from "./coins.ts";
import { conflictWith } from "./core-conflicts.ts";
import { asWalletFault, rpcErrorOf, rpcReason } from "./core-failure.ts";
import type { AddressVerdict } from "./plan.ts";
import { checkedPayout, inputsOf, numberToCoins, type WantedOutput } from "./transaction-check.ts";
import type {
  BroadcastAnswer,
  Conflict,
  FeeFrom,
  Found,
  PayoutWallet,
  SignedTransaction,
  WalletOutput,
} from "./wallet.ts";

/** What a wallet works with. */
export interface CoreWalletDeps {
  /** The daemon, its path `/wallet/<name>` when it has several wallets. */
  readonly rpc: Rpc;
}

/** Answers with a whole transaction: 500 outputs, and as many inputs as it takes. */
const LARGE = { maxBytes: 16 << 20 } as const;

const validated = z.looseObject({
  isvalid: z.boolean(),
  address: z.string().optional(),
  scriptPubKey: z.string().optional(),
});
const funded = z.looseObject({ hex: z.string(), fee: z.number(), changepos: z.number().int() });
const signedAnswer = z.looseObject({ hex: z.string(), complete: z.boolean() });
const info = z.looseObject({
  private_keys_enabled: z.boolean().optional(),
  unlocked_until: z.number().optional(),
});
const amounts = z.looseObject({ trusted: z.number(), untrusted_pending: z.number(), immature: z.number() });
const known = z.looseObject({ confirmations: z.number().int() });
const tested = z.array(z.looseObject({ allowed: z.boolean().optional(), "reject-reason": z.string().optional() }));

/** A wallet of Bitcoin Core's family. */
export class CoreWallet implements PayoutWallet {
  readonly #rpc: Rpc;
  readonly #coin: Coin;

  constructor(deps: CoreWalletDeps, options: { readonly coin: Coin }) {
    this.#rpc = deps.rpc;
    this.#coin = options.coin;
  }

  async ready(): Promise<void> {
    const { private_keys_enabled, unlocked_until } = await this.#call("getwalletinfo", [], info);
    if (private_keys_enabled === false) throw new Fault("payout-wallet-keys", { daemon: this.#rpc.address });
    if (unlocked_until === 0) throw new Fault("payout-wallet-locked", { daemon: this.#rpc.address });
  }

  async validate(addresses: readonly string[]): Promise<ReadonlyMap<string, AddressVerdict>> {
    const verdicts = new Map<string, AddressVerdict>();
    for (const address of addresses) {
      const script = await this.#validated(address);
      verdicts.set(
        address,
        script === undefined ? { refused: "the daemon says that it is no address of its chain" } : script,
      );
    }
    return verdicts;
  }

  async make(outputs: readonly WalletOutput[], feeFrom: FeeFrom): Promise<SignedTransaction> {
    const wanted: WantedOutput[] = [];
    for (const { address, amount } of outputs) {
      const found = await this.#validated(address);
      if (found === undefined) throw new Fault("payout-address", { address });
      wanted.push({ script: found.script, amount });
    }
    const payments = outputs.map(({ address, amount }) => ({ [address]: coinsText(amount, this.#coin) }));
    const empty = await this.#call("createrawtransaction", [[], payments, 0, false], z.string(), LARGE);
    const { hex, fee: feeCoins } = await this.#fund(empty, outputs, feeFrom);
    const { hex: raw, complete } = await this.#call("signrawtransactionwithwallet", [hex], signedAnswer, LARGE);
    if (!complete) throw new Fault("payout-wallet-keys", { daemon: this.#rpc.address });
    const fee = unitsOf(numberToCoins(feeCoins, this.#coin.decimals), this.#coin);
    const { txid, withheld } = checkedPayout(raw, wanted, fee, feeFrom);
    await this.#wouldBeTaken(raw, txid);
    return { txid, rawTransaction: raw, fee, withheld };
  }

  async hold(rawTransaction: string): Promise<void> {
    await this.#lock(false, rawTransaction);
  }

  async release(rawTransaction: string): Promise<void> {
    await this.#lock(true, rawTransaction);
  }

  async broadcast(rawTransaction: string): Promise<BroadcastAnswer> {
    try {
      await this.#rpc.call("sendrawtransaction", [rawTransaction], z.string());
      return { kind: "sent" };
    } catch (error) {
      const failure = rpcErrorOf(error);
      if (failure === undefined) throw error;
      const { code, says } = failure;
      if (code === -27 || ALREADY_THERE.test(says)) return { kind: "sent" };
      if (code !== -25 && code !== -26 && code !== -22) throw asWalletFault(error);
      return { kind: SPENT.test(says) ? "spent" : "refused", reason: says };
    }
  }

  async find(txid: string): Promise<Found> {
    const transaction = await this.#orNothing(this.#call("gettransaction", [txid], known, LARGE));
    if (transaction === undefined) return { kind: "unknown" };
    const { confirmations } = transaction;
    if (confirmations > 0) return { kind: "confirmed", confirmations };
    if (confirmations < 0) return { kind: "conflicted" };
    // The wallet knows it, and the daemon may have let go of it.
    const waits = await this.#orNothing(this.#call("getmempoolentry", [txid], z.unknown()));
    return { kind: waits === undefined ? "unknown" : "mempool" };
  }

  async conflictOf(payout: {
    readonly txid: string;
    readonly rawTransaction: string;
    readonly outputs: number;
  }): Promise<Conflict | undefined> {
    const call = this.#call.bind(this);
    return await conflictWith({ call, coin: this.#coin }, payout);
  }

  /** As the wallet writes it, and its script; `undefined` for no address of this chain. */
  async #validated(address: string): Promise<{ readonly address: string; readonly script: string } | undefined> {
    const answer = await this.#call("validateaddress", [address], validated);
    if (!answer.isvalid || answer.scriptPubKey === undefined) return undefined;
    return { address: answer.address ?? address, script: answer.scriptPubKey };
  }

  async #fund(
    empty: string,
    outputs: readonly WalletOutput[],
    feeFrom: FeeFrom,
  ): Promise<{ readonly hex: string; readonly fee: number }> {
    const options = {
      changePosition: outputs.length,
      subtractFeeFromOutputs: feeFrom === "workers" ? outputs.map((_, i) => i) : [],
      replaceable: false,
    };
    try {
      return await this.#call("fundrawtransaction", [empty, options], funded, LARGE);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "payout-wallet-funds") throw error;
      const total = outputs.reduce((sum, { amount }) => sum + amount, 0n);
      throw new Fault(error.code, {
        ...error.data,
        needed: `${coinsText(total, this.#coin)} ${this.#coin.symbol} and the fee`,
        ...(await this.#balances()),
      });
    }
  }

  /** What the wallet has, for people. */
  async #balances(): Promise<Record<string, string>> {
    const answer = await this.#orNothing(this.#call("getbalances", [], z.looseObject({ mine: amounts })));
    if (answer === undefined) return {};
    const { trusted, untrusted_pending, immature } = answer.mine;
    const text = (coins: number): string => coins.toFixed(this.#coin.decimals);
    return { spendable: text(trusted), unconfirmed: text(untrusted_pending), immature: text(immature) };
  }

  /** Asks before anything is written down. Daemons that cannot be asked are taken at their word later. */
  async #wouldBeTaken(raw: string, txid: string): Promise<void> {
    let answers: z.output<typeof tested>;
    try {
      answers = await this.#call("testmempoolaccept", [[raw]], tested);
    } catch (error) {
      if (error instanceof Fault && error.code === "node-method-unknown") return;
      throw error;
    }
    const [answer] = answers;
    if (answer?.allowed === false) {
      throw new Fault("payout-refused", { txid, reason: answer["reject-reason"]?.slice(0, 200) });
    }
  }

  /**
   * One by one, and as well as it can: coins that are locked, unlocked or spent already refuse alone. A daemon that does not answer is not asked for
   * the others, each of which would take as long: it says at the next call that it is away.
   */
  async #lock(unlock: boolean, raw: string): Promise<void> {
    for (const input of inputsOf(raw)) {
      try {
        await this.#call("lockunspent", [unlock, [input]], z.boolean());
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        if (rpcReason(error) === undefined) return;
      }
    }
  }

  /** `undefined` for a transaction that is not there (code -5). */
  async #orNothing<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      if (rpcReason(error)?.code === -5) return undefined;
      throw error;
    }
  }

  async #call<S extends z.ZodType>(
    method: string,
    params: readonly unknown[],
    schema: S,
    options: { readonly maxBytes?: number } = {},
  ): Promise<z.output<S>> {
    try {
      return await this.#rpc.call(method, params, schema, options);
    } catch (error) {
      throw asWalletFault(error);
    }
  }
}

/** Reasons of a daemon that has the transaction already, in its pool or in a block. */
const ALREADY_THERE =
  /already in (block chain|utxo set|mempool)|txn-already-(known|in-mempool)|txn-same-nonwitness-data/i;
/** Reasons of a daemon that knows of other transactions which spent the same coins. */
const SPENT =
  /missing-?or-?spent|missing.?inputs|txn-mempool-conflict|rejecting replacement|bad-txns-spends-conflicting/i;
