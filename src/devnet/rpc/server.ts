/**
 * The HTTP side of an embedded daemon's RPC on loopback: Basic authentication where the daemon has it, one path, POST only,
 * Core's statuses. Bounded: body size, requests at work at once (more get Core's 503 "Work queue depth exceeded") and
 * open connections.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import type { Disturbances } from "./disturbances.ts";
import { answer, type RpcAnswer, RpcError, type RpcHandler } from "./protocol.ts";

/** Bytes of one request: a block of 4 MB in hex, and room. */
const MAX_BODY = 9_000_000;

/** Requests at work at once, long polls included: Core's 16 threads and its queue of 64. */
const MAX_WORKING = 80;

const MAX_CONNECTIONS = 256;

/** Core answers a wrong password this much later. */
const WRONG_PASSWORD_DELAY_MS = 250;

/** Where and for whom the server listens. */
export interface RpcServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Who may ask; everybody when left out. */
  readonly login?: { readonly user: string; readonly password: string };
}

/** What the server needs. */
export interface RpcServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly handle: RpcHandler;
  readonly disturbances: Disturbances;
  /** Speaks the daemon's JSON-RPC: the body of a request to that of its answer. Core's when left out. */
  readonly answer?: (body: string, handle: RpcHandler, signal: AbortSignal) => Promise<RpcAnswer>;
  /** Why a request is refused by its headers alone, after path and method were found good. */
  readonly refuse?: (request: IncomingMessage) => { readonly status: number; readonly body: string } | undefined;
}

/** Thrown through the RPC layer to end a request without an RPC answer; deliberately no `Error`. */
type Ending =
  | { readonly end: "drop" | "reset" }
  | { readonly end: "http"; readonly status: number; readonly body: string };

/** Serves RPC calls. */
export class RpcServer {
  readonly #deps: RpcServerDeps;
  readonly #options: RpcServerOptions;
  readonly #expected: Buffer | undefined;
  /** One for each request at work: a signal of the whole server would gather as many listeners. */
  readonly #requests = new Set<AbortController>();
  #server: Server | undefined;
  #working = 0;

  constructor(deps: RpcServerDeps, options: RpcServerOptions) {
    this.#deps = deps;
    this.#options = options;
    const { login } = options;
    this.#expected = login === undefined ? undefined : digest(`${login.user}:${login.password}`);
  }

  /** Starts listening; resolves with the port. Throws `Fault("devnet-listen-failed")`. */
  async start(): Promise<number> {
    const { host, port } = this.#options;
    const server = createServer((request, response) => void this.#serve(request, response));
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(new Fault("devnet-listen-failed", { host, port }, { cause })));
      server.listen(port, host, resolve);
    });
    server.on("error", (error) => this.#deps.log.warn(`RPC server: ${error.message}`));
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  /** Lets waiting calls end, then closes every connection. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#endRequests();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
      // Whoever waits was told to end by the signal; a moment for those answers, then no more.
      this.#deps.clock.after(100, () => server.closeAllConnections());
    });
  }

  /** Ends as a process that is killed does: every connection is gone at once, nothing is answered any more. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#endRequests();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  #endRequests(): void {
    for (const each of this.#requests) each.abort();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?")[0] ?? "";
    if (path !== "/" && !path.startsWith("/wallet/")) return send(response, 404, "");
    if (request.method !== "POST") return send(response, 405, "JSONRPC server handles only POST requests");
    const refusal = this.#deps.refuse?.(request);
    if (refusal !== undefined) return send(response, refusal.status, refusal.body);
    const ending = new AbortController();
    this.#requests.add(ending);
    response.on("close", () => {
      this.#requests.delete(ending);
      ending.abort();
    });
    if (!(await this.#authorised(request, ending.signal))) {
      response.setHeader("WWW-Authenticate", 'Basic realm="jsonrpc"');
      return send(response, 401, "");
    }
    if (this.#working >= MAX_WORKING) return send(response, 503, "Work queue depth exceeded");
    this.#working++;
    try {
      const body = await readBody(request);
      if (body === undefined) {
        // What is still on its way would be taken for the next request.
        response.setHeader("Connection", "close");
        return send(response, 413, "");
      }
      await this.#answer(body, response, ending.signal);
    } catch (error) {
      // The client went away while sending, or the call cannot be answered.
      this.#deps.log.debug(`RPC request ended: ${describe(error)}`);
      response.destroy();
    } finally {
      this.#working--;
    }
  }

  async #answer(body: string, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const speak = this.#deps.answer ?? answer;
    try {
      const { status, body: text } = await speak(body, (...call) => this.#call(...call), signal);
      if (text !== "") response.setHeader("Content-Type", "application/json");
      send(response, status, text);
    } catch (thrown) {
      const ending = thrown as Ending;
      if (ending.end === "http") send(response, ending.status, ending.body);
      else if (ending.end === "reset") response.socket?.resetAndDestroy();
      else response.destroy();
    }
  }

  async #call(...[method, params, signal]: Parameters<RpcHandler>): Promise<unknown> {
    for (const each of this.#deps.disturbances.take(method)) {
      if (each.kind === "delay") await sleep(this.#deps.clock, each.ms, signal).catch(() => undefined);
      else if (each.kind === "error") throw new RpcError(each.code, each.message);
      else if (each.kind === "http") throw { end: "http", status: each.status, body: each.body } satisfies Ending;
      else {
        if (each.kind === "hang") await aborted(signal);
        throw { end: each.kind === "reset" ? "reset" : "drop" } satisfies Ending;
      }
    }
    return this.#deps.handle(method, params, signal);
  }

  async #authorised(request: IncomingMessage, ending: AbortSignal): Promise<boolean> {
    if (this.#expected === undefined) return true;
    const header = request.headers.authorization;
    if (header === undefined) return false;
    const [scheme, credentials = ""] = header.split(" ");
    const given = digest(fromUtf8(Buffer.from(credentials, "base64")));
    if (scheme === "Basic" && timingSafeEqual(given, this.#expected)) return true;
    await sleep(this.#deps.clock, WRONG_PASSWORD_DELAY_MS, ending).catch(() => undefined);
    return false;
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.statusCode = status;
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}

/** The body as text, or `undefined` when it is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Equal lengths for a comparison that takes the same time for every password. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
