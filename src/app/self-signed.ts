/**
 * The certificate of whoever has none: self-signed, made at the first start and kept. It serves clients that pin it
 * (`?cert-sha256=`) or that know the server by its authority key inside; nobody else can check it.
 */
import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPair, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { promisify } from "node:util";
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
 * Makes key and certificate unless they are there; both files are 0600. Two processes that start at once agree: the first key that
 * got its name is everybody's, and so is the first certificate of it. Throws `Fault("tls-file-failed")`, also where a certificate has
 * lost its key: another one would be refused by all who pinned it.
 */
export async function makeSelfSigned(deps: SelfSignedDeps, { paths, hosts }: SelfSignedOptions): Promise<boolean> {
  const { files } = deps;
  const [chain, key] = await Promise.all([textOf(files, paths.chain), textOf(files, paths.key)]);
  if (chain !== undefined && key !== undefined) return false;
  // Asked a second time: another start may have made both between the two looks, the key first.
  if (chain !== undefined && (await textOf(files, paths.key)) === undefined) {
    const cause = new Error("the certificate beside it is there: restore the key, or remove both for new ones");
    throw new Fault("tls-file-failed", { path: paths.key }, { cause });
  }
  try {
    await files.makeFolder(dirname(paths.key));
    // The key first: a certificate that is there has its key.
    if (key === undefined) await publish(deps, paths.key, await newKey());
    const made = await publish(
      deps,
      paths.chain,
      await certificateOf(deps, await files.read(paths.key, MAX_BYTES), hosts),
    );
    await files.syncFolder(dirname(paths.key));
    return made;
  } catch (cause) {
    throw new Fault("tls-file-failed", { path: paths.key }, { cause });
  }
}

/** Writes a file whose name is free; whether it was. */
async function publish({ files, random }: SelfSignedDeps, path: string, text: string): Promise<boolean> {
  const draft = `${path}.${toHex(random.bytes(8))}.new`;
  try {
    await files.writeSynced(draft, text);
    await files.publish(draft, path);
    return true;
  } catch (cause) {
    await files.remove(draft);
    if (codeOf(cause) === "EEXIST") return false;
    throw cause;
  }
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

/** A private key, PEM. */
async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("ec", { namedCurve: "P-256" });
  return String(privateKey.export({ type: "pkcs8", format: "pem" }));
}

/** A certificate of a private key (PEM), PEM. */
async function certificateOf(
  { clock, random }: SelfSignedDeps,
  key: string,
  hosts: readonly string[],
): Promise<string> {
  // Its own start takes a tenth of a second, which only a first start with TLS has to spend.
  const x509 = await import("@peculiar/x509");
  const { subtle } = webcrypto;
  const secret = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
  const open = createPublicKey(key).export({ type: "spki", format: "der" });
  const keys = {
    privateKey: await subtle.importKey("pkcs8", secret, ALGORITHM, false, ["sign"]),
    publicKey: await subtle.importKey("spki", open, ALGORITHM, true, ["verify"]),
  };
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
  return `${certificate.toString("pem")}\n`;
}

/** `undefined` for a file that is not there. */
async function textOf(files: Files, path: string): Promise<string | undefined> {
  try {
    return await files.read(path, MAX_BYTES);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new Fault("tls-file-failed", { path }, { cause });
  }
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}
