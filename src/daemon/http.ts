/** HTTP as far as JSON-RPC needs it: one POST at a time over kept-alive connections. The only file that opens them. */
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

/** Posts to `url` with `node:http` or `node:https`. */
export function nodeHttpPost(url: URL): HttpPost {
  const secure = url.protocol === "https:";
  const settings = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: 4, scheduling: "lifo" } as const;
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
  const send = secure ? httpsRequest : httpRequest;

  const once = (body: string, headers: Readonly<Record<string, string>>, limits: HttpLimits, fresh: boolean) =>
    new Promise<HttpAnswer>((resolve, reject) => {
      const bytes = Buffer.from(body, "utf8");
      const request = send(url, {
        method: "POST",
        agent: fresh ? false : agent,
        headers: { ...headers, "content-length": bytes.length },
        signal: limits.signal,
      });
      request.on("response", (response) => collect(response, limits.maxBytes).then(resolve, reject));
      request.on("error", (error) => {
        // The node closed an idle connection in the moment it was used again: the call never reached it.
        if (!fresh && request.reusedSocket && isReset(error) && !limits.signal.aborted) {
          once(body, headers, limits, true).then(resolve, reject);
        } else reject(error);
      });
      request.end(bytes);
    });

  return {
    post: (body, headers, limits) => once(body, headers, limits, false),
    close: () => agent.destroy(),
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
