/** Faults of `devnet`. */
import { faults } from "./row.ts";

/** Rows thrown by `devnet`. */
export const DEVNET_FAULTS = faults({
  "devnet-listen-failed": {
    act: "halt",
    what: "an embedded daemon cannot listen for JSON-RPC, ZMQ or WebSocket",
    help: "Another program holds the port, or the address is not this machine's. Choose another port, or 0 for any free one.",
  },
  "devnet-cookie-failed": {
    act: "halt",
    what: "the embedded Bitcoin node cannot write its cookie file",
    help: "Give a folder that exists and can be written to, or set a password instead.",
  },
  "devnet-history-failed": {
    act: "halt",
    what: "the embedded Bitcoin node could not make its first blocks",
    help: "The computer's clock stands before the year 2011 or is far off; set it. If it is right, report this with the reason.",
  },
  "server-violation": {
    act: "drop",
    what: "the server broke a rule of the mining protocol",
    help: "The miner connects again. If the server is not ours, report the rule to its maker; if it is, report it to us.",
  },
  "server-unreachable": {
    act: "retry",
    what: "no connection to the server could be made",
    help: "Check host and port, that the name resolves, and that the server runs and is not behind a firewall. A server in pool mode, and a miner that was connected, try again by themselves.",
  },
  "hash-thread-failed": {
    act: "halt",
    what: "a hashing thread did not start or ended by itself",
    help: "Build the program again (npm run build); with little memory, use fewer threads.",
  },
});
