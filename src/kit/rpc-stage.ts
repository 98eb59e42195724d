/**
 * A pretend JSON-RPC daemon on loopback: a table of methods, a password, and misbehaviour by method. With it a rehearsal of a
 * chain whose daemon speaks JSON-RPC over HTTP takes some forty lines; several of them make a chain with several daemons.
 */
import { HttpStage, type Misbehaviour, type StageAnswer, type StageRequest } from "./http-stage.ts";

/** Thrown by a method to answer with an `error` member. */
export class RpcRefusal extends Error {
  /** The daemon's error code, e.g. -8. */
  readonly rpcCode: number;

  constructor(rpcCode: number, message: string) {
    super(message);
    this.name = "RpcRefusal";
    this.rpcCode = rpcCode;
  }
}

/**
 * One method: gets `params` as they were sent (a list, an object, or an empty list) and returns `result`. It may be slow, and throws
 * `RpcRefusal` for an error that a daemon would answer; any other throw is answered as error -32603 with its message.
 */
export type RpcMethod = (params: readonly unknown[] & Readonly<Record<string, unknown>>) => unknown;

/** Methods by name. Others are answered with -32601 "Method not found". */
export type RpcTable = Readonly<Record<string, RpcMethod>>;

/** One call that came. */
export interface RpcCall {
  readonly method: string;
  readonly params: unknown;
}

/** What an `RpcStage` may be told. */
export interface RpcStageOptions {
  /** Calls must carry this user and password, or are answered with status 401. Anybody may call when left out. */
  readonly login?: { readonly user: string; readonly password: string };
  /**
   * How errors are sent: `bitcoin` with status 500 or 404 and version 1.0, as Bitcoin Core and its forks do for such calls; `plain` with status
   * 200, as rskj and Elastos.ELA do. `bitcoin` when left out.
   */
  readonly errors?: "bitcoin" | "plain";
}

/** Calls that are remembered. */
const MAX_CALLS = 1000;

/** The daemon. */
export class RpcStage {
  /** The last thousand calls, oldest first, also those that were not answered. */
  readonly calls: RpcCall[] = [];
  readonly #table: RpcTable;
  readonly #options: RpcStageOptions;
  readonly #treated = new Map<string, Misbehaviour>();
  readonly #http: HttpStage;
  #nonsense = 0;

  /** Use `RpcStage.open`, or call `up`. */
  constructor(table: RpcTable, options: RpcStageOptions = {}) {
    this.#table = table;
    this.#options = options;
    this.#http = new HttpStage({ handle: (request) => this.#handle(request) });
  }

  /** Makes a daemon that listens. */
  static async open(table: RpcTable, options: RpcStageOptions = {}): Promise<RpcStage> {
    const stage = new RpcStage(table, options);
    await stage.up();
    return stage;
  }

  /** `http://127.0.0.1:port/`, the same from the first `up` to the end. */
  get url(): string {
    return this.#http.url;
  }

  /** Connections that clients hold open now. */
  get connections(): number {
    return this.#http.connections;
  }

  /** How the named methods are treated from now on: `serve` by the table, or misbehaving. */
  treat(methods: readonly string[], how: "serve" | Misbehaviour): void {
    for (const method of methods) {
      if (how === "serve") this.#treated.delete(method);
      else this.#treated.set(method, how);
    }
  }

  /** Listens, where it listened before if it did. */
  up(): Promise<void> {
    return this.#http.up();
  }

  /** Stops listening and cuts every connection; `up` brings it back at the same address. */
  down(): Promise<void> {
    return this.#http.down();
  }

  /** The same as `down`. */
  close(): Promise<void> {
    return this.#http.close();
  }

  async #handle(request: StageRequest): Promise<StageAnswer | Misbehaviour> {
    const { login } = this.#options;
    if (login !== undefined) {
      const wanted = `Basic ${Buffer.from(`${login.user}:${login.password}`, "utf8").toString("base64")}`;
      if (request.headers.authorization !== wanted) return { status: 401, body: "" };
    }
    let call: { id?: unknown; method?: unknown; params?: unknown };
    try {
      call = JSON.parse(request.body);
    } catch {
      return this.#error(null, -32700, "Parse error");
    }
    const { id = null, method, params = [] } = call ?? {};
    if (typeof method !== "string") return this.#error(id, -32600, "Invalid Request object");
    if (this.calls.length === MAX_CALLS) this.calls.shift();
    this.calls.push({ method, params });
    const misbehaviour = this.#treated.get(method);
    if (misbehaviour === "garbage" && this.#nonsense++ % 2 === 0) {
      // Every other time what looks right until somebody reads it.
      return { body: { jsonrpc: "2.0", result: { nonsense: [null] }, id } };
    }
    if (misbehaviour !== undefined) return misbehaviour;
    const run = Object.hasOwn(this.#table, method) ? this.#table[method] : undefined;
    if (run === undefined) return this.#error(id, -32601, "Method not found");
    try {
      const result = await run(params as Parameters<RpcMethod>[0]);
      return { body: { jsonrpc: "2.0", result: result ?? null, id } };
    } catch (error) {
      if (error instanceof RpcRefusal) return this.#error(id, error.rpcCode, error.message);
      return this.#error(id, -32603, error instanceof Error ? error.message : String(error));
    }
  }

  #error(id: unknown, code: number, message: string): StageAnswer {
    if (this.#options.errors === "plain") return { body: { jsonrpc: "2.0", error: { code, message }, id } };
    return { status: code === -32601 ? 404 : 500, body: { result: null, error: { code, message }, id } };
  }
}
