/**
 * The control API's server. A handful of routes needs no framework: what matters here are the bounds, since whoever may open the
 * socket must not be able to harm the mining by what he sends.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { Files } from "../daemon/files.ts";
import { describe, Fault } from "../kernel/fault.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import { type ControlPort, routeOf } from "./control-api.ts";

const MAX_CONNECTIONS = 16;
const MAX_BODY_BYTES = 4096;
const MAX_HEADER_BYTES = 8192;
const REQUEST_TIMEOUT_MS = 5000;
const TOKEN = /^[\x21-\x7e]{16,256}$/;
/** Longest path of a Unix socket, bytes; longer ones are cut off by some systems instead of refused. */
const MAX_PATH_BYTES = 103;

/** Where the API listens. */
export type ControlAddress =
  | { readonly kind: "socket"; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly address: { readonly host: string; readonly port: number };
      readonly tokenFile: string;
    };

/** What the server works with. */
export interface ControlServerDeps {
  readonly log: Log;
  readonly files: Pick<Files, "read">;
  readonly port: ControlPort;
}

/** The server. */
export class ControlServer implements Part {
  readonly name = "control API";
  readonly #deps: ControlServerDeps;
  readonly #options: ControlAddress;
  #server: Server | undefined;
  /** SHA-256 of the token, so that comparing takes the same time for tokens of any length. */
  #token: Uint8Array | undefined;

  constructor(deps: ControlServerDeps, options: ControlAddress) {
    this.#deps = deps;
    this.#options = options;
  }

  /** `host:port`, the port as the system chose it when 0 was configured, or the socket's path; `undefined` while it does not listen. */
  get address(): string | undefined {
    const address = this.#server?.address();
    if (typeof address === "string") return address;
    if (address === null || address === undefined) return undefined;
    return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** An API that cannot listen is logged and stops nothing. Throws `Fault("control-token")` for a token that is none. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { log, files } = this.#deps;
    if (this.#options.kind === "tcp") this.#token = digest(await readToken(files, this.#options.tokenFile));
    const server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: REQUEST_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => void this.#serve(request, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await this.#listen(server);
    } catch (cause) {
      const at = this.#options.kind === "tcp" ? this.#options.address.host : this.#options.path;
      const fault = cause instanceof Fault ? cause : new Fault("control-listen", { at }, { cause });
      log.error(`${describe(fault)}. ${fault.help}`, { error: fault });
      return;
    }
    server.on("error", (error) => log.error(`the control API: ${describe(error)}`, { error }));
    this.#server = server;
    log.info(`the control API listens on ${this.address}`);
  }

  /** Closes the socket and every connection. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #listen(server: Server): Promise<void> {
    const options = this.#options;
    if (options.kind === "tcp") return await listening(server, () => server.listen(options.address));
    const { path } = options;
    const length = new TextEncoder().encode(path).length;
    if (length > MAX_PATH_BYTES) throw new Fault("control-listen", { path, bytes: length, atMost: MAX_PATH_BYTES });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await removeStale(path);
    // The socket is made with these rights from its first moment on; binding happens inside the call.
    const before = process.umask(0o177);
    try {
      const bound = listening(server, () => server.listen({ path }));
      process.umask(before);
      await bound;
    } finally {
      process.umask(before);
    }
    await chmod(path, 0o600);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!this.#isAllowed(request)) {
        const error = {
          code: "control-token",
          message: "the token is missing or wrong",
          help: "Send Authorization: Bearer TOKEN.",
        };
        return answer(response, 401, { error });
      }
      const [path = "", search = ""] = (request.url ?? "").split("?", 2);
      const { route, chain } = routeOf(request.method, path);
      const text = await contentOf(request);
      if (text === undefined) return answer(response, 413, { error: { message: "no request needs so long a body" } });
      const body = route.takesBody === true ? parsed(text) : undefined;
      answer(response, 200, await route.run(this.#deps.port, { chain, query: new URLSearchParams(search), body }));
    } catch (error) {
      // Whoever hung up in the middle of a request waits for no answer.
      if (request.errored !== null) return;
      const fault = error instanceof Fault ? error : undefined;
      if (fault === undefined)
        this.#deps.log.error(`a request to the control API failed: ${describe(error)}`, { error });
      answer(response, fault === undefined ? 500 : statusOf(fault), {
        error: { code: fault?.code, message: describe(error), help: innermost(error)?.help },
      });
    }
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    if (this.#token === undefined) return true;
    const [, given = ""] = /^Bearer (\S+)$/i.exec(headers.authorization ?? "") ?? [];
    return timingSafeEqual(this.#token, digest(given));
  }
}

/** The token of a token file: its first line. Throws `Fault("control-token")`; the token is in no error. */
export async function readToken(files: Pick<Files, "read">, file: string): Promise<string> {
  let text: string;
  try {
    text = await files.read(file, MAX_BODY_BYTES);
  } catch (cause) {
    throw new Fault("control-token", { file }, { cause });
  }
  const token = text.split("\n", 1)[0]?.trim() ?? "";
  if (!TOKEN.test(token)) throw new Fault("control-token", { file, characters: token.length });
  return token;
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** Removes a socket that nobody listens on any more: a server that was killed leaves it behind. Throws when somebody does. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Fault("control-listen", { path, why: "what is there is not a socket" });
  // Only a refusal says that nobody listens; a server that is too busy to answer is still there.
  const refused = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "ECONNREFUSED"));
  });
  if (!refused) throw new Fault("control-listen", { path, why: "another server listens there" });
  await unlink(path);
}

/** The body, read to its end; `undefined` when it is longer than it may be. */
async function contentOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Uint8Array).length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks, size).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("control-body", {}, { cause });
  }
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const body = JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    // Whoever has no token pays for each try with a connection: answering must not take the time that shares need.
    ...(status === 413 || status === 401 ? { connection: "close" } : {}),
  });
  response.end(`${body}\n`);
}

/** Faults of a name that nothing has. */
const UNKNOWN: ReadonlySet<string> = new Set([
  "control-request",
  "chain-unknown",
  "report-chain-unknown",
  "report-pool-unknown",
  "report-block-unknown",
]);

function statusOf({ code }: Fault): number {
  if (UNKNOWN.has(code)) return 404;
  if (code === "report-no-ledger" || code.startsWith("ledger-")) return 503;
  return /^(config-|plugin|payout-|report-|control-body$)/.test(code) ? 400 : 500;
}

/** The fault at the root of an error: its advice is the one that helps. */
function innermost(error: unknown): Fault | undefined {
  if (!(error instanceof Fault)) return undefined;
  return innermost(error.cause) ?? error;
}

function digest(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
