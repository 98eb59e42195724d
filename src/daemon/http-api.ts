/**
 * A daemon whose interface is plain HTTP: GET and POST below one address, with JSON or text as answers. Every request has a
 * deadline and a bound on its answer, and every failure is a fault of the node area with the daemon's name.
 */
import type { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import { rpcAddress } from "./address.ts";
import type { HttpClient } from "./http.ts";
import { answerFault, type CallFacts, connectionFault, printable } from "./rpc-failure.ts";

/** What `HttpApi` needs. */
export interface HttpApiDeps {
  readonly clock: Clock;
  readonly http: HttpClient;
}

/** Which daemon, and how. */
export interface HttpApiOptions {
  /** Address below which paths are, `http://host:port/v1a`; may carry `user:password@`, which is sent and never shown. */
  readonly url: string;
  /** Name in logs and metrics; host and port when left out. */
  readonly name?: string;
  /** Sent with each request, instead of what the address carries. */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
  /** Deadline of a request, ms. */
  readonly timeoutMs: number;
  /** Bytes that an answer may have. */
  readonly maxBytes: number;
}

/** One request. */
export interface HttpApiRequest {
  /** Below the address, without a slash at its beginning: `get_block_template`; empty for the address itself. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON with POST; a GET when left out. */
  readonly json?: unknown;
  /** Gives up when it aborts, with its reason. */
  readonly signal?: AbortSignal;
}

/** Asks one daemon. */
export class HttpApi {
  readonly name: string;
  /** Its address without credentials. */
  readonly address: string;
  readonly #deps: HttpApiDeps;
  readonly #options: HttpApiOptions;
  readonly #base: URL;
  readonly #authorization: string | undefined;

  /** Throws `Fault("node-url-invalid")`. */
  constructor(deps: HttpApiDeps, options: HttpApiOptions) {
    const { url, shown, credentials } = rpcAddress(options.url);
    this.#deps = deps;
    this.#options = options;
    this.#base = url;
    const { login } = options;
    const pair = login === undefined ? credentials : `${login.user}:${login.password}`;
    this.#authorization = pair === undefined ? undefined : `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
    this.name = options.name ?? url.host;
    this.address = shown;
  }

  /**
   * The body of an answer with status 200. Throws a `Fault` of the node area (a status other than 200 is `node-http-status`,
   * `node-busy`, `node-not-found` …, with what the daemon said as `says`) or the signal's reason.
   */
  async text(request: HttpApiRequest): Promise<string> {
    return await this.#ask(request, this.#facts(request));
  }

  /** The same as JSON that fits `schema`, or `Fault("node-not-json")`, `Fault("node-answer-unexpected")`. */
  async json<S extends z.ZodType>(request: HttpApiRequest, schema: S): Promise<z.output<S>> {
    const facts = this.#facts(request);
    const text = await this.#ask(request, facts);
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      throw answerFault({ status: 200, dateMs: undefined, text }, facts);
    }
    const checked = schema.safeParse(body);
    if (checked.success) return checked.data;
    const issue = checked.error.issues[0];
    const place = issue === undefined || issue.path.length === 0 ? "answer" : issue.path.map(String).join(".");
    throw new Fault("node-answer-unexpected", { ...facts, place, expected: issue?.message });
  }

  #facts({ path, json }: HttpApiRequest): CallFacts {
    return { node: this.name, address: this.address, method: `${json === undefined ? "GET" : "POST"} ${path}`.trim() };
  }

  async #ask(request: HttpApiRequest, facts: CallFacts): Promise<string> {
    const { clock, http } = this.#deps;
    const { timeoutMs, maxBytes } = this.#options;
    const { signal, json } = request;
    signal?.throwIfAborted();
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = clock.after(timeoutMs, () => {
      controller.abort(new Fault("node-timeout", { ...facts, seconds: timeoutMs / 1000 }));
    });
    try {
      const headers: Record<string, string> = { accept: "application/json, text/plain" };
      if (json !== undefined) headers["content-type"] = "application/json";
      if (this.#authorization !== undefined) headers.authorization = this.#authorization;
      const sent = {
        method: json === undefined ? ("GET" as const) : ("POST" as const),
        url: this.#urlOf(request),
        headers,
        body: json === undefined ? "" : JSON.stringify(json),
      };
      const answer = await http.send(sent, { signal: controller.signal, maxBytes });
      if (answer.status === 200) return answer.text;
      const fault = answerFault(answer, facts);
      throw new Fault(fault.code, { ...fault.data, status: answer.status, says: printable(answer.text) });
    } catch (error) {
      if (controller.signal.aborted) throw controller.signal.reason;
      throw connectionFault(error, facts);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #urlOf({ path, query }: HttpApiRequest): URL {
    const url = new URL(this.#base);
    if (path !== "") url.pathname = `${url.pathname.replace(/\/$/, "")}/${path}`;
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.append(name, value);
    return url;
  }
}
