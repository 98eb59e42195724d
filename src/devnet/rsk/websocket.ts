/**
 * rskj's WebSocket on loopback: every method of the RPC, and `eth_subscribe` to `newHeads`. Bounded: connections, bytes of a
 * message, subscriptions of a connection, and what may wait for a reader that does not read.
 */
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import { RpcError, type RpcHandler } from "../rpc/protocol.ts";
import { headJson } from "./block-json.ts";
import type { RskBlock } from "./chain.ts";
import { answerRskj, RSK_RPC } from "./protocol.ts";

const PATHS = ["/", "/websocket"];
const MAX_CONNECTIONS = 64;
const MAX_MESSAGE = 1 << 20;
const MAX_SUBSCRIPTIONS = 16;
const MAX_WAITING = 1 << 20;

/** Serves the RPC over WebSocket. */
export class RskWebSocket {
  readonly #deps: { readonly log: Log; readonly handle: RpcHandler };
  readonly #options: { readonly host: string; readonly port: number };
  readonly #subscriptions = new Map<WebSocket, Set<string>>();
  readonly #stopping = new AbortController();
  #server: WebSocketServer | undefined;
  #count = 0;

  /** `port` 0: any free one. */
  constructor(
    deps: { readonly log: Log; readonly handle: RpcHandler },
    options: { readonly host: string; readonly port: number },
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Starts listening; resolves with the port. Throws `Fault("devnet-listen-failed")`. */
  async start(): Promise<number> {
    const { host, port } = this.#options;
    const server = new WebSocketServer({
      host,
      port,
      maxPayload: MAX_MESSAGE,
      verifyClient: ({ req }: { req: IncomingMessage }) =>
        PATHS.includes(req.url ?? "") && server.clients.size < MAX_CONNECTIONS,
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(new Fault("devnet-listen-failed", { host, port }, { cause })));
      server.once("listening", resolve);
    });
    server.on("connection", (socket) => this.#serve(socket));
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  /** Cuts every connection and closes the port. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#stopping.abort();
    for (const socket of server.clients) socket.terminate();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Tells all subscribers of a new best block. */
  publish(head: RskBlock): void {
    for (const [socket, names] of this.#subscriptions) {
      if (socket.bufferedAmount > MAX_WAITING) socket.terminate();
      for (const subscription of names) {
        const params = { subscription, result: headJson(head) };
        socket.send(JSON.stringify({ jsonrpc: "2.0", method: "eth_subscription", params }));
      }
    }
  }

  #serve(socket: WebSocket): void {
    const names = new Set<string>();
    this.#subscriptions.set(socket, names);
    socket.on("close", () => this.#subscriptions.delete(socket));
    socket.on("error", (error) => this.#deps.log.debug(`WebSocket: ${error.message}`));
    const handle: RpcHandler = async (method, params, signal) => {
      if (method === "eth_subscribe") return this.#subscribe(names, params);
      if (method === "eth_unsubscribe") return Array.isArray(params) && names.delete(String(params[0]));
      return await this.#deps.handle(method, params, signal);
    };
    socket.on("message", (message, isBinary) => {
      if (isBinary) return socket.close(1003);
      // What ends a call without an answer ends the connection.
      answerRskj(String(message), handle, this.#stopping.signal).then(
        ({ body }) => socket.send(body),
        () => socket.terminate(),
      );
    });
  }

  #subscribe(names: Set<string>, params: unknown): string {
    const [topic] = Array.isArray(params) ? params : [];
    if (topic !== "newHeads" || names.size >= MAX_SUBSCRIPTIONS) {
      throw new RpcError(RSK_RPC.INVALID_PARAMS, "method parameters invalid");
    }
    this.#count += 1;
    const name = `0x${this.#count.toString(16).padStart(32, "0")}`;
    names.add(name);
    return name;
  }
}
