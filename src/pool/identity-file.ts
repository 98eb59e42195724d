/**
 * The authority key on disk: one line, the secret key as text (`sv2/noise/authority-key.ts`), readable by its owner only.
 * The file is the pool's identity: it is made once, never overwritten, and its content appears in no log and no error.
 */
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { fromUtf8, toHex, utf8 } from "../kernel/bytes.ts";
import { Fault } from "../kernel/fault.ts";
import type { Random } from "../kernel/random.ts";
import {
  decodeAuthoritySecretKey,
  encodeAuthoritySecretKey,
  generateAuthoritySecretKey,
} from "../sv2/noise/authority-key.ts";

/** Bytes of a key file that are looked at; a key is 52 characters at most. */
const MAX_BYTES = 256;
/** Owner may read and write, nobody else anything. */
const MODE = 0o600;
/** Mode bits that let group or others do something. */
const OTHERS = 0o077;

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

/**
 * The secret key (32 bytes) in the file at `path`, or `undefined` if there is no such file. Throws `Fault`:
 * `key-file-permissions`, `key-file-invalid` or `key-file-failed`.
 */
export async function readAuthorityKeyFile(path: string): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new Fault("key-file-failed", { path }, { cause });
  }
  try {
    // The open file is asked, not the path: nobody can change it between question and reading.
    const { mode } = await file.stat();
    // Windows keeps no such bits; Node makes some up there.
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      throw new Fault("key-file-permissions", { path, mode: (mode & 0o777).toString(8) });
    }
    const buffer = new Uint8Array(MAX_BYTES);
    const { bytesRead } = await file.read(buffer, 0, MAX_BYTES, 0);
    const text = fromUtf8(buffer.subarray(0, bytesRead)).trim();
    buffer.fill(0);
    return decodeAuthoritySecretKey(text);
  } catch (cause) {
    if (cause instanceof Fault && cause.code === "key-file-permissions") throw cause;
    // The decoder's fault quotes nothing of the file.
    if (cause instanceof Fault) throw new Fault("key-file-invalid", { path }, { cause });
    throw new Fault("key-file-failed", { path }, { cause });
  } finally {
    await file.close();
  }
}

/**
 * Makes a key, writes it to a new file at `path` (mode 0600, folders made as needed) and returns it (32 bytes). The file
 * appears whole and on disk, or not at all. Throws `Fault`: `key-file-exists` if there is one, else `key-file-failed`.
 */
export async function createAuthorityKeyFile(path: string, random: Random): Promise<Uint8Array> {
  const secretKey = generateAuthoritySecretKey(random);
  const draft = `${path}.${toHex(random.bytes(8))}.new`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(draft, "wx", MODE);
    try {
      await file.writeFile(utf8(`${encodeAuthoritySecretKey(secretKey)}\n`));
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(draft, path);
  } catch (cause) {
    await unlink(draft).catch(() => {});
    if (codeOf(cause) === "EEXIST") throw new Fault("key-file-exists", { path });
    throw new Fault("key-file-failed", { path }, { cause });
  }
  return secretKey;
}

/** Gives the draft its name unless somebody else has it: `rename` would put one start's key in place of another's. */
async function publish(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path);
    await unlink(draft);
  } catch (cause) {
    if (!["EPERM", "ENOTSUP", "ENOSYS"].includes(codeOf(cause) ?? "")) throw cause;
    await rename(draft, path); // file systems without hard links
  }
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } catch {
    // Some systems do not sync folders; the file itself is synced.
  } finally {
    await folder.close();
  }
}

/**
 * The secret key in the file at `path`, which is made on the first start. `created` tells the two apart, so that the
 * operator is told to publish the public key and back the file up. Throws `Fault` as the two functions above.
 */
export async function loadAuthorityKey(
  path: string,
  random: Random,
): Promise<{ readonly secretKey: Uint8Array; readonly created: boolean }> {
  const secretKey = await readAuthorityKeyFile(path);
  if (secretKey !== undefined) return { secretKey, created: false };
  try {
    return { secretKey: await createAuthorityKeyFile(path, random), created: true };
  } catch (fault) {
    // Another process made it in the meantime.
    const theirs = fault instanceof Fault && fault.code === "key-file-exists" && (await readAuthorityKeyFile(path));
    if (theirs instanceof Uint8Array) return { secretKey: theirs, created: false };
    throw fault;
  }
}
