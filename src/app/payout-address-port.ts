/** Payout addresses for the control API: what programs register, into the same table as the command `payout-address`. */
import type { ControlPort, PayoutAddressEntry } from "../host/control-api.ts";
import type { Clock } from "../kernel/clock.ts";
import {
  type AddressCheck,
  listPayoutAddresses,
  type PayoutAddress,
  removePayoutAddress,
  setPayoutAddress,
} from "../ledger/payouts/addresses.ts";
import { type Coin, coinsText, unitsOf } from "../ledger/payouts/coins.ts";
import type { LedgerAccess } from "../ledger/store/access.ts";

/** What it works with. */
export interface PayoutAddressPortDeps {
  readonly ledger: LedgerAccess;
  readonly clock: Clock;
  readonly check: AddressCheck;
  /** The coin of a configured chain. Throws `Fault("chain-unknown")`. */
  readonly coinOf: (chain: string) => Promise<Coin>;
}

/** Addresses in one answer. */
const PAGE = 1000;

/** The three requests. */
export function payoutAddressPort({
  ledger,
  clock,
  check,
  coinOf,
}: PayoutAddressPortDeps): Pick<ControlPort, "payoutAddresses" | "setPayoutAddress" | "removePayoutAddress"> {
  return {
    async payoutAddresses(chain, after) {
      const coin = await coinOf(chain);
      const page = await ledger.run((db) => listPayoutAddresses(db, { chain, after, limit: PAGE }));
      return {
        addresses: page.map((entry) => entryOf(entry, coin)),
        next: page.length < PAGE ? null : (page.at(-1)?.payee ?? null),
      };
    },
    async setPayoutAddress(chain, { payee, address, least }) {
      const coin = await coinOf(chain);
      const units = least === null ? undefined : unitsOf(least, coin);
      const entry = { chain, payee, address, least: units, atMs: clock.nowMs() };
      await ledger.transaction((db) => setPayoutAddress(db, entry, check));
      return entryOf(entry, coin);
    },
    async removePayoutAddress(chain, payee) {
      await coinOf(chain);
      return await ledger.transaction((db) => removePayoutAddress(db, chain, payee));
    },
  };
}

function entryOf({ payee, address, least }: PayoutAddress, coin: Coin): PayoutAddressEntry {
  return { payee, address, least: least === undefined ? null : coinsText(least, coin) };
}
