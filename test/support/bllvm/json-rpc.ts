/**
 * The node's JSON-RPC over HTTP on loopback (blvm-node `src/rpc/server.rs`): every answer and every error of a method has
 * status 200; 401, 403, 405 and 413 carry `{"error":{"code","message"}}`. A body may have 1 MiB unless the operator allows
 * more, which is less than a full block in hex.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Disturbances } from "../../../src/devnet/rpc/disturbances.ts";
import { ADMIN_METHODS, FakeRpcError, RPC_METHODS, type RpcWorld } from "./rpc-methods.ts";

/** What can be chosen; everything has a default. */
export interface FakeRpcOptions {
  /** Basic login, which is an admin's; nobody is asked by default. */
  readonly login?: { readonly user: string; readonly password: string };
  /** Bearer tokens that are no admin's: templates and blocks are refused to them. */
  readonly tokens?: readonly string[];
  /** Bytes that a request may have; 1,048,576 as in the node's defaults. */
  readonly maxRequestBytes?: number;
  /** Whether the first block counts among the stored ones; true. Without, a template's height is one less than BIP34's. */
  readonly countsGenesis?: boolean;
}

/** One call that was answered or refused. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Serves the methods. */
export class FakeJsonRpc {
  /** Calls that got past the login, in order. */
  readonly calls: RpcCall[] = [];
  /** What goes wrong on purpose, by method; `*` for all. */
  readonly disturbances = new Disturbances();
  readonly #world: RpcWorld;
  readonly #options: FakeRpcOptions;
  readonly #requests = new Set<AbortController>();
  #server: Server | undefined;
  #port = 0;

  constructor(deps: { readonly world: RpcWorld }, options: FakeRpcOptions) {
    this.#world = deps.world;
    this.#options = options;
  }

  /** `http://127.0.0.1:port`, without a login. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens on any free port, after `stop` on the same one. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Closes everything at once. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const each of this.#requests) each.abort();
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ending = new AbortController();
    this.#requests.add(ending);
    response.on("close", () => {
      this.#requests.delete(ending);
      ending.abort();
    });
    try {
      if (request.method !== "POST") return refuse(response, 405, "Only POST method is supported for JSON-RPC");
      const body = await bodyOf(request);
      const most = this.#options.maxRequestBytes ?? 1_048_576;
      if (body.length > most) {
        return refuse(response, 413, `Request body too large: ${body.length} bytes (max: ${most} bytes)`);
      }
      await this.#answer(body.toString("utf8"), request, response, ending.signal);
    } catch {
      // The client went away, or a disturbance ends the request without an answer.
      response.destroy();
    }
  }

  async #answer(text: string, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const role = this.#roleOf(request.headers.authorization);
    if (typeof role !== "string") return refuse(response, 401, role.refusal);
    const calls = parse(text);
    if (calls === undefined) {
      return send(response, 200, failure(null, new FakeRpcError(-32700, "Invalid JSON")));
    }
    const list = Array.isArray(calls) ? calls : [calls];
    if (role === "user" && list.some(({ method }) => ADMIN_METHODS.has(String(method)))) {
      return refuse(response, 403, `Method '${String(list[0]?.method)}' requires admin privileges`);
    }
    const answers: unknown[] = [];
    for (const call of list) {
      this.calls.push({ method: String(call.method), params: paramsOf(call) });
      const disturbed = await this.#disturb(String(call.method), response, signal);
      if (disturbed === "ended") return;
      answers.push(disturbed instanceof Error ? failure(call.id, disturbed) : await this.#call(call, signal));
    }
    send(response, 200, Array.isArray(calls) ? answers : answers[0]);
  }

  async #call(call: Call, signal: AbortSignal): Promise<unknown> {
    const method = String(call.method ?? "");
    try {
      const run = Object.hasOwn(RPC_METHODS, method) ? RPC_METHODS[method] : undefined;
      if (run === undefined) throw new FakeRpcError(-32601, `Method not found: ${method}`);
      return { jsonrpc: "2.0", result: await run(this.#world, paramsOf(call), signal), id: call.id ?? null };
    } catch (error) {
      return failure(call.id, error instanceof FakeRpcError ? error : new FakeRpcError(-32603, String(error)));
    }
  }

  async #disturb(
    method: string,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<FakeRpcError | "ended" | undefined> {
    for (const each of this.disturbances.take(method)) {
      if (each.kind === "delay") await passed(each.ms, signal);
      else if (each.kind === "error") return new FakeRpcError(each.code, each.message);
      else if (each.kind === "http") {
        response.writeHead(each.status).end(each.body);
        return "ended";
      } else {
        if (each.kind === "hang") await passed(2 ** 31 - 1, signal);
        if (each.kind === "reset") response.socket?.resetAndDestroy();
        response.destroy();
        return "ended";
      }
    }
    return undefined;
  }

  /** Who asks, or why he is refused. */
  #roleOf(authorization: string | undefined): "admin" | "user" | { readonly refusal: string } {
    const { login, tokens = [] } = this.#options;
    if (login === undefined) return "admin";
    if (authorization === undefined) return { refusal: "Authentication required" };
    const [scheme, secret = ""] = authorization.split(" ");
    if (scheme === "Basic") {
      const expected = Buffer.from(`${login.user}:${login.password}`).toString("base64");
      return secret === expected ? "admin" : { refusal: "Invalid authentication credentials" };
    }
    return scheme === "Bearer" && tokens.includes(secret) ? "user" : { refusal: "Invalid authentication token" };
  }
}

interface Call {
  readonly method?: unknown;
  readonly params?: unknown;
  readonly id?: unknown;
}

function parse(text: string): Call | readonly Call[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return undefined;
  }
}

function paramsOf({ params }: Call): readonly unknown[] {
  return Array.isArray(params) ? params : [];
}

function failure(id: unknown, error: FakeRpcError): unknown {
  return { jsonrpc: "2.0", error: { code: error.code, message: error.message }, id: id ?? null };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  send(response, status, { error: { code: status, message } });
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
