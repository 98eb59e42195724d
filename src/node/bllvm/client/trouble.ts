/** Why the node does not serve us, in words that say what to do. */
import { describe } from "../../../kernel/fault.ts";
import type { EndReason } from "./connection.ts";

/** Said while the node takes our connection and does not answer. */
export const STARVING =
  "the bllvm node took the connection and does not answer: it serves one connection at a time, and another one has its turn, mostly its own to a module that it started. We wait, it may last; docs/bllvm.md says how to start this module so that it is served. Mining goes on with other nodes";

/** Said while the hold file exists. */
export const held = (path: string): string =>
  `the bllvm node is starting this module's launcher, so we keep away from it until ${path} is gone`;

/** Said while the node may still be connecting to the module that it started. */
export const FIRST_DELAY = "the bllvm node started this module a moment ago: it goes first, then we connect";

/** Said from the node's word that it stops until its end. */
export const CLOSING = "the bllvm node is stopping";

const BY_CODE: Readonly<Record<string, string>> = {
  ENOENT:
    "there is no such socket. Is the node running, and its module system switched on? Its path is socket_dir/node.sock of [modules] in the node's configuration",
  ECONNREFUSED: "nobody listens at the socket: the node is not running",
  EACCES: "this user may not use the socket: run this program as the user that runs the node",
  EAGAIN: "too many connections wait for the node: it does not serve them",
};

/** Why a connection ended. */
export function trouble(path: string, reason: EndReason, error: Error | undefined): string {
  if (reason === "node") return `the bllvm node at ${path} closed the connection`;
  const code = error !== undefined && "code" in error ? String(error.code) : undefined;
  const words = code === undefined ? undefined : BY_CODE[code];
  if (reason === "refused") return `no connection to the bllvm node at ${path}: ${words ?? code ?? "it was refused"}`;
  return `the connection to the bllvm node at ${path} was ended: ${error === undefined ? reason : describe(error)}`;
}
