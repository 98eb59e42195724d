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
    help: "Use the channels that were registered; those that nobody uses are closed after ten minutes.",
  },
  "bllvm-api-refused": {
    act: "reply",
    what: "the merge-mining channel was refused",
    help: "unknown-user and invalid-user-identity: [access] of the server admits other identities, give one as user_identity. max-target-out-of-range: min_difficulty is harder than any share that the server wants.",
  },
  "bllvm-api-busy": {
    act: "reply",
    what: "the call cannot be answered just now",
    help: "Too many calls are under way, or the ledger takes long: ask again after a while.",
  },
  "bllvm-cli": {
    act: "reply",
    what: "a word on the node's command line is not understood",
    help: "Give options as --limit 10 or limit=10; those that are known stand in brackets.",
  },
});
