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
    what: "the peer speaks another protocol than Stratum V2",
    help: "A Stratum V1 miner, a browser or a TLS client reached this port. Give the miner a stratum2+tcp:// address (for the TLS port stratum2+tls://), or put a translator such as SRI's translator_sv2 in front of it.",
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
  "unfinished-too-large": {
    act: "drop",
    what: "the unfinished messages of all clients together are too large, and this client's is the largest",
    help: "A client that means well sends its declaration at once and tries again. When it happens often, somebody sends parts of messages on purpose: look at the addresses in the log.",
  },
  "session-failed": {
    act: "drop",
    what: "serving one connection failed unexpectedly",
    help: "This is a mistake in bllvm-stratum-v2: only that connection was closed. Please report it with the cause and the log lines before it.",
  },
  "tls-refused": {
    act: "drop",
    what: "the peer does not offer what the TLS listener needs",
    help: "Miners need TLS 1.3 and have to offer the protocol `sv2` (ALPN): a browser, an old client or a monitor does not. Nothing is to be done here.",
  },
  "tls-handshake-failed": {
    act: "drop",
    what: "the peer broke the TLS handshake off",
    help: "When the reason speaks of the certificate, that client does not trust ours: give it a `cert-sha256` or the authority key in its URL, or a certificate of a public authority here (docs/transports.md). Else the link or the client is broken.",
  },
  "tls-client-refused": {
    act: "drop",
    what: "the peer has no client certificate that is accepted here",
    help: "With `client_ca_file` in [tls] only clients with a certificate of one of its authorities, in force and for client authentication, are let in. Give that client one, or take the key out.",
  },
  "tls-certificate-invalid": {
    act: "halt",
    what: "the certificate files of [tls] cannot be used",
    help: "`certificate_file` holds the server's certificate first and those of its authorities behind it, `key_file` the private key of the first, not encrypted, both PEM. Check them with `openssl x509 -in FILE -noout -text`.",
  },
  "tls-file-failed": {
    act: "halt",
    what: "a file of [tls] cannot be read or written",
    help: "Check that it exists and that this user may read it, for `certificate_file` and `key_file` left out that `data_dir` can be written; the cause names the system's error.",
  },
  "tls-key-permissions": {
    act: "halt",
    what: "the private key of [tls] can be read by everybody on this machine",
    help: "Run `chmod 600` on it, or `chmod 640` with a group of its own. Who else could read it until now can pose as this server: if that matters, get another certificate.",
  },
  "server-certificate": {
    act: "retry",
    what: "the server's TLS certificate is not accepted",
    help: "Write the server's authority key into the URL: it vouches for the server inside TLS. Or write `?cert-sha256=` with the fingerprint that its operator publishes. Only if it is what they publish: otherwise somebody may stand in between.",
  },
  "client-certificate-failed": {
    act: "retry",
    what: "our certificate for servers that want one cannot be used",
    help: "`client_certificate_file` and `client_key_file` of [upstream] (of `mine` `--client-cert` and `--client-key`) hold a certificate and its own private key, PEM, the key not encrypted and readable by this user only. Nothing is connected without it.",
  },
  "server-no-sv2": {
    act: "retry",
    what: "there is no Stratum V2 over TLS at that address",
    help: "Check the port: servers that offer Stratum V2 over TLS speak TLS 1.3 and the protocol `sv2` (ALPN). For plain Stratum V2 write stratum2+tcp://.",
  },
  "quic-missing": {
    act: "halt",
    what: "QUIC is configured, but its library cannot be loaded",
    help: "Install the optional package with `npm install @matrixai/quic` beside this program; it has binaries for Linux and Windows on x64 and for macOS. Or leave `listen_addr` out of [quic].",
  },
  "quic-certificate-invalid": {
    act: "halt",
    what: "the QUIC library cannot use the certificate",
    help: "The files of [tls] must be PEM: the chain with the server's own certificate first, and the private key that belongs to it.",
  },
  "declaration-solutions-bogus": {
    act: "drop",
    what: "a declaring client pushed many solutions that solve none of its jobs",
    help: "The client is broken, or it declares its jobs elsewhere. Honest clients push a solution when they found a block. Report it with vendor and version.",
  },
  "template-constraints-too-large": {
    act: "drop",
    what: "a template client wants more room for its outputs than it may have",
    help: "Raise `max_output_bytes` in [template_server] if the client really needs so much: transactions are left out of its templates for it.",
  },
  "template-requests-too-many": {
    act: "drop",
    what: "a template client asks for transactions faster than it takes them",
    help: "Each answer has the transactions of a whole block. The client's link is too slow, or it asks again and again. Report its vendor and version.",
  },
  "template-solutions-bogus": {
    act: "drop",
    what: "a template client submitted many solutions that solve no template",
    help: "The client is broken or another provider's. Report it with vendor and version.",
  },
});
