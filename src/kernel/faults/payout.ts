/** Faults of payouts: what an operator must know before anything of his leaves the wallet, and after. */
import { faults } from "./row.ts";

/** Rows of `src/ledger/payouts`. */
export const PAYOUT_FAULTS = faults({
  "payout-address": {
    act: "halt",
    what: "this cannot be a payout address of that chain",
    help: "Copy the address anew from the wallet that is to receive the coins: one character may be mistyped, or it belongs to another chain or network.",
  },
  "payout-payee": {
    act: "halt",
    what: "nobody can be paid under this name",
    help: "Give a user identity as miners use it (farm.rig7), an account (farm, for all its workers), operator, or beneficiary:NAME: 255 characters at most and no control characters.",
  },
  "payout-amount": {
    act: "halt",
    what: "this is no amount of that coin",
    help: 'Write coins with a point and no more decimals than the coin has, e.g. "0.05".',
  },
  "payout-no-wallet": {
    act: "halt",
    what: "no wallet is configured that could pay on this chain",
    help: "Set wallet_url in [rewards.CHAIN] to a daemon of the Bitcoin Core family with its wallet. Chains of another kind (RSK, Elastos, Hathor) are paid by hand: export the plan with --format json --out FILE, pay it, then --mark-paid FILE --txid ID.",
  },
  "payout-wallet-locked": {
    act: "halt",
    what: "the wallet is encrypted and locked, so it cannot sign",
    help: "Unlock it for a minute (walletpassphrase in the daemon's own command line, never here) and run the same command again. Nothing was paid.",
  },
  "payout-wallet-keys": {
    act: "halt",
    what: "the wallet does not hold the keys of the coins that it was to spend",
    help: "Name a wallet with private keys as `wallet` in [rewards.CHAIN]; one that only watches cannot pay. Nothing was paid.",
  },
  "payout-wallet-missing": {
    act: "halt",
    what: "the daemon has no such wallet open",
    help: "Open it (loadwallet), and name it as `wallet` in [rewards.CHAIN] when the daemon has several. Nothing was paid.",
  },
  "payout-wallet-funds": {
    act: "halt",
    what: "the wallet has too few coins that can be spent now",
    help: "Coinbases take 100 blocks until they can be spent, and change one confirmation. Wait, move coins into this wallet, or raise min_payment so that fewer are paid at a time. Nothing was paid.",
  },
  "payout-wallet-fee": {
    act: "halt",
    what: "the wallet could not tell what fee the network takes",
    help: "It has seen too few blocks to estimate one: let it run for some hours, or start the daemon with -fallbackfee. Nothing was paid.",
  },
  "payout-transaction-wrong": {
    act: "halt",
    what: "the transaction that the wallet made is not the one that it was asked for",
    help: "Nothing was sent. The daemon may be no relative of Bitcoin Core, or a proxy stands before it: export the plan and pay by hand, and report what the message says.",
  },
  "payout-refused": {
    act: "halt",
    what: "the daemon refuses the payout's transaction",
    help: "The message has its reason. A transaction that is already signed is sent again by the next --execute or --resume and never made anew; when its reason will not pass by itself, spend one of its inputs to yourself and, once that is confirmed, --cancel the payout.",
  },
  "payout-inputs-spent": {
    act: "halt",
    what: "coins of a signed payout were spent by another transaction",
    help: "Look in the wallet for what spent them. Once that is confirmed, payout --cancel ID gives the payees their balance back and the next payout pays them; until then nothing more is paid on this chain.",
  },
  "payout-plan-changed": {
    act: "halt",
    what: "balances or addresses changed while the plan was looked at",
    help: "Run the command again: it shows the new plan. Nothing was paid.",
  },
  "payout-under-way": {
    act: "halt",
    what: "another payout of this chain is under way",
    help: "Another run may be paying at this moment: wait for it. `payout --chain CHAIN --resume` finishes what a crash left.",
  },
  "payout-unknown": {
    act: "halt",
    what: "there is no such payout of this chain",
    help: "`payout --chain CHAIN` lists those that are not confirmed yet, with their numbers.",
  },
  "payout-state": {
    act: "halt",
    what: "the payout has come to another state meanwhile, so this cannot be done with it",
    help: "Another run went on with it. `payout --chain CHAIN` shows how it stands.",
  },
  "payout-not-proven": {
    act: "halt",
    what: "nothing proves that this payout can no longer reach its payees",
    help: "It would be paid twice if it did. Spend one of its inputs to yourself and wait until that is confirmed: then it can be cancelled. --force cancels without proof, and then whoever is paid twice is your loss.",
  },
  "payout-plan-file": {
    act: "halt",
    what: "this file is no payout plan of that chain",
    help: "Give the file that `payout --chain CHAIN --format json --out FILE` wrote, unchanged.",
  },
  "payout-plan-paid": {
    act: "halt",
    what: "this plan was marked as paid before",
    help: "The books hold it already, and nothing was changed. A payment that was really made twice is not for the books: ask its payees.",
  },
  "payout-plan-stale": {
    act: "halt",
    what: "the books owe less than this plan says",
    help: "Another plan that held the same balances was paid or marked as paid, or a block was orphaned since. If this one was really paid too, --force posts it, and the balances become negative.",
  },
});
