/**
 * JSON-RPC as Bitcoin Core 31 speaks it, without HTTP: versions 1.0 and 2.0, batches, notifications, named parameters,
 * error codes (rpc/protocol.h) and the HTTP status each answer goes with.
 */

/** Error codes of Core's RPC that embedded nodes answer with. */
export const RPC = {
  MISC_ERROR: -1,
  TYPE_ERROR: -3,
  INVALID_ADDRESS_OR_KEY: -5,
  INVALID_PARAMETER: -8,
  CLIENT_NOT_CONNECTED: -9,
  CLIENT_IN_INITIAL_DOWNLOAD: -10,
  DATABASE_ERROR: -20,
  DESERIALIZATION_ERROR: -22,
  VERIFY_ERROR: -25,
  VERIFY_REJECTED: -26,
  VERIFY_ALREADY_IN_CHAIN: -27,
  IN_WARMUP: -28,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  PARSE_ERROR: -32700,
} as const;

/** An RPC's failure, as the client gets it. Not a Fault: nothing is wrong with the node. */
export class RpcError extends Error {
  readonly code: number;

  /** `code`: one of `RPC`, or any other that a test wants. */
  constructor(code: number, message: string) {
    super(message);
    this.name = "RpcError";
    this.code = code;
  }
}

/** Parameters by position or by name. */
export type RpcParams = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Runs one method. Throws `RpcError`; anything else becomes error -1. */
export type RpcHandler = (method: string, params: RpcParams, signal: AbortSignal) => Promise<unknown>;

/** An HTTP answer; `body` is JSON text or empty. */
export interface RpcAnswer {
  readonly status: number;
  readonly body: string;
}

/** Calls in one batch at most. */
const MAX_BATCH = 1000;

interface Request {
  readonly id: unknown;
  readonly hasId: boolean;
  readonly version2: boolean;
  readonly method: string;
  readonly params: RpcParams;
}

type Json = Readonly<Record<string, unknown>>;

/** Answers the body of one HTTP request. What `handle` throws that is no `Error` is thrown on (see server.ts). */
export async function answer(text: string, handle: RpcHandler, signal: AbortSignal): Promise<RpcAnswer> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return legacyError(new RpcError(RPC.PARSE_ERROR, "Parse error"), null, true);
  }
  if (Array.isArray(parsed)) return answerBatch(parsed, handle, signal);
  if (!isObject(parsed)) return legacyError(new RpcError(RPC.PARSE_ERROR, "Top-level object parse error"), null, true);
  let request: Request;
  try {
    request = parse(parsed);
  } catch (error) {
    return legacyError(error, parsed.id, "id" in parsed);
  }
  try {
    const result = await handle(request.method, request.params, signal);
    if (isNotification(request)) return { status: 204, body: "" };
    return { status: 200, body: write(reply(request, result, undefined)) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (!request.version2) return legacyError(error, request.id, request.hasId);
    if (isNotification(request)) return { status: 204, body: "" };
    return { status: 200, body: write(reply(request, undefined, toRpcError(error))) };
  }
}

/** Calls run one after the other; failures are answers with status 200, as Core does it. */
async function answerBatch(calls: readonly unknown[], handle: RpcHandler, signal: AbortSignal): Promise<RpcAnswer> {
  if (calls.length > MAX_BATCH) {
    return legacyError(new RpcError(RPC.INVALID_REQUEST, `more than ${MAX_BATCH} calls in a batch`), null, true);
  }
  const replies: Json[] = [];
  for (const call of calls) {
    let request: Request | undefined;
    try {
      request = parse(call);
      const result = await handle(request.method, request.params, signal);
      if (!isNotification(request)) replies.push(reply(request, result, undefined));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const id = isObject(call) ? call.id : null;
      const failed = request ?? { id, hasId: id !== undefined, version2: false };
      if (request === undefined || !isNotification(request)) replies.push(reply(failed, undefined, toRpcError(error)));
    }
  }
  return replies.length === 0 && calls.length > 0 ? { status: 204, body: "" } : { status: 200, body: write(replies) };
}

function parse(call: unknown): Request {
  if (!isObject(call)) throw new RpcError(RPC.INVALID_REQUEST, "Invalid Request object");
  const { jsonrpc, method, params } = call;
  if (jsonrpc !== undefined && jsonrpc !== null && typeof jsonrpc !== "string") {
    throw new RpcError(RPC.INVALID_REQUEST, "jsonrpc field must be a string");
  }
  if (typeof jsonrpc === "string" && jsonrpc !== "1.0" && jsonrpc !== "2.0") {
    throw new RpcError(RPC.INVALID_REQUEST, "JSON-RPC version not supported");
  }
  if (method === undefined || method === null) throw new RpcError(RPC.INVALID_REQUEST, "Missing method");
  if (typeof method !== "string") throw new RpcError(RPC.INVALID_REQUEST, "Method must be a string");
  const given = params ?? [];
  if (!Array.isArray(given) && !isObject(given)) {
    throw new RpcError(RPC.INVALID_REQUEST, "Params must be an array or object");
  }
  return { id: call.id, hasId: "id" in call, version2: jsonrpc === "2.0", method, params: given };
}

function isNotification(request: Request): boolean {
  return request.version2 && !request.hasId;
}

function reply(
  request: Pick<Request, "id" | "hasId" | "version2">,
  result: unknown,
  error: { readonly code: number; readonly message: string } | undefined,
): Json {
  const id = request.hasId ? { id: request.id } : {};
  if (request.version2)
    return { jsonrpc: "2.0", ...(error === undefined ? { result: result ?? null } : { error }), ...id };
  return { result: error === undefined ? (result ?? null) : null, error: error ?? null, ...id };
}

/** Version 1 puts failures into the HTTP status too. */
function legacyError(error: unknown, id: unknown, hasId: boolean): RpcAnswer {
  const { code, message } = toRpcError(error);
  const status = code === RPC.INVALID_REQUEST ? 400 : code === RPC.METHOD_NOT_FOUND ? 404 : 500;
  return { status, body: write(reply({ id: id ?? null, hasId, version2: false }, undefined, { code, message })) };
}

function toRpcError(error: unknown): { code: number; message: string } {
  if (error instanceof RpcError) return { code: error.code, message: error.message };
  return { code: RPC.MISC_ERROR, message: error instanceof Error ? error.message : String(error) };
}

function write(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
