/** Faults of `sv2`: all of them cost the sender the connection and nobody else anything. */
import { faults } from "./row.ts";

/** Rows thrown by `sv2`. */
export const SV2_FAULTS = faults({
  "frame-too-large": {
    act: "drop",
    what: "the peer announced a frame above the limit",
    help: "Nothing was allocated for it. If it is an honest peer, its messages are larger than the configured frame limit: raise it.",
  },
  "field-too-long": {
    act: "drop",
    what: "a field is longer than its type allows",
    help: "The peer's encoder breaks the Stratum V2 data types (spec 3.1). Report the peer's vendor and firmware version.",
  },
  "message-unknown": {
    act: "drop",
    what: "the peer sent a message type that its protocol does not have",
    help: "The peer speaks another version of Stratum V2 or another subprotocol than it announced in SetupConnection.",
  },
  "message-direction": {
    act: "drop",
    what: "the peer sent a message that only its other side may send",
    help: "Two servers or two clients are connected to each other, or the peer's firmware is broken.",
  },
});
