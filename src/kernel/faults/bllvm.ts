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
