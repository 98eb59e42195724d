/** Faults of the ledger: its database, its books, payouts. */
import { faults } from "./row.ts";

/** Rows of `src/ledger`. */
export const LEDGER_FAULTS = faults({
  "ledger-schema-newer": {
    act: "halt",
    what: "the ledger was written by a newer version of this program",
    help: "Run the version that wrote it, or a later one: an older one would not understand what it reads. Never delete the ledger for this: it says who is owed what.",
  },
  "ledger-schema-older": {
    act: "halt",
    what: "the ledger was written by an older version of this program and must be brought up to date first",
    help: "Start the server once: it does that by itself. Keep a copy of the file before, as before every change of version.",
  },
});
