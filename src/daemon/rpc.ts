/**
 * A JSON-RPC client for one node. Every call has a deadline and a bound on its answer, and every failure is a fault with
 * the node's name. Core answers errors of version 2.0 with status 200 and of 1.0 with 500 or 404, Elastos.ELA with a
 * null result and an error object at 200, RSKj without a result; all forms are understood (test/vectors/daemon-rpc.json).
 */
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import { type RpcAddress, rpcAddress } from "./address.ts";
import { Authorization, type Credentials } from "./credentials.ts";
import type { Files } from "./files.ts";
import type { HttpAnswer, HttpPost } from "./http.ts";
import { answerFault, type CallFacts, connectionFault, rpcErrorFault } from "./rpc-failure.ts";

/** Bytes that an answer may have unless the call says otherwise. */
const MAX_ANSWER_BYTES = 1 << 20;

/** What one call may be told. */
export interface CallOptions {
  /** Gives up when it aborts, with its reason. */
  readonly signal?: AbortSignal;
  /** Ms until `Fault("node-timeout")`, instead of the client's own. */
  readonly timeoutMs?: number;
  /** Bytes that the answer may have; default 1 MiB. */
  readonly maxBytes?: number;
}

/** Parameters by position, or by name for nodes that want them so (Elastos.ELA). */
export type RpcParams = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Calls methods of one node. */
export interface Rpc {
  /** The node's name in logs and metrics. */
  readonly name: string;
  /** Its address without credentials. */
  readonly address: string;
  /**
   * Calls `method` and checks its result against `schema`. Throws a `Fault` of the node area, among them
   * `node-answer-unexpected`, or the signal's reason.
   */
  call<S extends z.ZodType>(method: string, params: RpcParams, schema: S, options?: CallOptions): Promise<z.output<S>>;
  /** Node's clock minus ours in ms by the last answer's `Date` header, to about a second; `undefined` before one came. */
  readonly clockOffsetMs: number | undefined;
  /** Closes idle connections. */
  close(): void;
}

/** What `RpcClient` needs. */
export interface RpcDeps {
  readonly clock: Clock;
  readonly files: Pick<Files, "read">;
  /** Makes the connection pool for a URL; `nodeHttpPost` in production. */
  readonly http: (url: URL) => HttpPost;
}

/** Which node, and how. */
export interface RpcOptions {
  /** Name in logs and metrics; host and port when left out. */
  readonly name?: string;
  /** RPC address; may carry `user:password@`, which is then used unless `credentials` says otherwise. */
  readonly url: string;
  readonly credentials: Credentials;
  /** Deadline of a call, ms. */
  readonly timeoutMs: number;
}

const envelope = z.object({
  result: z.unknown().optional(),
  // Hand-made servers send a mere text, or leave one of the two out.
  error: z.union([z.string(), z.object({ code: z.number().default(0), message: z.string().default("") })]).nullish(),
  id: z.unknown().optional(),
});

/** The client over HTTP. */
export class RpcClient implements Rpc {
  readonly name: string;
  readonly address: string;
  readonly #clock: Clock;
  readonly #http: HttpPost;
  readonly #authorization: Authorization;
  readonly #timeoutMs: number;
  #lastId = 0;
  #clockOffsetMs: number | undefined;

  /** Throws `Fault("node-url-invalid")`. */
  constructor(deps: RpcDeps, options: RpcOptions) {
    const address = rpcAddress(options.url);
    this.name = options.name ?? address.url.host;
    this.address = address.shown;
    this.#clock = deps.clock;
    this.#http = deps.http(address.url);
    this.#authorization = new Authorization(deps, { credentials: chosenCredentials(address, options.credentials) });
    this.#timeoutMs = options.timeoutMs;
  }

  get clockOffsetMs(): number | undefined {
    return this.#clockOffsetMs;
  }

  async call<S extends z.ZodType>(
    method: string,
    params: RpcParams,
    schema: S,
    options: CallOptions = {},
  ): Promise<z.output<S>> {
    const facts: CallFacts = { node: this.name, address: this.address, method };
    const result = await this.#withDeadline(facts, options, async (signal) => {
      const id = ++this.#lastId;
      const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
      const limits = { signal, maxBytes: options.maxBytes ?? MAX_ANSWER_BYTES };
      const sent = await this.#authorization.header();
      let answer = await this.#post(body, sent, limits, facts);
      // A restarted node has a new cookie; what is in the file now may be right.
      if (answer.status === 401 && (await this.#authorization.renew(sent))) {
        answer = await this.#post(body, await this.#authorization.header(), limits, facts);
      }
      return resultOf(answer, id, facts);
    });
    const checked = schema.safeParse(result);
    if (checked.success) return checked.data;
    const issue = checked.error.issues[0];
    const place = issue === undefined || issue.path.length === 0 ? "result" : issue.path.map(String).join(".");
    throw new Fault("node-answer-unexpected", { ...facts, place, expected: issue?.message });
  }

  close(): void {
    this.#http.close();
  }

  async #post(
    body: string,
    authorization: string | undefined,
    limits: { readonly signal: AbortSignal; readonly maxBytes: number },
    facts: CallFacts,
  ): Promise<HttpAnswer> {
    const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
    if (authorization !== undefined) headers.authorization = authorization;
    let answer: HttpAnswer;
    try {
      answer = await this.#http.post(body, headers, limits);
    } catch (error) {
      throw limits.signal.aborted ? limits.signal.reason : connectionFault(error, facts);
    }
    // The header is cut to whole seconds, so half a second is the best guess of what is missing.
    if (answer.dateMs !== undefined) this.#clockOffsetMs = answer.dateMs + 500 - this.#clock.nowMs();
    return answer;
  }

  /** Runs `work` with a signal that aborts at the deadline or with the caller's; leaves no timer or listener behind. */
  async #withDeadline<T>(
    facts: CallFacts,
    options: CallOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal } = options;
    signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = this.#clock.after(timeoutMs, () => {
      controller.abort(new Fault("node-timeout", { ...facts, seconds: timeoutMs / 1000 }));
    });
    try {
      return await work(controller.signal);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

function chosenCredentials(address: RpcAddress, configured: Credentials): Credentials {
  if (configured.kind !== "none" || address.credentials === undefined) return configured;
  const colon = address.credentials.indexOf(":");
  return {
    kind: "password",
    user: address.credentials.slice(0, colon),
    password: address.credentials.slice(colon + 1),
  };
}

/** The `result` of an answer. Throws the fault of everything else. */
function resultOf(answer: HttpAnswer, id: number, facts: CallFacts): unknown {
  // Statuses of the HTTP layer itself come before the body: Core leaves it empty, proxies put pages there.
  if (answer.status === 401 || answer.status === 403) throw answerFault(answer, facts);
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    throw answerFault(answer, facts);
  }
  const parsed = envelope.safeParse(body);
  if (!parsed.success) throw new Fault("node-answer-unexpected", { ...facts, place: "JSON-RPC envelope" });
  const { error, result } = parsed.data;
  if (typeof error === "string") throw rpcErrorFault(0, error, facts);
  if (error !== null && error !== undefined) throw rpcErrorFault(error.code, error.message, facts);
  if (answer.status !== 200) throw answerFault(answer, facts);
  if (parsed.data.id !== id) throw new Fault("node-answer-unexpected", { ...facts, place: "id", expected: String(id) });
  return result;
}
