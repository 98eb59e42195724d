/** Faults of `devnet`. */
import { faults } from "./row.ts";

/** Rows thrown by `devnet`. */
export const DEVNET_FAULTS = faults({
  "server-violation": {
    act: "drop",
    what: "the server broke a rule of the mining protocol",
    help: "The miner connects again. If the server is not ours, report the rule to its maker; if it is, report it to us.",
  },
  "server-unreachable": {
    act: "retry",
    what: "no connection to the server could be made",
    help: "Check host and port, and that the server runs and is not behind a firewall. The miner keeps trying.",
  },
  "hash-thread-failed": {
    act: "halt",
    what: "a hashing thread did not start or ended by itself",
    help: "Build the program again (npm run build); with little memory, use fewer threads.",
  },
});
