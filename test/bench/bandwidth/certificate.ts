/** The bench's certificate: self-signed and alone, P-256, as the server makes one itself. A public authority's chain adds 2 to 4 KiB to a handshake. */
import {
  type CertificatePem,
  type CertificateSource,
  readCertificate,
} from "../../../src/pool/transports/certificate.ts";

/** A source of one certificate for ever. */
export function fixedCertificate(pem: CertificatePem): CertificateSource {
  const certificate = readCertificate(pem);
  return { current: () => certificate, onChange: () => () => undefined };
}
