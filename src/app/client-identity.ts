/** Our client certificate on disk, read for each connection: a renewed one counts from the next on, without a restart. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { ClientIdentity, ClientIdentitySource } from "../client/identity.ts";
import { Fault } from "../kernel/fault.ts";
import { readFileText } from "../pool/transports/certificate-files.ts";
import { absolute, type Settings } from "./settings.ts";

/** Where its files are. */
export interface ClientIdentityPaths {
  readonly chain: string;
  readonly key: string;
}

/** Where those of pool mode are; `undefined` where we have none. */
export function clientIdentityOf({
  config,
  folder,
}: Pick<Settings, "config" | "folder">): ClientIdentityPaths | undefined {
  const { client_certificate_file: chain, client_key_file: key } = config.upstream;
  if (chain === undefined || key === undefined) return undefined;
  return { chain: absolute(chain, folder), key: absolute(key, folder) };
}

/** Reads the files whenever asked. */
export function identityFiles(paths: ClientIdentityPaths): ClientIdentitySource {
  return () => readIdentity(paths);
}

async function readIdentity(paths: ClientIdentityPaths): Promise<ClientIdentity> {
  const [chain, { text: key, mode = 0 }] = await Promise.all([text(paths.chain), text(paths.key)]);
  if ((mode & 0o007) !== 0) throw failed(paths.key, "it can be read by everybody on this machine: chmod 600");
  const certificate = attempt(() => new X509Certificate(chain.text));
  if (certificate === undefined) throw failed(paths.chain, "it holds no certificate");
  // OpenSSL's words say nothing that helps, and a cause may be printed.
  const secret = attempt(() => createPrivateKey(key));
  if (secret === undefined) throw failed(paths.key, "it holds no private key, or an encrypted one");
  if (!certificate.checkPrivateKey(secret)) throw failed(paths.key, `it is not the key of ${paths.chain}`);
  return { chain: chain.text, key };
}

async function text(path: string): ReturnType<typeof readFileText> {
  try {
    return await readFileText(path);
  } catch (cause) {
    throw failed(path, "it cannot be read", cause);
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function failed(path: string, reason: string, cause?: unknown): Fault {
  return new Fault("client-certificate-failed", { path, reason }, { cause });
}
