/** The first message on a connection of a small subprotocol (spec 3.6.1): who is refused with which word, in SRI's order. */
import { Fault } from "../kernel/fault.ts";
import { peerText } from "../kernel/peer-text.ts";
import { PROTOCOL_VERSION, SETUP_CONNECTION_ERROR, type SetupConnectionErrorCode } from "../sv2/codes.ts";
import { type COMMON, common } from "../sv2/messages/common.ts";
import type { Value } from "../sv2/table.ts";

/** The message. */
export type SetupConnection = Value<typeof COMMON.SetupConnection>;

/** What a server takes. */
export interface SubprotocolTerms {
  /** `SetupConnection.protocol`. */
  readonly protocol: number;
  /** Flags that it knows. */
  readonly flags: number;
  /** What else it demands; `undefined` when all is well. */
  readonly also?: (setup: SetupConnection) => SetupConnectionErrorCode | undefined;
}

/** Answers; returns the fault that ends the connection after the answer, `undefined` for a client that is welcome. */
export function answerSetup(
  setup: SetupConnection,
  terms: SubprotocolTerms,
  send: (frame: Uint8Array) => void,
): Fault | undefined {
  const refused = judge(setup, terms);
  if (refused === undefined) {
    send(common.encode("SetupConnectionSuccess", { usedVersion: PROTOCOL_VERSION, flags: 0 }));
    return undefined;
  }
  send(common.encode("SetupConnectionError", refused));
  const { protocol, minVersion, maxVersion, flags, vendor } = setup;
  const { errorCode } = refused;
  return new Fault("setup-refused", { errorCode, protocol, minVersion, maxVersion, flags, vendor: peerText(vendor) });
}

function judge(
  setup: SetupConnection,
  { protocol, flags, also }: SubprotocolTerms,
): { readonly flags: number; readonly errorCode: SetupConnectionErrorCode } | undefined {
  if (setup.protocol !== protocol) return { flags: 0, errorCode: SETUP_CONNECTION_ERROR.unsupportedProtocol };
  if (setup.minVersion > PROTOCOL_VERSION || setup.maxVersion < PROTOCOL_VERSION) {
    return { flags: 0, errorCode: SETUP_CONNECTION_ERROR.protocolVersionMismatch };
  }
  const unknown = (setup.flags & ~flags) >>> 0;
  if (unknown !== 0) return { flags: unknown, errorCode: SETUP_CONNECTION_ERROR.unsupportedFeatureFlags };
  const errorCode = also?.(setup);
  return errorCode === undefined ? undefined : { flags: 0, errorCode };
}
