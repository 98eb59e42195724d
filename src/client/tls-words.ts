/** What OpenSSL and Node.js call the ends of TLS handshakes, in words for an operator. */

const ALERT_WORDS: Readonly<Record<string, string>> = {
  UNKNOWN_CA: "it trusts no authority of our certificate",
  BAD_CERTIFICATE: "it does not accept our certificate",
  CERTIFICATE_UNKNOWN: "it does not accept our certificate",
  CERTIFICATE_EXPIRED: "it says that our certificate has ended",
  CERTIFICATE_REVOKED: "it says that our certificate was revoked",
  UNSUPPORTED_CERTIFICATE: "it does not support our certificate's kind",
  ACCESS_DENIED: "it denied access",
  NO_APPLICATION_PROTOCOL: "it does not speak sv2 (ALPN)",
  PROTOCOL_VERSION: "it does not speak TLS 1.3",
  HANDSHAKE_FAILURE: "it found nothing that both sides can do",
};

const CODE_WORDS: Readonly<Record<string, string>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "it sent no client certificate",
  ERR_SSL_NO_SHARED_CIPHER: "no cipher is common to both sides",
  ERR_SSL_NO_SUITABLE_KEY_SHARE: "no key exchange is common to both sides",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it took too long",
};

/** Why certificates are refused, by OpenSSL's names for it. */
const VERIFY_WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has ended",
  CERT_NOT_YET_VALID: "it is not in force yet",
  CERT_REVOKED: "it was revoked",
  INVALID_PURPOSE: "it is for another purpose",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed, no authority vouches for it",
  SELF_SIGNED_CERT_IN_CHAIN: "its authority is not one of those that are trusted",
  UNABLE_TO_GET_ISSUER_CERT: "there is none, or its authority is not one of those that are trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its authority is not one of those that are trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its authority is not one of those that are trusted",
};

/** What a server speaks in place of SV2 over TLS, by the code with which a handshake fails. */
const NO_SV2_WORDS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks no TLS 1.3",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "it speaks no TLS 1.3",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "it offers no sv2 (ALPN)",
};

/** Why it is no server of ours, if the code of a failed handshake means that. */
export function noSv2Words(code: string): string | undefined {
  return NO_SV2_WORDS[code];
}

/** Why a server's certificate is refused, if the code of a failed connection means that. */
export function certificateWords(code: string): string | undefined {
  return code === "ERR_TLS_CERT_ALTNAME_INVALID" ? "it is for other names" : VERIFY_WORDS[code];
}

/** Why a handshake ended, from the error that Node.js reports; a code that is not known is given as it is. */
export function handshakeWords(error: Error & { readonly code?: string }): string {
  const { code = error.message } = error;
  const alert = /_ALERT_(.+)$/.exec(code)?.[1];
  return (alert === undefined ? CODE_WORDS[code] : ALERT_WORDS[alert]) ?? code;
}

/** Why a peer's certificate is refused; a code that is not known is given as it is. */
export function verifyWords(code: string): string {
  return VERIFY_WORDS[code] ?? code;
}
