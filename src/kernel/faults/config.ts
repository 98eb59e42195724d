/** Faults of the configuration and of what the operator set up. */
import { faults } from "./row.ts";

/** Rows thrown by `app/config` and by the checks at start. */
export const CONFIG_FAULTS = faults({
  "config-unreadable": {
    act: "halt",
    what: "the configuration file cannot be read",
    help: "Give the right path with -c, and let this user read the file. `config.toml.example` is a file to start from.",
  },
  "config-not-toml": {
    act: "halt",
    what: "the configuration file is not valid TOML",
    help: "Mend the line that is named; texts need quotes, tables are written [name].",
  },
  "config-invalid": {
    act: "halt",
    what: "the configuration is not valid",
    help: "Each line names the key and what was expected; docs/configuration.md lists every key.",
  },
  "config-data-network": {
    act: "halt",
    what: "data_dir belongs to another Bitcoin network",
    help: "Its ledger says who is owed coins of that network: paid out here they would be other coins. Give each network a data_dir of its own and, on PostgreSQL, a database of its own (ledger.database). If bitcoin.network is wrong, mend that.",
  },
  "config-no-pool-user": {
    act: "halt",
    what: "nobody is named whom the pool shall credit",
    help: 'Set upstream.user to the account or the address that you have at the pool, e.g. [upstream] user = "account.farm", or `user` in that pool\'s [[pools]] section.',
  },
  "config-pool-twice": {
    act: "halt",
    what: "two pools have the same name",
    help: "Give each [[pools]] a name of its own, or remove the one that stands there twice; pool_url is the first of them, called by its host and port.",
  },
  "config-no-payout": {
    act: "halt",
    what: "bitcoin.payout is not set",
    help: 'Set bitcoin.payout to your address, e.g. payout = "addr(bc1q...)"; without it nobody would be paid for a block.',
  },
  "config-no-node": {
    act: "halt",
    what: "no Bitcoin node is configured",
    help: 'Add a [[bitcoind]] section with url = "http://127.0.0.1:8332" and cookie_file, or try the program with --devnet.',
  },
  "config-listen-address": {
    act: "halt",
    what: "that is no address to listen on",
    help: "Write host:port, e.g. 0.0.0.0:3333 for all interfaces, 127.0.0.1:3333 for this machine, or [::]:3333.",
  },
  "config-node-credentials": {
    act: "halt",
    what: "a Bitcoin node has more than one kind of credentials",
    help: "Keep one of cookie_file, password and password_file; user goes with the latter two.",
  },
  "config-node-twice": {
    act: "halt",
    what: "two Bitcoin nodes have the same name",
    help: "Give each [[bitcoind]] a name of its own, or remove the one that stands there twice.",
  },
  "config-chain-refused": {
    act: "halt",
    what: "a chain's plugin cannot work with its configuration",
    help: "The plugin's own words follow; plugins/<name>/README.md or the plugin's own README explains its keys.",
  },
  "config-no-file": {
    act: "halt",
    what: "the server was started without a configuration file, so there is none to read again",
    help: "Start it with -c config.toml; chains can be enabled and disabled without one.",
  },
  "config-control-token": {
    act: "halt",
    what: "control.listen and control.token_file go together, and one of them is missing",
    help: "Set both for HTTP with a token (`openssl rand -hex 32 > control-token`), or neither for a socket in data_dir.",
  },
});
