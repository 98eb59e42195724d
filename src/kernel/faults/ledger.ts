/** Faults of the ledger: its database, its books, payouts. */
import { faults } from "./row.ts";

/** Rows of `src/ledger`. */
export const LEDGER_FAULTS = faults({
  "ledger-schema-newer": {
    act: "halt",
    what: "the ledger was written by a newer version of this program",
    help: "Run the version that wrote it, or a later one: an older one would not understand what it reads. Never delete the ledger for this: it says who is owed what.",
  },
  "ledger-credit-unwritten": {
    act: "retry",
    what: "credit of shares cannot be written to the ledger",
    help: "It is kept in memory and written as soon as the database takes it; the cause says what is wrong with that. Do not stop the server before: what is not written then is lost to the miners. Found blocks are not concerned.",
  },
  "ledger-credit-lost": {
    act: "retry",
    what: "shares were accepted that nobody gets credit for",
    help: "The database has been away for so long that memory for credit is full, and workers who are new in it are not counted. Mend the database: the lines before say what is wrong with it.",
  },
  "ledger-schema-older": {
    act: "halt",
    what: "the ledger was written by an older version of this program and must be brought up to date first",
    help: "Start the server once: it does that by itself. Keep a copy of the file before, as before every change of version.",
  },
});
