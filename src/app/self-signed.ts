/**
 * The certificate of whoever has none: self-signed, made at the first start and kept. It serves clients that pin it
 * (`?cert-sha256=`) or that know the server by its authority key inside; nobody else can check it.
 */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { Files } from "../daemon/files.ts";
import { toHex } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { Random } from "../kernel/random.ts";
import type { CertificatePaths } from "../pool/transports/certificate-files.ts";

/** What it is made with. */
export interface SelfSignedDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
}

/** Options of `makeSelfSigned`. */
export interface SelfSignedOptions {
  readonly paths: CertificatePaths;
  /** Names and addresses that the server is reached by; what it listens on beside its own. */
  readonly hosts: readonly string[];
}

/** P-256 is what every TLS 1.3 client can check (RFC 8446 §9.1), and its signatures cost the least of those. */
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Clients have its fingerprint written down: it changes when they can be told, not by itself. */
const VALID_DAYS = 3650;
/** A clock that is a day behind takes it too. */
const SKEW_DAYS = 1;
const MAX_BYTES = 1 << 20;

/**
 * Makes key and certificate unless they are there; both files are 0600. Throws `Fault("tls-file-failed")`, also where a
 * certificate has lost its key: another one would be refused by all who pinned it.
 */
export async function makeSelfSigned(deps: SelfSignedDeps, { paths, hosts }: SelfSignedOptions): Promise<boolean> {
  const { files } = deps;
  const [chain, key] = await Promise.all([exists(files, paths.chain), exists(files, paths.key)]);
  if (chain && key) return false;
  if (chain) {
    const cause = new Error("the certificate beside it is there: restore the key, or remove both for new ones");
    throw new Fault("tls-file-failed", { path: paths.key }, { cause });
  }
  const pem = await selfSigned(deps, hosts);
  try {
    await files.makeFolder(dirname(paths.key));
    // The key first: a certificate that is there has its key.
    for (const [path, text] of [
      [paths.key, pem.key],
      [paths.chain, pem.chain],
    ] as const) {
      const draft = `${path}.${toHex(deps.random.bytes(8))}.new`;
      await files.writeSynced(draft, text);
      await files.rename(draft, path);
    }
    await files.syncFolder(dirname(paths.key));
  } catch (cause) {
    throw new Fault("tls-file-failed", { path: paths.key }, { cause });
  }
  return true;
}

/** Names and addresses of this machine, and those given. */
export function ownHosts(listen: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // Link-local addresses are none without their interface.
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
  const anywhere = ["0.0.0.0", "::", ""];
  const all = [...listen, hostname(), "localhost", "127.0.0.1", "::1", ...addresses];
  return [...new Set(all)].filter((host) => !anywhere.includes(host));
}

async function selfSigned({ clock, random }: SelfSignedDeps, hosts: readonly string[]) {
  // Its own start takes a tenth of a second, which only a first start with TLS has to spend.
  const x509 = await import("@peculiar/x509");
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const nowMs = clock.nowMs();
  const names = hosts.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=bllvm-stratum-v2",
    // Positive and of 16 bytes (RFC 5280 §4.1.2.2).
    serialNumber: `40${toHex(random.bytes(15))}`,
    keys,
    notBefore: new Date(nowMs - SKEW_DAYS * DAY_MS),
    notAfter: new Date(nowMs + VALID_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const secret = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { chain: `${certificate.toString("pem")}\n`, key: `${x509.PemConverter.encode(secret, "PRIVATE KEY")}\n` };
}

async function exists(files: Files, path: string): Promise<boolean> {
  try {
    await files.read(path, MAX_BYTES);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return false;
    throw new Fault("tls-file-failed", { path }, { cause });
  }
}
