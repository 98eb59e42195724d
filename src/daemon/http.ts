/** HTTP as far as daemons need it: one request at a time over kept-alive connections. The only file that opens them. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Fault } from "../kernel/fault.ts";

/** An answer as it came. */
export interface HttpAnswer {
  readonly status: number;
  /** The `date` header in ms since the Unix epoch: the clock of the node's machine, cut to whole seconds. */
  readonly dateMs: number | undefined;
  readonly text: string;
}

/** Limits of one request. */
export interface HttpLimits {
  /** Aborting it closes the connection and rejects. */
  readonly signal: AbortSignal;
  /** Bytes that the answer's body may have; more rejects with `Fault("node-answer-too-big")`. */
  readonly maxBytes: number;
}

/** Sends requests to one address. */
export interface HttpPost {
  /** Rejects with the system's or TLS's error (`code`), whatever went wrong before a whole answer was there. */
  post(body: string, headers: Readonly<Record<string, string>>, limits: HttpLimits): Promise<HttpAnswer>;
  /** Closes idle connections. */
  close(): void;
}

/** Connections to one node at a time: its notices, templates and health, and a burst of found blocks. */
const MAX_CONNECTIONS = 32;

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Text; empty for a GET. */
  readonly body: string;
}

/** Sends requests to any address. */
export interface HttpClient {
  /** Rejects as `HttpPost.post` does. Redirects are answers like any other. */
  send(request: HttpRequest, limits: HttpLimits): Promise<HttpAnswer>;
  /** Closes idle connections. */
  close(): void;
}

/** Sends with `node:http` or `node:https`. */
export function nodeHttpClient(): HttpClient {
  const settings = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: 4, scheduling: "lifo" } as const;
  const plainAgent = new HttpAgent(settings);
  const secureAgent = new HttpsAgent(settings);

  const once = ({ method, url, headers, body }: HttpRequest, limits: HttpLimits, fresh: boolean) =>
    new Promise<HttpAnswer>((resolve, reject) => {
      const secure = url.protocol === "https:";
      const agent = secure ? secureAgent : plainAgent;
      const bytes = Buffer.from(body, "utf8");
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method,
        agent: fresh ? false : agent,
        headers: method === "GET" ? headers : { ...headers, "content-length": bytes.length },
        signal: limits.signal,
      });
      request.on("response", (response) => collect(response, limits.maxBytes).then(resolve, reject));
      request.on("error", (error) => {
        // The node closed an idle connection in the moment it was used again: the call never reached it.
        if (!fresh && request.reusedSocket && isReset(error) && !limits.signal.aborted) {
          once({ method, url, headers, body }, limits, true).then(resolve, reject);
        } else reject(error);
      });
      request.end(bytes);
    });

  return {
    send: (request, limits) => once(request, limits, false),
    close: () => {
      plainAgent.destroy();
      secureAgent.destroy();
    },
  };
}

/** Posts to `url` with `node:http` or `node:https`. */
export function nodeHttpPost(url: URL): HttpPost {
  const client = nodeHttpClient();
  return {
    post: (body, headers, limits) => client.send({ method: "POST", url, headers, body }, limits),
    close: () => client.close(),
  };
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop closes the connection.
    if (size > maxBytes) throw new Fault("node-answer-too-big", { maxBytes });
    chunks.push(chunk);
  }
  const date = Date.parse(response.headers.date ?? "");
  return {
    status: response.statusCode ?? 0,
    dateMs: Number.isNaN(date) ? undefined : date,
    text: Buffer.concat(chunks, size).toString("utf8"),
  };
}

function isReset(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}
