/** One HTTP request to an embedded daemon, as raw as a test wants it. */
import { request } from "node:http";

/** The answer. */
export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** What differs from a plain POST. */
export interface Question {
  readonly method?: string;
  readonly path?: string;
  /** `user:password`. */
  readonly auth?: string;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

/** Sends `body`; rejects when the connection breaks. */
export function askHttp(url: string, body: string, question: Question = {}): Promise<Asked> {
  const { method = "POST", path = "/", auth, type = "application/json", signal } = question;
  return new Promise((resolve, reject) => {
    const options = {
      method,
      // A connection of its own: one that is kept may be that of a daemon that is gone.
      agent: false,
      headers: { "Content-Type": type },
      ...(auth === undefined ? {} : { auth }),
      ...(signal === undefined ? {} : { signal }),
    };
    const sent = request(`${url}${path}`, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
