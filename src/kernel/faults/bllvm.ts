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
});
