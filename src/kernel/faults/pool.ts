/** Faults of `pool`: a peer at the door costs itself the connection, the operator's mistakes stop the start. */
import { faults } from "./row.ts";

/** Rows thrown by `pool`. */
export const POOL_FAULTS = faults({
  "listen-failed": {
    act: "halt",
    what: "the server cannot listen on its address",
    help: "EADDRINUSE: another program has the port, find it with `ss -ltnp` or choose another `listen_addr`. EACCES: ports below 1024 need a privilege. EADDRNOTAVAIL: no interface has that address, 0.0.0.0 means all.",
  },
  "network-invalid": {
    act: "halt",
    what: "an address or network cannot be read",
    help: "Write it as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32; behind the prefix all bits must be zero.",
  },
  "not-stratum-v2": {
    act: "drop",
    what: "the peer speaks plain text instead of Stratum V2",
    help: "A Stratum V1 miner or a browser reached the Stratum V2 port. Give the miner a stratum2+tcp:// address, or put a translator such as SRI's translator_sv2 in front of it.",
  },
  "handshake-timeout": {
    act: "drop",
    what: "the peer did not finish handshake and SetupConnection in time",
    help: "A port scan or a monitor that only connects does this. When miners do it, look for packet loss, or raise `handshake_timeout_s` in [limits].",
  },
  "setup-expected": {
    act: "drop",
    what: "the first message was not SetupConnection",
    help: "The peer breaks Stratum V2 (spec 3.6.1). Report its vendor and firmware version.",
  },
  "setup-repeated": {
    act: "drop",
    what: "the peer sent SetupConnection a second time",
    help: "A connection has one SetupConnection (spec 3.6.1); a client that wants other features opens another connection.",
  },
  "setup-refused": {
    act: "drop",
    what: "the connection was refused with SetupConnection.Error",
    help: "The client wants another subprotocol, version or feature than a mining server of version 2 has; the error code says which. A job declarator or template client was probably pointed at the mining port.",
  },
  "extension-required": {
    act: "drop",
    what: "the peer did not negotiate an extension that this server requires",
    help: "Turn the extension on in the client, or take it out of `required_extensions` in [access]: stock miners speak none.",
  },
  "idle-timeout": {
    act: "drop",
    what: "the peer sent nothing for too long",
    help: "A miner that found no share for so long is off, or its difficulty is far too high. Raise `idle_timeout_s` in [limits] for proxies that wait without miners.",
  },
  "peer-not-reading": {
    act: "drop",
    what: "the peer does not read what it is sent",
    help: "Its link is too slow or its program hangs. Raise `buffer_bytes` in [limits] only for honest proxies with very many channels.",
  },
  "session-failed": {
    act: "drop",
    what: "serving one connection failed unexpectedly",
    help: "This is a mistake in bllvm-stratum-v2: only that connection was closed. Please report it with the cause and the log lines before it.",
  },
});
