/** The messages that open and move a connection in every subprotocol: spec section 3.6. */
import { str0_255, u8, u16, u32 } from "../primitives.ts";
import { codec, message } from "../table.ts";

/** Common messages by name. */
export const COMMON = {
  SetupConnection: message({
    type: 0x00,
    to: "server",
    channel: false,
    spec: "3.6.1",
    doc: "Open a connection: the subprotocol, the versions and the optional features that the client asks for. First message on every connection.",
    fields: {
      protocol: u8,
      minVersion: u16,
      maxVersion: u16,
      flags: u32,
      endpointHost: str0_255,
      endpointPort: u16,
      vendor: str0_255,
      hardwareVersion: str0_255,
      firmware: str0_255,
      deviceId: str0_255,
    },
  }),
  SetupConnectionSuccess: message({
    type: 0x01,
    to: "client",
    channel: false,
    spec: "3.6.2",
    doc: "Accept a connection with the version and the features that both sides will use.",
    fields: { usedVersion: u16, flags: u32 },
  }),
  SetupConnectionError: message({
    type: 0x02,
    to: "client",
    channel: false,
    spec: "3.6.3",
    doc: "Refuse a connection before closing it; `flags` lists all the features that the server does not support.",
    fields: { flags: u32, errorCode: str0_255 },
  }),
  ChannelEndpointChanged: message({
    type: 0x03,
    to: "client",
    channel: true,
    spec: "3.6.4",
    doc: "The other end of a channel changed: what extensions negotiated on it is void.",
    fields: { channelId: u32 },
  }),
  Reconnect: message({
    type: 0x04,
    to: "client",
    channel: false,
    spec: "3.6.5",
    doc: "Ask the client to connect elsewhere under the same authority key; an empty host or port 0 means the present one.",
    fields: { newHost: str0_255, newPort: u16 },
  }),
} as const;

/** Codec of `COMMON`. */
export const common = codec(COMMON);
