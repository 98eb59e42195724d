/**
 * The certificate on disk: read at the start, looked at again every few seconds, and taken over when it changed and is good.
 * The contents are compared, not times: whoever renews certificates writes several files, one after the other, and a file
 * that was read half written is simply read again.
 */
import { open } from "node:fs/promises";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Part } from "../../kernel/lifecycle.ts";
import type { Log } from "../../kernel/log.ts";
import { type Certificate, type CertificatePem, type CertificateSource, readCertificate } from "./certificate.ts";

/** A file's text and its mode bits; `undefined` where the system keeps none. */
export interface FileText {
  readonly text: string;
  readonly mode: number | undefined;
}

/** What the files are read with. */
export interface CertificateFilesDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Reads a whole file, and who may read it; rejects with the system's error. */
  readonly read: (path: string) => Promise<FileText>;
  /** Makes certificate and key at the first start; left out where the operator has their own. */
  readonly make?: (paths: CertificatePaths) => Promise<void>;
}

/** Where the files are. */
export interface CertificatePaths {
  readonly chain: string;
  readonly key: string;
  readonly clientCa?: string | undefined;
}

/** Options of `CertificateFiles`. */
export interface CertificateFilesOptions {
  readonly paths: CertificatePaths;
  /** How often the files are looked at, ms. Default 5,000. */
  readonly everyMs?: number;
}

/** The longest file that is read. */
const MAX_BYTES = 1 << 20;
const DAY_MS = 86_400_000;
/** So long before its end an operator is warned, once a day. */
const WARN_MS = 14 * DAY_MS;

/** The certificate of all listeners that need one. */
export class CertificateFiles implements CertificateSource, Part {
  readonly name = "TLS certificate";
  readonly #deps: CertificateFilesDeps;
  readonly #options: CertificateFilesOptions;
  readonly #listeners = new Set<(certificate: Certificate) => void>();
  #current: Certificate | undefined;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** The last complaint, so that it is not repeated every few seconds. */
  #complaint = "";
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(deps: CertificateFilesDeps, options: CertificateFilesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  current(): Certificate {
    if (this.#current === undefined) throw new TypeError("the certificate was not read yet");
    return this.#current;
  }

  onChange(listener: (certificate: Certificate) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads the files. Throws `Fault` `tls-file-failed`, `tls-key-permissions` or `tls-certificate-invalid`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { clock, make } = this.#deps;
    const { paths, everyMs = 5_000 } = this.#options;
    await make?.(paths);
    this.#take(readCertificate(await this.#read()));
    this.#timer = clock.every(everyMs, () => void this.look());
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  /** Looks at the files now; resolves when what they hold is in force, or was complained of. Never rejects. */
  async look(): Promise<void> {
    this.#looking ??= this.#look();
    await this.#looking;
    this.#looking = undefined;
  }

  async #look(): Promise<void> {
    try {
      const pem = await this.#read();
      if (!same(pem, this.current())) {
        const certificate = readCertificate(pem);
        this.#take(certificate);
        for (const listener of this.#listeners) listener(certificate);
      }
      this.#complaint = "";
    } catch (error) {
      this.#complain(describe(error), error);
    }
    this.#watchEnd();
  }

  async #read(): Promise<CertificatePem> {
    const { chain, key, clientCa } = this.#options.paths;
    const read = async (path: string): Promise<FileText> => {
      try {
        return await this.#deps.read(path);
      } catch (cause) {
        throw new Fault("tls-file-failed", { path }, { cause });
      }
    };
    const secret = await read(key);
    // A group of its own may read it: that is how Debian hands keys to services.
    if (secret.mode !== undefined && (secret.mode & 0o007) !== 0) {
      throw new Fault("tls-key-permissions", { path: key, mode: (secret.mode & 0o777).toString(8) });
    }
    const pem = { chain: (await read(chain)).text, key: secret.text };
    return clientCa === undefined ? pem : { ...pem, clientCa: (await read(clientCa)).text };
  }

  #take(certificate: Certificate): void {
    const first = this.#current === undefined;
    this.#current = certificate;
    const sha256 = toHex(certificate.sha256);
    const until = new Date(certificate.notAfterMs).toISOString();
    this.#deps.log.info(
      `${first ? "the TLS certificate" : "a new TLS certificate is in force for new connections: it"} ends on ${until.slice(0, 10)}, cert-sha256=${sha256}`,
      { sha256, until, names: certificate.names.join(", ") },
    );
    this.#warnedMs = Number.NEGATIVE_INFINITY;
    this.#watchEnd();
  }

  #complain(reason: string, error: unknown): void {
    if (this.#complaint === reason) return;
    this.#complaint = reason;
    this.#deps.log.warn(`the changed TLS certificate is not taken over, the one before stays in force: ${reason}`, {
      error,
    });
  }

  /** Says once a day that the certificate ends soon, has ended, or is not in force yet. */
  #watchEnd(): void {
    const { clock, log } = this.#deps;
    const { notBeforeMs, notAfterMs } = this.current();
    const nowMs = clock.nowMs();
    if (nowMs - this.#warnedMs < DAY_MS) return;
    const days = Math.ceil((notAfterMs - nowMs) / DAY_MS);
    const facts = { until: new Date(notAfterMs).toISOString() };
    if (nowMs < notBeforeMs)
      log.warn("the TLS certificate is not in force yet: clients that check it refuse it", facts);
    else if (nowMs > notAfterMs) log.error("the TLS certificate has ended: clients that check it refuse it", facts);
    else if (nowMs > notAfterMs - WARN_MS) log.warn(`the TLS certificate ends in ${days} days: renew it`, facts);
    else return;
    this.#warnedMs = nowMs;
  }
}

function same(a: CertificatePem, b: CertificatePem): boolean {
  return a.chain === b.chain && a.key === b.key && a.clientCa === b.clientCa;
}

/** Reads from the disk. The open file is asked who may read it, not the path: nobody can change it in between. */
export async function readFileText(path: string): Promise<FileText> {
  const file = await open(path, "r");
  try {
    const { mode, size } = await file.stat();
    if (size > MAX_BYTES) throw new Error(`the file has ${size} bytes, more than the ${MAX_BYTES} expected`);
    // Windows keeps no such bits; Node makes some up there.
    return { text: await file.readFile("utf8"), mode: process.platform === "win32" ? undefined : mode };
  } finally {
    await file.close();
  }
}
