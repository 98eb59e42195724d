/** A stream over TCP, Stratum V2's own transport. */
import { connect } from "node:net";
import type { Dial } from "./link.ts";
import { linkOver } from "./socket-link.ts";

/** `Dial` over TCP. Shares leave at once (TCP_NODELAY). */
export const dialTcp: Dial = (server, listener, signal) => {
  const socket = connect({ host: server.host, port: server.port, noDelay: true });
  return linkOver(socket, { server, openedBy: "connect" }, listener, signal);
};
