/** Certificates made for one test: authorities, and servers' and clients' certificates of theirs, good or wrong in one way. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type GeneralNameType,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { readCertificate } from "../../src/pool/transports/certificate.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** A certificate and its key, PEM. */
export interface TestPem {
  readonly chain: string;
  readonly key: string;
}

/** What a test may want of a certificate. */
export interface TestCertificateOptions {
  /** Names and addresses. Default `localhost`, 127.0.0.1, ::1. */
  readonly names?: readonly { readonly type: GeneralNameType; readonly value: string }[];
  /** Days from now of its first and last moment. Default -1 and 365. */
  readonly days?: readonly [number, number];
  /** What it may be used for. Default server and client. */
  readonly usage?: readonly ("server" | "client")[];
}

const LOCAL = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
] as const;

/** An authority. */
export class TestAuthority {
  readonly #certificate: X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
  }

  /** Makes one. */
  static async make(name = "test authority"): Promise<TestAuthority> {
    const keys = await generate();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      ...between([-10, 1000]),
      signingAlgorithm: ALGORITHM,
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    });
    return new TestAuthority(certificate, keys);
  }

  /** Its own certificate, PEM. */
  get pem(): string {
    return this.#certificate.toString("pem");
  }

  /** A certificate of this authority. */
  async issue(options: TestCertificateOptions = {}): Promise<TestPem> {
    const { keys, extensions, dates } = await asked(options);
    const certificate = await X509CertificateGenerator.create({
      subject: "CN=test",
      issuer: this.#certificate.subject,
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      ...dates,
      signingAlgorithm: ALGORITHM,
      extensions,
    });
    return { chain: certificate.toString("pem"), key: await keyPem(keys) };
  }
}

/** A certificate that vouches for itself. */
export async function selfSigned(options: TestCertificateOptions = {}): Promise<TestPem> {
  const { keys, extensions, dates } = await asked(options);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=test",
    keys,
    ...dates,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return { chain: certificate.toString("pem"), key: await keyPem(keys) };
}

/** SHA-256 of a chain's first certificate. */
export function pinOf(pem: TestPem): Uint8Array {
  return readCertificate(pem).sha256;
}

async function asked({ names = LOCAL, days = [-1, 365], usage = ["server", "client"] }: TestCertificateOptions) {
  const usages = usage.map((one) => (one === "server" ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth));
  return {
    keys: await generate(),
    dates: between(days),
    extensions: [new SubjectAlternativeNameExtension([...names]), new ExtendedKeyUsageExtension(usages)],
  };
}

function between([first, last]: readonly [number, number]): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now + first * DAY_MS), notAfter: new Date(now + last * DAY_MS) };
}

async function generate(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function keyPem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY");
}
