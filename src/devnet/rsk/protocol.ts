/** JSON-RPC as rskj speaks it, without HTTP: version 2.0, batches, status 200 for most errors too. */
import { type RpcAnswer, RpcError, type RpcHandler } from "../rpc/protocol.ts";
import type { JsonObject } from "./hex.ts";

/** Error codes of rskj. */
export const RSK_RPC = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
  /** `JsonRpcSubmitBlockException`. */
  SUBMIT_BLOCK: -33000,
} as const;

const MAX_BATCH = 100;
/** Errors that a single call over HTTP is answered with status 400. */
const BAD_REQUESTS: ReadonlySet<unknown> = new Set([
  RSK_RPC.PARSE_ERROR,
  RSK_RPC.INVALID_REQUEST,
  RSK_RPC.INVALID_PARAMS,
]);

/** Answers the body of one HTTP request or one WebSocket message. What `handle` throws that is no `Error` is thrown on. */
export async function answerRskj(text: string, handle: RpcHandler, signal: AbortSignal): Promise<RpcAnswer> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return single(failure("null", RSK_RPC.PARSE_ERROR, "JSON parse error"));
  }
  if (!Array.isArray(parsed)) return single(await one(parsed, handle, signal));
  const answers: JsonObject[] = [];
  for (const call of parsed.slice(0, MAX_BATCH)) answers.push(await one(call, handle, signal));
  return { status: 200, body: JSON.stringify(answers) };
}

function single(answer: JsonObject): RpcAnswer {
  const code = (answer.error as JsonObject | undefined)?.code;
  return { status: BAD_REQUESTS.has(code) ? 400 : 200, body: JSON.stringify(answer) };
}

async function one(call: unknown, handle: RpcHandler, signal: AbortSignal): Promise<JsonObject> {
  if (typeof call !== "object" || call === null) return failure("null", RSK_RPC.INVALID_REQUEST, "invalid request");
  const { id = null, method, params = [] } = call as JsonObject;
  if (typeof method !== "string") return failure(id, RSK_RPC.METHOD_NOT_FOUND, "method not found");
  if (!Array.isArray(params)) return failure(id, RSK_RPC.INVALID_PARAMS, "method parameters invalid");
  try {
    return { jsonrpc: "2.0", id, result: (await handle(method, params, signal)) ?? null };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof RpcError) return failure(id, error.code, error.message);
    return failure(id, RSK_RPC.INTERNAL_ERROR, "Internal server error");
  }
}

function failure(id: unknown, code: number, message: string): JsonObject {
  return { jsonrpc: "2.0", id, error: { code, message } };
}
