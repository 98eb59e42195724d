/** Faults of reports on the ledger. */
import { faults } from "./row.ts";

/** Rows of `src/ledger/reports` and of the commands that print them. */
export const REPORT_FAULTS = faults({
  "report-query": {
    act: "halt",
    what: "a report was asked for with a value that cannot be used",
    help: "A time is an ISO date (2026-08-30, 2026-08-30T12:00:00Z) or how long ago (90m, 24h, 7d); a limit is a whole number from 1 to 1000; --after takes what the page before called next.",
  },
  "report-chain-unknown": {
    act: "halt",
    what: "neither the configuration nor the ledger knows a chain of that name",
    help: "Chains go by the name of their [chains.NAME] table; Bitcoin is bitcoin. `bllvm-stratum-v2 rewards` without --chain shows all that the ledger knows.",
  },
  "report-pool-unknown": {
    act: "halt",
    what: "nobody has worked for a pool of that name",
    help: "Pools go by their name of [[pools]] at the time, or by host and port without one; `bllvm-stratum-v2 workers` shows the pools that each worker worked for.",
  },
  "report-block-unknown": {
    act: "halt",
    what: "the ledger has no block with that key or hash",
    help: "`bllvm-stratum-v2 blocks --json` shows the keys and hashes of all that were found; a hash is written in full, as the chain prints it.",
  },
  "report-no-ledger": {
    act: "halt",
    what: "there is no ledger yet",
    help: "The server makes it at its first start. If it has run already, see that -c names its configuration: the ledger is where ledger.database or stratum_v2.data_dir says.",
  },
});
