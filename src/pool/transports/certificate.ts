/** A server's TLS certificate with its key, checked before anybody is served with it. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { fromHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";

/** What the operator's files hold, PEM. */
export interface CertificatePem {
  /** The server's certificate first, those of its authorities behind it. */
  readonly chain: string;
  /** Private key of the first, not encrypted. */
  readonly key: string;
  /** Authorities whose clients alone are let in; left out, everybody is. */
  readonly clientCa?: string | undefined;
}

/** A certificate that can be served. */
export interface Certificate extends CertificatePem {
  /** SHA-256 of the server's certificate, DER (32 bytes): what clients pin. */
  readonly sha256: Uint8Array;
  /** When it comes into force and ends, ms since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Names that it is for, e.g. `DNS:pool.example.com`. */
  readonly names: readonly string[];
}

/** Where transports get the certificate from. */
export interface CertificateSource {
  /** The newest good one. Throws `TypeError` before one was read. */
  current(): Certificate;
  /** Calls `listener` with every later one; returns what ends that. */
  onChange(listener: (certificate: Certificate) => void): () => void;
}

/**
 * Checks that the files belong together and are whole. Throws `Fault("tls-certificate-invalid")` with the reason; it quotes
 * nothing of the key.
 */
export function readCertificate(pem: CertificatePem): Certificate {
  const certificates = parseChain(pem.chain, "certificate_file");
  const [leaf] = certificates;
  if (leaf === undefined) throw invalid("certificate_file holds no certificate");
  const key = parseKey(pem.key);
  if (!leaf.checkPrivateKey(key)) throw invalid("key_file is not the key of the first certificate in certificate_file");
  if (pem.clientCa !== undefined && parseChain(pem.clientCa, "client_ca_file").length === 0) {
    throw invalid("client_ca_file holds no certificate");
  }
  try {
    createSecureContext({ cert: pem.chain, key: pem.key, ca: pem.clientCa, minVersion: "TLSv1.3" });
  } catch (cause) {
    throw invalid("OpenSSL does not take these files together", cause);
  }
  return {
    ...pem,
    sha256: fromHex(leaf.fingerprint256.replaceAll(":", "").toLowerCase()),
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    names: leaf.subjectAltName?.split(", ") ?? [],
  };
}

const BEGIN = "-----BEGIN CERTIFICATE-----";
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** All certificates of a file; one that is cut off counts as broken, not as absent. */
function parseChain(pem: string, file: string): X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length !== pem.split(BEGIN).length - 1) throw invalid(`${file} ends in the middle of a certificate`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw invalid(`${file} holds something that is no certificate`, cause);
    }
  });
}

function parseKey(pem: string): KeyObject {
  if (/-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem)) throw invalid("key_file is encrypted");
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's words say nothing that helps, and a cause may be printed.
    throw invalid("key_file holds no private key, or half of one");
  }
}

function invalid(reason: string, cause?: unknown): Fault {
  return new Fault("tls-certificate-invalid", { reason }, { cause });
}
