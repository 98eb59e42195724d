/** `keygen`: makes the authority key that miners check. */
import { resolve } from "node:path";
import { createAuthorityKeyFile } from "../../pool/identity-file.ts";
import {
  authorityPublicKey,
  encodeAuthorityPublicKey,
  encodeAuthoritySecretKey,
} from "../../sv2/noise/authority-key.ts";
import { EXIT } from "../exit-codes.ts";
import { systemRandom } from "../system.ts";
import { jsonLine, type Terminal } from "../terminal.ts";

/**
 * Writes a fresh key to `file` (0600, never over an existing one) and prints the public key; the secret key only when
 * asked. Returns the exit code. Throws `Fault` `key-file-*`.
 */
export async function keygen(
  file: string,
  options: { readonly showSecret: boolean; readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const path = resolve(file);
  const secret = await createAuthorityKeyFile(path, systemRandom());
  const publicKey = encodeAuthorityPublicKey(authorityPublicKey(secret));
  const secretKey = options.showSecret ? { authoritySecretKey: encodeAuthoritySecretKey(secret) } : {};
  if (options.json) {
    terminal.out(jsonLine({ file: path, authorityPublicKey: publicKey, ...secretKey }));
    return EXIT.ok.code;
  }
  terminal.out(`authority public key  ${publicKey}`);
  if (secretKey.authoritySecretKey !== undefined) terminal.out(`authority secret key  ${secretKey.authoritySecretKey}`);
  terminal.out(
    `written to ${path}, readable by this user only. Keep a copy: miners that check the key need the same one.`,
  );
  terminal.out(`miners connect to      stratum2+tcp://HOST:PORT/${publicKey}`);
  return EXIT.ok.code;
}
