/**
 * From what went wrong on the way to a node, or in its answer, to the fault that says what to do about it. Core's codes
 * are those of its `rpc/protocol.h`; how it uses HTTP statuses was recorded (test/vectors/bitcoind-rpc.json).
 */
import { describe, Fault, type FaultCode, type FaultData } from "../kernel/fault.ts";
import type { HttpAnswer } from "./http.ts";

/** What every message about a call says first. */
export interface CallFacts {
  /** The node's name. */
  readonly node: string;
  /** Its address without credentials. */
  readonly address: string;
  readonly method: string;
}

/** System and TLS errors by their `code`. */
const BY_SYSTEM_CODE: Readonly<Record<string, FaultCode>> = {
  ECONNREFUSED: "node-refused",
  ENOTFOUND: "node-dns",
  EAI_AGAIN: "node-dns",
  EAI_NODATA: "node-dns",
  EHOSTUNREACH: "node-unreachable",
  ENETUNREACH: "node-unreachable",
  EHOSTDOWN: "node-unreachable",
  ENETDOWN: "node-unreachable",
  EADDRNOTAVAIL: "node-unreachable",
  ETIMEDOUT: "node-timeout",
  ECONNRESET: "node-disconnected",
  EPIPE: "node-disconnected",
  ECONNABORTED: "node-disconnected",
  EPROTO: "node-wants-http",
  ERR_SSL_WRONG_VERSION_NUMBER: "node-wants-http",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "node-wants-http",
  ERR_SSL_HTTP_REQUEST: "node-wants-http",
  DEPTH_ZERO_SELF_SIGNED_CERT: "node-certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "node-certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "node-certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "node-certificate",
  CERT_HAS_EXPIRED: "node-certificate",
  CERT_NOT_YET_VALID: "node-certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: "node-certificate",
};

/** The fault of a request that brought no whole answer. */
export function connectionFault(error: unknown, facts: CallFacts): Fault {
  if (error instanceof Fault) return new Fault(error.code, { ...facts, ...error.data });
  const code = systemCode(error);
  if (code.startsWith("HPE_")) {
    return new Fault(opensTlsRecord(error) ? "node-wants-https" : "node-not-http", { ...facts });
  }
  const known = BY_SYSTEM_CODE[code];
  if (known === "node-certificate") return new Fault(known, { ...facts, reason: code });
  if (known !== undefined) return new Fault(known, { ...facts });
  return new Fault("node-connection", { ...facts, reason: code === "" ? printable(describe(error)) : code });
}

/** The fault of an answer that holds no JSON-RPC result, by its HTTP status and its looks. */
export function answerFault(answer: HttpAnswer, facts: CallFacts): Fault {
  const { status, text } = answer;
  if (status === 401) return new Fault("node-unauthorized", { ...facts });
  if (status === 403) return new Fault("node-forbidden", { ...facts });
  if (/HTTP request .*to .*HTTPS/i.test(text.slice(0, 1000))) return new Fault("node-wants-https", { ...facts });
  // Core labels its own plain and empty bodies text/html, so only the body tells a web page.
  if (/^\s*<(!doctype|html|\?xml)/i.test(text.slice(0, 100))) {
    return new Fault("node-web-page", { ...facts, status });
  }
  // Core and its relatives answer so while they stop; one that is busy says so.
  if (status === 503 && text.trim() === "") return new Fault("node-disconnected", { ...facts });
  if (status === 503) return new Fault("node-busy", { ...facts, says: printable(text) });
  if (status === 404) return new Fault("node-not-found", { ...facts });
  if (status !== 200 && status !== 500) return new Fault("node-http-status", { ...facts, status });
  return new Fault("node-not-json", { ...facts, status, begins: printable(text.slice(0, 40)) });
}

/** RPC error codes with a meaning of their own, Core's and one of Elastos.ELA; any other is `node-rpc-error`. */
const BY_RPC_CODE: Readonly<Record<number, FaultCode>> = {
  [-28]: "node-warming-up",
  [-10]: "node-syncing",
  [-9]: "node-no-peers",
  [-32601]: "node-method-unknown",
  // Elastos: "requesting method if out of service level".
  42001: "node-method-unknown",
};

/** The fault of an `error` member; `rpcCode` and `says` in its data are the node's. */
export function rpcErrorFault(rpcCode: number, message: string, facts: CallFacts): Fault {
  const says = printable(message);
  // A call that waits for a block when the node is stopped ends with Core's "not connected" code.
  if (rpcCode === -9 && /shutting down/i.test(message)) return new Fault("node-disconnected", { ...facts, says });
  const known = BY_RPC_CODE[rpcCode];
  const data: FaultData = { ...facts, rpcCode, says };
  return new Fault(known ?? "node-rpc-error", data);
}

/** One line of at most 200 printable characters: a node's words may end up in a terminal. */
export function printable(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, 200);
}

function systemCode(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
    // Several addresses of one host name failed: the last one tried speaks for all.
    if (at instanceof AggregateError && at.errors.length > 0) return systemCode(at.errors.at(-1));
  }
  return "";
}

/** Whether what was not HTTP was a TLS alert or handshake record: 0x15 or 0x16, then version 3.x. */
function opensTlsRecord(error: unknown): boolean {
  const raw = error instanceof Error && "rawPacket" in error ? error.rawPacket : undefined;
  return raw instanceof Uint8Array && (raw[0] === 0x15 || raw[0] === 0x16) && raw[1] === 3;
}
