/**
 * Extension 0x0001, extensions negotiation (spec: extensions/0x0001-extensions-negotiation.md). `requestId` is a U16 here
 * and a U32 in every other subprotocol.
 */
import { seq0_64k, u16 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Extension type of extensions negotiation. */
export const EXTENSIONS_NEGOTIATION_TYPE = 0x0001;

/** Extension type of worker-specific hashrate tracking, which has a TLV but no message (`tlv.ts`). */
export const WORKER_TRACKING_TYPE = 0x0002;

/** Messages of extensions negotiation by name. */
export const EXTENSIONS_NEGOTIATION = {
  RequestExtensions: message({
    type: 0x00,
    to: "server",
    channel: false,
    spec: "extensions/0x0001 §2",
    doc: "Ask which extensions may be used; sent right after SetupConnection.Success.",
    fields: { requestId: u16, requestedExtensions: seq0_64k(u16) },
  }),
  RequestExtensionsSuccess: message({
    type: 0x01,
    to: "client",
    channel: false,
    spec: "extensions/0x0001 §2",
    doc: "The requested extensions that the server supports.",
    fields: { requestId: u16, supportedExtensions: seq0_64k(u16) },
  }),
  RequestExtensionsError: message({
    type: 0x02,
    to: "client",
    channel: false,
    spec: "extensions/0x0001 §2",
    doc: "None of the requested extensions is supported, or one that the server requires was not requested.",
    fields: { requestId: u16, unsupportedExtensions: seq0_64k(u16), requiredExtensions: seq0_64k(u16) },
  }),
} as const;

/** Codec of `EXTENSIONS_NEGOTIATION`. */
export const extensions = codec(EXTENSIONS_NEGOTIATION, EXTENSIONS_NEGOTIATION_TYPE);
