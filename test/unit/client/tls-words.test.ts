import { describe, expect, test } from "vitest";
import { certificateWords, handshakeWords, noSv2Words, verifyWords } from "../../../src/client/tls-words.ts";

const error = (code: string): Error => Object.assign(new Error("routines::words of OpenSSL"), { code });

describe("the ends of TLS handshakes in words", () => {
  test.each([
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "it trusts no authority of our certificate"],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "it does not accept our certificate"],
    ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN", "it does not accept our certificate"],
    ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "it says that our certificate has ended"],
    ["ERR_SSL_NO_SHARED_CIPHER", "no cipher is common to both sides"],
    ["ERR_SSL_SOMETHING_NEW", "ERR_SSL_SOMETHING_NEW"],
  ])("%s", (code, words) => {
    expect(handshakeWords(error(code))).toBe(words);
  });

  test("an error without a code speaks for itself", () => {
    expect(handshakeWords(new Error("socket hang up"))).toBe("socket hang up");
  });

  test("what is refused of a certificate, and what is no Stratum V2, are told apart from all else", () => {
    expect(verifyWords("CERT_HAS_EXPIRED")).toBe("it has ended");
    expect(verifyWords("SOMETHING_NEW")).toBe("SOMETHING_NEW");
    expect(certificateWords("ERR_TLS_CERT_ALTNAME_INVALID")).toBe("it is for other names");
    expect(certificateWords("ECONNRESET")).toBeUndefined();
    expect(noSv2Words("ERR_SSL_WRONG_VERSION_NUMBER")).toBe("it does not speak TLS");
    expect(noSv2Words("ECONNRESET")).toBeUndefined();
  });
});
