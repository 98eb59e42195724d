/** JSON-RPC as it goes over the wire, for what a client of ours would smooth out: statuses, codes and words as they are. */

/** What a daemon answered. */
export interface RawAnswer {
  readonly status: number;
  /** `undefined` for a member that is missing. */
  readonly result: unknown;
  readonly error: { readonly code: number; readonly message: string } | undefined | null;
}

/** Calls `method` at `url`, which may carry `user:password@`. A connection that ends without an answer is status 0. */
export async function rawCall(url: string, method: string, params: unknown): Promise<RawAnswer> {
  const { origin, pathname, username, password } = new URL(url);
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (username !== "") headers.authorization = `Basic ${btoa(`${username}:${password}`)}`;
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const signal = AbortSignal.timeout(60_000);
  let response: Response;
  try {
    response = await fetch(origin + pathname, { method: "POST", headers, body, signal });
  } catch (error) {
    if (!(error instanceof Error) || !/other side closed|ECONNRESET/.test(String(error.cause))) throw error;
    return { status: 0, result: undefined, error: { code: 0, message: "connection closed" } };
  }
  const text = await response.text();
  const answer = text === "" ? {} : (JSON.parse(text) as { result?: unknown; error?: RawAnswer["error"] });
  return { status: response.status, result: answer.result, error: answer.error };
}

/** `result`, or an error that says what came instead. */
export async function resultOf<T>(url: string, method: string, params: unknown): Promise<T> {
  const { result, error, status } = await rawCall(url, method, params);
  if (error !== undefined && error !== null) throw new Error(`${method}: ${error.code} ${error.message}`);
  if (result === undefined) throw new Error(`${method}: status ${status} without a result`);
  return result as T;
}

/** An answer with everything taken out that differs from block to block. */
export function gist({ status, result, error }: RawAnswer): string {
  const plain = (text: string): string =>
    text
      .replaceAll(/(0x)?[0-9a-f]{64}/gi, "<hash>")
      // RSKj shortens hashes in its words.
      .replaceAll(/Invalid block supplied by miner: .*/g, "Invalid block supplied by miner: …")
      .replaceAll(/"blockIncludedHeight":"0x[0-9a-f]+"/g, '"blockIncludedHeight":<n>')
      .replaceAll(/\s+/g, " ");
  if (error !== undefined && error !== null) {
    // Core's -1 for wrong parameters is the method's whole help; only its first word is of interest.
    const isHelp = error.code === -1 && /^[a-z]+(\s|$)/.test(error.message);
    return `${status} error ${error.code} ${isHelp ? error.message.split(/\s/)[0] : plain(error.message)}`;
  }
  return `${status} ${plain(JSON.stringify(result) ?? "no result")}`;
}
