/**
 * A pretend HTTP daemon on loopback that can be there, gone, silent or mad, always at the same address. What it says is a
 * function of the author's; how it misbehaves is done here, so that all rehearsals misbehave alike.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Fault } from "../kernel/fault.ts";

/** A request that came in whole. */
export interface StageRequest {
  /** `GET`, `POST`. */
  readonly method: string;
  /** Path without the query, e.g. `/v1a/submit_block`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as text, at most 1 MiB. */
  readonly body: string;
}

/** What is answered; an object is sent as JSON. */
export interface StageAnswer {
  /** HTTP status; 200 when left out. */
  readonly status?: number;
  readonly body: unknown;
}

/** Answered instead of a `StageAnswer`: `hang` nothing is ever sent, `garbage` something that no daemon should say. */
export type Misbehaviour = "hang" | "garbage";

/** What an `HttpStage` does. */
export interface HttpStageOptions {
  /** Answers one request. May be slow. A throw is answered with status 500. */
  readonly handle: (request: StageRequest) => StageAnswer | Misbehaviour | Promise<StageAnswer | Misbehaviour>;
  /** Takes over a connection that asks for another protocol (WebSocket); such requests are refused when left out. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Bytes of a request; a coinbase and a branch are far smaller. */
const MAX_BODY = 1 << 20;
/** How long `up` tries to get its port back, ms. */
const PORT_PATIENCE_MS = 1000;

/**
 * What broken daemons and the proxies in front of them have been seen to send with status 200: a web page, half an answer, the answer
 * to something else, nothing.
 */
const GARBAGE = [
  "<html><body><h1>502 Bad Gateway</h1></body></html>",
  '{"result":{"hash":"',
  '{"result":{"nonsense":[null]},"error":null,"id":null,"jsonrpc":"2.0"}',
  "",
] as const;

/** The server. */
export class HttpStage {
  readonly #options: HttpStageOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #garbage = 0;

  constructor(options: HttpStageOptions) {
    this.#options = options;
  }

  /** Makes a stage that listens. */
  static async open(options: HttpStageOptions): Promise<HttpStage> {
    const stage = new HttpStage(options);
    await stage.up();
    return stage;
  }

  /** `127.0.0.1:port`, the same from the first `up` to the end. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** `http://127.0.0.1:port/`. */
  get url(): string {
    return `http://${this.address}/`;
  }

  /** Connections that clients hold open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens, where it listened before if it did. Throws `Fault("kit-port-taken")` when another program has taken the port meanwhile. */
  async up(): Promise<void> {
    if (this.#server !== undefined) return;
    for (let waitedMs = 0; ; waitedMs += 50) {
      try {
        this.#server = await this.#listen();
        return;
      } catch (cause) {
        if (waitedMs >= PORT_PATIENCE_MS) throw new Fault("kit-port-taken", { address: this.address }, { cause });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Stops listening and cuts every connection. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await closed;
  }

  /** The same as `down`. */
  close(): Promise<void> {
    return this.down();
  }

  #listen(): Promise<Server> {
    const server = createServer((request, response) => {
      this.#answer(request).then(
        (answer) => {
          if (answer === "hang") return;
          const text = answer === "garbage" ? this.#nonsense() : bodyText(answer.body);
          const status = answer === "garbage" ? 200 : (answer.status ?? 200);
          response.writeHead(status, { "content-type": "application/json" }).end(text);
        },
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    });
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    const { upgrade } = this.#options;
    if (upgrade !== undefined) server.on("upgrade", upgrade);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", () => {
        server.off("error", reject);
        this.#port = (server.address() as AddressInfo).port;
        resolve(server);
      });
    });
  }

  async #answer(request: IncomingMessage): Promise<StageAnswer | Misbehaviour> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY) return { status: 413, body: "too large" };
      chunks.push(chunk);
    }
    const url = new URL(request.url ?? "/", this.url);
    return await this.#options.handle({
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks, size).toString("utf8"),
    });
  }

  #nonsense(): string {
    const text = GARBAGE[this.#garbage % GARBAGE.length] ?? "";
    this.#garbage += 1;
    return text;
  }
}

function bodyText(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}
