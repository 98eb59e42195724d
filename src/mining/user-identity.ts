/** Which user identities are fit to be kept, logged and paid at all, whatever the operator's policy says of them. */

/**
 * Whether `identity` is text without control characters. What was no UTF-8 on the wire shows as U+FFFD; names that only
 * look alike in our records must not share an account.
 */
export function isWellFormedIdentity(identity: string): boolean {
  for (let i = 0; i < identity.length; i++) {
    const unit = identity.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || unit === 0xfffd) return false;
  }
  return true;
}

/**
 * Who a share is credited to that names `worker` (extension 0x0002) on a channel of `channelUser`. Proxies send the worker's
 * name alone: SRI's translator cuts a miner's `rig.2` to `2` and opens its channel as `farm.translator-proxy`. The
 * account is the channel's identity up to its first dot, so that equal names of two accounts stay apart and a policy
 * that admits the account admits its workers; a name that begins with the account already is taken as it is.
 */
export function workerOf(channelUser: string, worker: string): string {
  const dot = channelUser.indexOf(".");
  const account = dot < 0 ? channelUser : channelUser.slice(0, dot);
  if (account === "" || worker === account || worker.startsWith(`${account}.`)) return worker;
  return `${account}.${worker}`;
}
