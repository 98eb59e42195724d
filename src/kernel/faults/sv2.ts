/** Faults of `sv2`: all of them cost the sender the connection and nobody else anything. */
import { faults } from "./row.ts";

/** Rows thrown by `sv2`. */
export const SV2_FAULTS = faults({
  "frame-too-large": {
    act: "drop",
    what: "the peer announced a frame above the limit",
    help: "Nothing was allocated for it. If it is an honest peer, its messages are larger than the configured frame limit: raise it.",
  },
  "field-too-long": {
    act: "drop",
    what: "a field is longer than its type allows",
    help: "The peer's encoder breaks the Stratum V2 data types (spec 3.1). Report the peer's vendor and firmware version.",
  },
  "message-unknown": {
    act: "drop",
    what: "the peer sent a message type that its protocol does not have",
    help: "The peer speaks another version of Stratum V2 or another subprotocol than it announced in SetupConnection.",
  },
  "message-direction": {
    act: "drop",
    what: "the peer sent a message that only its other side may send",
    help: "Two servers or two clients are connected to each other, or the peer's firmware is broken.",
  },
  "noise-act-size": {
    act: "drop",
    what: "a handshake act has the wrong size",
    help: "Noise NX over secp256k1 with ElligatorSwift has acts of 64 and 234 bytes (spec 4.5); the peer speaks an older draft.",
  },
  "noise-mac": {
    act: "drop",
    what: "an encrypted message does not authenticate",
    help: "In a handshake: the peer speaks another Noise pattern. Later: bytes were lost, changed or put in another order on the way, or the peer's nonces are off.",
  },
  "noise-nonce-exhausted": {
    act: "drop",
    what: "a connection used up the nonces of its key",
    help: "Nothing to do: the peer connects again and gets a new key.",
  },
  "certificate-version": {
    act: "drop",
    what: "the server's certificate is of an unknown version",
    help: "The server speaks a newer version of the Noise handshake than 0 (spec 4.5.2); update this program.",
  },
  "certificate-not-yet-valid": {
    act: "drop",
    what: "the server's certificate is not valid yet",
    help: "One of both clocks is wrong: check this machine's with `timedatectl`, then tell the pool.",
  },
  "certificate-expired": {
    act: "drop",
    what: "the server's certificate is no longer valid",
    help: "One of both clocks is wrong, or the pool did not renew its certificate: check this machine's clock with `timedatectl`, then tell the pool.",
  },
  "certificate-signature": {
    act: "drop",
    what: "the server's certificate is not signed by the expected authority",
    help: "The authority key in the address belongs to another pool, or someone between us and the pool answers in its place. Compare the key with the one that the pool publishes.",
  },
  "authority-key-invalid": {
    act: "halt",
    what: "a text is not an authority key",
    help: "Copy the key again. A public key begins with 9 and a secret key is never shown to miners; `bllvm-stratum-v2 keygen` makes a pair.",
  },
  "sv2-url-invalid": {
    act: "halt",
    what: "an address is not one of a Stratum V2 server",
    help: "Write stratum2+tcp://HOST:PORT/AUTHORITY_KEY as the pool publishes it; without the key the server is not checked.",
  },
  "transport-unavailable": {
    act: "halt",
    what: "the transport that an address names is not there",
    help: "stratum2+quic:// needs the optional package @matrixai/quic, which has binaries for x64 Linux, macOS and Windows: install it beside this program, or use the server's stratum2+tcp:// or stratum2+tls:// address.",
  },
  "key-file-permissions": {
    act: "halt",
    what: "the authority key file can be read by others",
    help: "Run `chmod 600` on it. Who else could read it until now can pose as this pool: if that matters, make another key with `bllvm-stratum-v2 keygen` and publish it.",
  },
  "key-file-invalid": {
    act: "halt",
    what: "the authority key file does not hold an authority key",
    help: "It has to hold one line, the secret key as `bllvm-stratum-v2 keygen` or SRI write it. Restore it from a backup; a new key must be published to all miners.",
  },
  "key-file-exists": {
    act: "halt",
    what: "there is an authority key file already",
    help: "It is not overwritten, as miners know its public key. Move it away first or name another file.",
  },
  "key-file-failed": {
    act: "halt",
    what: "the authority key file cannot be read or written",
    help: "Check that the folder exists or can be made, that this user may use it and that the disk is not full; the cause names the system's error.",
  },
});
