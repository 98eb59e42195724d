/**
 * Cloudflare's quiche, the QUIC implementation, as the package `@matrixai/quic` brings it: a connection is a state machine that takes
 * datagrams and gives datagrams. The package's own classes above it are not used: by design they throw what goes wrong inside
 * (a datagram that the system refuses to send is enough) where nobody can catch it, which would end the process and all mining with it;
 * they let windows grow to 16 MiB a stream, bound neither connections nor streams, and look at all streams for each datagram.
 */
import type { Quiche as Binding } from "@matrixai/quic/native/quiche.js";
import type * as native from "@matrixai/quic/native/types.js";

/** The binding. */
export type Quiche = Binding;
/** One connection's state. Its methods throw what quiche's errors are called, with numbers in brackets: `StreamStopped(7)`. */
export type QuicheConnection = native.Connection;
/** What connections are made with: certificates, limits and windows. */
export type QuicheConfig = native.Config;
/** An address, IP as text. */
export type HostPort = native.Host;

/** Length of connection IDs that we choose, bytes: so many bits that nobody guesses one. */
export const CONNECTION_ID_BYTES = 16;

/** Longest UDP payload that we send and take, bytes: fits the paths that miners are on, tunnels included. */
export const DATAGRAM_BYTES = 1350;

/** What is spoken on each stream (ALPN, RFC 7301). */
export const ALPN = "sv2";

/** Loads the binding. Rejects when the package, or its binary for this platform, is not installed. */
export async function loadQuiche(): Promise<Quiche> {
  return (await import("@matrixai/quic/native/quiche.js")).default;
}

/** The code in an error of quiche's by name, `StreamReset` or `StreamStopped`; `undefined` when it is another error. */
export function errorCode(error: unknown, name: "StreamReset" | "StreamStopped"): number | undefined {
  const match = error instanceof Error ? /^(\w+)\((\d+)\)$/.exec(error.message) : null;
  return match?.[1] === name ? Number(match[2]) : undefined;
}
