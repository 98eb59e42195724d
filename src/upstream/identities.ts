/**
 * What pools are told of the miners below. Miners are called `account.worker` here as everywhere; the account is ours at the pool, so only the
 * worker goes up: what stands behind the first dot, or all of it where there is none.
 */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { USER_IDENTITY_TLV } from "../sv2/tlv.ts";

/** The longest user identity on the wire, bytes (STR0_255). */
const MAX_IDENTITY = 255;

/**
 * User identity of the channel that a miner has at the pool (`channels = "per_miner"`): `<user at the pool>.<worker>`, cut to 255 bytes at a
 * character's end; the user alone where there is no worker. A miner cannot name another account: pools that pay whom a channel names
 * (SRI's, for a whole connection) would pay a stranger.
 */
export function channelIdentity(poolUser: string, userIdentity: string): string {
  const worker = workerPart(userIdentity);
  return cut(worker === "" ? poolUser : `${poolUser}.${worker}`, MAX_IDENTITY);
}

/** The worker in a share (extension 0x0002): the same part, cut to 32 bytes at a character's end; empty for none. */
export function workerName(userIdentity: string): string {
  return cut(workerPart(userIdentity), USER_IDENTITY_TLV.maxLength);
}

function workerPart(userIdentity: string): string {
  const dot = userIdentity.indexOf(".");
  return dot < 0 ? userIdentity : userIdentity.slice(dot + 1);
}

/** `text` without what is beyond `max` bytes of UTF-8, no character being split. */
function cut(text: string, max: number): string {
  const bytes = utf8(text);
  if (bytes.length <= max) return text;
  let end = max;
  // Bytes 10xxxxxx go on with a character that began before.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return fromUtf8(bytes.subarray(0, end));
}
