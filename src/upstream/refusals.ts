/** What a pool refuses, in words for the operator. */
import { Fault } from "../kernel/fault.ts";
import { peerText } from "../kernel/peer-text.ts";
import { OPEN_MINING_CHANNEL_ERROR } from "../sv2/codes.ts";

/** What was asked for. */
export interface RefusedWish {
  readonly pool: string;
  readonly userIdentity: string;
  /** Extranonce bytes. */
  readonly minExtranonceSize: number;
}

/** The fault of an OpenMiningChannel.Error. Codes are free text by the spec (3.5); those that mean one thing to do are told apart. */
export function channelRefusal(code: string, { pool, userIdentity, minExtranonceSize }: RefusedWish): Fault {
  const errorCode = peerText(code);
  switch (code) {
    case OPEN_MINING_CHANNEL_ERROR.unknownUser:
    case OPEN_MINING_CHANNEL_ERROR.invalidUserIdentity:
      return new Fault("upstream-user-refused", { pool, errorCode, user: userIdentity });
    case OPEN_MINING_CHANNEL_ERROR.minExtranonceSizeTooLarge:
    case OPEN_MINING_CHANNEL_ERROR.unsupportedMinExtranonceSize:
      return new Fault("upstream-extranonce-refused", { pool, errorCode, asked: minExtranonceSize });
    default:
      return new Fault("upstream-channel-refused", { pool, errorCode });
  }
}
