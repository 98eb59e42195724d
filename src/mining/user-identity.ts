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
