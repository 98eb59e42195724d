/**
 * The user and password of a node's RPC. bitcoind writes a new cookie at every start, so what came from a file is read
 * again as soon as the node refuses it.
 */
import { describe, Fault } from "../kernel/fault.ts";
import type { Files } from "./files.ts";

/** Where the credentials of a node come from. */
export type Credentials =
  /** None: for a node behind a proxy that adds them, or one that asks for none. */
  | { readonly kind: "none" }
  /** `user:password` as configured. */
  | { readonly kind: "password"; readonly user: string; readonly password: string }
  /** The first line of a file is the password. */
  | { readonly kind: "passwordFile"; readonly user: string; readonly path: string }
  /** bitcoind's cookie file: one line `__cookie__:hex`. */
  | { readonly kind: "cookie"; readonly path: string };

/** A cookie has 75 bytes; whatever is longer than this is another file. */
const MAX_FILE_BYTES = 4096;

/** Holds the value of the `Authorization` header. */
export class Authorization {
  readonly #files: Pick<Files, "read">;
  readonly #credentials: Credentials;
  #header: string | undefined;

  constructor(deps: { readonly files: Pick<Files, "read"> }, options: { readonly credentials: Credentials }) {
    this.#files = deps.files;
    this.#credentials = options.credentials;
  }

  /** The header's value, `undefined` for none. Throws `Fault("node-cookie")` when its file cannot be used. */
  async header(): Promise<string | undefined> {
    this.#header ??= await this.#read();
    return this.#header;
  }

  /**
   * Reads the file again unless another call did since; returns whether there is another value now than the one that was `refused`, so that it is worth
   * a try. Several calls may be refused at a time.
   */
  async renew(refused: string | undefined): Promise<boolean> {
    if (this.#header === refused) this.#header = undefined;
    return (await this.header()) !== refused;
  }

  async #read(): Promise<string | undefined> {
    const from = this.#credentials;
    switch (from.kind) {
      case "none":
        return undefined;
      case "password":
        return basic(`${from.user}:${from.password}`);
      case "passwordFile":
        return basic(`${from.user}:${await this.#line(from.path)}`);
      case "cookie": {
        const line = await this.#line(from.path);
        if (!line.includes(":")) throw new Fault("node-cookie", { path: from.path, reason: "it has no user:password" });
        return basic(line);
      }
    }
  }

  async #line(path: string): Promise<string> {
    let text: string;
    try {
      text = await this.#files.read(path, MAX_FILE_BYTES);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : describe(cause);
      throw new Fault("node-cookie", { path, reason: REASONS[code] ?? code });
    }
    const line = text.split(/\r?\n/, 1)[0]?.trim() ?? "";
    if (line === "") throw new Fault("node-cookie", { path, reason: "it is empty" });
    return line;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EISDIR: "it is a folder",
};

function basic(userPassword: string): string {
  return `Basic ${Buffer.from(userPassword, "utf8").toString("base64")}`;
}
