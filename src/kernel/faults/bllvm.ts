/** Faults of the life as a module of the bllvm node: its IPC, its ways of starting us, and the work taken from it. */
import { faults } from "./row.ts";

/** Rows of `src/node/bllvm` and `src/app/module`. */
export const BLLVM_FAULTS = faults({
  "bllvm-frame-too-long": {
    act: "drop",
    what: "a frame of the node's IPC is longer than the node ever sends",
    help: "This is no bllvm node, or one that is newer than this program: check SOCKET_PATH, and node and module versions against docs/bllvm.md.",
  },
  "bllvm-message-invalid": {
    act: "drop",
    what: "a message of the node's IPC cannot be read",
    help: "The node speaks another version of the protocol than was assumed: set bllvm.wire to the node's (docs/bllvm.md lists them).",
  },
  "bllvm-away": {
    act: "retry",
    what: "the bllvm node does not serve this module now",
    help: "Start the node, and see `doctor --module` for what keeps it from answering.",
  },
  "bllvm-request-closed": {
    act: "retry",
    what: "the bllvm node closed the connection instead of answering",
    help: "The node does so at every error: a missing capability, an unknown request, too many requests. Give the module the capabilities of module.toml; docs/bllvm.md lists what each request needs.",
  },
  "bllvm-request-unusable": {
    act: "retry",
    what: "the bllvm node closes the connection at this request, so it is not sent any more",
    help: "Give the module the capability that it needs (docs/bllvm.md) and restart the node and the module; or set bllvm.wire if the node is of another version.",
  },
  "bllvm-request-failed": {
    act: "retry",
    what: "the bllvm node answered a request with an error",
    help: "The node's words stand beside it; look at the node's log.",
  },
  "bllvm-queue-full": {
    act: "retry",
    what: "too many requests wait for the bllvm node",
    help: "At most 50 a second are sent, as the node closes the connection above 100. If it lasts, the node is slow to answer: look at its log.",
  },
  "bllvm-socket-path": {
    act: "halt",
    what: "the socket on which an older bllvm node looks after this module cannot be opened",
    help: "The node names it with --socket-path. The folder must exist and be writable, and the path be free or an old socket; the cause names the system's error.",
  },
  "bllvm-network-unknown": {
    act: "retry",
    what: "the bllvm node does not tell which network it is on",
    help: "Its first block is none of Bitcoin's mainnet, testnet, testnet4, signet or regtest, or it has not stored one yet. Check the node's protocol_version and let it begin to synchronise; other networks cannot be mined.",
  },
  "bllvm-height-disputed": {
    act: "retry",
    what: "the bllvm node contradicts itself about the height of a block",
    help: "A coinbase with a wrong height makes a worthless block, so no work is taken where the numbers disagree. Restart the node; if it stays, let it rebuild its index, or list a Bitcoin Core node under [[bitcoind]].",
  },
  "bllvm-chain-incomplete": {
    act: "retry",
    what: "the bllvm node lacks a block or header that is needed for the next block",
    help: "Wait until the node has synchronised. With pruning, let it keep at least the last 2,016 blocks; or list a Bitcoin Core node under [[bitcoind]].",
  },
  "bllvm-target-disputed": {
    act: "retry",
    what: "the bllvm node names another target for the next block than its headers lead to",
    help: "A block of the wrong target is worthless, so no work is taken. Check that bllvm.rpc_url is this node's own address, and report it together with the node's version; leave bllvm.rpc_url out or list a Bitcoin Core node under [[bitcoind]] to mine on.",
  },
  "bllvm-coinbase-only": {
    act: "retry",
    what: "blocks of the bllvm node hold their coinbase alone: its IPC gives no transactions that could be mined",
    help: "Set bllvm.rpc_url to the node's JSON-RPC for the fees of transactions without witness, or list a Bitcoin Core node under [[bitcoind]] for all of them.",
  },
  "bllvm-template-doubtful": {
    act: "retry",
    what: "the block template of the bllvm node's JSON-RPC is not used as it is",
    help: "Nothing is lost but fees: what is doubtful is left out, at worst the block holds its coinbase alone. The reason stands beside it; a Bitcoin Core node under [[bitcoind]] gives whole templates.",
  },
  "bllvm-api-method": {
    act: "reply",
    what: "this module has no method of that name",
    help: "docs/bllvm-api.md lists the methods with what they take.",
  },
  "bllvm-api-params": {
    act: "reply",
    what: "the parameters are not what the method takes",
    help: "They are one JSON object of at most 64 KiB; docs/bllvm-api.md lists the keys of each method.",
  },
  "bllvm-api-channel": {
    act: "reply",
    what: "the caller has no merge-mining channel with that id",
    help: "Call register_merge_mining_channel: a channel that nobody uses is closed after ten minutes, all are closed when the server stops, and each is its caller's alone.",
  },
  "bllvm-api-channels": {
    act: "reply",
    what: "too many merge-mining channels are open",
    help: "There is a bound for each caller and one for all (docs/bllvm-api.md). Use the channels that were registered; those that nobody uses are closed after ten minutes.",
  },
  "bllvm-api-refused": {
    act: "reply",
    what: "the merge-mining channel was refused",
    help: "unknown-user and invalid-user-identity: [access] of the server admits other identities, give one as user_identity. max-target-out-of-range: min_difficulty is harder than any share that the server wants.",
  },
  "bllvm-api-busy": {
    act: "reply",
    what: "the call cannot be answered just now",
    help: "Too many calls are under way, the caller opens channels too fast, the ledger takes long, or the server stops: ask again after a while.",
  },
  "bllvm-cli": {
    act: "reply",
    what: "a word on the node's command line is not understood",
    help: "Give options as --limit 10 or limit=10; those that are known stand in brackets.",
  },
  "bllvm-launch": {
    act: "halt",
    what: "how this module was started makes no sense",
    help: "A node starts it by itself. By hand: `bllvm-stratum-v2 module --socket NODE_SOCK --data-dir DIR --config FILE`; docs/bllvm.md shows a service.",
  },
  "bllvm-socket-unknown": {
    act: "halt",
    what: "nothing says where the bllvm node's socket is",
    help: "Give --socket, SOCKET_PATH or bllvm.socket: the node makes it as node.sock in modules.socket_dir of its blvm.toml.",
  },
  "bllvm-data-dir-unknown": {
    act: "halt",
    what: "nothing says where this module keeps its data",
    help: "Give --data-dir (the node's own folder for this module is the best place: modules.data_dir of its blvm.toml, then the module's name), or a configuration file with stratum_v2.data_dir.",
  },
  "bllvm-install": {
    act: "halt",
    what: "the module cannot be installed there",
    help: "The reason stands beside it. --modules-dir is modules.modules_dir of the node's blvm.toml, and this user must be able to write there.",
  },
});
